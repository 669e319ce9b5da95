package commands

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/audit"
	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// SessionOptions describe the connection that a Session stands for.
type SessionOptions struct {
	Door   string // "resp" or "http"
	Remote string // the peer's address as listings show it
	Local  string // our address
	// Origin is the web origin on whose behalf a browser sends, as in the header
	// of that name; empty is none. Only tokens that name it open anything.
	Origin string
	// Stateless tells that the session lasts for one request of its client:
	// commands about the connection make no sense in it, but for those that the
	// door puts in (Request.Own).
	Stateless bool
	// Certificate is what the door has verified of the client; nil is nothing.
	Certificate *Certificate
	// Kill closes the connection from another goroutine; may be nil.
	Kill func()
	// Push sends a message that no command of this session asked for; called
	// by any goroutine, it never blocks. The door keeps msg, which nobody changes
	// any more, sends messages whole and in order, never inside the replies of a
	// batch, and not before Wait(after) has returned; it cuts a client off that
	// does not keep up. nil when the door cannot push.
	Push func(msg []byte, after storage.Seq)
	// TakePushed moves the messages that were pushed and not sent yet to the
	// end of out, and returns the greatest of their after. A command calls it in
	// Do, before it answers that a subscription has ended: nothing older may
	// come behind that answer. nil when the door cannot push.
	TakePushed func(out *resp.Writer) storage.Seq
	// Buffers tells how full the connection's buffers are, to any goroutine; nil
	// when the door does not know.
	Buffers func() Buffers
}

// Buffers are what CLIENT LIST tells of a connection's buffers, in bytes but
// for Messages.
type Buffers struct {
	Query, QueryFree int64 // what has arrived and was not run, and the room behind it
	Reply, ReplyPeak int64 // the room for replies, and the most that was used of it lately
	Unsent           int64 // replies that the client has not taken

	Messages, MessageBytes int64 // pushed and not sent yet
}

// Certificate is a client's certificate, which a CA that the admin trusts for
// this has signed.
type Certificate struct {
	Name   string // of its subject; a session is signed in when it is an app's full name
	EndsAt int64  // Unix milliseconds; a sign-in by it ends then
}

// Session is what the engine remembers of one connection. It is used by one
// goroutine at a time; what CLIENT LIST shows of it to others is guarded.
type Session struct {
	id      int64
	opts    SessionOptions
	created time.Time

	principal *auth.Principal // nil before sign-in
	db        int
	proto     int
	spaces    [storage.Databases]storage.Namespace // opened on first use
	multi     *transaction
	watched   []watchedKey
	closing   bool
	foreign   bool // the principal may not act from the session's origin
	reply     replyMode
	prepaid   int // commands that TryDo admitted and did not run: they pay no rate again
	silenced  int // how many commands of the last Do got no reply

	place    *auth.App     // whose connection the session counts as
	refusal  error         // why it arrived as nobody; nil when there is nothing to say
	failures int           // to sign in, one after the other
	hold     time.Duration // see Hold
	owed     time.Duration // the same, for the first Do
	putOff   bool          // the batch under way is one that TryDo left to others, or a long one
	working  places        // where the session has a place, while Do runs
	extra    int           // see Extra
	// replyBytes is how long a reply of the last run was, about; 0 is short.
	replyBytes int

	engine *Engine
	subs   subscriptions
	track  tracking
	hub    *hub   // set while others may have something to push
	found  *hub   // what hubOf saw
	looked uint64 // at this generation of hubs

	watch  stopwatch
	reads  *lookups // of the namespace; nil without one
	hits   int64    // of the Do under way
	misses int64

	monitoring bool

	late [][]byte // messages for the end of the batch

	trail *audit.Trail // as the last Do found it; nil is off
	aud   *auditor     // made when trail is on

	run    run  // the state of the run under way, kept to spare allocations
	txnRun *run // the same for EXEC; made at the first one

	space      *scriptSpace // of the namespace in use; set at its first use
	scriptHost *scriptHost  // made at the first script

	mu      sync.Mutex // guards shown
	shown   shownState
	last    atomic.Int64            // Unix milliseconds of the last command
	lastCmd atomic.Pointer[Command] // the last command admitted
}

// shownState is what other connections may see of a session.
type shownState struct {
	name       string
	libName    string
	libVersion string
	principal  *auth.Principal
	db         int
	proto      int
	multi      int // queued commands, -1 outside MULTI
	multiBytes int // what they take
	watched    int
	noEvict    bool
	noTouch    bool
	monitor    bool
	waiting    bool // for the end of a pause
	subs       [subscriptionKinds]int
	tracking   shownTracking
	ended      bool // QUIT: nothing can be pushed any more
}

// NewSession registers a connection with the engine.
func (e *Engine) NewSession(o SessionOptions) *Session {
	now := e.clock()
	s := &Session{
		id:      e.numberSession(now),
		engine:  e,
		opts:    o,
		created: now,
		proto:   resp.V2,
	}
	p := e.arrival(s)
	s.standIn(p)
	s.principal, s.owed = p, s.hold
	s.watch.fake = e.fake
	s.run.init(e, s)
	s.foreign = !p.Admits(o.Origin)
	s.reads = e.lookups.of(p)
	s.last.Store(now.UnixMilli())
	s.shown = shownState{principal: p, proto: resp.V2, multi: -1}
	e.mu.Lock()
	e.sessions[s.id] = s
	e.mu.Unlock()
	e.totals.connections.Add(1)
	e.auditArrival(s, now)
	return s
}

