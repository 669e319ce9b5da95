package server

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// vouch asks the store for this connection alone, after somebody's wait
// failed, and puts errors in the place of replies that it does not vouch for.
// Messages are dropped: no command of this connection has failed with them.
func (c *loopConn) vouch() {
	defer c.survive("waiting for the store")
	if c.ran == 0 {
		if c.peer.wait(c.ctx, c.seq) != nil {
			c.out.Reset()
		}
		return
	}
	vouch(c.ctx, c.peer, c.ran, c.seq, &c.out)
}

// push is commands.SessionOptions.Push.
func (c *loopConn) push(msg []byte, after storage.Seq) {
	if !c.box.push(msg, after, c.loop.server.options().PushLimit, time.Now) {
		c.behind.Store(true)
		c.kill()
		return
	}
	if c.told.CompareAndSwap(false, true) {
		c.loop.post(c.enqueueToTell)
	}
}

// takePushed is commands.SessionOptions.TakePushed. While a batch runs, out
// holds nothing that was pushed.
func (c *loopConn) takePushed(out *resp.Writer) storage.Seq { return c.box.takeAll(out) }

// messages leaves some of what was pushed to settle, and tells whether there
// was any.
func (c *loopConn) messages() bool {
	c.told.Store(false)
	_, after, ok := c.box.next()
	if !ok {
		return false
	}
	c.out.RawPush(c.box.take(nil, after, pushBytes))
	if _, _, more := c.box.next(); more {
		c.told.Store(true)
	}
	c.done(0, after)
	return true
}

// flushBytes bounds what one connection is sent at once: a client that takes it as
// quickly as it is sent must not keep others waiting for megabytes.
const flushBytes = 128 << 10

// flush sends the replies, and what the client does not take now when it can.
func (c *loopConn) flush() {
	defer c.survive("sending")
	if c.closed {
		return
	}
	if c.out.Overflowed() {
		c.log.warn("closing a connection whose replies exceed client-output-buffer-limit", "limit", c.loop.server.options().MaxReplyBytes)
		c.close()
		return
	}
	for most := c.sent + flushBytes; c.sent < c.out.Len(); {
		if c.sent == most {
			c.sending, c.taking = true, true
			c.enqueue()
			return
		}
		n, err := writeNow(c.fd, c.out.Bytes()[c.sent:min(most, c.out.Len())])
		switch {
		case n > 0:
			c.sent += n
			c.stuck = c.loop.now
			c.loop.written += int64(n)
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			if !c.sending {
				c.sending, c.stuck = true, c.loop.now
			}
			c.taking = false
			c.measure()
			return
		default:
			c.close()
			return
		}
	}
	c.gauge.wrote(c.out.Len(), c.loop.now)
	c.replying, c.sending, c.taking, c.sent = false, false, false, 0
	c.out.Reset() // of a large buffer nothing is kept
	c.said()
}
