package server

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// patience bounds every wait of these tests; none should come near it.
const patience = 10 * time.Second

// withoutLoops, set in the environment, makes redcon serve all connections.
const withoutLoops = "CUBBY_TEST_WITHOUT_LOOPS"

// Both kinds of connections pass the same tests: this one runs the others once
// more, with redcon in the loops' place.
func TestWithoutLoops(t *testing.T) {
	if os.Getenv(withoutLoops) != "" {
		t.Skip("this is that run")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^Test")
	cmd.Env = append(os.Environ(), withoutLoops+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// fakePeer is a small engine: it knows AUTH PING ECHO SET GET QUIT and, for
// the tests, PANIC HANG BIG COUNT.
type fakePeer struct {
	opts    commands.SessionOptions
	signed  bool
	quit    bool
	listens bool
	holds   time.Duration // what hold returns
	values  map[string][]byte
	of      any // owner

	waiting func(storage.Seq) error // stands for wait, when not nil
	waitErr error                   // returned by wait
	durable bool                    // told by settled
	hang    chan struct{}           // HANG waits for it
	hanging chan struct{}           // told when HANG has begun
	ended   chan struct{}           // closed by end
	batches chan int                // the size of each batch, when not nil
	seen    func(batch [][]byte)    // called with each command, when not nil
	failed  func(n int)             // called by fail, when not nil
	ending  func()                  // called by end, when not nil
}

func (p *fakePeer) do(ctx context.Context, batch []commands.Request, out *resp.Writer) (int, storage.Seq) {
	if p.batches != nil {
		p.batches <- len(batch)
	}
	p.holds = 0
	for n, r := range batch {
		if p.quit {
			return n, 1
		}
		if p.seen != nil {
			p.seen(r.Argv)
		}
		p.one(ctx, r, out)
		if p.holds > 0 {
			return n + 1, 1
		}
	}
	return len(batch), 1
}

// tryDo stops before HANG.
func (p *fakePeer) tryDo(ctx context.Context, batch []commands.Request, out *resp.Writer) (int, storage.Seq, bool) {
	for i, r := range batch {
		if strings.EqualFold(string(r.Argv[0]), "HANG") {
			if i == 0 {
				return 0, 0, true
			}
			n, seq := p.do(ctx, batch[:i], out)
			return n, seq, n == i
		}
	}
	n, seq := p.do(ctx, batch, out)
	return n, seq, false
}

func (p *fakePeer) one(ctx context.Context, r commands.Request, out *resp.Writer) {
	if r.Refusal != nil {
		out.Error(r.Refusal.Error())
		return
	}
	argv := r.Argv
	switch name := strings.ToUpper(string(argv[0])); {
	case name == "AUTH" && len(argv) == 2 && string(argv[1]) == "wrong":
		out.Error("WRONGPASS no")
	case name == "AUTH":
		p.signed = true
		out.Status("OK")
	case name == "RESET":
		p.signed = false
		out.Status("RESET")
	case !p.signed:
		out.Error("NOAUTH Authentication required.")
	case name == "PING":
		out.Status("PONG")
	case name == "QUIT":
		p.quit = true
		out.Status("OK")
	case name == "ECHO" && len(argv) == 2:
		out.Bulk(argv[1])
	case name == "COUNT":
		out.Int(int64(len(argv)))
	case name == "SET" && len(argv) == 3:
		p.values[string(argv[1])] = bytes.Clone(argv[2])
		out.Status("OK")
	case name == "GET" && len(argv) == 2:
		if v, ok := p.values[string(argv[1])]; ok {
			out.Bulk(v)
		} else {
			out.Null()
		}
	case name == "BIG":
		out.Bulk(make([]byte, 4<<20))
	case name == "PANIC":
		panic("the handler is broken")
	case name == "HANG":
		close(p.hanging)
		select {
		case <-p.hang:
			out.Status("DONE")
		case <-ctx.Done():
			out.Error("ERR " + ctx.Err().Error())
		}
	default:
		out.Error(fmt.Sprintf("ERR unknown command '%s'", argv[0]))
	}
}

func (p *fakePeer) wait(_ context.Context, s storage.Seq) error {
	if p.waiting != nil {
		return p.waiting(s)
	}
	return p.waitErr
}
func (p *fakePeer) settled(storage.Seq) bool { return p.durable }
func (p *fakePeer) fail(n int, err error, out *resp.Writer) {
	if p.failed != nil {
		p.failed(n)
	}
	for range n {
		out.Error("MISCONF " + err.Error())
	}
}
func (p *fakePeer) signedIn() bool                               { return p.signed }
func (p *fakePeer) hold() time.Duration                          { return p.holds }
func (p *fakePeer) closing() bool                                { return p.quit }
func (p *fakePeer) waitTurn(context.Context, []commands.Request) {}
func (p *fakePeer) subscribed() bool                             { return p.listens }
func (p *fakePeer) owner() any                                   { return p.of }
func (p *fakePeer) extra() int                                   { return 0 }
func (p *fakePeer) end() {
	close(p.ended)
	if p.ending != nil {
		p.ending()
	}
}

// door is a Server on loopback with fake peers.
type door struct {
	*Server
	t    testing.TB
	addr string
	log  *logBuffer

	mu    sync.Mutex
	peers []*fakePeer
}

// openDoor starts a Server on loopback.
func openDoor(t testing.TB, o Options, prepare func(*fakePeer)) *door {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d := newDoor(t, o, prepare)
	d.addr = ln.Addr().String()
	d.serve(ln)
	return d
}

// newDoor makes a Server whose sessions are signed in from the start. prepare
// changes each new peer; it may be nil.
func newDoor(t testing.TB, o Options, prepare func(*fakePeer)) *door {
	d := &door{t: t, log: &logBuffer{}}
	if os.Getenv(withoutLoops) != "" {
		o.EventLoops = -1
	}
	o.Log = slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	d.Server = newServer(o, func(so commands.SessionOptions) peer {
		p := &fakePeer{
			opts: so, signed: true, values: map[string][]byte{},
			hang: make(chan struct{}), hanging: make(chan struct{}), ended: make(chan struct{}),
		}
		if prepare != nil {
			prepare(p)
		}
		d.mu.Lock()
		d.peers = append(d.peers, p)
		d.mu.Unlock()
		return p
	})
	return d
}

// serve serves a listener until the end of the test, or until it is lost.
func (d *door) serve(ln net.Listener) <-chan error {
	served := make(chan error, 1)
	go func() { served <- d.Serve(ln); close(served) }()
	d.t.Cleanup(func() {
		require.NoError(d.t, d.shutdown())
		for range served { // it ends
		}
	})
	return served
}

func (d *door) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return d.Shutdown(ctx)
}

// peer returns the nth session once it exists.
func (d *door) peer(n int) *fakePeer {
	var p *fakePeer
	eventually(d.t, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		if n < len(d.peers) {
			p = d.peers[n]
		}
		return p != nil
	})
	return p
}

// hanging returns the session that runs HANG, once there is one.
func (d *door) hanging() *fakePeer {
	var p *fakePeer
	eventually(d.t, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, p = range d.peers {
			select {
			case <-p.hanging:
				return true
			default:
			}
		}
		return false
	})
	return p
}

