package commands

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/audit"
	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

// CLIENT PAUSE holds commands back until a time has passed or CLIENT UNPAUSE
// comes. An app pauses its own namespace, the admin everybody; the admin himself
// is never held, nor are the commands that sign in, so that whoever paused a
// server can always resume it.

// maxPause bounds a pause. Redis has no bound.
const maxPause = time.Hour

// pauses are those in force.
type pauses struct {
	active atomic.Int64 // how many there are: what every command asks
	mu     sync.Mutex   // guards what follows
	byApp  map[storage.ID]*pause
	all    *pause // of the admin
	ended  bool   // the server stops: there are no more
}

// pause is one in force. Pausing again while it lasts can make it longer and
// stricter, as in Redis, never shorter.
type pause struct {
	until  time.Time
	reads  bool // holds commands that only read, too
	timer  *time.Timer
	over   chan struct{} // closed when it ends
	forget func()
}

// begin starts a pause of the app, or of everybody when it is nil, at now.
func (p *pauses) begin(app *auth.App, now time.Time, d time.Duration, reads bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	old := p.all
	if app != nil {
		old = p.byApp[app.ID]
	}
	until := now.Add(d)
	if old != nil {
		reads = reads || old.reads
		if old.until.After(until) {
			until = old.until
		}
		old.until, old.reads = until, reads
		old.timer.Reset(until.Sub(now))
		return
	}
	n := &pause{until: until, reads: reads, over: make(chan struct{})}
	if app == nil {
		p.all = n
		n.forget = func() { p.all = nil }
	} else {
		if p.byApp == nil {
			p.byApp = make(map[storage.ID]*pause)
		}
		p.byApp[app.ID] = n
		n.forget = func() { delete(p.byApp, app.ID) }
	}
	p.active.Add(1)
	n.timer = time.AfterFunc(d, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.finish(n)
	})
}

// end ends the pause of the app, or the one of everybody.
func (p *pauses) end(app *auth.App) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if app == nil {
		p.finish(p.all)
	} else {
		p.finish(p.byApp[app.ID])
	}
}

// EndScripts ends the scripts that still run when after is over, and those that
// begin later, so that a server that stops need not wait for them. Nothing of
// them is kept.
func (e *Engine) EndScripts(after time.Duration) {
	if after <= 0 {
		e.noScripts.Store(true)
		return
	}
	time.AfterFunc(after, func() { e.noScripts.Store(true) })
}

// EndPauses ends all pauses for good, so that a server that stops can answer
// those who wait.
func (e *Engine) EndPauses() {
	p := &e.pauses
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.finish(p.all)
	for _, n := range p.byApp {
		p.finish(n)
	}
}

// finish lets everybody go on; mu is held. A pause ends only once.
func (p *pauses) finish(n *pause) {
	if n == nil || n.timer == nil {
		return
	}
	n.timer.Stop()
	n.timer = nil
	n.forget()
	close(n.over)
	p.active.Add(-1)
}

// holding returns what a command of the app has to wait for, or nil.
func (p *pauses) holding(app *auth.App, writes bool) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.all; n != nil && (n.reads || writes) {
		return n.over
	}
	if app == nil {
		return nil
	}
	if n := p.byApp[app.ID]; n != nil && (n.reads || writes) {
		return n.over
	}
	return nil
}

// mustWait returns what the session's next command has to wait for before it
// is admitted, or nil, which it is as long as nobody pauses anybody. A command
// that admission is going to refuse does not wait, as in Redis. The command is
// not judged or counted yet, so it may be asked for again.
//
// A door that must not block asks before each command (TryDo), stops in front
// of one that has to wait, and goes on when the channel is closed.
func (e *Engine) mustWait(s *Session, r Request) <-chan struct{} {
	if s.trail != nil && s.trail.Pressure() != audit.Calm {
		if room := e.trailHolds(s, s.trail, r); room != nil {
			return room
		}
	}
	if e.pauses.active.Load() == 0 {
		return nil
	}
	p := s.principal
	if p != nil && p.Admin {
		return nil
	}
	cmd := e.table.resolve(r.Argv)
	if cmd == nil || !cmd.arityFits(len(r.Argv)) || cmd.has(NoAuth|EndsPause) || p == nil {
		return nil
	}
	return e.pauses.holding(p.App, s.mayChangeData(cmd))
}

// mayChangeData tells what CLIENT PAUSE WRITE holds back: what Redis would
// replicate, or a transaction that would.
func (s *Session) mayChangeData(cmd *Command) bool {
	if cmd.mayWrite() || cmd.has(Tells) {
		return true
	}
	if !cmd.has(EndsMulti) || s.multi == nil {
		return false
	}
	for i := range s.multi.items {
		if s.mayChangeData(s.multi.items[i].cmd) {
			return true
		}
	}
	return false
}

// WaitTurn returns when the first command of batch need not wait any more, or
// ctx ends. A door that holds something while Do runs calls it before.
func (e *Engine) WaitTurn(ctx context.Context, s *Session, batch []Request) {
	for over := e.mustWait(s, batch[0]); over != nil; over = e.mustWait(s, batch[0]) {
		if s.await(ctx, over) != nil {
			return
		}
	}
}

// await returns when over is closed, or with the connection's end.
func (s *Session) await(ctx context.Context, over <-chan struct{}) error {
	s.show(func(v *shownState) { v.waiting = true })
	defer s.show(func(v *shownState) { v.waiting = false })
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errPauseMode = kverr.New(kverr.Err, "CLIENT PAUSE mode must be WRITE or ALL")

func runClientPause(c *Call) error {
	reads := true
	if c.argc() == 4 {
		switch word := c.arg(3); {
		case strings.EqualFold(word, "WRITE"):
			reads = false
		case !strings.EqualFold(word, "ALL"):
			return errPauseMode
		}
	} else if c.argc() > 4 {
		return c.errSubcommand()
	}
	d, err := c.parseTimeout(2)
	if err != nil {
		return err
	}
	if d > maxPause {
		return kverr.Newf(kverr.BadInput, "a pause of %d ms is too long; at most %d are allowed", d.Milliseconds(), maxPause.Milliseconds())
	}
	if err := c.mayPause(); err != nil {
		return err
	}
	c.Engine.pauses.begin(c.Session.pausedApp(), c.clock(), d, reads)
	c.Out.Status("OK")
	return nil
}

func runClientUnpause(c *Call) error {
	if err := c.mayPause(); err != nil {
		return err
	}
	c.Engine.pauses.end(c.Session.pausedApp())
	c.Out.Status("OK")
	return nil
}

// pausedApp is whom the session pauses; nil is everybody.
func (s *Session) pausedApp() *auth.App {
	if s.principal.Admin {
		return nil
	}
	return s.principal.App
}

// mayPause refuses those who do not have all of the namespace: they would stop
// others who have more.
func (c *Call) mayPause() error {
	if c.Session.restricted() {
		return kverr.Newf(kverr.NoPerm, "this token is restricted and may not run the '%s' command", c.Cmd.Name)
	}
	return nil
}

// restricted tells whether the session's token opens less than all of its
// namespace.
func (s *Session) restricted() bool {
	t := s.principal.Token
	return t != nil && (t.ReadOnly || t.Prefix != "")
}
