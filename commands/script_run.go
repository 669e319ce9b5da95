package commands

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/internal/lua"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// prepare finds the script of a command before its transaction begins, because
// compiling takes time and because the script decides which databases it needs.
// It tells whether it needs both. What prevents a script from running is
// answered in its place.
func (r *run) prepare(it *item) (both bool) {
	if !it.cmd.has(Scripts) {
		return it.cmd.has(CrossDB)
	}
	it.script = nil
	if _, err := numKeys(it.argv); err != nil {
		return false
	}
	it.script, _ = r.session.findScript(it.cmd, it.argv)
	return it.script != nil && it.script.both
}

// runScript runs a script in the transaction of the command under way.
func (c *Call) runScript(s *script, keys, args [][]byte, readOnly bool) error {
	e := c.Engine
	h, limits := c.Session.host(), e.scriptOptions.Load()
	h.limits = limits
	h.begin(c, s, readOnly)
	defer h.end()
	m := e.machines.take()
	if m == nil {
		m = lua.New()
	}
	err := m.Run(c.Ctx, lua.Run{
		Script: s.compiled, Name: s.sha, Keys: keys, Args: args, Host: h, Out: c.Out,
		Limits: lua.Limits{Time: limits.TimeLimit, Memory: limits.MemoryLimit, Interrupt: h.interrupt, Clock: limits.Clock},
	})
	e.machines.give(m)
	if err == nil && h.fatal == nil {
		return nil
	}
	var own *lua.Error
	switch {
	case h.fatal != nil:
		return h.fatal
	case errors.As(err, &own):
		c.Cmd.hits.failed.Add(1)
		e.totals.errors.add(own.Text)
		c.Out.Error(own.Text) // not returned: what the script wrote before stays
		return nil
	case errors.Is(err, lua.ErrTime):
		return kverr.Newf(kverr.BadInput, "the script ran for more than %d ms and was ended; nothing of it was kept", limits.TimeLimit.Milliseconds()).
			WithHint("do less at a time")
	case errors.Is(err, lua.ErrMemory):
		return kverr.Newf(kverr.BadInput, "the script held more than %d bytes and was ended; nothing of it was kept", limits.MemoryLimit).
			WithHint("do less at a time")
	}
	return err
}

// scriptHost runs the commands of a session's script.
type scriptHost struct {
	limits   *ScriptOptions
	session  *Session
	run      run // for the commands
	out      resp.Writer
	outer    *Call
	state    scriptRun
	readOnly bool
	homeDB   int
	items    [1]item
	staged   int64 // bytes written, about
	logged   int
	fatal    error
	// interrupt is a method value, made once.
	interrupt func(time.Duration) error
}

func (s *Session) host() *scriptHost {
	if s.scriptHost == nil {
		h := &scriptHost{session: s}
		h.run.engine, h.run.session = s.engine, s
		h.interrupt = h.judge
		s.scriptHost = h
	}
	return s.scriptHost
}

func (h *scriptHost) begin(c *Call, s *script, readOnly bool) {
	h.outer, h.readOnly, h.homeDB = c, readOnly, c.Session.db
	h.staged, h.logged, h.fatal = 0, 0, nil
	h.state.wrote.Store(false)
	h.state.killed.Store(false)
	outer := c.run
	h.run.outer = outer.told()
	h.run.ctx, h.run.out, h.run.now = c.Ctx, &h.out, outer.now
	h.run.hub, h.run.events, h.run.tracked = outer.hub, outer.events, outer.tracked
	h.run.homeDB = h.homeDB
	for db := range h.run.bases {
		switch {
		case outer.bases[db] == nil:
			h.run.bases[db] = nil
		case outer.writing:
			h.run.bases[db] = &outer.stages[db]
		default:
			h.run.bases[db] = outer.bases[db]
		}
	}
	c.Session.scriptSpace().running.Store(&h.state)
}

