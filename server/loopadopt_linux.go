package server

import (
	"context"
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/internal/hostaddr"
)

// adopt takes a plain connection over from Go's network poller, if a loop can
// serve it: TLS and other platforms are redcon's.
func (s *Server) adopt(nc net.Conn) (taken bool) {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return false
	}
	loops := s.eventLoops()
	if len(loops) == 0 {
		return false
	}
	l := loops[0]
	for _, other := range loops {
		if other.load.Load() < l.load.Load() {
			l = other
		}
	}
	remote := address(nc.RemoteAddr(), nc.LocalAddr())
	c := &loopConn{loop: l, fd: -1, from: hostaddr.Of(remote), guard: newGuard(), log: logger{s.log, nc}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	var full, stopping bool
	switch c.stranger, full, stopping = s.admit(c, c.from); {
	case full:
		s.refuse(nc, replyFull)
		return true
	case stopping:
		_ = nc.Close()
		return true
	}
	l.load.Add(1)
	keepAlive(nc, s.options().KeepAlive)
	fd, err := claim(nc)
	if err != nil {
		c.log.warn("cannot serve a connection", "error", err)
		l.load.Add(-1)
		s.forget(c, c.stranger)
		return true
	}
	c.peer = s.open(commands.SessionOptions{
		Door:   Door,
		Remote: remote,
		Local:  address(nc.LocalAddr(), nc.LocalAddr()),
		Kill:   c.kill,

		Push:       c.push,
		TakePushed: c.takePushed,
		Buffers:    c.buffers,
	})
	c.meet() // it may have arrived signed in
	l.post(func() { c.begin(fd) })
	return true
}

// claim returns a descriptor of the connection that is ours alone, and closes
// the one that Go's network poller watches.
func claim(nc net.Conn) (fd int, err error) {
	defer nc.Close()
	raw, err := nc.(interface {
		SyscallConn() (syscall.RawConn, error)
	}).SyscallConn()
	if err != nil {
		return -1, err
	}
	cerr := raw.Control(func(of uintptr) { fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(cerr, err)
}

// begin is the first that a loop does for a connection, unless it was cut off or
// the server has stopped meanwhile.
func (c *loopConn) begin(fd int) {
	defer c.survive("beginning")
	c.fd, c.heard = fd, c.loop.now
	if c.dying {
		c.close()
		return
	}
	c.loop.conns[fd] = c
	c.loop.join(c)
	if err := c.loop.watch(fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP); err != nil {
		c.log.warn("cannot serve a connection", "error", err)
		c.close()
		return
	}
	if c.draining() {
		c.enqueue()
	}
}
