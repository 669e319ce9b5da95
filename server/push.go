package server

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// pusher sends to one connection what no command of it asked for.
type pusher struct {
	box    outbox
	start  sync.Once
	wake   chan struct{} // holds a token while there is something to send
	behind atomic.Bool   // the client was cut off because it does not keep up
}

// pushBytes is about how much is sent in one turn, so that replies need not
// wait long behind messages.
const pushBytes = 64 << 10

// push is commands.SessionOptions.Push.
func (c *conn) push(msg []byte, after storage.Seq) {
	p := &c.pusher
	if !p.box.push(msg, after, c.server.options().PushLimit, time.Now) {
		p.behind.Store(true)
		c.kill()
	}
	p.start.Do(func() {
		p.wake = make(chan struct{}, 1)
		go c.sendPushed()
	})
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// takePushed is commands.SessionOptions.TakePushed. The connection's turn to
// write is held while it runs, so nothing is half sent.
func (c *conn) takePushed(out *resp.Writer) storage.Seq { return c.pusher.box.takeAll(out) }

// sendPushed sends messages until the connection ends.
func (c *conn) sendPushed() {
	p := &c.pusher
	defer p.box.close()
	defer func() {
		if v := recover(); v != nil {
			c.log.panicked("pushing", v)
			c.kill()
		}
	}()
	var buf []byte
	for {
		select {
		case <-p.wake:
		case <-c.ctx.Done():
			if p.behind.Load() {
				c.log.warn("closing a connection that does not take what is pushed to it: client-output-buffer-limit, class pubsub")
			}
			return
		}
		for {
			number, after, ok := p.box.next()
			if !ok {
				break
			}
			if err := c.peer.wait(c.ctx, after); err != nil {
				p.box.skip(number) // what it tells of did not last
				continue
			}
			var err error
			if buf, err = c.sendTaken(buf[:0], after); err != nil {
				c.kill()
				break
			}
		}
		if cap(buf) > 2*pushBytes {
			buf = nil
		}
	}
}

// sendTaken sends some messages in the connection's turn.
func (c *conn) sendTaken(buf []byte, upTo storage.Seq) ([]byte, error) {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	buf = c.pusher.box.take(buf, upTo, pushBytes)
	if len(buf) == 0 { // a command put them among its replies
		return buf, nil
	}
	return buf, c.write(buf)
}
