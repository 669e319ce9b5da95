package commands

import (
	"runtime/debug"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

// invoke runs one command and keeps its writes, or answers its error and keeps
// none. It returns an error only when the whole transaction must be given up.
func (r *run) invoke(it *item) error {
	cmd, s := it.cmd, r.session
	r.current = it
	it.note = nil // of a run that is repeated
	if s.trail != nil && s.db != r.homeDB {
		it.noted().db = s.db + 1
	}
	c := &r.call
	*c = Call{Ctx: r.ctx, Engine: r.engine, Session: s, Cmd: cmd, Argv: it.argv, Out: r.out, run: r, script: it.script, db: s.db, stages: &r.stages, scratch: &r.scratch}
	if p := s.principal; p != nil && p.App != nil {
		c.Limits = p.App.Limits()
	}
	base := r.bases[s.db]
	switch {
	case base == nil:
		c.Now = r.now.UnixMilli()
	case cmd.has(CrossDB):
		for db, tx := range r.bases {
			r.stages[db].reset(tx)
		}
		c.Tx, c.Now = &r.stages[s.db], base.Now()
	case cmd.has(Scripts) && r.writing:
		for db, tx := range r.bases {
			if tx != nil {
				r.stages[db].reset(tx)
				r.stages[db].outlives = true
			}
		}
		c.Tx, c.Now = &r.stages[s.db], base.Now()
	case cmd.has(Writes):
		r.stages[s.db].reset(base)
		c.Tx, c.Now = &r.stages[s.db], base.Now()
	default:
		c.Tx, c.Now = base, base.Now()
	}
	if c.Tx != nil {
		c.Tx = r.narrow(c.Tx, s.db)
	}
	mark := r.out.Mark()
	r.commandAt = mark
	notices := &r.told().notices
	told, own, changed := len(notices.list), len(notices.own), len(r.told().changed)
	if r.txn != nil {
		r.findHub() // the command before may have subscribed
	}
	if s.track.on {
		r.remember(cmd, it.argv)
	}
	r.flushTold = false
	lines := s.innerLines()
	err := r.guarded(c)
	if err == nil && c.Tx != nil && cmd.mayWrite() {
		var fatal error
		if err, fatal = r.keep(c); fatal != nil {
			return fatal
		}
	}
	if err != nil {
		cmd.hits.failed.Add(1)
		text := r.engine.wireText(err)
		r.engine.totals.errors.add(text)
		r.out.Rewind(mark)
		notices.cut(told, own)
		if r.outer == nil {
			r.dropChanges(changed) // of a script's commands
		}
		r.out.Error(text)
		it.fail(s, err)
	}
	if s.trail != nil && cmd.has(Scripts) {
		it.keepInner(s, lines, err, r.out.Bytes()[mark:])
	}
	if r.txn == nil && r.outer == nil {
		notices.place(own, r.out.Len())
		r.placeChanges()
		s.endCaching(cmd)
	}
	return nil
}

// keep judges the command's writes against the cap and hands them to the
// transaction. A refusal concerns the command, fatal the whole transaction.
func (r *run) keep(c *Call) (refusal, fatal error) {
	from, to := c.db, c.db
	if c.Cmd.has(CrossDB | Scripts) {
		from, to = 0, storage.Databases-1
	}
	if c.Cmd.has(Grows) {
		for db := from; db <= to; db++ {
			err := checkGrowth(c.Limits, db, &r.stages[db], r.session.principal.Prefix() != "")
			if err == nil {
				err = r.engine.checkMemory(&r.stages[db])
			}
			if err != nil {
				return err, nil
			}
		}
	}
	for db := from; db <= to; db++ {
		if r.bases[db] == nil {
			continue // a script that uses one database
		}
		if err := r.stages[db].commit(); err != nil {
			return nil, err
		}
		if r.tracked && !c.Cmd.has(Scripts) { // a script's commands have noted theirs
			r.noteChanges(&r.stages[db])
		}
	}
	return nil, nil
}

// guarded runs the handler. A panic is a fault of ours: the client gets
// PLATFORM_ERROR, the log the stack, and nothing of the command is kept.
func (r *run) guarded(c *Call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.engine.log.Error("panic in a command", "command", c.Cmd.Name, "panic", kverr.PanicText(p), "stack", string(debug.Stack()))
			err = errPlatform
		}
	}()
	return c.Cmd.Run(c)
}
