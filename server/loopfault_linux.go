package server

import (
	"runtime/debug"

	"github.com/cubbykv/cubby/internal/kverr"
)

// survive is deferred by what a loop does for one connection: a fault of ours costs
// that connection, and nobody else.
func (c *loopConn) survive(doing string) {
	if v := recover(); v != nil {
		c.log.panicked(doing, v)
		c.close()
	}
}

// perform runs a task. Others may follow, and nobody would post them again.
func (l *loop) perform(task func()) {
	defer func() {
		if v := recover(); v != nil {
			l.panicked(v)
		}
	}()
	task()
}

// recoverTurn is deferred by a turn: it may have ended anywhere, with connections
// on lists that nobody goes through any more.
func (l *loop) recoverTurn() {
	v := recover()
	if v == nil {
		return
	}
	l.panicked(v)
	for _, c := range l.answered { // nobody knows how far their replies are
		c.close()
	}
	l.answered = nil
	l.busy, l.spare, l.telling, l.backlog, l.spareBacklog = nil, nil, nil, nil, nil
	for _, s := range l.shares {
		s.parked, s.head, s.listed = nil, 0, false
	}
	for _, c := range l.conns {
		c.queued, c.telling = false, false
		c.readable, c.ending = true, true // events may be lost
		c.taking = c.sending
		c.enqueue()
	}
}

func (l *loop) panicked(v any) {
	l.server.log.Error("panic in an event loop", "panic", kverr.PanicText(v), "stack", string(debug.Stack()))
}
