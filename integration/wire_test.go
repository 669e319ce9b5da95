package integration

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wire is a connection on which the test says every byte.
type wire struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func (s *cubby) wire(t testing.TB) *wire {
	t.Helper()
	c, err := net.Dial("tcp", s.addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return &wire{c, t, bufio.NewReader(c)}
}

func (w *wire) send(text string) {
	w.t.Helper()
	_, err := io.WriteString(w.Conn, text)
	require.NoError(w.t, err)
}

// line reads one line of a reply, without its end.
func (w *wire) line() string {
	w.t.Helper()
	line, err := w.r.ReadString('\n')
	require.NoError(w.t, err)
	return strings.TrimSuffix(line, "\r\n")
}

// exchange sends and requires that exactly want comes back.
func (w *wire) exchange(text, want string) {
	w.t.Helper()
	w.send(text)
	got := make([]byte, len(want))
	n, err := io.ReadFull(w.r, got)
	require.Equal(w.t, want, string(got[:n]))
	require.NoError(w.t, err)
}

// rest reads until the server hangs up.
func (w *wire) rest() string {
	w.t.Helper()
	text, err := io.ReadAll(w.r)
	require.NoError(w.t, err, "the server does not hang up")
	return string(text)
}

// command is a request as clients send it.
func command(words ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b.String()
}

// flatten lists all strings in a reply.
func flatten(reply any) []string {
	var all []string
	switch reply := reply.(type) {
	case string:
		all = append(all, reply)
	case []any:
		for _, r := range reply {
			all = append(all, flatten(r)...)
		}
	case map[any]any:
		for k, v := range reply {
			all = append(append(all, flatten(k)...), flatten(v)...)
		}
	}
	return all
}
