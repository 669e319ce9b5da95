package server

import (
	"errors"
	"net"
	"time"
)

const (
	backoffMin = 5 * time.Millisecond
	backoffMax = time.Second
	// refusalTime bounds how long a client that is turned away may take to
	// read why.
	refusalTime = time.Second
	// maxRefusals bounds how many are told at once; more are just closed.
	maxRefusals = 64
)

const (
	replyFull      = "-ERR max number of clients reached\r\n"
	replyProtected = "-DENIED Cubby is running in protected mode because no admin password is configured. " +
		"In this mode connections are only accepted from the loopback interface. " +
		"If you want to connect from other computers, adopt one of the following solutions: " +
		"1) Set an admin password: put 'requirepass <password>' into the configuration file, or start the server with '--requirepass <password>'. " +
		"2) Disable protected mode with 'protected-mode no' in the configuration file, or start the server with '--protected-mode no'; " +
		"MAKE SURE then that the server cannot be reached from the internet. " +
		"You only need to do one of the above for the server to accept connections from the outside.\r\n"
)

// listener accepts for redcon, which itself would spin on errors, knows no
// bounds, and drops all its connections when its listener ends.
type listener struct {
	net.Listener
	server *Server
	lost   chan struct{} // closed when the listener ended without Shutdown
}

// Accept returns the next connection that is to be served. It returns an error
// only when Shutdown has ended.
func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.accept()
		if err != nil {
			return nil, err
		}
		s := l.server
		if l.denied(nc) {
			s.refuse(nc, replyProtected)
			continue
		}
		if s.adopt(nc) {
			continue
		}
		c := s.newConn(nc)
		var full, stopping bool
		switch c.stranger, full, stopping = s.admit(c, c.from); {
		case full:
			s.refuse(nc, replyFull)
		case stopping:
			_ = nc.Close()
		default:
			return c, nil
		}
	}
}

// accept is the listener's Accept with patience: errors such as too many open
// files pass, and are logged once for each time that they last.
func (l *listener) accept() (net.Conn, error) {
	s := l.server
	wait := backoffMin
	for failures := 0; ; failures++ {
		nc, err := l.Listener.Accept()
		if err == nil {
			if failures > 0 {
				s.log.Info("accepting connections again", "address", l.Addr().String(), "failures", failures)
			}
			return nc, nil
		}
		if errors.Is(err, net.ErrClosed) {
			return nil, l.ended()
		}
		if failures == 0 {
			s.log.Error("cannot accept connections; trying on", "address", l.Addr().String(), "error", err)
		}
		select {
		case <-time.After(wait):
		case <-s.stopped:
		}
		wait = min(2*wait, backoffMax)
	}
}

// ended waits for the end of Shutdown: until then redcon must not learn that
// there is nothing to accept any more.
func (l *listener) ended() error {
	select {
	case <-l.server.stopped:
	default:
		l.server.log.Error("the listener was closed", "address", l.Addr().String())
		close(l.lost)
	}
	<-l.server.done
	return net.ErrClosed
}

// denied tells whether protected mode keeps the peer out.
func (l *listener) denied(nc net.Conn) bool {
	o := l.server.options()
	if !o.ProtectedMode {
		return false
	}
	tcp, ok := nc.RemoteAddr().(*net.TCPAddr)
	if !ok || tcp.IP.IsLoopback() {
		return false
	}
	return o.PasswordSet == nil || !o.PasswordSet()
}

// refuse tells the client why it is not served, outside the accept loop.
func (s *Server) refuse(nc net.Conn, reply string) {
	s.stats.refused.Add(1)
	select {
	case s.telling <- struct{}{}:
	default:
		_ = nc.Close()
		return
	}
	go func() {
		defer func() { <-s.telling }()
		defer nc.Close()
		if nc.SetDeadline(time.Now().Add(refusalTime)) != nil {
			return
		}
		if _, err := nc.Write([]byte(reply)); err == nil {
			linger(nc, refusalTime)
		}
	}()
}