// numberSession returns the number of a new connection: the microsecond in
// which it came, or the next one that is free. As in Redis the numbers grow, here
// also over restarts. They do not count: what lies between two of them is time,
// and not how many others connected meanwhile.
func (e *Engine) numberSession(now time.Time) int64 {
	// The difference is told from the monotonic clock. A step back of the time of
	// day would make all new numbers neighbours.
	micros := e.started.UnixMicro() + now.Sub(e.started).Microseconds()
	for {
		last := e.newest.Load()
		id := max(micros, last+1)
		if e.newest.CompareAndSwap(last, id) {
			return id
		}
	}
}

// EndSession forgets a connection.
func (e *Engine) EndSession(s *Session) {
	s.setMonitoring(false)
	e.mu.Lock()
	delete(e.sessions, s.id)
	e.mu.Unlock()
	s.leaveHub()
	s.leaveScriptSpace()
	s.leavePlace()
	s.forgetQueue()
	if s.trail != nil && s.aud.n > 0 { // after a fault of ours
		e.handOver(s)
	}
}

// SignedIn tells whether the session has a principal. Doors allow more before
// and after: see the guard's bounds.
func (s *Session) SignedIn() bool { return s.principal != nil }

// EndsAt is when what the session signed in with ends, in Unix milliseconds; 0
// is never, or not signed in.
func (s *Session) EndsAt() int64 { return s.principal.EndsAt() }

// Owner is whose requests these are, as something to compare: that of all
// connections of one namespace is the same. It is nil before the sign-in.
func (s *Session) Owner() any {
	switch p := s.principal; {
	case p == nil:
		return nil
	case p.App == nil:
		return s.engine // the admin's
	default:
		return p.App
	}
}

// Extra returns the work of the last Do that neither the number of its commands
// nor their bytes tell of: how many messages PUBLISH handed to other connections.
func (s *Session) Extra() int { return s.extra }

// Subscribed tells whether the session waits for messages, so that its silence
// does not mean that it is idle.
func (s *Session) Subscribed() bool { return s.subs.total > 0 || s.monitoring }

// Closing tells whether the door should close the connection after it sent
// the replies so far.
func (s *Session) Closing() bool { return s.closing }

// namespace returns the session's namespace in database db, opening it on
// first use.
func (e *Engine) namespace(ctx context.Context, s *Session, db int) (storage.Namespace, error) {
	if ns := s.spaces[db]; ns != nil {
		return ns, nil
	}
	ns, err := e.store.Namespace(ctx, db, s.principal.App.ID)
	if err != nil {
		return nil, err
	}
	s.spaces[db] = ns
	return ns, nil
}

// become gives the session another principal. Nothing of the former one may
// stay: transaction, watched keys, subscriptions, open namespaces, MONITOR, and
// what it called the connection. How the client wants its answers (RESP2 or
// RESP3, CLIENT REPLY) stays, or it could not read them.
func (s *Session) become(p *auth.Principal) {
	s.leaveHub()
	if p == nil || !p.Admin {
		s.setMonitoring(false)
	}
	stays := shownToNobodyElse(s.principal, p)
	s.countLookups() // they are the former namespace's
	s.standIn(p)
	s.principal = p
	s.foreign = !p.Admits(s.opts.Origin)
	if s.aud != nil {
		s.aud.who = nil
	}
	s.db = 0
	s.reads = s.engine.lookups.of(p)
	s.forgetNamespace()
	s.show(func(v *shownState) {
		v.principal, v.db = p, 0
		if !stays {
			v.name, v.libName, v.libVersion, v.noEvict, v.noTouch = "", "", "", false, false
		}
	})
}

// shownToNobodyElse tells whether all who see a connection of the principal after
// in listings, the admin aside, also see one of before: then its name may stay, as
// in Redis. Otherwise it would carry words of one namespace into another, when a
// pool or a proxy signs its connections in to many.
func shownToNobodyElse(before, after *auth.Principal) bool {
	switch {
	case before == nil || after == nil:
		return false
	case before.Admin || after.Admin:
		return after.Admin
	case before.App.ID != after.App.ID:
		return false
	}
	return after.Prefix() == "" || after.Token.Same(before.Token)
}

// forgetNamespace drops everything that belongs to the namespace in use.
func (s *Session) forgetNamespace() {
	s.spaces = [storage.Databases]storage.Namespace{}
	s.leaveScriptSpace()
	s.forgetQueue()
	s.watched = nil
	s.show(func(v *shownState) { v.multi, v.multiBytes, v.watched = -1, 0, 0 })
}

// subscribed tells whether the session waits for messages.
func (v *shownState) subscribed() bool { return v.subs != [subscriptionKinds]int{} }

func (s *Session) show(change func(*shownState)) {
	s.mu.Lock()
	change(&s.shown)
	s.mu.Unlock()
}

func (s *Session) snapshot() shownState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown
}

// maySee tells whether an app's session may see other in listings: an
// app sees only connections of its own namespace, one with a token that has a key
// prefix only those of that token, the admin sees all.
func (s *Session) maySee(other shownState) bool {
	switch {
	case s.principal.Admin:
		return true
	case other.principal == nil || other.principal.Admin:
		return false
	case other.principal.App.ID != s.principal.App.ID:
		return false
	default:
		return s.principal.Prefix() == "" || s.principal.Token.Same(other.principal.Token)
	}
}
