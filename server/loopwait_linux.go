package server

import (
	"context"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// waits is how a loop waits for the store when each wait is an fsync
// (Options.SlowWaits).
//
// With a quick disk the loop waits by itself: to hand over to a goroutine and
// back costs a third more processor time, and what arrives meanwhile shares the next
// fsync anyway. With a slow disk a goroutine waits, and the loop goes on with the
// connections whose replies depend on nothing that is under way. Replies are
// held until the store vouches for them; those that come up during an fsync
// share the next one.
type waits struct {
	asked chan slowWait // nil without SlowWaits
	ended chan struct{}
	usual time.Duration // of the last waits, more or less
	under []*loopConn   // hold replies until the wait that is under way is over
	held  []*loopConn   // hold replies for the next
}

// slowDisk is how long waits take, usually, for a goroutine to be worth while.
const slowDisk = 2 * time.Millisecond

// took takes note of the length of a wait.
func (w *waits) took(d time.Duration) { w.usual += (d - w.usual) / 8 }

// apart tells whether a goroutine is to wait for n connections of that many.
func (w *waits) apart(n, of int) bool {
	return len(w.under) > 0 || w.usual > slowDisk && n < of
}

// slowWait is what the goroutine is to wait for.
type slowWait struct {
	peer peer
	seq  storage.Seq
}

func (l *loop) startWaiting() {
	l.waits.asked = make(chan slowWait, 1)
	l.waits.ended = make(chan struct{})
	go func() {
		defer close(l.waits.ended)
		for w := range l.waits.asked {
			l.waitFor(w)
		}
	}()
}

// stopWaiting returns when the goroutine has left: nobody posts any more.
func (l *loop) stopWaiting() {
	if l.waits.asked != nil {
		close(l.waits.asked)
		<-l.waits.ended
	}
}

// wait waits for the store. After an error each connection asks for itself.
func (l *loop) wait(w slowWait) (err error) {
	defer func() {
		if v := recover(); v != nil {
			l.panicked(v)
			err = errPanic
		}
	}()
	return w.peer.wait(context.Background(), w.seq)
}

func (l *loop) waitFor(w slowWait) {
	began := time.Now()
	err := l.wait(w)
	took := time.Since(began)
	l.post(func() {
		l.waits.took(took)
		l.waited(err)
	})
}

// waited ends a wait for those that it was for, and begins the next.
func (l *loop) waited(err error) {
	under := l.waits.under
	l.waits.under = nil
	for _, c := range under {
		if err != nil {
			c.vouch()
		}
		c.flush()
	}
	clear(under)
	l.waits.under = under[:0]
	l.waitNext()
}

// hold keeps the replies of these connections back until the store vouches for
// them.
func (l *loop) hold(conns []*loopConn) {
	l.waits.held = append(l.waits.held, conns...)
	l.waitNext()
}

func (l *loop) waitNext() {
	w := &l.waits
	if len(w.under) > 0 || len(w.held) == 0 {
		return
	}
	w.under, w.held = w.held, w.under
	last := newest(w.under)
	w.asked <- slowWait{last.peer, last.seq}
}

// newest returns the connection whose replies depend on the newest write.
func newest(conns []*loopConn) *loopConn {
	last := conns[0]
	for _, c := range conns[1:] {
		if c.seq > last.seq {
			last = c
		}
	}
	return last
}
