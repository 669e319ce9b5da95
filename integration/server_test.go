package integration

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	adminPassword = "of the integration tests"
	withPassword  = "CUBBY_ADMIN_PASSWORD=" + adminPassword
)

// cubby is one run of the server.
type cubby struct {
	t      testing.TB
	dir    string
	port   int
	web    int // the port of the HTTP door; 0 is none
	cmd    *exec.Cmd
	stdout output
	stderr output
	exited chan struct{} // closed when the process is gone
}

// start runs a server in a new directory until the test ends. Directives are
// further arguments of serve.
func start(t testing.TB, directives ...string) *cubby {
	t.Helper()
	return startIn(t, t.TempDir(), directives...)
}

// startIn runs a server on the data in dir.
func startIn(t testing.TB, dir string, directives ...string) *cubby {
	t.Helper()
	return serve(t, func(port string) *exec.Cmd { return serveCommand(dir, port, directives) }, dir, withPassword)
}

// startWeb runs a server with an HTTP door as well.
func startWeb(t testing.TB, directives ...string) *cubby {
	t.Helper()
	dir, web := t.TempDir(), 0
	s := serve(t, func(port string) *exec.Cmd {
		web = freePort(t)
		return serveCommand(dir, port, append(webDirectives(web), directives...))
	}, dir, withPassword)
	s.web = web
	return s
}

func webDirectives(port int) []string {
	if port == 0 {
		return nil
	}
	return []string{"--http-port", strconv.Itoa(port)}
}

// launch starts a server and does not wait for it.
func launch(t testing.TB, dir string, directives ...string) *cubby {
	t.Helper()
	return spawn(t, serveCommand(dir, strconv.Itoa(freePort(t)), directives), withPassword)
}

func serveCommand(dir, port string, directives []string) *exec.Cmd {
	return exec.Command(binary, append([]string{"serve", "--port", port, "--dir", dir}, directives...)...)
}

// serve runs a server that is told its port, and waits until it is ready.
func serve(t testing.TB, command func(port string) *exec.Cmd, dir string, env ...string) *cubby {
	t.Helper()
	for {
		port := freePort(t)
		s := spawn(t, command(strconv.Itoa(port)), env...)
		s.dir, s.port = dir, port
		if s.becomesReady() {
			return s
		}
		// Somebody else may have taken the port that was free a moment ago.
		if !strings.Contains(s.stderr.String(), portTaken) {
			require.FailNow(t, "the server did not start", s.stderr.String())
		}
	}
}

// portTaken is what a server says whose port is somebody's.
const portTaken = "is in use by another program"

// startAgain runs a server where another was, which has ended: with its data
// and on its ports, for clients that know no other.
func startAgain(t testing.TB, before *cubby) *cubby {
	t.Helper()
	for began := time.Now(); ; {
		s := spawn(t, serveCommand(before.dir, strconv.Itoa(before.port), webDirectives(before.web)), withPassword)
		s.dir, s.port, s.web = before.dir, before.port, before.web
		if s.becomesReady() {
			return s
		}
		// The port may be somebody's for a moment: a client's own end of a connection.
		require.Contains(t, s.stderr.String(), portTaken, "the server did not start")
		require.Less(t, time.Since(began), patience, s.stderr.String())
	}
}

// spawn runs a command of the binary in the background until the test ends. A
// server that still runs then must stop in order.
func spawn(t testing.TB, cmd *exec.Cmd, env ...string) *cubby {
	t.Helper()
	s := &cubby{t: t, cmd: cmd, exited: make(chan struct{})}
	cmd.Env = childEnv(env)
	cmd.Stdout, cmd.Stderr = &s.stdout, &s.stderr
	dieWithUs(cmd)
	require.NoError(t, cmd.Start())
	go func() {
		_ = cmd.Wait() // ProcessState tells the rest
		close(s.exited)
	}()
	t.Cleanup(func() {
		if s.running() {
			s.terminate()
		}
		if t.Failed() {
			t.Logf("log of the server on port %d:\n%s", s.port, s.stderr.String())
		}
		require.NotContains(t, s.stderr.String(), "DATA RACE")
	})
	return s
}

// childEnv is the environment of a child: ours, without what would tell the
// binary how to behave, and with what the test adds.
func childEnv(extra []string) []string {
	// The race detector waits a second at the end of a process by default.
	env := []string{"GORACE=atexit_sleep_ms=20"}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "CUBBY_") {
			env = append(env, e)
		}
	}
	return append(env, extra...)
}

// readyWords are what the log says when clients may come.
const readyWords = "ready: accepting connections on"

// becomesReady waits for the server's word that clients may come. It returns
// false when the process ended instead.
func (s *cubby) becomesReady() bool {
	s.t.Helper()
	s.says(readyWords)
	return s.running()
}

// says waits until words are in the log, or the process has ended.
func (s *cubby) says(words string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		return strings.Contains(s.stderr.String(), words) || !s.running()
	}, patience, pollEvery, "the server does not say %q", words)
}

func (s *cubby) running() bool {
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

func (s *cubby) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// terminate sends SIGTERM and requires an orderly end.
func (s *cubby) terminate() {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	require.Zero(s.t, s.exitCode(), s.stderr.String())
}

// kill ends the process as a crash would.
func (s *cubby) kill() {
	s.t.Helper()
	s.signal(syscall.SIGKILL)
	require.Equal(s.t, -1, s.exitCode())
}

func (s *cubby) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); !errors.Is(err, os.ErrProcessDone) {
		require.NoError(s.t, err)
	}
}

// exitCode waits for the end of the process; -1 is a signal.
func (s *cubby) exitCode() int {
	s.t.Helper()
	select {
	case <-s.exited:
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		require.FailNow(s.t, "the process does not end", s.stderr.String())
	}
	return s.cmd.ProcessState.ExitCode()
}

// freePort returns a port that nobody listens on at this moment.
func freePort(t testing.TB) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// shortDir is a directory whose path fits into a socket's address.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cubby")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// output collects what a process writes while others read it.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
