package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// The example file is a configuration that runs as it is.
func TestExampleConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, func(port string) *exec.Cmd {
		return exec.Command(binary, "serve", "../redis.conf.example", "--port", port, "--dir", dir, "--audit-file", filepath.Join(dir, "audit.log"))
	}, dir, withPassword)
	require.NoError(t, s.client(t, s.app(t, "acme/notes"), 3).Set(background, "k", "v", 0).Err())
}

func TestConfigurationOnStandardInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := filepath.Join(dir, "cubby.log")
	text := strings.Join([]string{
		"# comment", `requirepass "` + adminPassword + `"`, "logfile " + log, "max-keys 2", "dir " + filepath.Join(dir, "data"),
	}, "\n")
	port := freePort(t)
	// The log goes to its file, so the port is known only from outside.
	cmd := exec.Command(binary, "serve", "-", "--port", strconv.Itoa(port))
	cmd.Stdin = strings.NewReader(text)
	s := spawn(t, cmd)
	s.port = port
	require.Eventually(t, func() bool {
		b, _ := os.ReadFile(log)
		return strings.Contains(string(b), readyWords)
	}, patience, pollEvery)
	kv := s.client(t, s.app(t, "acme/notes"), 3)
	require.NoError(t, kv.MSet(background, "a", "1", "b", "2").Err())
	require.ErrorContains(t, kv.Set(background, "c", "3", 0).Err(), "CAP_REACHED")
	s.terminate()
	require.Empty(t, s.stderr.String())
}

// Every signal that asks for an end gets an orderly one.
func TestSignals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		s := startIn(t, dir)
		s.signal(sig)
		require.Zero(t, s.exitCode(), "%v: %s", sig, s.stderr.String())
	}
	// A terminal that closes ends what was started in it to try things out, and
	// nothing else.
	s := startIn(t, dir)
	s.signal(syscall.SIGHUP)
	s.says("there is nothing to reload without tls-port")
	s.terminate()
	s = startDev(t)
	s.signal(syscall.SIGHUP)
	require.Zero(t, s.exitCode(), s.stderr.String())
}

// A log whose reader has gone must not end the server.
func TestLogReaderGoes(t *testing.T) {
	t.Parallel()
	dir, port := t.TempDir(), freePort(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	cmd := serveCommand(dir, strconv.Itoa(port), nil)
	cmd.Env = childEnv([]string{withPassword})
	cmd.Stderr = w
	dieWithUs(cmd)
	require.NoError(t, cmd.Start())
	require.NoError(t, w.Close())
	b := make([]byte, 1)
	_, err = r.Read(b) // it lives
	require.NoError(t, err)
	require.NoError(t, r.Close())

	s := &cubby{t: t, dir: dir, port: port, cmd: cmd}
	require.Eventually(t, func() bool { return s.admin(t).Ping(background).Err() == nil }, patience, 50*pollEvery)
	require.NoError(t, s.client(t, s.app(t, "acme/notes"), 3).Set(background, "k", "v", 0).Err())
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), "exit code 0")
}
