package integration

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// result is what a program left behind.
type result struct {
	stdout, stderr string
	code           int
}

// run runs a program to its end, in an environment without ours.
func run(t testing.TB, cmd *exec.Cmd, env ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Env = childEnv(env)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // the exit code tells
	require.NotNil(t, cmd.ProcessState, "it did not start")
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// cli runs a subcommand against the server, with a pipe as its input, as in a
// script.
func (s *cubby) cli(t testing.TB, args ...string) result {
	t.Helper()
	cmd := exec.Command(binary, append(args, "--addr", s.addr())...)
	cmd.Stdin = strings.NewReader("")
	return run(t, cmd, withPassword)
}

// cliJSON runs a subcommand that must work, and reads what it prints.
func (s *cubby) cliJSON(t testing.TB, into any, args ...string) {
	t.Helper()
	r := s.cli(t, append(args, "--json")...)
	require.Zero(t, r.code, r.stderr)
	require.NoError(t, json.Unmarshal([]byte(r.stdout), into), r.stdout)
}

// cliWorks runs a subcommand that must work.
func (s *cubby) cliWorks(t testing.TB, args ...string) (stdout string) {
	t.Helper()
	r := s.cli(t, args...)
	require.Zero(t, r.code, r.stderr)
	return r.stdout
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	s := start(t)
	require.Contains(t, s.cliWorks(t, "app", "create", "acme/shop", "max-keys=3", "ttl-min=1s"), "acme/shop")
	s.cliWorks(t, "app", "create", "acme/blog")
	s.cliWorks(t, "app", "create", "rival/shop")

	var info map[string]any
	s.cliJSON(t, &info, "app", "info", "acme/shop")
	require.Equal(t, "acme", info["tenant"])
	require.EqualValues(t, 3, info["max-keys"])
	require.Equal(t, []any{"max-keys", "ttl-min"}, info["overrides"])
	require.Contains(t, s.cliWorks(t, "app", "info", "acme/shop"), "max-keys")

	var apps []map[string]any
	s.cliJSON(t, &apps, "app", "list", "acme/*")
	require.Len(t, apps, 2)
	require.Equal(t, "acme/blog", apps[0]["name"])
	_, err := time.Parse(time.RFC3339, apps[0]["created_at"].(string))
	require.NoError(t, err)
	require.Contains(t, s.cliWorks(t, "app", "list"), "rival/shop")

	s.cliWorks(t, "app", "set", "acme/shop", "max-keys=4", "ttl-min=default")
	s.cliJSON(t, &info, "app", "info", "acme/shop")
	require.EqualValues(t, 4, info["max-keys"])
	require.Equal(t, []any{"max-keys"}, info["overrides"])

	s.cliWorks(t, "app", "drop", "acme/blog", "--yes")
	s.cliJSON(t, &apps, "app", "list", "acme/*")
	require.Len(t, apps, 1)

	var dropped map[string]any
	s.cliJSON(t, &dropped, "tenant", "drop", "acme", "-y")
	require.Equal(t, map[string]any{"tenant": "acme", "dropped": 1.0}, dropped)
	require.NotContains(t, s.cliWorks(t, "app", "list"), "acme")
}

func TestCommandLineTokens(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.cliWorks(t, "app", "create", "acme/shop")
	var token struct{ ID, Token string }
	s.cliJSON(t, &token, "token", "create", "acme/shop", "--name", "ci", "--readonly", "--prefix", "public:",
		"--expires", "30d", "--origin", "https://app.example.com")
	kv := s.client(t, token.Token, 3)
	require.ErrorIs(t, kv.Get(background, "public:k").Err(), redis.Nil)
	require.ErrorContains(t, kv.Get(background, "k").Err(), "NOPERM")
	require.ErrorContains(t, kv.Set(background, "public:k", "v", 0).Err(), "NOPERM")

	// In a pipe, only fields go to standard output; a script can take them.
	plain := s.cli(t, "token", "create", "acme/shop")
	require.Regexp(t, `(?m)^token\tcub_[a-z0-9]{16}_[A-Za-z0-9]{43}$`, plain.stdout)
	require.Contains(t, plain.stderr, "not shown again")

	var tokens []map[string]any
	s.cliJSON(t, &tokens, "token", "list", "acme/shop")
	require.Len(t, tokens, 2)
	require.Equal(t, token.ID, tokens[0]["id"])
	require.Equal(t, "ci", tokens[0]["name"])
	require.Equal(t, true, tokens[0]["readonly"])
	require.Equal(t, []any{"https://app.example.com"}, tokens[0]["origins"])
	require.Nil(t, tokens[1]["expires_at"])
	require.NotContains(t, s.cliWorks(t, "token", "list", "acme/shop", "--json"), token.Token)

	require.Contains(t, s.cliWorks(t, "token", "revoke", token.ID), token.ID)
	require.Error(t, kv.Get(background, "public:k").Err())
	s.cliJSON(t, &tokens, "token", "list", "acme/shop")
	require.Len(t, tokens, 1)
}

// Exit code 1 means that it did not work, 2 that it was called wrongly.
func TestCommandLineErrors(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.cliWorks(t, "app", "create", "acme/shop")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"app", "create", "acme/shop"}, 1, "exists"},
		{[]string{"app", "create", "acme"}, 1, "write tenant/app"},
		{[]string{"app", "create", "acme/x", "max-moons=3"}, 1, "not a limit"},
		{[]string{"app", "create", "acme/x", "max-keys=many"}, 1, "max-keys"},
		{[]string{"app", "info", "acme/none"}, 1, "acme/none"},
		{[]string{"app", "set", "acme/none", "max-keys=1"}, 1, "acme/none"},
		{[]string{"app", "drop", "acme/none", "--yes"}, 1, "acme/none"},
		{[]string{"token", "create", "acme/none"}, 1, "acme/none"},
		{[]string{"token", "create", "acme/shop", "--expires", "soon"}, 1, "--expires"},
		{[]string{"token", "list", "acme/none"}, 1, "acme/none"},
		{[]string{"token", "revoke", "nobodys"}, 1, "no token with the id nobodys"},
		{[]string{"token", "revoke", "cub_abc_def"}, 1, "takes the token's id"},
		{[]string{"app", "create"}, 2, "TENANT/APP"},
		{[]string{"app", "create", "acme/x", "max-keys"}, 2, "max-keys"},
		{[]string{"app", "drop", "acme/shop"}, 2, "--yes"},
		{[]string{"tenant", "drop", "acme"}, 2, "--yes"},
		{[]string{"app", "remove", "acme/shop"}, 2, "remove"},
		{[]string{"app", "list", "--jsno"}, 2, "--jsno"},
	} {
		r := s.cli(t, c.args...)
		require.Equal(t, c.code, r.code, "%v: %s", c.args, r.stderr)
		require.Empty(t, r.stdout, c.args)
		require.Regexp(t, `(?m)^cubby: `, r.stderr)
		require.Contains(t, r.stderr, c.want)
	}
	require.Contains(t, s.cliWorks(t, "app", "list"), "acme/shop", "nothing was dropped")

	r := run(t, exec.Command(binary, "frobnicate"))
	require.Equal(t, 2, r.code)
	require.Contains(t, r.stderr, `no command "frobnicate"`)
}

