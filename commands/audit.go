package commands

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/cubbykv/cubby/audit"
	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/kverr"
)

// What goes into the audit trail is decided here, by the flags of the table:
// commands that may write, acts of the admin, acts upon other connections, and
// everything that was answered with an error. A handler adds nothing but what
// only it knows (Call.auditDetail). Lines gather in the session and are handed
// over once for each Do.

// auditor is the trail as one session sees it.
type auditor struct {
	lines []byte // of the Do under way
	n     int    // how many those are
	last  int    // how many the last Do handed over, for Fail
	who   []byte // of the principal; nil is to be made anew
	// The lines of the commands of scripts in the run under way, and how many.
	inner  []byte
	innerN int
	clock  audit.Clock
	args   [][]byte
}

// auditNote is what a run leaves about an item beside the obvious.
type auditNote struct {
	code   kverr.Code // of its error; empty is none
	signIn bool       // it tried to sign in
	user   string     // as
	token  string     // with the secret of this token, though it failed
	db     int        // it ran in, plus 1; 0 is the run's
	inner  int        // its script's lines end here in auditor.inner
	lines  int        // how many those are
	detail []byte
}

// SetAuditTrail makes the engine write to t from now on; nil is to none. The
// trail before it may be closed then.
func (e *Engine) SetAuditTrail(t *audit.Trail) { e.trail.Store(t) }

// useTrail makes the session write to t.
func (s *Session) useTrail(t *audit.Trail) {
	s.trail = t
	if s.aud == nil && t != nil {
		s.aud = new(auditor)
	}
}

// handOver gives the trail what a Do has gathered.
func (e *Engine) handOver(s *Session) {
	a := s.aud
	a.last = a.n
	if a.n == 0 {
		return
	}
	if !s.trail.Append(a.lines, a.n) { // it was replaced, and is closed by now
		if t := e.trail.Load(); t != nil {
			t.Append(a.lines, a.n)
		}
	}
	const kept = 64 << 10
	if a.n = 0; cap(a.lines) > kept {
		a.lines = nil
	}
	a.lines = a.lines[:0]
	if cap(a.inner) > kept {
		a.inner = nil
	}
}

// audited tells whether the command goes into the trail when it succeeds.
func (c *Command) audited() bool {
	return c.has(Writes|Admin|Controls) || c.has(Scripts) && !c.has(Reads)
}

// fail notes that the item was answered with err.
func (it *item) fail(s *Session, err error) {
	if s.trail != nil {
		it.noted().code = wireError(err).Code
	}
}

// innerLines is how many lines scripts of the run have left so far.
func (s *Session) innerLines() (mark innerMark) {
	if s.trail != nil {
		mark = innerMark{len(s.aud.inner), s.aud.innerN}
	}
	return mark
}

type innerMark struct{ bytes, lines int }

// keepInner makes the lines of the item's script, which began at mark, the
// item's. Of a script that was ended from outside nothing is kept. A script may
// also return an error as its reply.
func (it *item) keepInner(s *Session, mark innerMark, err error, reply []byte) {
	a := s.aud
	if err != nil {
		a.inner, a.innerN = a.inner[:mark.bytes], mark.lines
		return
	}
	if len(reply) > 0 && reply[0] == '-' {
		text, _, _ := bytes.Cut(reply[1:], []byte{'\r'})
		it.noted().code = codeOfText(string(text))
	}
	if n := a.innerN - mark.lines; n > 0 {
		it.noted().inner, it.noted().lines = len(a.inner), n
	}
}

// audit puts the command that the script has called into the trail.
func (h *scriptHost) audit() {
	s, it := h.session, &h.items[0]
	if s.trail == nil || !worthAuditing(it, s.principal) {
		return
	}
	before := len(s.aud.inner)
	s.aud.inner = s.auditItem(s.aud.inner, it, -1, h.homeDB, "script")
	s.aud.innerN++
	h.staged += int64(len(s.aud.inner) - before) // or a script could fill the memory with them
}

// auditRefusal does the same with one that it may not call.
func (h *scriptHost) auditRefusal(cmd *Command, argv [][]byte, err error) {
	s := h.session
	if s.trail == nil {
		return
	}
	if cmd == nil {
		cmd = s.engine.table.resolve(argv) // it exists, and scripts may not call it
	}
	before := len(s.aud.inner)
	s.aud.inner = s.auditRefusal(s.aud.inner, cmd, argv, wireError(err).Code, "script")
	s.aud.innerN++
	h.staged += int64(len(s.aud.inner) - before)
}

// event is what the trail calls a command that ended so.
func (c *Command) event(p *auth.Principal, n *auditNote) audit.Event {
	switch {
	case n != nil && n.signIn:
		return audit.SignIn
	case n != nil && n.code != "":
		return audit.Refused
	case c.has(Admin) || p != nil && p.Admin:
		return audit.Admin
	case c.has(Controls):
		return audit.Control
	}
	return audit.Write
}