func (h *scriptHost) end() {
	s := h.session
	s.scriptSpace().running.Store(nil)
	if s.db != h.homeDB { // SELECT holds for the script
		s.db = h.homeDB
		s.show(func(v *shownState) { v.db = h.homeDB })
	}
	h.outer, h.run.outer, h.run.ctx = nil, nil, nil
	h.run.bases = [storage.Databases]storage.Tx{}
	for db := range h.run.stages {
		h.run.stages[db].reset(nil)
	}
	h.run.call = Call{}
	h.items[0] = item{}
	h.out.Reset()
}

// judge is asked from time to time whether the script may go on.
func (h *scriptHost) judge(elapsed time.Duration) error {
	switch {
	case h.state.killed.Load():
		return errScriptKilled
	case h.session.engine.noScripts.Load():
		return errScriptStopped
	}
	if h.staged > h.limits.MemoryLimit {
		return lua.ErrMemory
	}
	if o := h.limits; o.BusyAfter > 0 && elapsed >= o.BusyAfter {
		h.session.scriptSpace().letGo()
		h.session.endWork() // for those who are to be told that the namespace is busy
	}
	return h.fatal
}

// stagedCost is about what a write takes beside its arguments.
const stagedCost = 200

// maxCallReply bounds the reply of one command.
const maxCallReply = 64 << 20

// Call implements lua.Host.
func (h *scriptHost) Call(argv [][]byte, proto int) []byte {
	h.out.Reset()
	h.out.SetProto(proto)
	h.out.SetLimit(maxCallReply)
	e := h.session.engine
	cmd, err := e.admitCall(h.session, argv, h.readOnly)
	if err == nil && cmd.has(CrossDB) && (h.run.bases[0] == nil || h.run.bases[1] == nil) {
		err = errScriptCrossing
	}
	if err != nil {
		h.out.Error(e.wireText(err))
		h.auditRefusal(cmd, argv, err)
		return h.out.Bytes()
	}
	if cmd.mayWrite() {
		h.state.wrote.Store(true)
		h.staged += stagedCost
		for _, a := range argv {
			h.staged += int64(len(a))
		}
	}
	h.items[0] = item{cmd: cmd, argv: argv}
	if h.fatal = h.run.invoke(&h.items[0]); h.fatal != nil {
		h.out.Reset()
		h.out.Error(e.wireText(h.fatal))
	}
	h.audit()
	if h.out.Overflowed() {
		h.out.Reset()
		h.out.Error(e.wireText(kverr.Newf(kverr.BadInput, "the reply is larger than %d bytes", maxCallReply)))
	}
	return h.out.Bytes()
}

// Allowed implements lua.Host.
func (h *scriptHost) Allowed(argv [][]byte) (allowed, known bool) {
	cmd := h.session.engine.table.resolve(argv)
	if cmd == nil {
		return false, false
	}
	return checkAllowed(cmd, argv, h.session.principal) == nil, true
}

// maxLoggedLines bounds what one run of a script writes to the log.
const maxLoggedLines = 10

// Log implements lua.Host. The log belongs to the operator, so what apps write
// there shows only when he looks for details.
func (h *scriptHost) Log(level int, text string) {
	if h.logged++; h.logged > maxLoggedLines {
		return
	}
	h.session.engine.log.Log(h.run.ctx, slog.LevelDebug, "a script says", "namespace", h.session.principal.App.ID, "level", level, "text", text)
}

// machinePool keeps interpreters for the next script. They hold nothing of the
// ones before: see package lua.
type machinePool struct {
	mu   sync.Mutex
	idle []*lua.Machine
}

const maxIdleMachines = 16

func (p *machinePool) take() *lua.Machine {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	m := p.idle[n-1]
	p.idle[n-1] = nil
	p.idle = p.idle[:n-1]
	return m
}

func (p *machinePool) give(m *lua.Machine) {
	if !m.Reset() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) < maxIdleMachines {
		p.idle = append(p.idle, m)
	}
}
