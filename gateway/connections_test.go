package gateway

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// line is a connection that tells whether it was closed.
type line struct {
	net.Conn
	from   string
	closed bool
}

func (l *line) Close() error         { l.closed = true; return nil }
func (l *line) RemoteAddr() net.Addr { return address(l.from) }

type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }

// crowd is connections with a clock.
type crowd struct {
	*connections
	time time.Time
}

func newCrowd(most, strangers, near int) *crowd {
	c := &crowd{time: time.Unix(1_800_000_000, 0)}
	o := &Options{MaxConnections: most, MaxStrangers: strangers, MaxStrangersPerAddress: near}
	c.connections = newConnections(func() *Options { return o })
	c.now = func() time.Time { return c.time }
	return c
}

func (c *crowd) connect(from string) *line {
	l := &line{from: from + ":1000"}
	c.changed(l, http.StateNew)
	return l
}

func (c *crowd) request(l *line) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	return r.WithContext(c.begin(r.Context(), l))
}

// signIn has a connection bring a right token.
func (c *crowd) signIn(l *line) *line {
	c.changed(l, http.StateActive)
	c.signedIn(c.request(l))
	return l
}

func TestStrangersMakeWay(t *testing.T) {
	c := newCrowd(100, 100, 2)
	first, second := c.connect("192.0.2.1"), c.connect("192.0.2.1")
	require.True(t, c.connect("192.0.2.1").closed, "its address has two, and they have just come")
	require.False(t, c.connect("192.0.2.2").closed, "that is no reason to refuse others")
	c.time = c.time.Add(strangerGrace)
	third := c.connect("192.0.2.1")
	require.Equal(t, []bool{true, false, false}, []bool{first.closed, second.closed, third.closed})
	c.signIn(second)
	c.time = c.time.Add(strangerGrace)
	require.False(t, c.connect("192.0.2.1").closed)
	require.False(t, third.closed, "who is known counts no more")
	require.False(t, second.closed)
	c.changed(second, http.StateClosed)
	c.changed(second, http.StateClosed)
	require.Len(t, c.open, 3)
}

func TestStrangersOfAllAddressesAreBounded(t *testing.T) {
	c := newCrowd(100, 2, 0)
	known := c.signIn(c.connect("192.0.2.1"))
	first := c.connect("192.0.2.2")
	c.connect("192.0.2.3")
	require.True(t, c.connect("192.0.2.4").closed)
	c.time = c.time.Add(strangerGrace)
	require.False(t, c.connect("192.0.2.4").closed)
	require.True(t, first.closed)
	require.False(t, known.closed)
}

func TestIdleConnectionsMakeWay(t *testing.T) {
	c := newCrowd(3, 3, 0)
	busy, long, short := c.signIn(c.connect("192.0.2.1")), c.signIn(c.connect("192.0.2.2")), c.signIn(c.connect("192.0.2.3"))
	require.True(t, c.connect("192.0.2.4").closed, "all are at work")
	for _, l := range []*line{long, short, busy} {
		c.changed(l, http.StateIdle)
		c.changed(l, http.StateIdle)
	}
	c.changed(busy, http.StateActive)
	require.False(t, c.connect("192.0.2.4").closed)
	require.Equal(t, []bool{true, false, false}, []bool{long.closed, short.closed, busy.closed}, "who has waited longest")
	require.False(t, c.connect("192.0.2.4").closed)
	require.True(t, short.closed)
	require.True(t, c.connect("192.0.2.4").closed)
	c.time = c.time.Add(strangerGrace)
	require.False(t, c.connect("192.0.2.4").closed, "a stranger makes way")
	require.False(t, busy.closed)
	c.changed(busy, http.StateIdle)
	c.changed(busy, http.StateClosed)
	require.Zero(t, c.idle.Len())
}

func TestWrongTokensCloseTheConnection(t *testing.T) {
	c := newCrowd(10, 10, 0)
	r := c.request(c.connect("192.0.2.1"))
	for range maxFailures - 1 {
		require.False(t, c.failed(r))
	}
	require.True(t, c.failed(r))
	c.signedIn(r)
	require.False(t, c.failed(r), "in a row")
	require.False(t, c.failed(httptest.NewRequest(http.MethodGet, "/", nil)), "no connection of ours")
	c.signedIn(httptest.NewRequest(http.MethodGet, "/", nil))
}
