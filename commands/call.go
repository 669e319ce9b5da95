package commands

import (
	"context"
	"errors"
	"time"
	"unsafe"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// Call is what a handler sees of one command. A handler returns an error
// instead of writing one; everything it wrote to Tx and Out is then dropped.
type Call struct {
	Ctx     context.Context
	Engine  *Engine
	Session *Session
	Cmd     *Command
	Argv    [][]byte
	// Now is the instant of the command in Unix milliseconds. Commands of one
	// transaction share it.
	Now int64
	// Tx is the database in use; nil for commands that do not use the store.
	Tx storage.Tx
	// Limits are those of the namespace in use.
	Limits *auth.Limits
	Out    *resp.Writer

	run    *run
	script *script // of a command with the flag Scripts; nil when it is not known
	db     int     // of Tx
	stages *[storage.Databases]stage
	// scratch is room to build a small value in; it holds until the command's
	// writes are kept.
	scratch *[24]byte
}

// arg returns argument i without copying. The string lives as long as Argv,
// which nobody changes.
func (c *Call) arg(i int) string { return borrow(c.Argv[i]) }

// argc is the number of arguments, the name included.
func (c *Call) argc() int { return len(c.Argv) }

// hub returns the namespace's hub, or nil when nobody waits for messages.
func (c *Call) hub() *hub { return c.Engine.hubOf(c.Session) }

// inTransaction tells whether EXEC performs the command.
func (c *Call) inTransaction() bool { return c.run.txn != nil }

// txOf returns the transaction on database db, for commands flagged CrossDB.
func (c *Call) txOf(db int) storage.Tx { return c.run.narrow(&c.stages[db], db) }

// borrow makes a string of b without copying. b must not change afterwards.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// get returns the entry under key, and whether there is one. Commands that
// only read count it as a hit or a miss.
func (c *Call) get(key string) (storage.Entry, bool, error) {
	e, err := c.Tx.Get(key)
	if !c.Cmd.has(Writes) {
		c.countLookup(err == nil)
	}
	if err == nil {
		return e, true, nil
	}
	if err == storage.ErrNotFound { //nolint:errorlint // the hot path: stores return the sentinel itself
		return e, false, nil
	}
	return e, false, err
}

// countLookup counts a key that a command looked up in order to answer it.
func (c *Call) countLookup(found bool) {
	if found {
		c.Session.hits++
	} else {
		c.Session.misses++
	}
}

func getFrom(tx storage.Tx, key string) (storage.Entry, bool, error) {
	e, err := tx.Get(key)
	if err == nil {
		return e, true, nil
	}
	if err == storage.ErrNotFound { //nolint:errorlint // the hot path: stores return the sentinel itself
		return e, false, nil
	}
	return e, false, err
}

// put writes value under key in the database in use, within the limit on
// values. expiresAt is in Unix milliseconds, 0 for never.
func (c *Call) put(key string, value []byte, expiresAt int64) error {
	if err := checkValue(c.Limits, len(value)); err != nil {
		return err
	}
	if c.run.events&eventNew != 0 {
		if err := c.notifyNew(key); err != nil {
			return err
		}
	}
	return c.Tx.Set(key, storage.Entry{Value: value, ExpiresAt: expiresAt})
}

// remove deletes key and tells whether it was there.
func (c *Call) remove(key string) (bool, error) {
	err := c.Tx.Delete(key)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, storage.ErrNotFound):
		return false, nil
	}
	return false, err
}

// clock is the time. It stands still for the commands of a script.
func (c *Call) clock() time.Time {
	if c.run.outer != nil {
		return c.run.now
	}
	return c.Engine.clock()
}

// errSyntax is Redis's answer to options that make no sense together.
var errSyntax = kverr.New(kverr.Err, "syntax error")
