// Package kvtest runs the real Cubby server inside a test: the same engine and
// the same protocol as in production, with data in memory and a clock that only
// the test moves. Nothing is mocked, so limits, error texts and expiry are
// those that a program will meet.
package kvtest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cubbykv/cubby/internal/inmemory"
	"github.com/cubbykv/cubby/server"
)

// patience bounds how long the server may take to stop.
const patience = 10 * time.Second

// Server is a running server with one app that is ready for use. Its methods
// are safe for concurrent use.
type Server struct {
	t      testing.TB // New's: what the server hands out ends with it
	addr   string
	clock  *clock
	engine *inmemory.Engine
	ready  *App
}

// Option changes what New starts.
type Option func(*options)

type options struct {
	name   string
	limits []string
	events string
}

// KeyspaceEvents turns keyspace notifications on, with the letters of the
// directive notify-keyspace-events: KeyspaceEvents("KEA"). Keys that Advance lets
// expire are told before it returns.
func KeyspaceEvents(letters string) Option {
	return func(o *options) { o.events = letters }
}

// Name calls the ready app "tenant/app"; the default is "test/app".
func Name(name string) Option {
	return func(o *options) { o.name = name }
}

// Limits sets limits of the ready app, in pairs of name and value as
// APP.CREATE takes them: Limits("max-keys", "3", "ttl-min", "1s"). All others
// are the server's defaults.
func Limits(pairs ...string) Option {
	return func(o *options) { o.limits = append(o.limits, pairs...) }
}

// New starts a server on a free port of the loopback interface and stops it
// when the test ends.
func New(t testing.TB, opts ...Option) *Server {
	t.Helper()
	o := options{name: "test/app"}
	for _, set := range opts {
		set(&o)
	}
	s := &Server{t: t, clock: newClock()}
	// What a client may not know goes to the test's log.
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	if err := s.start(t, log, o.events); err != nil {
		t.Fatalf("kvtest: %v", err)
	}
	s.ready = s.App(t, o.name, o.limits...)
	return s
}

func (s *Server) start(t testing.TB, log *slog.Logger, events string) error {
	ctx := context.Background()
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.addr = ln.Addr().String()
	s.engine, err = inmemory.New(inmemory.Options{Clock: s.clock.now, Log: log, Events: events, Port: ln.Addr().(*net.TCPAddr).Port})
	if err != nil {
		return err
	}
	t.Cleanup(func() { _ = s.engine.Close() })
	door := server.New(server.Options{Log: log, Engine: s.engine.Engine})
	served := make(chan error, 1)
	go func() { served <- door.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = door.Shutdown(ctx)                                                // cuts off whoever is left at the end of ctx
		if err := <-served; err != nil && !errors.Is(err, server.ErrClosed) { // a test may end before it begins to serve
			t.Errorf("kvtest: %v", err)
		}
	})
	return nil
}

// Addr is the server's host:port.
func (s *Server) Addr() string { return s.addr }

// Token opens the ready app.
func (s *Server) Token() string { return s.ready.token }

// Client returns a new client, signed in to the ready app. It is closed when
// the test ends.
func (s *Server) Client() *redis.Client { return s.ready.Client() }

// AdminPassword signs in as the user "admin".
func (s *Server) AdminPassword() string { return s.engine.Password }

// Admin returns a new client, signed in as the admin. It is closed when the
// test ends.
func (s *Server) Admin() *redis.Client {
	return s.connect(&redis.Options{Addr: s.addr, Username: "admin", Password: s.engine.Password})
}

// Now is the server's time. It starts at the real time, in whole milliseconds,
// and then stands still.
func (s *Server) Now() time.Time { return s.clock.now() }

// Advance moves the server's time: what expires until then is expired when it
// returns.
func (s *Server) Advance(d time.Duration) {
	s.clock.advance(d)
	s.engine.NoticeExpired(context.Background())
}

func (s *Server) connect(o *redis.Options) *redis.Client {
	c := redis.NewClient(o)
	s.t.Cleanup(func() {
		if err := c.Close(); err != nil {
			s.t.Errorf("kvtest: close the client: %v", err)
		}
	})
	return c
}
