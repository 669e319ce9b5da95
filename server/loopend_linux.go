package server

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/cubbykv/cubby/internal/resp"
)

// hangUp ends a connection politely: it tells the client that nothing follows,
// and reads what it still sends for a while. Closing with unread bytes would
// make the kernel drop replies that the client has not read yet.
func (c *loopConn) hangUp() {
	c.leaving = true
	c.endSession()
	if unix.Shutdown(c.fd, unix.SHUT_WR) != nil {
		c.close()
		return
	}
	time.AfterFunc(lingerTime, func() { c.loop.post(c.close) })
	c.readable = true
	c.enqueue()
}

// discardsPerTurn bounds how often a connection that was hung up on is read.
const discardsPerTurn = 16

// discard reads what nobody will look at, until the client hangs up.
func (c *loopConn) discard() {
	var scratch [quietBuffer]byte
	for reads := 0; c.readable; reads++ {
		if reads == discardsPerTurn {
			c.enqueue()
			return
		}
		n, err := readNow(c.fd, scratch[:])
		switch {
		case n > 0:
			c.loop.charge(c.share, n/unitBytes)
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			c.readable = false
		default:
			c.close()
			return
		}
	}
}

func (c *loopConn) endSession() {
	c.shutDown.Do(func() {
		defer func() {
			if v := recover(); v != nil {
				c.log.panicked("ending a session", v)
			}
		}()
		c.cancel()
		c.peer.end()
	})
}

// close ends the connection and its session, at once.
func (c *loopConn) close() {
	switch {
	case c.closed:
		return
	case c.fd < 0: // on its way to the loop
		c.dying = true
		return
	case c.away: // its goroutine uses the session
		c.dying = true
		_ = unix.Shutdown(c.fd, unix.SHUT_RDWR)
		c.cancel()
		return
	}
	c.closed = true
	if c.held != nil {
		c.held.Stop()
		c.held = nil
	}
	if c.behind.Load() {
		c.log.warn("closing a connection that does not take what is pushed to it: client-output-buffer-limit, class pubsub")
	}
	c.box.close()
	delete(c.loop.conns, c.fd)
	c.loop.part(c)
	_ = unix.Close(c.fd)
	c.endSession()
	c.guard.release()
	c.todo, c.batch, c.out = nil, nil, resp.Writer{}
	c.loop.load.Add(-1)
	c.loop.server.forget(c, c.stranger)
}

// kill cuts the connection off. It takes no locks of the engine, which calls it
// with locks held.
func (c *loopConn) kill() {
	c.loop.post(c.close)
	c.cancel() // after it, so that no answer about this goes out
}

// drain is called when the server stops: the connection is to notice.
func (c *loopConn) drain() {
	c.loop.post(c.enqueue)
}

// draining tells whether nothing more is to be read.
func (c *loopConn) draining() bool {
	select {
	case <-c.loop.server.stopped:
		return true
	default:
		return false
	}
}
