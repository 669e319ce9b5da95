package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/internal/hostaddr"
	"github.com/cubbykv/cubby/internal/resp"
)

const (
	// handshakeTimeout bounds a TLS handshake.
	handshakeTimeout = 10 * time.Second
	// quietAfter is how long a connection keeps a large read buffer that it
	// does not use.
	quietAfter = 2 * time.Second
	// lingerTime is how long a client that we hang up on may take to read its
	// last replies.
	lingerTime = 250 * time.Millisecond
)

// conn is a client's connection as redcon sees it. Read and Close are called
// by the connection's own goroutine, kill and drain by any.
type conn struct {
	net.Conn
	server *Server
	from   netip.Addr // see package hostaddr
	log    logger

	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	peer   peer // nil until the first Read
	guard  *guard

	stranger *stranger // nil after the sign-in
	leaving  bool      // ends after its replies

	batch []commands.Request
	out   resp.Writer

	polite bool // let the client read its last replies before closing

	readMu   sync.Mutex // guards the read deadline
	readBy   time.Time  // the read deadline in force; zero is none
	draining bool       // the read deadline is in the past for good

	// writeMu is whose turn it is to write. A batch has it from the run to its
	// replies: a message that was pushed meanwhile tells of something later.
	writeMu sync.Mutex
	writeBy time.Time // the write deadline in force
	pusher  pusher
	gauge   gauge // noted by the connection's own goroutine

	killed    atomic.Bool
	closeOnce sync.Once
}

func (s *Server) newConn(nc net.Conn) *conn {
	c := &conn{Conn: nc, server: s, guard: newGuard(), from: hostaddr.Of(address(nc.RemoteAddr(), nc.LocalAddr()))}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.log = logger{s.log, nc}
	return c
}

// Read hands redcon whole frames. It comes back for more only after the
// commands that it had were answered, so a breach of the protocol is answered
// here, in its place.
func (c *conn) Read(p []byte) (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			c.log.panicked("reading", v)
			n, err = 0, io.EOF
		}
	}()
	if c.peer == nil {
		if err := c.open(); err != nil {
			return 0, err
		}
	}
	for {
		b := c.bounds()
		if n := c.guard.feed(p, b); n > 0 {
			return n, nil
		}
		if f := c.guard.fault; f != "" {
			if reply := c.log.breach(f); reply != nil {
				_ = c.send(reply)
				c.polite = true
			}
			return 0, io.EOF
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
}

// open does for a new connection what would hold up the accept loop.
func (c *conn) open() error {
	keepAlive(c.Conn, c.server.options().KeepAlive)
	if t, ok := c.Conn.(interface{ HandshakeContext(context.Context) error }); ok {
		patience := handshakeTimeout
		if t := c.server.options().SignInTimeout; t > 0 {
			patience = min(patience, t)
		}
		ctx, cancel := context.WithTimeout(c.ctx, patience)
		defer cancel()
		if err := t.HandshakeContext(ctx); err != nil {
			c.log.debug("TLS handshake failed", "error", err)
			c.refuseHandshake()
			return err
		}
	}
	c.peer = c.server.open(commands.SessionOptions{
		Door:        Door,
		Remote:      address(c.RemoteAddr(), c.LocalAddr()),
		Local:       address(c.LocalAddr(), c.LocalAddr()),
		Certificate: c.certificate(),
		Kill:        c.kill,

		Push:       c.push,
		TakePushed: c.takePushed,
		Buffers:    c.buffers,
	})
	c.meet() // it may have arrived signed in
	return nil
}

// meet notices that the connection has signed in, or out. When there is no place
// for it any more, it ends after its replies.
func (c *conn) meet() {
	in := c.peer.signedIn()
	if in != (c.stranger != nil) {
		return
	}
	c.stranger = c.server.restate(c, c.stranger, c.from)
	c.leaving = !in && c.stranger == nil
}

// pause lets the replies of a sign-in wait: for their time, or until the
// connection ends. When the server stops, they are its last.
func (c *conn) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ctx.Done():
	case <-c.server.stopped:
		c.leaving = true
	}
}

func (c *conn) bounds() bounds { return c.server.bounds(c.peer) }

// buffers is commands.SessionOptions.Buffers.
func (c *conn) buffers() commands.Buffers { return c.gauge.buffers(&c.pusher.box) }

