package commands

import (
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

func txnRows() []*Command {
	return []*Command{
		{Name: "multi", Arity: 1, Flags: OwnConnection | Stateful | AlwaysNow, ACL: "fast transaction", Group: "transactions", Since: "1.2.0",
			Doc: "Starts a transaction: commands are queued until EXEC.", Also: "noscript loading stale allow_busy", Run: runMulti},
		{Name: "exec", Arity: 1, Flags: OwnConnection | Stateful | AlwaysNow | EndsMulti | Slow, ACL: "slow transaction", Group: "transactions", Since: "1.2.0",
			Doc: "Runs the queued commands as one atomic step.", Also: "noscript loading stale skip_slowlog", Run: runExec},
		{Name: "discard", Arity: 1, Flags: OwnConnection | Stateful | AlwaysNow, ACL: "fast transaction", Group: "transactions", Since: "2.0.0",
			Doc: "Forgets the queued commands and the watched keys.", Also: "noscript loading stale allow_busy", Run: runDiscard},
		{Name: "watch", Arity: -2, Flags: OwnConnection | Reads | AlwaysNow, Keys: KeySpec{First: 1, Last: -1, Step: 1}.used("RO"),
			ACL: "fast transaction", Group: "transactions", Since: "2.2.0", Syntax: "key [key ...]",
			Doc: "Makes the next EXEC do nothing if one of the keys changes before it.", Also: "noscript loading stale allow_busy", Run: runWatch},
		{Name: "unwatch", Arity: 1, Flags: OwnConnection | Stateful, ACL: "fast transaction", Group: "transactions", Since: "2.2.0",
			Doc: "Forgets the watched keys.", Also: "noscript loading stale allow_busy", Run: runUnwatch},
	}
}

// transaction is what MULTI collects.
type transaction struct {
	items   []item
	bytes   int        // of the items' arguments, with what keeping them costs
	app     storage.ID // for which the bytes are counted
	spoiled bool       // a command was refused: EXEC will do nothing
}

// Bounds on what clients can make the server keep between commands. Redis has
// none; it trusts its clients with all of its memory.
const (
	maxQueuedBytes = 64 << 20  // of a connection
	maxQueuedAll   = 256 << 20 // of all connections of a namespace
	maxWatched     = 4096
	argumentCost   = 40 // bytes that keeping an argument takes beside its own
)

var (
	errQueueFull = kverr.Newf(kverr.BadInput, "the transaction would hold more than %d bytes of commands", maxQueuedBytes).
			WithHint("split it into several")
	errQueuesFull = kverr.Newf(kverr.BadInput, "the transactions of the namespace's connections would hold more than %d bytes of commands", maxQueuedAll).
			WithHint("EXEC or DISCARD some of them")
	errWatchFull = kverr.Newf(kverr.BadInput, "the connection would watch more than %d keys", maxWatched).
			WithHint("EXEC, DISCARD or UNWATCH forgets the present ones")
)

// watchedKey is a key and the version that WATCH saw; 0 is a missing key.
// Deletion and expiry are changes like any other.
type watchedKey struct {
	db      int
	key     string
	version uint64
}

// enqueue keeps an admitted command for EXEC. Errors: errQueueFull,
// errQueuesFull.
func (s *Session) enqueue(cmd *Command, argv [][]byte, out *resp.Writer) error {
	cost := 0
	for _, a := range argv {
		cost += len(a) + argumentCost
	}
	if s.multi.bytes+cost > maxQueuedBytes {
		return errQueueFull
	}
	if p := s.principal; p != nil && p.App != nil {
		if !s.engine.queued.add(p.App.ID, int64(cost)) {
			return errQueuesFull
		}
		s.multi.app = p.App.ID
	}
	s.multi.bytes += cost
	s.multi.items = append(s.multi.items, item{cmd: cmd, argv: cloneArgv(argv)})
	s.show(func(v *shownState) { v.multi, v.multiBytes = len(s.multi.items), s.multi.bytes })
	out.Status("QUEUED")
	return nil
}

// cloneArgv copies arguments that outlive their request.
func cloneArgv(argv [][]byte) [][]byte {
	n := 0
	for _, a := range argv {
		n += len(a)
	}
	bytes, list := make([]byte, 0, n), make([][]byte, len(argv))
	for i, a := range argv {
		from := len(bytes)
		bytes = append(bytes, a...)
		list[i] = bytes[from:len(bytes):len(bytes)]
	}
	return list
}

func runMulti(c *Call) error {
	if c.Session.multi != nil {
		return kverr.New(kverr.Err, "MULTI calls can not be nested")
	}
	c.Session.multi = &transaction{}
	c.Session.show(func(v *shownState) { v.multi = 0 })
	c.Out.Status("OK")
	return nil
}

func runDiscard(c *Call) error {
	if c.Session.multi == nil {
		return kverr.New(kverr.Err, "DISCARD without MULTI")
	}
	c.Session.endTransaction()
	c.Out.Status("OK")
	return nil
}

// endTransaction leaves MULTI and forgets the watched keys.
func (s *Session) endTransaction() {
	s.forgetQueue()
	s.unwatch()
	s.show(func(v *shownState) { v.multi, v.multiBytes = -1, 0 })
}

func (s *Session) unwatch() {
	if s.watched == nil {
		return
	}
	s.watched = nil
	s.show(func(v *shownState) { v.watched = 0 })
}

func runExec(c *Call) error {
	s := c.Session
	txn := s.multi
	if txn == nil {
		return kverr.New(kverr.Err, "EXEC without MULTI")
	}
	defer func() {
		s.multi = txn
		s.endTransaction()
	}()
	s.multi = nil // what runs below is not queued again
	if txn.spoiled {
		return errExecAbort
	}
	s.run.seq = c.Engine.execute(c, txn)
	c.settle()
	return nil
}

// execute performs a whole transaction as one step, in a run of its own
// because EXEC is itself under way in the session's.
func (e *Engine) execute(c *Call, txn *transaction) storage.Seq {
	s := c.Session
	if s.txnRun == nil {
		s.txnRun = new(run)
		s.txnRun.init(e, s)
	}
	r := s.txnRun
	r.ctx, r.out, r.now = c.Ctx, c.Out, s.run.now
	r.items, r.txn, r.watched = txn.items, txn, s.watched
	r.seen = s.run.seen
	defer func() { r.items, r.txn, r.watched, r.subsBefore = nil, nil, nil, nil }()
	store, both := false, false
	for i := range txn.items {
		if txn.items[i].cmd.has(PubSub) && r.subsBefore == nil {
			r.subsBefore = s.subs.clone()
		}
		store = store || txn.items[i].cmd.usesStore()
		both = r.prepare(&txn.items[i]) || both
	}
	for i := range s.watched {
		store = true
		both = both || s.watched[i].db != s.db
	}
	began := s.watch.at
	seq := storage.Seq(0)
	r.done = false
	if store || both && s.principal.App != nil {
		seq = r.transact(both)
	} else {
		r.begin()
		_ = r.perform() // without a transaction nothing can fail as a whole
		r.deliverNotices(r.seen)
	}
	if r.done && len(txn.items) > 0 {
		took := s.watch.since(began)
		e.account(s, txn.items, took)
		if s.trail != nil && s.run.current.note == nil { // or nothing of it was kept
			s.audit(txn.items, took, r.homeDB, "exec")
		}
		e.tellMonitors(s, r.homeDB, txn.items, r.now, max(r.seen, seq))
	}
	return seq
}

// watchesHold tells whether no watched key changed since WATCH.
func (r *run) watchesHold() bool {
	for i := range r.watched {
		w := &r.watched[i]
		e, err := r.bases[w.db].Get(w.key)
		if err != nil && err != storage.ErrNotFound { //nolint:errorlint // stores return the sentinel itself
			return false
		}
		if e.Version != w.version {
			return false
		}
	}
	return true
}

func runWatch(c *Call) error {
	s := c.Session
	if s.multi != nil {
		return kverr.New(kverr.Err, "WATCH inside MULTI is not allowed")
	}
	before := len(s.watched)
	for i := 1; i < c.argc(); i++ {
		key := c.arg(i)
		if s.watches(c.db, key) {
			continue // the first look counts, as in Redis
		}
		e, _, err := c.get(key)
		if err == nil && len(s.watched) == maxWatched {
			err = errWatchFull
		}
		if err != nil {
			s.watched = s.watched[:before]
			return err
		}
		s.watched = append(s.watched, watchedKey{c.db, strings.Clone(key), e.Version})
	}
	s.show(func(v *shownState) { v.watched = len(s.watched) })
	c.Out.Status("OK")
	return nil
}

func (s *Session) watches(db int, key string) bool {
	for i := range s.watched {
		if s.watched[i].db == db && s.watched[i].key == key {
			return true
		}
	}
	return false
}

func runUnwatch(c *Call) error {
	c.Session.unwatch()
	c.Out.Status("OK")
	return nil
}
