package commands

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/redistest"
	"github.com/cubbykv/cubby/internal/resp"
)

// The scripts of these tests want the same bytes on every connection after
// each command, pushed messages included.

// conversation are connections to both servers.
type conversation struct {
	t       *testing.T
	w       *twins
	proto   int
	conns   map[string]*talker
	control *redistest.Conn
}

// talker is a connection to each.
type talker struct {
	ours   *client
	theirs *redistest.Conn
	ids    [2]string // of the connection
}

func (w *twins) converse(t *testing.T, proto int) *conversation {
	w.flush(t)
	return &conversation{t: t, w: w, proto: proto, conns: make(map[string]*talker), control: w.redis.Dial(t)}
}

func (c *conversation) talker(name string) *talker {
	if c.conns[name] == nil {
		twin := c.w.dial(c.t, c.proto)
		if strings.HasSuffix(name, "2") && c.proto == resp.V3 { // stays in RESP2
			twin = c.w.dial(c.t, resp.V2)
		}
		c.t.Cleanup(func() { twin.ours.e.EndSession(twin.ours.s) })
		p := &talker{ours: twin.ours, theirs: twin.theirs}
		p.ids = [2]string{p.ours.do("CLIENT", "ID")[1:], p.theirs.Do("CLIENT", "ID")[1:]}
		for i := range p.ids {
			p.ids[i] = strings.TrimSpace(p.ids[i])
		}
		c.conns[name] = p
	}
	return c.conns[name]
}

// say runs one command and compares what arrives where.
func (c *conversation) say(s step) {
	c.t.Helper()
	p := c.talker(s.conn)
	ours, theirs := c.addressed(s.args)
	c.exchange(p, [][]string{ours}, encodeCommand(theirs), func(name string, _ *talker, got, want string) {
		c.t.Helper()
		require.Equal(c.t, want, got, "%q on connection %q; what connection %q hears", s.args, s.conn, name)
	})
}

// addressed returns a command as each server gets it: an argument "@b" stands
// for the number of connection b.
func (c *conversation) addressed(args []string) (ours, theirs []string) {
	ours, theirs = slices.Clone(args), slices.Clone(args)
	for i, a := range args {
		if other, ok := strings.CutPrefix(a, "@"); ok {
			ids := c.talker(other).ids
			ours[i], theirs[i] = ids[0], ids[1]
		}
	}
	return ours, theirs
}

// exchange sends the same commands to both servers and hands to compare what
// then arrives on each connection.
func (c *conversation) exchange(p *talker, ours [][]string, theirs []byte, compare func(name string, other *talker, got, want string)) {
	c.t.Helper()
	_, err := p.theirs.Write(theirs)
	require.NoError(c.t, err)
	// Redis answers in the order in which it was asked, and writes all it has to
	// say before it reads again.
	c.control.Do("PING")
	c.control.Do("PING")
	c.w.now()
	reply := string(p.ours.raw(ours...))
	for _, name := range c.names() {
		other := c.conns[name]
		got := other.ours.pushed()
		if other == p {
			got = reply + got
		}
		for _, p := range c.conns { // numbers of connections are each server's own
			for _, before := range []string{"redirect\r\n:", "tracking-redir-broken\r\n:"} {
				got = strings.ReplaceAll(got, before+p.ids[0]+"\r\n", before+p.ids[1]+"\r\n")
			}
		}
		compare(name, other, got, readReady(c.t, other.theirs))
	}
}

func (c *conversation) names() []string {
	var names []string
	for name := range c.conns {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func encodeCommand(args []string) []byte {
	w := resp.NewWriter(resp.V2)
	w.Array(len(args))
	for _, a := range args {
		w.BulkString(a)
	}
	return w.Bytes()
}

// readReady reads what has arrived, without waiting.
func readReady(t *testing.T, c *redistest.Conn) string {
	t.Helper()
	raw, err := c.Conn.(*net.UnixConn).SyscallConn()
	require.NoError(t, err)
	var all []byte
	buf := make([]byte, 64<<10)
	for {
		n := 0
		var failed error
		err := raw.Read(func(fd uintptr) bool {
			n, failed = syscall.Read(int(fd), buf)
			return true
		})
		require.NoError(t, err)
		if errors.Is(failed, syscall.EAGAIN) || n <= 0 {
			return string(all)
		}
		require.NoError(t, failed)
		all = append(all, buf[:n]...)
	}
}

// replayPushed runs scripts in both protocols. Connections whose names end in
// 2 speak RESP2 in both.
func replayPushed(t *testing.T, w *twins, scripts []string) {
	t.Helper()
	for _, text := range scripts {
		name, steps := parseScript(t, text)
		for _, proto := range []int{resp.V2, resp.V3} {
			t.Run(name+" resp"+strconv.Itoa(proto), func(t *testing.T) {
				c := w.converse(t, proto)
				for _, s := range steps {
					c.say(s)
				}
			})
		}
	}
}
