package commands

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

func persistenceRows() []*Command {
	const admin = "slow admin dangerous"
	return []*Command{
		{Name: "wait", Arity: 3, Flags: Slow, Also: "noscript", Tips: "request_policy:all_shards response_policy:agg_min", ACL: "slow connection", Group: "server", Since: "3.0.0",
			Syntax: "numreplicas timeout", Doc: "Answers 0 at once: there are no replicas to wait for.", Run: runWait},
		{Name: "waitaof", Arity: 4, Flags: Slow, Also: "noscript", Tips: "request_policy:all_shards response_policy:agg_min", ACL: "slow connection", Group: "server", Since: "7.2.0",
			Syntax: "numlocal numreplicas timeout",
			Doc: "Waits at most timeout milliseconds (0 is without end) until this connection's writes to database 0 are on the disk, and returns 1 or 0 for that, " +
				"and 0 for the replicas, of which there are none. With numlocal 0, and inside a transaction, it does not wait.", Run: runWaitAOF},
		{Name: "lastsave", Arity: 1, Also: "loading stale", Tips: "nondeterministic_output", ACL: "fast admin dangerous", Group: "server", Since: "1.0.0",
			Doc: "Returns the Unix time of the last BGSAVE that succeeded, or of the server's start.", Run: runLastSave},
		{Name: "bgsave", Arity: -1, Flags: Admin, Also: "noscript no_async_loading", ACL: admin, Group: "admin", Since: "1.0.0",
			Syntax: "[SCHEDULE]",
			Doc: "Writes snapshots of all namespaces that have changed, in the background, and deletes the journal that they replace. " +
				"Nothing depends on it: data is safe without.", Run: runBGSave},
	}
}

// saving is the state of BGSAVE.
type saving struct {
	mu     sync.Mutex
	busy   bool
	last   time.Time // of the last that succeeded
	failed bool      // the last one did
}

var (
	errSaveBusy        = kverr.New(kverr.Err, "Background save already in progress")
	errSaveUnsupported = kverr.New(kverr.Err, "the storage backend saves by itself and has no BGSAVE")
)

func runBGSave(c *Call) error {
	if c.argc() > 2 || c.argc() == 2 && !strings.EqualFold(c.arg(1), "SCHEDULE") {
		return errSyntax
	}
	e := c.Engine
	store, ok := e.store.(storage.Compactor)
	if !ok {
		return errSaveUnsupported
	}
	e.saving.mu.Lock()
	defer e.saving.mu.Unlock()
	if e.saving.busy {
		return errSaveBusy
	}
	e.saving.busy = true
	go e.save(store)
	c.Out.Status("Background saving started")
	return nil
}

func (e *Engine) save(store storage.Compactor) {
	// Not the connection's context: the save goes on when it is closed. The
	// store's own end ends it.
	err := store.Compact(context.Background())
	if err != nil && !errors.Is(err, storage.ErrClosed) {
		e.log.Error("BGSAVE failed; nothing is lost, the journal has it all", "error", err)
	}
	e.saving.mu.Lock()
	defer e.saving.mu.Unlock()
	e.saving.busy, e.saving.failed = false, err != nil
	if err == nil {
		e.saving.last = e.clock()
	}
}

// lastSave tells how BGSAVE stands.
func (e *Engine) lastSave() (at time.Time, busy, failed bool) {
	e.saving.mu.Lock()
	defer e.saving.mu.Unlock()
	at = e.saving.last
	if at.IsZero() {
		at = e.started
	}
	return at, e.saving.busy, e.saving.failed
}

func runLastSave(c *Call) error {
	at, _, _ := c.Engine.lastSave()
	c.Out.Int(at.Unix())
	return nil
}

// saves are the lines of BGSAVE in INFO persistence.
func (r *report) saves() {
	at, busy, failed := r.call.Engine.lastSave()
	running, status := 0, "ok"
	if busy {
		running = 1
	}
	if failed {
		status = "err"
	}
	r.field("rdb_bgsave_in_progress", running)
	r.field("rdb_last_save_time", at.Unix())
	r.field("rdb_last_bgsave_status", status)
}

// Redis's words about the arguments of WAIT and WAITAOF.
var (
	errNumLocal        = kverr.New(kverr.Err, "value is out of range, value must between 0 and 1")
	errNumReplicas     = kverr.New(kverr.Err, "value is out of range, must be positive")
	errTimeout         = kverr.New(kverr.Err, "timeout is not an integer or out of range")
	errTimeoutNegative = kverr.New(kverr.Err, "timeout is negative")
	errNoLocalAOF      = kverr.New(kverr.Err, "WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
)

// parseTimeout reads a timeout in milliseconds. Zero is without end.
func (c *Call) parseTimeout(i int) (time.Duration, error) {
	ms, ok := parseInt(c.Argv[i])
	switch {
	case !ok:
		return 0, errTimeout
	case ms < 0:
		return 0, errTimeoutNegative
	}
	return time.Duration(min(ms, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond, nil
}

func runWait(c *Call) error {
	if _, ok := parseInt(c.Argv[1]); !ok {
		return errNotInteger
	}
	if _, err := c.parseTimeout(2); err != nil {
		return err
	}
	c.Out.Int(0)
	return nil
}

func runWaitAOF(c *Call) error {
	local, ok := parseInt(c.Argv[1])
	switch {
	case !ok:
		return errNotInteger
	case local < 0 || local > 1:
		return errNumLocal
	}
	if replicas, ok := parseInt(c.Argv[2]); !ok {
		return errNotInteger
	} else if replicas < 0 {
		return errNumReplicas
	}
	timeout, err := c.parseTimeout(3)
	if err != nil {
		return err
	}
	store, ok := c.Engine.store.(storage.Syncer)
	if local == 1 && !ok {
		return errNoLocalAOF
	}
	durable := false
	if local == 1 && !c.Session.inExec() {
		if durable, err = syncWithin(c.Ctx, store, timeout); err != nil {
			return err
		}
	}
	c.Out.Array(2)
	if durable {
		c.Out.Int(1)
	} else {
		c.Out.Int(0)
	}
	c.Out.Int(0)
	return nil
}

// inExec tells whether the command under way is one of a transaction, which
// holds locks that nobody may wait under.
func (s *Session) inExec() bool { return s.txnRun != nil && s.txnRun.txn != nil }

// syncWithin tells whether everything was durable before the time was up. Zero
// is without end. An fsync that has begun cannot be called back, so it may go
// on after the answer.
func syncWithin(ctx context.Context, store storage.Syncer, timeout time.Duration) (bool, error) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	done := make(chan error, 1)
	go func() { done <- store.Sync(ctx) }()
	select {
	case err := <-done:
		if errors.Is(err, context.DeadlineExceeded) {
			return false, nil
		}
		return err == nil, err
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return false, nil
		}
		return false, ctx.Err()
	}
}
