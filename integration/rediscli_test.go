package integration

import (
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testneed"
)

// redisCLI returns a way to run redis-cli against the server. Input, unless
// empty, is what is typed at it.
func (s *cubby) redisCLI(t testing.TB, options ...string) func(input string, args ...string) string {
	t.Helper()
	program := testneed.Program(t, "redis-cli")
	options = append([]string{"-p", strconv.Itoa(s.port), "--no-auth-warning"}, options...)
	return func(input string, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, slices.Concat(options, args)...)
		cmd.Stdin = strings.NewReader(input)
		r := run(t, cmd)
		require.Zero(t, r.code, r.stderr)
		return strings.TrimSuffix(r.stdout+r.stderr, "\n")
	}
}

func TestRedisCLISignIn(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/notes")
	for _, options := range [][]string{
		{"-a", token}, {"--pass", token, "-2"}, {"-a", token, "-3"},
		{"--user", "acme/notes", "--pass", token}, {"--user", "acme/notes", "--pass", token, "-3"},
		{"-u", fmt.Sprintf("redis://default:%s@127.0.0.1:%d", token, s.port)},
	} {
		require.Equal(t, "PONG", s.redisCLI(t, options...)("", "PING"), "%v", options)
	}
	require.Contains(t, s.redisCLI(t, "-a", "wrong")("", "GET", "k"), "WRONGPASS")
	require.Contains(t, s.redisCLI(t)("", "GET", "k"), "NOAUTH Authentication required.")
	typed := s.redisCLI(t)("AUTH " + token + "\nSET k v\nGET k\n")
	require.Equal(t, "OK\nOK\nv", typed)
}

func TestRedisCLI(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, protocol := range []string{"-2", "-3"} {
		token := s.app(t, "acme/notes"+protocol)
		cli := s.redisCLI(t, "-a", token, protocol)
		require.Equal(t, "OK", cli("", "SET", "k", "v", "EX", "100"))
		require.Equal(t, "v", cli("", "GET", "k"))
		require.Contains(t, []string{"99", "100"}, cli("", "TTL", "k"))
		require.Equal(t, "OK\nQUEUED\nQUEUED\n1\n2", cli("MULTI\nINCR n\nINCR n\nEXEC\n"))
		require.Equal(t, "1", cli("", "DEL", "k"))
		require.Equal(t, "OK", cli("", "KV.SET", "doc", `{"a": 1}`))
		require.Equal(t, `{"a":1}`, cli("", "KV.GET", "doc"))
		require.Contains(t, cli("", "KV.LIST", "PREFIX", "doc"), `{"a":1}`)
		require.Contains(t, cli("", "SET", "bad key", "v"), "BAD_INPUT the key has byte 0x20 at position 3")
		require.Equal(t, "OK\nOK\nv1", cli("SELECT 1\nSET k v1\nGET k\n"))
		require.Equal(t, "v1", s.redisCLI(t, "-a", token, protocol, "-n", "1")("", "GET", "k"))

		// --pipe is how people load data.
		var load strings.Builder
		for i := range 3000 {
			load.WriteString(command("SET", fmt.Sprintf("load:%04d", i), "x"))
		}
		require.Contains(t, cli(load.String(), "--pipe"), "errors: 0, replies: 3000")
		scanned := strings.Split(cli("", "--scan", "--pattern", "load:*"), "\n")
		slices.Sort(scanned)
		require.Len(t, slices.Compact(scanned), 3000)
		require.Equal(t, "3002", cli("", "DBSIZE"))
		require.Equal(t, "OK", cli("", "FLUSHALL"))
	}
}
