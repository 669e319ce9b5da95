package commands

import (
	"context"
	"errors"
	"time"

	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// maxRun bounds how many neighbouring commands share one transaction, and so
// how long a batch may keep a namespace's lock.
const maxRun = 128

// flushAfter is how many bytes of replies Do builds before it hands back to
// the door, so that a long batch of large replies does not pile up.
const flushAfter = 1 << 20

// item is one admitted command of a run.
type item struct {
	cmd    *Command
	argv   [][]byte
	script *script // of a command with the flag Scripts, once it is known
	note   *auditNote
}

// Do runs commands from the front of batch and appends one reply for each to
// out, less those that CLIENT REPLY holds back. It returns how many it ran, at
// least one unless the session is closing: the door sends the replies and calls
// again with the rest. The replies may be sent when Wait(seq) returns; when that
// fails, Fail takes their place. While CLIENT PAUSE holds the first command, Do
// waits for that or for the end of ctx.
//
// After a sign-in whose answer has to wait (Session.Hold), Do hands back as well.
//
// Neighbouring commands that use the store share one transaction; the writes
// of each stand or fall on their own.
func (e *Engine) Do(ctx context.Context, s *Session, batch []Request, out *resp.Writer) (n int, seq storage.Seq) {
	n, seq, _ = e.do(ctx, s, batch, out, false)
	return n, seq
}

// TryDo is Do for a door that serves many connections from one goroutine: it
// stops before a command that may take long, or that would have to wait, and
// tells so. The door then lets another goroutine call Do with the rest.
func (e *Engine) TryDo(ctx context.Context, s *Session, batch []Request, out *resp.Writer) (n int, seq storage.Seq, waits bool) {
	return e.do(ctx, s, batch, out, true)
}

func (e *Engine) do(ctx context.Context, s *Session, batch []Request, out *resp.Writer, hasty bool) (n int, seq storage.Seq, waits bool) {
	now := s.watch.now()
	if ms := now.UnixMilli(); ms != s.last.Load() { // a load is much cheaper than a store
		s.last.Store(ms)
	}
	e.noteActivity()
	if t := e.trail.Load(); t != s.trail {
		s.useTrail(t)
	}
	s.silenced, s.extra = 0, 0
	s.hold = 0
	out.SetProto(s.proto)
	start := out.Len()
	r := &s.run
	r.ctx, r.out, r.now, r.hasty, r.waits = ctx, out, now, hasty, false
	most, enough := len(batch), flushAfter
	if hasty {
		most, enough = min(most, hastyCommands), hastyReplies
	} else {
		s.putOff = s.putOff || most >= longBatch
		defer s.endWork()
	}
	sender, counted := s.principal, 0
	for n < most && !s.closing && s.hold == 0 && !r.waits && out.Len()-start < enough && !(hasty && s.extra >= hastyExtra) {
		if over := e.mustWait(s, batch[n]); over != nil {
			if n > 0 || hasty {
				r.waits = true // the replies so far come first
				break
			}
			if err := s.await(ctx, over); err != nil {
				out.Error(e.wireText(err)) // to nobody: the connection has ended
				return 1, seq, false
			}
			r.now = s.watch.now()
			continue
		}
		r.seen = seq
		ran, after := e.step(s, batch[n:most])
		if s.principal != sender { // what came before is the former one's
			sender.CountCommands(now, n-counted)
			sender, counted = s.principal, n
		}
		n += ran
		seq = max(seq, after)
	}
	if s.hits|s.misses != 0 {
		s.countLookups()
	}
	sender.CountCommands(now, n-counted)
	if s.owed > 0 && n > 0 {
		s.hold, s.owed = max(s.hold, s.owed), 0
	}
	if len(s.late) > 0 {
		s.sayLate(out)
	}
	if s.trail != nil {
		e.handOver(s)
	}
	s.putOff = hasty && r.waits
	return n, seq, r.waits
}

// step runs the first command of batch, and with it the neighbours that may
// share its transaction. It returns how many it ran. When it stops before one
// that would have to wait, it sets waits.
func (e *Engine) step(s *Session, batch []Request) (n int, seq storage.Seq) {
	r := &s.run
	mark, reply, most := r.out.Mark(), s.beginReply(), maxRun
	if reply == replySkipping {
		most = 1
	} else if r.hasty && s.replyBytes > 0 {
		most = max(1, min(most, hastyReplies/s.replyBytes))
	}
	before := r.out.Len()
	var last *Command // nil when it does not exist
	cmd, v, err := e.admit(s, batch[0], r.now)
	if !r.hasty && v == execute {
		if r.needsPlace(cmd, batch[0].Argv) {
			if over := s.beginWork(r.ctx); over != nil {
				v, err = refuse, over // to nobody: the connection has ended
			}
		} else if cmd.slow() {
			s.endWork()
		}
	}
	// Gather the neighbours of a store command. What admission says of the first
	// one that does not fit still holds after the run: a run does not change the
	// session.
	r.items = r.items[:0]
	for v == execute && joinsRun(cmd) && !(r.mayNotTakeLong() && r.takesLong(cmd, batch[n].Argv)) {
		r.items = append(r.items, item{cmd: cmd, argv: batch[n].Argv})
		last = cmd
		n++
		if v = done; n < len(batch) && len(r.items) < most && e.mustWait(s, batch[n]) == nil {
			cmd, v, err = e.admit(s, batch[n], r.now)
		}
	}
	if len(r.items) > 0 {
		if seq = r.transact(false); r.waits {
			s.prepaid = len(r.items)
			if v == execute || v == enqueue {
				s.prepaid++
			}
			return 0, 0
		}
		s.replyBytes = 0
		if size := r.out.Len() - before; size > hastyReplies/maxRun {
			s.replyBytes = size / n
		}
		s.endReply(r.out, mark, reply, n)
		took := s.watch.lap()
		e.account(s, r.items, took)
		if s.trail != nil {
			s.audit(r.items, took, r.homeDB, "")
		}
		if e.monitors.any() {
			e.tellMonitors(s, r.homeDB, r.items, r.now, seq)
		}
	}
	if v == done {
		s.ranLast(last)
		return n, seq
	}
	if n > 0 && !r.hasty && v == execute && (cmd.slow() || s.working == nil && r.needsPlace(cmd, batch[n].Argv)) {
		s.prepaid = 1 // the next step begins with it
		return n, seq
	}
	if r.waits = r.hasty && v == execute && r.takesLong(cmd, batch[n].Argv); r.waits {
		s.prepaid = 1
		return n, seq
	}
	argv := batch[n].Argv
	mark = r.out.Mark()
	switch v {
	case refuse:
		e.refused(s, cmd, argv, err, r.out)
	case enqueue:
		if err := s.enqueue(cmd, argv, r.out); err != nil {
			e.refused(s, cmd, argv, err, r.out)
		}
	default:
		r.items = append(r.items[:0], item{cmd: cmd, argv: argv})
		r.seen = max(r.seen, seq)
		after := r.alone()
		seq = max(seq, after)
		if r.waits {
			s.prepaid = 1
			return n, seq
		}
		s.ranLast(cmd)
		s.endReply(r.out, mark, reply, 1)
		took := s.watch.lap()
		e.account(s, r.items, took)
		if s.trail != nil {
			s.audit(r.items, took, r.homeDB, "")
		}
		if e.monitors.any() {
			e.tellMonitors(s, r.homeDB, r.items, r.now, max(r.seen, after))
		}
		return n + 1, seq
	}
	s.ranLast(cmd)
	s.endReply(r.out, mark, reply, 1)
	return n + 1, seq
}

// ranLast remembers the command for listings; nil is one that does not exist.
func (s *Session) ranLast(cmd *Command) {
	if s.lastCmd.Load() != cmd {
		s.lastCmd.Store(cmd)
	}
}

// joinsRun tells whether a command may share a transaction with its
// neighbours.
func joinsRun(cmd *Command) bool { return cmd.usesStore() && !cmd.has(CrossDB|Stateful|Bulky|Scripts) }

// run is the state of the commands under way in one session. It lives in the
// session so that a command allocates nothing of it.
type run struct {
	engine  *Engine
	session *Session
	ctx     context.Context
	now     time.Time // of admission
	out     *resp.Writer
	mark    int // where the replies of the run begin
	items   []item
	current *item        // under way
	txn     *transaction // set while EXEC performs it
	watched []watchedKey // of txn
	homeDB  int          // the session's database when the run began
	looks   int          // how many keys the session watched then
	hits    int64        // of the session then
	misses  int64
	done    bool // the items were performed
	keys    []string

	bases      [storage.Databases]storage.Tx
	stages     [storage.Databases]stage
	narrowed   [storage.Databases]prefixTx // for a token with a key prefix
	call       Call
	notices    notices
	changed    []forgotten    // what the table of tracked keys knew of those that were changed
	caching    bool           // what CLIENT CACHING had said when the run began
	flushTold  bool           // the command under way has noted that it flushed
	tracked    bool           // somebody in the namespace tracks keys
	events     eventClass     // that somebody may hear of
	hub        *hub           // of the namespace, as performing the items found it
	seen       storage.Seq    // of what the batch did before the run
	commandAt  int            // where the reply of the command under way begins
	subsBefore *subscriptions // of the session, when EXEC may change them
	scratch    [24]byte
	seq        storage.Seq // of a command that waits by itself
	hasty      bool        // the caller must not wait
	waits      bool        // it would have to

	// The closures handed to the store, made once.
	inOne, inOuter, inInner func(storage.Tx) error
	inner                   storage.Namespace
	innerSeq                storage.Seq
	writing                 bool
	scripts                 bool // one of the items is a script
	outer                   *run // of the script, when its commands are run
}

func (r *run) init(e *Engine, s *Session) {
	r.engine, r.session = e, s
	r.inOne = func(tx storage.Tx) error {
		r.bases[r.homeDB] = tx
		return r.perform()
	}
	r.inOuter = func(tx storage.Tx) error {
		r.bases[storage.Ephemeral] = tx
		var err error
		r.innerSeq, err = r.open(r.inner, nil, r.inInner)
		return err
	}
	r.inInner = func(tx storage.Tx) error {
		r.bases[storage.Durable] = tx
		return r.perform()
	}
}

// alone performs the single command in items: one that needs no store, or
// both databases, or that changes the session.
func (r *run) alone() storage.Seq {
	cmd := r.items[0].cmd
	if cmd.usesStore() {
		return r.transact(r.prepare(&r.items[0]))
	}
	r.seq = 0
	r.begin()
	_ = r.perform() // without a transaction nothing can fail as a whole
	r.deliverNotices(max(r.seen, r.seq))
	return r.seq
}

func (r *run) begin() {
	r.mark = r.out.Mark()
	r.homeDB = r.session.db
	r.looks = len(r.session.watched)
	r.caching = r.session.track.caching
	r.hits, r.misses = r.session.hits, r.session.misses
	r.bases = [storage.Databases]storage.Tx{}
}

// transact performs the items in one transaction over the session's database,
// or over both.
func (r *run) transact(both bool) storage.Seq {
	r.begin()
	r.writing, r.scripts = false, false
	for i := range r.items {
		cmd := r.items[i].cmd
		r.writing = r.writing || cmd.mayWrite()
		r.scripts = r.scripts || cmd.has(Scripts)
	}
	defer r.dropNotices() // if the store should panic
	seq, err := r.enter(both)
	if err == nil {
		r.deliverNotices(seq)
		return seq
	}
	if r.waits = err == storage.ErrWouldWait; r.waits { //nolint:errorlint // stores return the sentinel itself
		return 0
	}
	r.undo()
	if (errors.Is(err, storage.ErrWriteFailed) || errors.Is(err, storage.ErrTooLarge)) && r.txn == nil && len(r.items) > 1 {
		// One of several could not be written, or not all of them together. Apart,
		// the others still get their answers.
		all := r.items
		for i := range all {
			r.items = all[i : i+1]
			seq = max(seq, r.transact(both))
		}
		r.items = all
		return seq
	}
	r.failAll(err)
	return seq
}

// failAll answers every item with the error that their transaction ended in.
func (r *run) failAll(err error) {
	text := r.engine.wireText(err)
	if r.txn != nil {
		r.engine.totals.errors.add(text)
		r.out.Error(text) // EXEC is one reply
		r.session.run.current.fail(r.session, err)
		return
	}
	for i := range r.items {
		r.items[i].note = nil
		r.items[i].fail(r.session, err)
		r.items[i].cmd.hits.failed.Add(1)
		r.engine.totals.errors.add(text)
		r.out.Error(text)
	}
}

// enter opens the databases and performs the items inside. Database 1 is
// always entered before 0, so that two sessions cannot wait for each other,
// and so that the one whose commit a disk can refuse commits first.
func (r *run) enter(both bool) (storage.Seq, error) {
	space := r.session.scriptSpace()
	if err := space.enter(r.scripts, r.hasty); err != nil {
		if r.txn != nil && err == errBusyScript { //nolint:errorlint // enter returns it itself
			err = errExecRefused(err)
		}
		return 0, err
	}
	defer space.leave(r.scripts)
	if !both {
		if r.hasty && r.session.spaces[r.homeDB] == nil {
			return 0, storage.ErrWouldWait // opening it may read files
		}
		ns, err := r.engine.namespace(r.ctx, r.session, r.homeDB)
		if err != nil {
			return 0, err
		}
		return r.open(ns, r.namedKeys(), r.inOne)
	}
	outer, err := r.engine.namespace(r.ctx, r.session, storage.Ephemeral)
	if err != nil {
		return 0, err
	}
	if r.inner, err = r.engine.namespace(r.ctx, r.session, storage.Durable); err != nil {
		return 0, err
	}
	r.innerSeq = 0
	seq, err := r.open(outer, nil, r.inOuter)
	return max(seq, r.innerSeq), err
}

func (r *run) open(ns storage.Namespace, keys []string, fn func(storage.Tx) error) (storage.Seq, error) {
	if t, ok := ns.(storage.Trier); ok && r.hasty {
		if r.writing {
			return t.TryUpdate(r.ctx, keys, fn)
		}
		return t.TryView(r.ctx, keys, fn)
	}
	if r.writing {
		return ns.Update(r.ctx, keys, fn)
	}
	return ns.View(r.ctx, keys, fn)
}

// namedKeys lists the keys that the items name, or nil when one of them may
// touch others.
func (r *run) namedKeys() []string {
	r.keys = r.keys[:0]
	for i := range r.items {
		it := &r.items[i]
		if it.cmd.has(WholeNamespace) {
			return nil
		}
		first, last, step := it.cmd.keyRange(it.argv)
		for k := first; k <= last; k += step {
			r.keys = append(r.keys, borrow(it.argv[k]))
		}
	}
	for i := range r.watched {
		r.keys = append(r.keys, r.watched[i].key)
	}
	return r.keys
}

// perform runs the items on the open transactions. It may be called again
// from the start by the store, so it first takes back what it did outside.
func (r *run) perform() error {
	r.undo()
	r.findHub()
	if r.txn != nil {
		if r.done = r.watchesHold(); !r.done {
			r.out.NullArray()
			return nil
		}
		r.out.Array(len(r.items))
	}
	for i := range r.items {
		if err := r.invoke(&r.items[i]); err != nil {
			return err
		}
	}
	r.notices.place(0, r.out.Len())
	r.placeChanges()
	r.reserveNotices()
	return nil
}

// undo takes back what performing the items did outside the store.
func (r *run) undo() {
	r.out.Rewind(r.mark)
	r.dropNotices()
	if a := r.session.aud; a != nil {
		a.inner, a.innerN = a.inner[:0], 0
	}
	if r.subsBefore != nil {
		r.session.restore(r.subsBefore)
	}
	r.session.db = r.homeDB
	r.session.track.caching = r.caching
	r.session.hits, r.session.misses = r.hits, r.misses
	if r.txn == nil { // WATCH is refused inside transactions
		r.session.watched = r.session.watched[:r.looks]
	}
}
