package server

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// loopConn is a connection on a loop, which alone uses it; kill and drain may
// be called by any goroutine.
//
// It goes through a cycle: read, run a batch, send the replies. Only while it
// is in none of these does it look for more.
type loopConn struct {
	loop *loop
	fd   int        // -1 before begin
	from netip.Addr // see package hostaddr
	log  logger

	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	peer   peer
	guard  *guard

	batch []commands.Request
	todo  []commands.Request // of batch, not run yet
	out   resp.Writer
	sent  int         // bytes of out that the system took
	ran   int         // commands whose replies are in out
	seq   storage.Seq // what these depend on

	readable bool // a read may bring something
	ending   bool // the client has hung up; what it sent before may still be there
	queued   bool // in loop.busy
	telling  bool // in loop.telling
	away     bool // a goroutine runs the batch
	replying bool // out waits to be sent
	sending  bool // and the client has a part of it
	taking   bool // it may take more: the rest goes in the next turn
	leaving  bool // everything is said: waiting for the client to hang up
	dying    bool // to be closed when it is no longer away, or has begun
	closed   bool

	gauge gauge
	share *share // of the namespace, on this loop

	box    outbox
	told   atomic.Bool // there may be something in box
	pushed bool        // the last turn was for messages, the next is for commands
	behind atomic.Bool // the client does not take what is pushed

	stranger *stranger   // nil after the sign-in
	homeless bool        // has signed out, and there is no place for a stranger
	held     *time.Timer // the replies wait for it

	heard    time.Time // when something arrived
	stuck    time.Time // since when it is sending
	shutDown sync.Once
}

// readsPerTurn bounds how often a connection reads before it has a whole frame.
const readsPerTurn = 4

// enqueue lets the connection go on in the coming turn.
func (c *loopConn) enqueue() {
	if !c.queued && !c.closed {
		c.queued = true
		c.loop.busy = append(c.loop.busy, c)
	}
}

// enqueueToTell lets the connection send messages in one of the coming turns.
func (c *loopConn) enqueueToTell() {
	if !c.telling && !c.queued && !c.closed {
		c.telling = true
		c.loop.telling = append(c.loop.telling, c)
	}
}

// step takes the connection as far as the next batch.
func (c *loopConn) step() {
	defer c.survive("reading")
	switch {
	case c.held != nil && c.draining():
		c.leaving = true
		c.release()
		return
	case c.taking:
		c.flush()
		return
	case c.closed, c.away, c.replying, c.fd < 0:
		return
	case c.leaving:
		c.discard()
		return
	}
	// Messages and commands take turns.
	if c.told.Load() && !c.pushed && c.messages() {
		c.pushed = true
		return
	}
	c.pushed = false
	for reads := 0; len(c.todo) == 0; reads++ {
		if c.draining() {
			c.hangUp()
			return
		}
		if c.gather() {
			break
		}
		if f := c.guard.fault; f != "" {
			c.breach(f)
			return
		}
		if reads == readsPerTurn || reads > 0 && c.loop.exhausted(c.share) { // a large frame: the others come in between
			c.enqueue()
			return
		}
		if !c.readable || !c.fill() {
			c.measure()
			if c.told.Load() {
				c.enqueueToTell()
			}
			return
		}
	}
	c.answer()
}

func (c *loopConn) bounds() bounds { return c.loop.server.bounds(c.peer) }

// gather collects the whole frames that have arrived.
func (c *loopConn) gather() bool {
	b := c.bounds()
	if !c.guard.next(b) {
		return false
	}
	c.batch = append(c.batch[:0], c.guard.take(b))
	c.batch = c.guard.rest(c.batch, b)
	c.todo = c.batch
	return true
}

// fill reads what the client has sent, and tells whether that was anything.
func (c *loopConn) fill() bool {
	space := c.guard.space()
	for {
		n, err := readNow(c.fd, space)
		switch {
		case n > 0:
			c.guard.arrived(n)
			c.readable = n == len(space) || c.ending
			c.heard = c.loop.now
			c.loop.read += int64(n)
			c.loop.charge(c.share, n/unitBytes)
			return true
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			c.readable = false
			return false
		default: // the end, or a connection that broke
			c.close()
			return false
		}
	}
}

// answer lets the engine run commands, and leaves the replies to settle.
func (c *loopConn) answer() {
	c.out.SetLimit(c.loop.server.options().MaxReplyBytes)
	n, seq, wait := c.tryRun()
	if n == 0 && wait {
		c.leave()
		return
	}
	c.finish(n, seq)
}