// fill waits for the client to send something.
func (c *conn) fill() error {
	since := time.Now()
	for rang := false; ; rang = true {
		space, timeout := c.guard.space(), c.server.options().Timeout
		if err := c.armRead(since, timeout, rang); err != nil {
			return err
		}
		c.gauge.note(c.guard, &c.out, 0)
		n, err := c.Conn.Read(space)
		if n > 0 {
			c.guard.arrived(n)
			c.server.stats.read.Add(int64(n))
			return nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		// The deadline is an alarm that is rarely set anew; what it means is
		// judged by the clock.
		if limit := c.server.options().SignInTimeout; c.stranger.overdue(time.Now(), limit) {
			c.log.debug("closing a connection that has not signed in", "timeout", limit)
			return io.EOF
		}
		idle := time.Since(since)
		if timeout > 0 && idle >= timeout && c.peer.subscribed() {
			since = time.Now() // who listens need not speak
			continue
		}
		if timeout > 0 && idle >= timeout {
			c.log.debug("closing an idle connection", "idle", idle)
			return io.EOF
		}
		if idle >= quietAfter {
			c.guard.quieten()
		}
	}
}

// armRead sees to it that the coming read wakes up in time to close an idle
// connection or to give its buffer back. Setting a deadline costs as much as a
// small command, so an earlier one is left in force and judged when it rang.
func (c *conn) armRead(since time.Time, timeout time.Duration, rang bool) error {
	wait := timeout
	if c.guard.spare() && (wait == 0 || wait > quietAfter) {
		wait = quietAfter
	}
	by := since.Add(wait)
	if limit := c.server.options().SignInTimeout; c.stranger != nil && limit > 0 {
		if end := c.stranger.since.Add(limit); wait == 0 || end.Before(by) {
			wait, by = limit, end
		}
	}
	c.readMu.Lock()
	defer c.readMu.Unlock()
	switch {
	case c.draining:
		c.polite = true
		return io.EOF
	case wait == 0 && c.readBy.IsZero():
		return nil
	case wait == 0:
		by = time.Time{}
	case !rang && !c.readBy.IsZero() && !c.readBy.After(by):
		return nil
	}
	c.readBy = by
	return c.Conn.SetReadDeadline(by)
}

// drain lets the batch under way be answered and ends the connection then; at
// once when there is none.
func (c *conn) drain() {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	c.draining = true
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
}

// send writes to the client in its turn.
func (c *conn) send(b []byte) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	return c.write(b)
}

// write writes to the client. Everything that goes out goes through it; callers
// hold writeMu.
func (c *conn) write(b []byte) error {
	// As with reads: a deadline that still leaves the client its time is good
	// enough.
	timeout := c.server.options().WriteTimeout
	if now := time.Now(); c.writeBy.Sub(now) < timeout {
		c.writeBy = now.Add(2 * timeout)
		if err := c.Conn.SetWriteDeadline(c.writeBy); err != nil {
			return err
		}
	}
	n, err := c.Conn.Write(b)
	c.server.stats.written.Add(int64(n))
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		c.log.warn("closing a connection that does not take its replies", "left", len(b)-n)
	}
	return err
}

// Write is called by redcon only, which never has anything to say here.
func (c *conn) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if err := c.send(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// kill cuts the connection off; its own goroutine does the rest. It takes no
// locks of the engine, which calls it with locks held, and does not wait for
// the client, as closing a TLS connection would.
func (c *conn) kill() {
	c.killed.Store(true)
	raw := c.Conn
	if t, ok := raw.(interface{ NetConn() net.Conn }); ok {
		raw = t.NetConn()
	}
	_ = raw.Close()
	c.cancel() // after it, so that no answer about this goes out
}

// Close ends the connection and its session.
func (c *conn) Close() error {
	var err error
	c.closeOnce.Do(func() {
		c.cancel()
		if c.polite && !c.killed.Load() {
			linger(c.Conn, lingerTime)
		}
		err = c.Conn.Close()
		if c.peer != nil {
			c.peer.end()
		}
		c.guard.release()
		c.server.forget(c, c.stranger)
	})
	return err
}

// linger tells the client that nothing follows, and reads what it still sends
// until it hangs up. Closing with unread bytes would make the kernel drop
// replies that the client has not read yet.
func linger(nc net.Conn, wait time.Duration) {
	half, ok := nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if nc.SetReadDeadline(time.Now().Add(wait)) == nil {
		_, _ = io.Copy(io.Discard, nc)
	}
}

// keepAlive sets TCP's probes as Redis does: after idle, then three at a
// third of it.
func keepAlive(nc net.Conn, idle time.Duration) {
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = t.NetConn()
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{
			Enable: idle > 0, Idle: idle, Interval: max(idle/3, time.Second), Count: 3,
		})
	}
}

// address writes an address as CLIENT LIST shows it. The peer of a unix socket
// has no name of its own, so the socket's stands for it.
func address(a, local net.Addr) string {
	switch {
	case a == nil:
		return ""
	case a.Network() == "unix":
		return local.String() + ":0"
	}
	return a.String()
}
