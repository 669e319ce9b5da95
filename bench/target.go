package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	nameRedis  = "redis-server"
	nameCubby  = "cubby"
	nameRedcon = "redcon, empty handler"
)

// password opens servers that live for one run, on the loopback interface, and
// die with it.
const password = "bench-password"

// target is a server process and how to sign in to one of its namespaces. The
// Redis side does what platforms do without Cubby: one ACL user, and the
// namespace as a prefix of every key.
type target struct {
	name, port, dir string
	http            bool
	program         string
	args            []string
	// login returns the arguments of AUTH and the key prefix for a namespace.
	login func(namespace int) (auth []string, prefix string)

	ctx  context.Context // processes live as long as the run
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{} // closed when the process has ended
}

// lab holds the processes and files of one suite; close removes them all.
type lab struct {
	ctx     context.Context
	dir     string
	binary  string // cubby
	targets []*target
}

func newLab(ctx context.Context, binary, parent string) (*lab, error) {
	dir, err := os.MkdirTemp(parent, "cubby-bench-")
	return &lab{ctx: ctx, dir: dir, binary: binary}, err
}

func (b *lab) close() {
	for _, t := range b.targets {
		t.kill()
		_ = t.log.Close()
	}
	_ = os.RemoveAll(b.dir)
}

// explain adds the ends of the servers' logs to an error: that is where the
// reason of a broken connection is.
func (b *lab) explain(err error) error {
	for _, t := range b.targets {
		text, _ := os.ReadFile(t.log.Name())
		if lines := bytes.Split(bytes.TrimSpace(text), []byte("\n")); len(text) > 0 {
			tail := bytes.Join(lines[max(0, len(lines)-15):], []byte("\n  "))
			err = fmt.Errorf("%w\nlog of %s:\n  %s", err, t.name, tail)
		}
	}
	return err
}

func (b *lab) start(t *target) (*target, error) {
	t.ctx = b.ctx
	t.port = freePort(b.ctx)
	t.dir = filepath.Join(b.dir, fmt.Sprintf("data-%d", len(b.targets)))
	if err := os.Mkdir(t.dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	if t.log, err = os.Create(t.dir + ".log"); err != nil {
		return nil, err
	}
	b.targets = append(b.targets, t)
	for i, a := range t.args {
		t.args[i] = strings.NewReplacer("{port}", t.port, "{dir}", t.dir).Replace(a)
	}
	if err := t.exec(); err != nil {
		return nil, err
	}
	return t, t.awaitPort()
}

func (b *lab) redis(fsync string) (*target, error) {
	return b.start(&target{
		name: nameRedis, program: "redis-server",
		args: []string{"--port", "{port}", "--dir", "{dir}", "--save", "", "--bind", "127.0.0.1",
			"--appendonly", "yes", "--appendfsync", fsync, "--loglevel", "warning",
			"--user", "bench", "on", ">" + password, "~*", "&*", "+@all"},
		login: func(n int) ([]string, string) { return []string{"bench", password}, fmt.Sprintf("t%d/app:", n) },
	})
}

// cubby starts the server with open limits and opens its namespaces.
func (b *lab) cubby(fsync string, namespaces int, more ...string) (*target, error) {
	t, err := b.start(&target{
		name: nameCubby, program: b.binary,
		args: append([]string{"serve", "--port", "{port}", "--dir", "{dir}", "--bind", "127.0.0.1",
			"--appendfsync", fsync, "--requirepass", password, "--loglevel", "notice",
			"--max-keys", "1000000000", "--ttl-min", "1ms"}, more...),
	})
	if err != nil {
		return nil, err
	}
	tokens, err := t.createNamespaces(namespaces)
	t.login = func(n int) ([]string, string) { return []string{tokens[n]}, "" }
	return t, err
}

// pair starts both servers.
func (b *lab) pair(fsync string, namespaces int, more ...string) ([]*target, error) {
	redis, err := b.redis(fsync)
	if err != nil {
		return nil, err
	}
	cubby, err := b.cubby(fsync, namespaces, more...)
	return []*target{redis, cubby}, err
}

// redcon starts this program again as a server that does nothing but answer.
func (b *lab) redcon(valueSize int) (*target, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return b.start(&target{
		name: nameRedcon, program: self, args: []string{emptyHandler, "{port}", strconv.Itoa(valueSize)},
		login: func(int) ([]string, string) { return []string{password}, "" },
	})
}

func (t *target) exec() error {
	t.cmd = exec.CommandContext(t.ctx, t.program, t.args...)
	t.cmd.Stdout, t.cmd.Stderr = t.log, t.log
	dieWithParent(t.cmd)
	if err := t.cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", t.name, err)
	}
	t.done = make(chan struct{})
	go func() {
		_ = t.cmd.Wait()
		close(t.done)
	}()
	return nil
}

// kill ends the process without a word, as a crash does.
func (t *target) kill() {
	if t.cmd != nil && t.cmd.Process != nil {
		_ = t.cmd.Process.Kill()
		<-t.done
	}
}

var errEnded = errors.New("the server ended by itself")

// retry calls try until it succeeds, the server ends or time is up.
func (t *target) retry(timeout, pause time.Duration, try func() error) error {
	for deadline := time.Now().Add(timeout); ; time.Sleep(pause) {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-t.done:
			return fmt.Errorf("%s: %w: %w", t.name, errEnded, err)
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s did not get ready within %s: %w", t.name, timeout, err)
		}
	}
}

func (t *target) awaitPort() error {
	return t.retry(20*time.Second, 5*time.Millisecond, func() error {
		c, err := t.dial()
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// freePort returns a TCP port that nobody used a moment ago.
func freePort(ctx context.Context) string {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "0" // the server's own error will say more
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// residentMB is the server's memory, in millions of bytes.
func (t *target) residentMB() (float64, error) {
	pid := t.cmd.Process.Pid
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid)); err == nil {
		fields := strings.Fields(string(b))
		if len(fields) < 2 {
			return 0, fmt.Errorf("statm of process %d: %q", pid, b)
		}
		pages, err := strconv.ParseFloat(fields[1], 64)
		return pages * float64(os.Getpagesize()) / 1e6, err
	}
	out, err := exec.CommandContext(t.ctx, "ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return 0, fmt.Errorf("asking ps for the memory of %s: %w", t.name, err)
	}
	kb, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return kb * 1024 / 1e6, err
}

// diskBytes is the size of all files in the server's directory.
func (t *target) diskBytes() int64 {
	var sum int64
	_ = filepath.WalkDir(t.dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // files come and go while the server works
		}
		if info, err := d.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return sum
}

// settle waits until the server's files have not changed for a while.
func (t *target) settle(quiet, limit time.Duration) {
	last, since := t.diskBytes(), time.Now()
	for began := since; time.Since(began) < limit && time.Since(since) < quiet; {
		time.Sleep(quiet / 8)
		if now := t.diskBytes(); now != last {
			last, since = now, time.Now()
		}
	}
}
