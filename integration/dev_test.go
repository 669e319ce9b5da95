package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testneed"
)

// startDev runs "serve --dev" as someone who tries Cubby out does: in a
// directory of their own, without any configuration. Only ports are chosen: the
// default ones may be another test's.
func startDev(t testing.TB) *cubby {
	t.Helper()
	dir := t.TempDir()
	return serve(t, func(port string) *exec.Cmd {
		cmd := exec.Command(binary, "serve", "--dev", "--port", port, "--http-port", strconv.Itoa(freePort(t)))
		cmd.Dir = dir
		return cmd
	}, filepath.Join(dir, "cubby-data"))
}

// typed returns the lines that the server says one may type.
func (s *cubby) typed(t testing.TB) []string {
	t.Helper()
	var lines []string
	require.Eventually(t, func() bool { return strings.Contains(s.stdout.String(), "Ctrl-C") }, patience, pollEvery)
	for _, m := range regexp.MustCompile(`(?m)^  (\S.*)$`).FindAllStringSubmatch(s.stdout.String(), -1) {
		lines = append(lines, m[1])
	}
	return lines
}

// What the server prints can be pasted into a shell as it is.
func TestDevTellsWhatToType(t *testing.T) {
	t.Parallel()
	testneed.Program(t, "redis-cli")
	testneed.Program(t, "curl")
	s := startDev(t)
	lines := s.typed(t)
	require.Len(t, lines, 5)
	var out []string
	for _, line := range lines {
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir = filepath.Dir(s.dir)
		r := run(t, cmd, "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
		require.Zero(t, r.code, "%s: %s", line, r.stderr)
		out = append(out, r.stdout)
	}
	require.Equal(t, "OK\n", out[0])
	require.Contains(t, out[1], "hello")
	require.JSONEq(t, `{"result":"world"}`, out[2])
	token := regexp.MustCompile(`cub_\w+`).FindString(out[4])
	require.Zero(t, s.client(t, token, 3).DBSize(background).Val(), "the app's own namespace")
	require.EqualValues(t, 1, s.dial(t, nil).DBSize(background).Val())
}

func TestDevIsWideOpen(t *testing.T) {
	t.Parallel()
	s := startDev(t)
	overBoth(t, func(t *testing.T, protocol int) {
		kv := s.dial(t, func(o *redis.Options) { o.Protocol = protocol })
		require.NoError(t, kv.Set(background, "any key\n", "v", 1).Err())
		fill(t, kv, 12_000, func(i int) []any { return []any{"SET", i, i} })
		require.ErrorContains(t, kv.Do(background, "APP.LIST").Err(), "NOPERM", "but nobody is the admin")
	})
	s.terminate()
}

// A page in the browser of someone who tries Cubby out can send a form to the
// port, but what it sends is not run.
func TestDevIgnoresBrowsers(t *testing.T) {
	t.Parallel()
	s := startDev(t)
	for _, request := range []string{
		"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\r\nSET pwned 1\r\n",
		"POST / HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n\r\nSET pwned 2\r\n",
		"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nSET pwned 3\r\n",
		"OPTIONS / HTTP/1.1\r\nOrigin: http://evil.example\r\nHost: localhost\r\n\r\nSET pwned 4\r\n",
		"PUT / HTTP/1.1\r\nhost: localhost\r\n\r\nSET pwned 5\r\n",
	} {
		wire := s.wire(t)
		wire.send(request)
		_ = wire.rest() // it hangs up
		err := s.dial(t, nil).Get(background, "pwned").Err()
		require.ErrorIs(t, err, redis.Nil, "%q", request)
	}
}