func TestCommandLinePassword(t *testing.T) {
	t.Parallel()
	s := start(t)
	dir := t.TempDir()
	list := func(env string, args ...string) result {
		cmd := exec.Command(binary, append([]string{"app", "list", "--addr", s.addr()}, args...)...)
		cmd.Dir = dir // has no ./cubby-data
		return run(t, cmd, env)
	}
	r := list("")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stderr, "CUBBY_ADMIN_PASSWORD")
	r = list("CUBBY_ADMIN_PASSWORD=wrong")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stderr, "does not accept the admin's password from $CUBBY_ADMIN_PASSWORD")
	require.NotContains(t, r.stderr, "wrong;")

	file := filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(file, []byte(adminPassword+"\n"), 0o600))
	require.Zero(t, list("", "--password-file", file).code)
	require.Equal(t, 1, list("", "--password-file", file+".none").code)

	s.terminate()
	r = list(withPassword)
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stderr, "no server answers at "+s.addr())
}

// Without a password from outside the server makes one up, which only its own
// user can read.
func TestGeneratedPassword(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	startAgain := func() *cubby {
		return serve(t, func(port string) *exec.Cmd { return exec.Command(binary, "serve", "--port", port, "--dir", dir) }, dir)
	}
	s := startAgain()
	file := filepath.Join(dir, "admin.password")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	password, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotContains(t, s.stderr.String(), string(bytes.TrimSpace(password)), "secrets are not logged")

	r := run(t, exec.Command(binary, "app", "create", "acme/shop", "--addr", s.addr(), "--dir", dir))
	require.Zero(t, r.code, r.stderr)
	s.terminate()
	s = startAgain()
	again, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, password, again)
	r = run(t, exec.Command(binary, "app", "info", "acme/shop", "--addr", s.addr(), "--dir", dir))
	require.Zero(t, r.code, r.stderr)
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"--version"}} {
		r := run(t, exec.Command(binary, args...))
		require.Zero(t, r.code)
		require.Regexp(t, `^cubby \S+`, r.stdout)
	}
}
