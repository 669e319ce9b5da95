package server

import (
	"net"
	"time"

	"github.com/cubbykv/cubby/commands"
)

// certificate is what a listener for TLS has verified of the client and wants
// the engine to know.
func (c *conn) certificate() *commands.Certificate {
	t, ok := c.Conn.(interface {
		Verified() (name string, until time.Time, ok bool)
	})
	if !ok {
		return nil
	}
	name, until, ok := t.Verified()
	if !ok {
		return nil
	}
	return &commands.Certificate{Name: name, EndsAt: until.UnixMilli()}
}

// refuseHandshake lets the client read why it is not served. One that takes its
// own side of the handshake for complete has sent a command already, and closing
// with that unread would take the alert from it.
func (c *conn) refuseHandshake() {
	if t, ok := c.Conn.(interface{ NetConn() net.Conn }); ok && !c.killed.Load() {
		linger(t.NetConn(), lingerTime)
	}
}
