// Package redistest runs a private redis-server for tests that compare with
// the real thing.
package redistest

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/internal/testneed"
)

// patience bounds every wait, so that a stuck server fails a test instead of
// hanging it.
const patience = 10 * time.Second

// Server is a redis-server on a unix socket, with two databases and nothing
// on disk.
type Server struct {
	socket string
}

// Start runs a redis-server until the test ends. Further arguments are
// directives, such as "--requirepass", "x". Without redis-server the test is
// skipped; see testneed.
func Start(t testing.TB, extraArgs ...string) *Server {
	t.Helper()
	program := testneed.Program(t, "redis-server")
	// Not t.TempDir: a long test name would not fit into a socket's address.
	dir, err := os.MkdirTemp("", "redistest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{socket: filepath.Join(dir, "sock")}
	args := append([]string{"--port", "0", "--unixsocket", s.socket, "--dir", dir,
		"--save", "", "--appendonly", "no", "--databases", "2"}, extraArgs...)
	// The shell ends the server when the pipe closes: at cleanup, and also when
	// this process dies without one.
	cmd := exec.CommandContext(context.Background(), "/bin/sh",
		append([]string{"-c", `"$@" & read -r _; kill -9 $!; wait`, "sh", program}, args...)...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	pipe, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		_ = pipe.Close()
		_ = cmd.Wait() // log is complete then
	})
	t.Cleanup(stop)
	if !s.answers() {
		stop()
		t.Fatalf("redis-server did not answer within %v:\n%s", patience, log.Bytes())
	}
	return s
}

// answers waits for the first PONG.
func (s *Server) answers() bool {
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	deadline := time.After(patience)
	for {
		if c, err := dial(s.socket); err == nil {
			_, err = c.roundTrip([]string{"PING"})
			_ = c.Close()
			if err == nil {
				return true
			}
		}
		select {
		case <-poll.C:
		case <-deadline:
			return false
		}
	}
}

// Addr is the path of the server's unix socket.
func (s *Server) Addr() string { return s.socket }

// Dial returns a connection that is closed when the test ends.
func (s *Server) Dial(t testing.TB) *Conn {
	t.Helper()
	c, err := dial(s.socket)
	if err != nil {
		t.Fatal(err)
	}
	c.t = t
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Conn is a connection that shows replies as they came.
type Conn struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func dial(socket string) (*Conn, error) {
	d := net.Dialer{Timeout: patience}
	conn, err := d.DialContext(context.Background(), "unix", socket)
	if err != nil {
		return nil, err
	}
	return &Conn{Conn: conn, r: bufio.NewReader(conn)}, nil
}

// Do sends one command and returns the bytes of its reply.
func (c *Conn) Do(args ...string) (raw string) {
	c.t.Helper()
	reply, err := c.roundTrip(args)
	if err != nil {
		c.t.Fatalf("redis-server: %q: %v", args, err)
	}
	return string(reply)
}

// Pipeline sends commands at once and returns all bytes up to end, which the
// reply to the last one ends with.
func (c *Conn) Pipeline(end string, cmds ...[]string) (raw string) {
	c.t.Helper()
	var requests, replies []byte
	for _, args := range cmds {
		requests = appendRequest(requests, args)
	}
	err := c.SetDeadline(time.Now().Add(patience))
	if err == nil {
		_, err = c.Write(requests)
	}
	for err == nil && !bytes.HasSuffix(replies, []byte(end)) {
		var b byte
		if b, err = c.r.ReadByte(); err == nil {
			replies = append(replies, b)
		}
	}
	if err != nil {
		c.t.Fatalf("redis-server: %q: %v after %q", cmds, err, replies)
	}
	return string(replies)
}

func appendRequest(request []byte, args []string) []byte {
	request = append(strconv.AppendInt(append(request, '*'), int64(len(args)), 10), "\r\n"...)
	for _, a := range args {
		request = strconv.AppendInt(append(request, '$'), int64(len(a)), 10)
		request = append(append(append(request, "\r\n"...), a...), "\r\n"...)
	}
	return request
}

func (c *Conn) roundTrip(args []string) ([]byte, error) {
	request := appendRequest(nil, args)
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := c.Write(request); err != nil {
		return nil, err
	}
	return resp.ReadRaw(c.r)
}