// worthAuditing tells whether an item goes into the trail. Whatever the admin
// does in a namespace does, also what only reads.
func worthAuditing(it *item, p *auth.Principal) bool {
	if it.note != nil && (it.note.code != "" || it.note.signIn || it.note.inner > 0) || it.cmd.audited() {
		return true
	}
	return p != nil && p.Admin && it.cmd.usesStore()
}

// noted returns the note of the item under way; the trail must be on.
func (it *item) noted() *auditNote {
	if it.note == nil {
		it.note = new(auditNote)
	}
	return it.note
}

// audit puts items that took d together into the trail.
func (s *Session) audit(items []item, d time.Duration, db int, via string) {
	each := int64(d) / int64(max(1, len(items))) / int64(time.Microsecond)
	from := 0
	for i := range items {
		it := &items[i]
		if !worthAuditing(it, s.principal) {
			continue
		}
		if n := it.note; n != nil && n.inner > 0 {
			s.aud.lines = append(s.aud.lines, s.aud.inner[from:n.inner]...)
			s.aud.n += n.lines
			from = n.inner
			if !it.cmd.audited() && n.code == "" && !s.principal.Admin {
				continue
			}
		}
		s.aud.lines = s.auditItem(s.aud.lines, it, each, db, via)
		s.aud.n++
	}
}

// auditItem adds the line of an item to b.
func (s *Session) auditItem(b []byte, it *item, us int64, db int, via string) []byte {
	n, p := it.note, s.principal
	l := audit.Line{Time: s.run.now, Event: it.cmd.event(p, n), Who: s.auditWho(), DB: -1, Command: it.cmd.Name, Via: via, Code: audit.OK, Micros: us}
	if it.cmd.usesStore() {
		l.DB = db
	}
	if n != nil {
		if n.db > 0 && l.DB >= 0 {
			l.DB = n.db - 1
		}
		l.User, l.Detail = n.user, n.detail
		if n.code != "" {
			l.Code = string(n.code)
		}
		if n.token != "" {
			l.Detail = audit.AppendDetail(l.Detail, "with", n.token)
		}
	}
	if it.cmd.namesKeys() {
		l.Argv = it.argv
		l.First, l.Last, l.Step = it.cmd.keyRange(it.argv)
	}
	if l.Code == audit.OK && it.cmd.has(Admin|Controls) {
		l.Args = s.auditArgs(it)
	}
	return l.Append(b, &s.aud.clock)
}

// auditArgs are the arguments of an act, less secrets. Of commands that were
// refused none are shown: what is wrong may be that a secret stands in the
// wrong place.
func (s *Session) auditArgs(it *item) [][]byte {
	a := s.aud
	a.args = a.args[:0]
	skip := 1 + strings.Count(it.cmd.Name, "|")
	for _, arg := range shownArgs(it.cmd, it.argv, s.engine.config)[min(skip, len(it.argv)):] {
		if s.engine.dir.LooksSecret(borrow(arg)) {
			arg = []byte(redacted)
		}
		a.args = append(a.args, arg)
	}
	return a.args
}

// auditWho is who the session is, encoded once for each sign-in.
func (s *Session) auditWho() []byte {
	if s.aud.who == nil {
		s.aud.who = audit.AppendWho(make([]byte, 0, 256), s.auditIdentity(s.principal))
	}
	return s.aud.who
}

func (s *Session) auditIdentity(p *auth.Principal) *audit.Who {
	w := &audit.Who{Door: s.opts.Door, Remote: s.opts.Remote, Origin: s.opts.Origin, Client: s.id}
	kind, id, _ := strings.Cut(p.SignIn(), ":")
	if w.As = kind; kind == "jwt" {
		w.JWT = id
	} else {
		w.Token = id
	}
	if p != nil && p.App != nil {
		w.Tenant, w.App = p.App.ID.Tenant, p.App.ID.App
	}
	return w
}

// auditRefusal puts a command into the trail that admission turned away; cmd is
// nil when there is none of that name.
func (s *Session) auditRefusal(b []byte, cmd *Command, argv [][]byte, code kverr.Code, via string) []byte {
	if cmd != nil {
		it := item{cmd: cmd, argv: argv, note: &auditNote{code: code}}
		if !cmd.arityFits(len(argv)) {
			it.argv = argv[:0] // its keys are anywhere
		}
		return s.auditItem(b, &it, 0, s.db, via)
	}
	l := audit.Line{Time: s.run.now, Event: audit.Refused, Who: s.auditWho(), DB: -1, Unknown: true, Via: via, Code: string(code)}
	l.Command = s.engine.unknownName(argv)
	return l.Append(b, &s.aud.clock)
}