// only returns the one connection that is open, which redcon serves.
func (d *door) only() *conn {
	d.Server.mu.Lock()
	defer d.Server.mu.Unlock()
	require.Len(d.t, d.conns, 1)
	for c := range d.conns {
		return c.(*conn)
	}
	return nil
}

// client is a raw connection: tests say every byte.
type client struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func (d *door) dial() *client { return dial(d.t, "tcp", d.addr) }

func dial(t testing.TB, network, addr string) *client {
	nc, err := net.Dial(network, addr)
	require.NoError(t, err)
	return newClient(t, nc)
}

func newClient(t testing.TB, nc net.Conn) *client {
	t.Cleanup(func() { _ = nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(patience)))
	return &client{nc, t, bufio.NewReader(nc)}
}

func (c *client) say(s string) {
	_, err := io.WriteString(c, s)
	require.NoError(c.t, err)
}

// hears reads as many bytes as want has and compares.
func (c *client) hears(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(c.r, got)
	require.Equal(c.t, want, string(got[:n]))
	require.NoError(c.t, err)
}

// hearsEnd requires that the server closes the connection after want.
func (c *client) hearsEnd(want string) {
	c.t.Helper()
	got, err := io.ReadAll(c.r)
	require.Equal(c.t, want, string(got))
	require.NoError(c.t, err)
}

// command is argv as a RESP array.
func command(argv ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(argv))
	for _, a := range argv {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b.String()
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

// eventually polls until ok or patience ends.
func eventually(t testing.TB, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, patience, time.Millisecond)
}

func receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}

// logBuffer collects log lines.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// pipeListener accepts in-memory connections, whose time synctest controls.
type pipeListener struct {
	conns  chan net.Conn
	errs   chan error // returned by Accept before any connection
	closed chan struct{}
	once   sync.Once
	tries  int // calls of Accept
}

func listenPipe() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), errs: make(chan error, 100), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	l.tries++
	select {
	case err := <-l.errs:
		return nil, err
	default:
	}
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// dial connects without any bound on the client's patience: in a bubble that
// would be the first thing to happen.
func (l *pipeListener) dial(t testing.TB) *client {
	near, far := net.Pipe()
	l.conns <- far
	t.Cleanup(func() { _ = near.Close() })
	return &client{near, t, bufio.NewReader(near)}
}

// pass lets time pass in a synctest bubble, where nobody has to wait for it.
func pass(d time.Duration) { <-time.After(d) }
