package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const password = "bench-password"

// target is a running server and how to sign in to one of its namespaces. The
// Redis side does what platforms do without Cubby: one ACL user, and the
// namespace as a prefix of every key.
type target struct {
	name string
	cmd  *exec.Cmd
	port string
	// login returns the arguments of AUTH and the key prefix for a namespace.
	login func(namespace int) (auth []string, prefix string)
}

func (t *target) stop() {
	_ = t.cmd.Process.Kill()
	_ = t.cmd.Wait()
}

func startRedis(ctx context.Context, dir string, o options) (*target, error) {
	t := &target{
		name:  "redis-server",
		port:  freePort(),
		login: func(n int) ([]string, string) { return []string{"bench", password}, fmt.Sprintf("t%d/app:", n) },
	}
	t.cmd = exec.CommandContext(ctx, "redis-server", "--port", t.port, "--dir", dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", o.fsync, "--loglevel", "warning",
		"--user", "bench", "on", ">"+password, "~*", "+@all")
	return t, t.start()
}

func startCubby(ctx context.Context, dir string, o options) (*target, error) {
	binary := filepath.Join(dir, "cubby")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/cubbykv/cubby/cmd/cubby")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building cubby: %w\n%s", err, out)
	}
	t := &target{name: "cubby", port: freePort()}
	t.cmd = exec.CommandContext(ctx, binary, "serve", "--port", t.port, "--dir", filepath.Join(dir, "cubby-data"),
		"--appendfsync", o.fsync, "--requirepass", password, "--max-keys", "1000000000", "--loglevel", "warning")
	if err := t.start(); err != nil {
		return nil, err
	}
	tokens := make([]string, o.namespaces)
	c, err := t.dial()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if _, err := c.command("AUTH", "admin", password); err != nil {
		return nil, err
	}
	for n := range tokens {
		app := fmt.Sprintf("t%d/app", n)
		if _, err := c.command("APP.CREATE", app); err != nil {
			return nil, err
		}
		reply, err := c.command("TOKEN.CREATE", app)
		if err != nil {
			return nil, err
		}
		for _, word := range reply {
			if strings.HasPrefix(word, "cub_") {
				tokens[n] = word
			}
		}
	}
	t.login = func(n int) ([]string, string) { return []string{tokens[n]}, "" }
	return t, nil
}

// start runs the server and waits until it accepts connections.
func (t *target) start() error {
	t.cmd.Stdout, t.cmd.Stderr = os.Stderr, os.Stderr
	if err := t.cmd.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := t.connect()
		if err == nil {
			return c.Close()
		}
		if time.Now().After(deadline) {
			t.stop()
			return fmt.Errorf("%s did not start: %w", t.name, err)
		}
	}
}

func (t *target) connect() (net.Conn, error) { return net.Dial("tcp", "127.0.0.1:"+t.port) }

// freePort returns a TCP port that nobody used a moment ago.
func freePort() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "0" // the server's own error will say more
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// residentMB is the server's memory, in MiB.
func (t *target) residentMB() int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", t.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(b))[1])
	return pages * os.Getpagesize() >> 20
}

func (t *target) lane(namespace int, o options, size int) (*lane, error) {
	c, err := t.dial()
	if err != nil {
		return nil, err
	}
	auth, prefix := t.login(namespace)
	if _, err := c.command("AUTH", auth...); err != nil {
		return nil, err
	}
	return &lane{
		conn: c.Conn, prefix: prefix, keys: o.keys, value: make([]byte, size),
		rng: rand.New(rand.NewPCG(uint64(namespace), 1)),
	}, nil
}

// fill loads every namespace over one connection each.
func (t *target) fill(ctx context.Context, o options, size int) error {
	for n := range o.namespaces {
		l, err := t.lane(n, o, size)
		if err != nil {
			return err
		}
		next := 0
		w := workload{replyLen: okLen, append: func(buf []byte, l *lane) []byte {
			buf = appendCommand(buf, "SET", l.key(next), l.value)
			next++
			return buf
		}}
		in := make([]byte, 100*okLen(size))
		for next < o.keys && ctx.Err() == nil {
			if _, err := l.exchange(w, min(100, o.keys-next), nil, in[:min(100, o.keys-next)*okLen(size)]); err != nil {
				return err
			}
		}
		_ = l.conn.Close()
	}
	return ctx.Err()
}

// measure opens the connections, warms up shortly and measures.
func (t *target) measure(ctx context.Context, w workload, o options, pipeline, size int) (float64, error) {
	lanes := make([]*lane, o.conns)
	for i := range lanes {
		var err error
		if lanes[i], err = t.lane(i*o.namespaces/o.conns, o, size); err != nil {
			return 0, err
		}
		defer lanes[i].conn.Close()
	}
	if _, err := drive(ctx, lanes, w, pipeline, size, o.duration/10); err != nil {
		return 0, err
	}
	return drive(ctx, lanes, w, pipeline, size, o.duration)
}

// textConn runs single commands, for setting up.
type textConn struct {
	net.Conn
	r *bufio.Reader
}

func (t *target) dial() (*textConn, error) {
	c, err := t.connect()
	if err != nil {
		return nil, err
	}
	return &textConn{c, bufio.NewReader(c)}, nil
}

// command returns the words of a flat reply.
func (c *textConn) command(name string, args ...string) ([]string, error) {
	raw := make([][]byte, len(args))
	for i, a := range args {
		raw[i] = []byte(a)
	}
	if _, err := c.Write(appendCommand(nil, name, raw...)); err != nil {
		return nil, err
	}
	return c.readReply()
}

func (c *textConn) readReply() ([]string, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	body := strings.TrimSuffix(line[1:], "\r\n")
	switch line[0] {
	case '-':
		return nil, fmt.Errorf("server answered %q", body)
	case '$':
		n, err := strconv.Atoi(body)
		if err != nil || n < 0 {
			return nil, err
		}
		b := make([]byte, n+2)
		_, err = io.ReadFull(c.r, b)
		return []string{string(b[:n])}, err
	case '*':
		n, err := strconv.Atoi(body)
		var words []string
		for i := 0; i < n && err == nil; i++ {
			var more []string
			more, err = c.readReply()
			words = append(words, more...)
		}
		return words, err
	}
	return []string{body}, nil
}