// unknownName is how the trail names what is no command: the beginning of what
// was sent, unless it is a secret.
func (e *Engine) unknownName(argv [][]byte) string {
	if container := e.table.lookup(argv[0]); container != nil && container.subs != nil && len(argv) > 1 {
		return container.Name + "|" + e.shownName(argv[1])
	}
	return e.shownName(argv[0])
}

func (e *Engine) shownName(b []byte) string {
	if e.dir.LooksSecret(borrow(b)) {
		return redacted
	}
	return string(b[:min(len(b), maxNameLen)])
}

// auditSignIn notes that the item under way tried to sign in. Of the name only
// what the server knows is kept: a secret may stand in its place.
func (c *Call) auditSignIn(user, secret string, err error) {
	if c.Session.trail == nil || c.run.current == nil || err == nil && c.Session.opts.Stateless {
		return // each request over HTTP signs in: the lines of its commands say as whom
	}
	n := c.run.current.noted()
	n.signIn = true
	n.user = c.Engine.dir.KnownUser(user)
	if err != nil {
		n.token = c.Engine.dir.KnownToken(secret)
	}
}

// auditDetail adds to the line of the command under way what only its handler
// knows. It must not be a secret, nor a value.
func auditDetail[T string | int64](c *Call, name string, value T) {
	if c.Session.trail == nil || c.run.current == nil {
		return
	}
	n := c.run.current.noted()
	n.detail = audit.AppendDetail(n.detail, name, value)
}

// auditArrival puts a sign-in by certificate into the trail.
func (e *Engine) auditArrival(s *Session, now time.Time) {
	t := e.trail.Load()
	if t == nil || s.opts.Certificate == nil {
		return
	}
	l := audit.Line{Time: now, Event: audit.SignIn, DB: -1, Code: audit.OK, Micros: -1, User: s.opts.Certificate.Name}
	l.Detail = audit.AppendDetail(nil, "by", "certificate")
	if s.principal == nil || s.principal.Until == 0 { // as nobody, or as everybody of --dev
		l.Code = string(wireError(s.notSignedIn(errNoAuth)).Code)
	}
	l.Who = audit.AppendWho(nil, s.auditIdentity(s.principal))
	t.Append(l.Append(nil, new(audit.Clock)), 1)
}

// auditFailed takes back the lines of the last Do: their commands were answered
// with code after all, and nothing of them is kept.
func (e *Engine) auditFailed(s *Session, code kverr.Code) {
	t := e.trail.Load()
	if t == nil || s.aud == nil || s.aud.last == 0 {
		return
	}
	l := audit.Line{Time: s.run.now, Event: audit.Failed, Who: s.auditWho(), DB: -1, Code: string(code), Micros: -1}
	l.Detail = audit.AppendDetail(nil, "lines", int64(s.aud.last))
	s.aud.last = 0
	t.Append(l.Append(nil, &s.aud.clock), 1)
}

// codeOfText is the code of an error that a script made. Its first word may be
// anything, a value too.
func codeOfText(text string) kverr.Code {
	word, _, _ := strings.Cut(text, " ")
	if kverr.Known(kverr.Code(word)) {
		return kverr.Code(word)
	}
	return kverr.Err
}

var errTrailBroken = kverr.New(kverr.Misconf, "the audit trail can't be written: commands that change data are refused until it can").
	WithHint("reads still work; the operator's log has the details")

// trailRefuses tells whether a command may not run because nobody could tell
// later that it did. The admin's may: he has to be able to repair it.
func (s *Session) trailRefuses(cmd *Command) bool {
	return s.trail.Pressure() == audit.Broken && s.wouldWrite(cmd)
}

// wouldWrite tells whether a command, or the transaction that it ends, may write.
func (s *Session) wouldWrite(cmd *Command) bool {
	if cmd.mayWrite() {
		return true
	}
	return cmd.has(EndsMulti) && s.multi != nil &&
		slices.ContainsFunc(s.multi.items, func(it item) bool { return it.cmd.mayWrite() })
}

// trailHolds returns what the session's next command has to wait for until the
// trail has room again, or nil.
func (e *Engine) trailHolds(s *Session, t *audit.Trail, r Request) <-chan struct{} {
	room := t.Room() // before the pressure is read, or its end could be missed
	p := t.Pressure()
	if p != audit.Full && p != audit.Packed {
		return nil
	}
	cmd := e.table.resolve(r.Argv)
	if p == audit.Full && (cmd == nil || !s.wouldWrite(cmd)) {
		return nil
	}
	if cmd != nil && cmd.has(Admin) && s.principal != nil && s.principal.Admin {
		return nil
	}
	return room
}