// finish is done for a batch, whose replies may have to wait after a sign-in. The
// connection waits with them, and nobody else: a timer brings it back. When the
// server stops, they are its last, at once.
func (c *loopConn) finish(n int, seq storage.Seq) {
	c.meet()
	c.loop.join(c) // it may have signed in
	c.loop.charge(c.share, c.peer.extra())
	d := c.peer.hold()
	if d > 0 && c.draining() {
		d, c.leaving = 0, true
	}
	if d <= 0 {
		c.done(n, seq)
		return
	}
	c.ran, c.seq, c.replying = n, seq, true
	c.todo = c.todo[n:]
	c.held = time.AfterFunc(d, func() { c.loop.post(c.release) })
}

// release lets replies go that have waited.
func (c *loopConn) release() {
	if c.held == nil {
		return
	}
	c.held.Stop()
	c.held = nil
	c.loop.answered = append(c.loop.answered, c)
}

// done takes note of n commands whose replies are in out.
func (c *loopConn) done(n int, seq storage.Seq) {
	c.ran, c.seq, c.replying = n, seq, true
	c.loop.charge(c.share, costOf(c.todo[:n])+c.out.Len()/unitBytes)
	c.todo = c.todo[n:]
	c.loop.answered = append(c.loop.answered, c)
}

// tryRun runs commands from the front of todo, as far as they need not wait.
func (c *loopConn) tryRun() (n int, seq storage.Seq, wait bool) {
	defer func() {
		if v := recover(); v != nil {
			n, seq, wait = answerPanic(c.log, v, c.todo, &c.out), 0, false
		}
	}()
	return c.peer.tryDo(c.ctx, c.todo, &c.out)
}

// leave lets a goroutine run todo, whose first command may have to wait.
func (c *loopConn) leave() {
	c.away = true
	c.loop.away++
	go func() {
		n := runBatch(c.ctx, c.peer, c.log, c.todo, &c.out)
		c.loop.post(func() { c.back(n) })
	}()
}

// back returns a connection to its loop.
func (c *loopConn) back(n int) {
	defer c.survive("taking up a connection")
	c.away = false
	c.loop.away--
	if c.dying {
		c.close()
		return
	}
	c.finish(n, 0)
}

// said decides what comes after replies were sent.
func (c *loopConn) said() {
	if c.peer.closing() || c.leaving || c.homeless {
		c.hangUp()
		return
	}
	if len(c.todo) == 0 {
		c.letGo()
	}
	c.measure()
	if len(c.todo) > 0 || c.readable || c.draining() || c.guard.pending() > 0 || c.guard.fault != "" {
		c.enqueue()
	} else if c.told.Load() {
		c.enqueueToTell()
	}
}

// meet notices that the connection has signed in, or out.
func (c *loopConn) meet() {
	in := c.peer.signedIn()
	if in != (c.stranger != nil) {
		return
	}
	c.stranger = c.loop.server.restate(c, c.stranger, c.from)
	c.homeless = !in && c.stranger == nil
}

// letGo drops a batch that is done.
func (c *loopConn) letGo() {
	c.batch, c.todo = emptied(c.batch), nil
}

// breach answers a breach of the protocol and hangs up.
func (c *loopConn) breach(f fault) {
	reply := c.log.breach(f)
	if reply == nil {
		c.close()
		return
	}
	c.out.Raw(reply)
	c.leaving, c.replying = true, true
	c.flush()
}

// tick closes a connection that was silent or did not take its replies for too
// long, and takes a buffer back that it does not need.
func (c *loopConn) tick() {
	o, now := c.loop.server.options(), c.loop.now
	idle := now.Sub(c.heard)
	switch {
	case c.stranger.overdue(now, o.SignInTimeout):
		c.log.debug("closing a connection that has not signed in", "timeout", o.SignInTimeout)
		c.close()
	case c.sending:
		if now.Sub(c.stuck) >= o.WriteTimeout {
			c.log.warn("closing a connection that does not take its replies", "left", c.out.Len()-c.sent)
			c.close()
		}
	case c.away || c.replying || c.leaving || len(c.todo) > 0:
	case o.Timeout > 0 && idle >= o.Timeout && !c.peer.subscribed(): // who listens need not speak
		c.log.debug("closing an idle connection", "idle", idle)
		c.close()
	case idle >= quietAfter:
		c.guard.quieten()
		c.measure()
	}
}

// measure notes how full the buffers are.
func (c *loopConn) measure() { c.gauge.note(c.guard, &c.out, c.out.Len()-c.sent) }

// buffers is commands.SessionOptions.Buffers.
func (c *loopConn) buffers() commands.Buffers { return c.gauge.buffers(&c.box) }
