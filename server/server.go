package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/redcon"

	"github.com/cubbykv/cubby/commands"
)

// Door is the name of this door in listings and in the audit trail.
const Door = "resp"

// killGrace is how long Shutdown waits for connections that it had to cut off.
const killGrace = time.Second

// ErrClosed is returned by Serve after Shutdown.
var ErrClosed = errors.New("server: closed")

// Server serves the RESP protocol on any number of listeners.
type Server struct {
	opts  atomic.Pointer[Options]
	log   *slog.Logger
	open  func(commands.SessionOptions) peer
	stats counters
	grace time.Duration // strangerGrace

	telling chan struct{} // a slot for each refused client that is being told
	stopped chan struct{} // closed when Shutdown begins
	done    chan struct{} // closed when Shutdown has ended

	mu        sync.Mutex // guards what follows
	conns     map[connection]struct{}
	evicted   map[connection]struct{} // of conns: they are about to end
	strangers strangers
	loops     []*loop // made when the first connection needs them
	listeners map[*listener]struct{}
	stopping  bool
	empty     chan struct{} // closed when stopping and no connection is left
}

type counters struct {
	accepted, refused, evicted, read, written atomic.Int64
}

// connection is what both kinds have in common: conn is served by redcon, and
// loopConn by an event loop. Both methods may be called by any goroutine.
type connection interface {
	drain() // ends it after the batch under way
	kill()  // cuts it off
}

// Stats are figures of a Server since its start.
type Stats struct {
	Open     int   // connections now
	Accepted int64 // connections that were served
	Refused  int64 // connections turned away: too many, or protected mode

	Strangers int   // connections now that have not signed in
	Evicted   int64 // of these, closed to make way for others

	Read    int64 // bytes from clients
	Written int64 // bytes to clients
}

// New returns a Server that does not listen yet.
func New(o Options) *Server {
	engine := o.Engine
	return newServer(o, func(so commands.SessionOptions) peer {
		return enginePeer{engine, engine.NewSession(so)}
	})
}

func newServer(o Options, open func(commands.SessionOptions) peer) *Server {
	s := &Server{
		open:      open,
		telling:   make(chan struct{}, maxRefusals),
		stopped:   make(chan struct{}),
		done:      make(chan struct{}),
		grace:     strangerGrace,
		conns:     make(map[connection]struct{}),
		evicted:   make(map[connection]struct{}),
		listeners: make(map[*listener]struct{}),
		empty:     make(chan struct{}),
	}
	s.opts.Store(o.withDefaults())
	s.log = s.options().Log
	return s
}

func (s *Server) options() *Options { return s.opts.Load() }

// Reconfigure changes options while the server runs. Connections notice at
// their next read or reply; KeepAlive only concerns new ones, and Engine and
// Log cannot change.
func (s *Server) Reconfigure(change func(*Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := *s.options()
	change(&o)
	s.opts.Store(o.withDefaults())
}

// Stats returns the figures so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	open, strangers := len(s.conns), s.strangers.all.Len()
	s.mu.Unlock()
	return Stats{
		Open: open,

		Strangers: strangers,
		Evicted:   s.stats.evicted.Load(),

		Accepted: s.stats.accepted.Load(),
		Refused:  s.stats.refused.Load(),
		Read:     s.stats.read.Load(),
		Written:  s.stats.written.Load(),
	}
}

// Serve accepts connections from ln until Shutdown, and closes it. It may be
// called for several listeners; one for TLS is just a listener. It returns nil
// after Shutdown, ErrClosed when that came first, and net.ErrClosed when
// somebody else closed ln; connections accepted before live on then.
func (s *Server) Serve(ln net.Listener) error {
	l := &listener{Listener: ln, server: s, lost: make(chan struct{})}
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		_ = ln.Close()
		return ErrClosed
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()

	served := make(chan error, 1)
	go func() { served <- redcon.Serve(l, handle, nil, nil) }()
	select {
	case err := <-served:
		return err
	case <-l.lost:
		return net.ErrClosed
	}
}

// Shutdown stops accepting, lets the batches under way finish and be answered,
// and closes all connections. When ctx ends first, it cuts the remaining ones
// off and returns the context's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	first := !s.stopping
	if first {
		s.stopping = true
		close(s.stopped)
		if len(s.conns) == 0 {
			close(s.empty)
		}
	}
	for l := range s.listeners {
		_ = l.Listener.Close()
	}
	for c := range s.conns {
		c.drain()
	}
	s.mu.Unlock()
	if first {
		// redcon drops all its connections when its listener ends: not before.
		defer close(s.done)
		defer func() {
			for _, l := range s.loops {
				l.stop()
			}
		}()
	}

	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.log.Warn("cutting off connections that did not finish in time", "connections", len(s.conns))
	for c := range s.conns {
		c.kill()
	}
	s.mu.Unlock()
	select {
	case <-s.empty:
	case <-time.After(killGrace):
	}
	return ctx.Err()
}

// admit registers a connection, which is a stranger's, unless the server is full
// or stopping.
func (s *Server) admit(c connection, from netip.Addr) (st *stranger, full, stopping bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopping:
		return nil, false, true
	case !s.makeRoom(from, now, true):
		return nil, true, false
	}
	s.conns[c] = struct{}{}
	s.stats.accepted.Add(1)
	return s.strangers.add(c, from, now), false, false
}

// forget is called at a connection's end; st is what it is as a stranger, or nil.
func (s *Server) forget(c connection, st *stranger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strangers.remove(st)
	if _, ok := s.conns[c]; !ok {
		return
	}
	delete(s.conns, c)
	delete(s.evicted, c)
	if s.stopping && len(s.conns) == 0 {
		close(s.empty)
	}
}

// eventLoops returns the loops, none when the options or the system want it so.
func (s *Server) eventLoops() []*loop {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loops == nil && !s.stopping {
		n := s.options().EventLoops
		if n == 0 {
			n = runtime.GOMAXPROCS(0)
		}
		loops, err := startLoops(s, max(n, 0))
		if err != nil {
			s.log.Error("serving without event loops, which is slower", "error", err)
		}
		s.loops = append([]*loop{}, loops...)
	}
	return s.loops
}

// bounds are the limits that a client's frames are parsed by.
func (s *Server) bounds(p peer) bounds {
	o := s.options()
	return bounds{request: o.MaxRequestBytes, bulk: o.MaxBulkBytes, signedIn: p.signedIn()}
}
