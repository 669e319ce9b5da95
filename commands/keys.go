package commands

import (
	"errors"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

func keyRows() []*Command {
	return []*Command{
		{Name: "del", Arity: -2, Flags: Writes, Keys: allKeys.used("RM delete"), ACL: "keyspace write slow", Group: "keys", Since: "1.0.0",
			Syntax: "key [key ...]", Doc: "Deletes keys and returns how many there were.", Tips: "request_policy:multi_shard response_policy:agg_sum", Run: runDel},
		{Name: "unlink", Arity: -2, Flags: Writes, Keys: allKeys.used("RM delete"), ACL: "keyspace write fast", Group: "keys", Since: "4.0.0",
			Syntax: "key [key ...]", Doc: "The same as DEL.", Tips: "request_policy:multi_shard response_policy:agg_sum", Run: runDel},
		{Name: "exists", Arity: -2, Flags: Reads, Keys: allKeys.used("RO"), ACL: "keyspace read fast", Group: "keys", Since: "1.0.0",
			Syntax: "key [key ...]", Doc: "Returns how many of the named keys exist; a key named twice counts twice.", Tips: "request_policy:multi_shard response_policy:agg_sum", Run: runExists},
		{Name: "touch", Arity: -2, Flags: Reads, Keys: allKeys.used("RO"), ACL: "keyspace read fast", Group: "keys", Since: "3.2.1",
			Syntax: "key [key ...]", Doc: "Returns how many of the named keys exist.", Tips: "request_policy:multi_shard response_policy:agg_sum", Run: runExists},
		{Name: "type", Arity: 2, Flags: Reads, Keys: oneKey.used("RO"), ACL: "keyspace read fast", Group: "keys", Since: "1.0.0",
			Syntax: "key", Doc: "Returns string, or none for a missing key.", Run: runType},
		{Name: "rename", Arity: 3, Flags: Writes | Grows, Keys: KeySpec{First: 1, Last: 2, Step: 1, Use: "RW access delete", UseRest: "OW update"}, ACL: "keyspace write slow", Group: "keys", Since: "1.0.0",
			Syntax: "key newkey", Doc: "Renames a key with its TTL, overwriting the new name.", Run: runRename},
		{Name: "renamenx", Arity: 3, Flags: Writes | Grows, Keys: KeySpec{First: 1, Last: 2, Step: 1, Use: "RW access delete", UseRest: "OW insert"}, ACL: "keyspace write fast", Group: "keys", Since: "1.0.0",
			Syntax: "key newkey", Doc: "Renames a key if the new name is free.", Run: runRenameNX},
		{Name: "copy", Arity: -3, Flags: Writes | Grows | CrossDB, Keys: KeySpec{First: 1, Last: 2, Step: 1, Use: "RO access", UseRest: "OW update"}, ACL: "keyspace write slow",
			Group: "keys", Since: "6.2.0", Syntax: "source destination [DB <0 | 1>] [REPLACE]",
			Doc: "Copies a key with its TTL, also to the other database.", Run: runCopy},
		{Name: "randomkey", Arity: 1, Flags: Reads | WholeNamespace | Narrowed, ACL: "keyspace read slow", Group: "keys", Since: "1.0.0",
			Doc: "Returns some key of the namespace.", Tips: "request_policy:all_shards nondeterministic_output", Run: runRandomKey},
		{Name: "dbsize", Arity: 1, Flags: Reads | WholeNamespace | Narrowed, ACL: "keyspace read fast", Group: "keys", Since: "1.0.0",
			Doc: "Returns how many live keys the database holds.", Tips: "request_policy:all_shards response_policy:agg_sum", Run: runDBSize},
		{Name: "flushdb", Arity: -1, Flags: Writes | WholeNamespace | Narrowed, ACL: "keyspace write slow dangerous", Group: "keys", Since: "1.0.0",
			Syntax: "[ASYNC | SYNC]", Doc: "Deletes every key of the namespace in the database in use.", Tips: "request_policy:all_shards response_policy:all_succeeded", Run: runFlushDB},
		{Name: "flushall", Arity: -1, Flags: Writes | WholeNamespace | Narrowed | CrossDB, ACL: "keyspace write slow dangerous", Group: "keys", Since: "1.0.0",
			Syntax: "[ASYNC | SYNC]", Doc: "Deletes every key of the namespace in both databases; other namespaces keep theirs.", Tips: "request_policy:all_shards response_policy:all_succeeded", Run: runFlushAll},
	}
}

func runDel(c *Call) error {
	n := int64(0)
	for i := 1; i < c.argc(); i++ {
		found, err := c.del(c.arg(i))
		if err != nil {
			return err
		}
		if found {
			n++
		}
	}
	c.Out.Int(n)
	return nil
}

func runExists(c *Call) error {
	n := int64(0)
	for i := 1; i < c.argc(); i++ {
		_, found, err := c.lookup(c.arg(i))
		if err != nil {
			return err
		}
		if found {
			n++
		}
	}
	c.Out.Int(n)
	return nil
}

func runType(c *Call) error {
	_, found, err := c.lookup(c.arg(1))
	if err != nil {
		return err
	}
	if found {
		c.Out.Status("string")
	} else {
		c.Out.Status("none")
	}
	return nil
}

func runRename(c *Call) error {
	if err := c.rename(); err != nil {
		return err
	}
	c.Out.Status("OK")
	return nil
}

func runRenameNX(c *Call) error {
	if _, found, err := c.get(c.arg(1)); err != nil || !found {
		return firstError(err, errNoSuchKey)
	}
	_, taken, err := c.get(c.arg(2))
	if err != nil {
		return err
	}
	if !taken {
		if err := c.rename(); err != nil {
			return err
		}
	}
	c.Out.Bool(!taken)
	return nil
}

// rename moves argument 1 to argument 2.
func (c *Call) rename() error {
	from, to := c.arg(1), c.arg(2)
	e, found, err := c.get(from)
	if err != nil || !found {
		return firstError(err, errNoSuchKey)
	}
	if from == to {
		return nil
	}
	if _, err := c.remove(from); err != nil {
		return err
	}
	// Not put: a value that is larger than a limit lowered later is no new one.
	if err := c.Tx.Set(to, storage.Entry{Value: e.Value, ExpiresAt: e.ExpiresAt}); err != nil {
		return err
	}
	c.notify(eventNew, "new", to)
	c.notify(eventGeneric, "rename_from", from)
	c.notify(eventGeneric, "rename_to", to)
	return nil
}

func firstError(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

var errSameObject = kverr.New(kverr.Err, "source and destination objects are the same")

func runCopy(c *Call) error {
	target, replace := c.db, false
	for i := 3; i < c.argc(); i++ {
		switch word := c.arg(i); {
		case strings.EqualFold(word, "REPLACE"):
			replace = true
		case strings.EqualFold(word, "DB") && i+1 < c.argc():
			i++
			db, err := parseDB(c.Argv[i])
			if err != nil {
				return err
			}
			target = db
		default:
			return errSyntax
		}
	}
	from, to := c.arg(1), c.arg(2)
	if target == c.db && from == to {
		return errSameObject
	}
	e, found, err := c.lookup(from)
	if err != nil {
		return err
	}
	if !found {
		c.Out.Int(0)
		return nil
	}
	tx := c.txOf(target)
	_, taken, err := getFrom(tx, to)
	if err != nil {
		return err
	}
	if taken && !replace {
		c.Out.Int(0)
		return nil
	}
	if e.ExpiresAt != 0 {
		// The other database may have other bounds.
		if err := checkTTL(c.Limits, target, c.Now, e.ExpiresAt); err != nil && target != c.db {
			return err
		}
	}
	if err := checkValue(c.Limits, len(e.Value)); err != nil {
		return err
	}
	if err := tx.Set(to, storage.Entry{Value: e.Value, ExpiresAt: e.ExpiresAt}); err != nil {
		return err
	}
	c.notifyIn(target, eventNew, "new", to)
	c.notifyIn(target, eventGeneric, "copy_to", to)
	c.Out.Int(1)
	return nil
}

func runRandomKey(c *Call) error {
	key, err := c.Tx.Random()
	switch {
	case err == nil:
		c.Out.BulkString(key)
	case errors.Is(err, storage.ErrNotFound):
		c.Out.Null()
	default:
		return err
	}
	return nil
}

func runDBSize(c *Call) error {
	c.Out.Int(c.Tx.Usage().Keys)
	return nil
}

func runFlushDB(c *Call) error {
	if err := checkFlushOption(c); err != nil {
		return err
	}
	if err := c.Tx.Clear(); err != nil {
		return err
	}
	c.Out.Status("OK")
	return nil
}

func runFlushAll(c *Call) error {
	if err := checkFlushOption(c); err != nil {
		return err
	}
	for db := range storage.Databases {
		if err := c.txOf(db).Clear(); err != nil {
			return err
		}
	}
	c.Out.Status("OK")
	return nil
}

// checkFlushOption accepts ASYNC and SYNC; both are the same here, since
// clearing a namespace takes no time that depends on its size.
func checkFlushOption(c *Call) error {
	if c.argc() == 1 {
		return nil
	}
	if c.argc() == 2 && (strings.EqualFold(c.arg(1), "ASYNC") || strings.EqualFold(c.arg(1), "SYNC")) {
		return nil
	}
	return errSyntax
}
