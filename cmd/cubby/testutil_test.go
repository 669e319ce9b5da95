package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

const testPassword = "correct horse battery staple"

// result is what a finished command line left.
type result struct {
	code     int
	out, err string
}

// world is what the command lines of a test share.
type world struct {
	t           *testing.T
	vars        map[string]string
	interactive bool
	width       int // of the terminal; 0 is a pipe
}

func newWorld(t *testing.T) *world {
	t.Helper()
	// A command line that was told no directory must not find the developer's.
	t.Chdir(t.TempDir())
	return &world{t: t, vars: map[string]string{"GOGC": "100"}}
}

func (w *world) environment(in string) (environment, *log, *log) {
	out, err := newLog(), newLog()
	vars := make(map[string]string, len(w.vars))
	for k, v := range w.vars {
		vars[k] = v
	}
	return environment{
		in: strings.NewReader(in), out: out, err: err,
		getenv:      func(name string) string { return vars[name] },
		interactive: w.interactive, watched: w.interactive, width: w.width,
	}, out, err
}

// cubby runs a command line to its end.
func (w *world) cubby(args ...string) result { return w.answering("", args...) }

// answering is cubby with something typed at its terminal.
func (w *world) answering(in string, args ...string) result {
	w.t.Helper()
	env, out, errs := w.environment(in)
	code := run(w.t.Context(), env, args)
	return result{code, out.String(), errs.String()}
}

// ok is cubby for a command line that must succeed.
func (w *world) ok(args ...string) result {
	w.t.Helper()
	r := w.cubby(args...)
	require.Equal(w.t, exitOK, r.code, r.err)
	return r
}

// running is a server in this process.
type running struct {
	w        *world
	socket   string
	out, err *log
	cancel   context.CancelFunc
	code     chan int
}

// serve starts a server on a unix socket and returns when it is ready. It is
// stopped at the end of the test.
func (w *world) serve(args ...string) *running {
	w.t.Helper()
	// Not t.TempDir: the path of a socket is at most 107 bytes long.
	dir, err := os.MkdirTemp("", "cubby")
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	r := &running{w: w, socket: filepath.Join(dir, "s"), code: make(chan int, 1)}
	var env environment
	env, r.out, r.err = w.environment("")
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		r.code <- run(ctx, env, slices.Concat([]string{"serve"}, args, []string{"--unixsocket", r.socket}))
	}()
	select {
	case <-r.err.seen("ready: accepting connections on "):
	case code := <-r.code:
		r.code <- code
		require.Fail(w.t, "the server did not start", r.err.String())
	}
	w.t.Cleanup(func() { r.stop() })
	return r
}

// stop ends the server as a signal does and returns its exit code.
func (r *running) stop() int {
	r.cancel()
	code := <-r.code
	r.code <- code
	return code
}

// client is a redis client of the server.
func (r *running) client(user, secret string) *redis.Client {
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: r.socket, Username: user, Password: secret, MaxRetries: -1})
	r.w.t.Cleanup(func() { _ = c.Close() })
	return c
}

// log collects output and tells when a text has come.
type log struct {
	mu      sync.Mutex
	text    bytes.Buffer
	waiting map[string]chan struct{}
}

func newLog() *log { return &log{waiting: make(map[string]chan struct{})} }

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.text.Write(p)
	l.tell()
	return n, err
}

func (l *log) tell() {
	for text, ch := range l.waiting {
		if strings.Contains(l.text.String(), text) {
			close(ch)
			delete(l.waiting, text)
		}
	}
}

// seen is closed when the output has text in it.
func (l *log) seen(text string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	ch := make(chan struct{})
	l.waiting[text] = ch
	l.tell()
	return ch
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
