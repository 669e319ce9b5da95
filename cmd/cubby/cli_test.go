package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// managed is a server and the words with which command lines find it.
func managed(t *testing.T) (w *world, at func(args ...string) []string) {
	t.Helper()
	w = newWorld(t)
	w.vars[passwordVar] = testPassword
	s := w.serve("--port", "0")
	return w, func(args ...string) []string { return append(args, "--addr", s.socket) }
}

func TestApps(t *testing.T) {
	w, at := managed(t)
	require.Equal(t, "created acme/shop\n", w.ok(at("app", "create", "acme/shop", "max-keys=5", "ttl-min=1500ms")...).out)
	require.Equal(t, "changed acme/shop\n", w.ok(at("app", "set", "acme/shop", "max-keys=default", "max-bytes=1mb")...).out)
	out := w.ok(at("app", "info", "acme/shop")...).out
	require.Contains(t, out, "\nmax-bytes\t1048576\tset for this app\n")
	require.Contains(t, out, "\nmax-keys\t10000\n")
	require.Contains(t, out, "\nttl-min-ms\t1500\tset for this app\n")
	require.Contains(t, out, "\ncommands-per-second\n")
	require.Regexp(t, `(?m)^created_at\t20\d\d-\d\d-\d\dT`, out)

	w.ok(at("app", "create", "other/shop")...)
	out = w.ok(at("app", "list")...).out
	require.Regexp(t, `^name\tcreated_at\ttokens\nacme/shop\t\S+\t0\nother/shop\t\S+\t0\n$`, out)
	out = w.ok(at("app", "list", "acme/*")...).out
	require.NotContains(t, out, "other/shop")
	r := w.ok(at("app", "list", "nobody/*")...)
	require.Equal(t, result{exitOK, "name\tcreated_at\ttokens\n", ""}, r)
	w.width = 80
	require.Equal(t, result{exitOK, "", "none\n"}, w.ok(at("app", "list", "nobody/*")...))
	w.width = 0

	require.Equal(t, "dropped acme/shop\n", w.ok(at("app", "drop", "acme/shop", "--yes")...).out)
	require.Equal(t, "dropped 1 app(s) of other\n", w.ok(at("tenant", "drop", "other", "-y")...).out)
	require.Equal(t, 1, strings.Count(w.ok(at("app", "list")...).out, "\n"))
	r = w.cubby(at("tenant", "drop", "other", "-y")...)
	require.Equal(t, result{exitError, "", "cubby: there is no tenant other; 'cubby tenant list' shows all\n"}, r)
}

func TestJSON(t *testing.T) {
	w, at := managed(t)
	read := func(into any, args ...string) {
		t.Helper()
		require.NoError(t, json.Unmarshal([]byte(w.ok(at(append(args, "--json")...)...).out), into))
	}
	var got map[string]any
	read(&got, "app", "create", "acme/shop")
	require.Equal(t, map[string]any{"name": "acme/shop", "created": true}, got)
	var token struct{ ID, Token string }
	read(&token, "token", "create", "acme/shop", "--prefix", "a<b", "--readonly")
	require.True(t, strings.HasPrefix(token.Token, "cub_"+token.ID+"_"))
	var list []map[string]any
	read(&list, "token", "list", "acme/shop")
	require.Len(t, list, 1)
	require.Equal(t, []any{"a<b", true, nil, []any{}}, []any{list[0]["prefix"], list[0]["readonly"], list[0]["expires_at"], list[0]["origins"]})
	read(&list, "app", "list")
	require.InDelta(t, 1, list[0]["tokens"], 0)
	var info struct {
		Keys    int
		MaxKeys int  `json:"max-keys"`
		Rate    *int `json:"commands-per-second"`
	}
	read(&info, "app", "info", "acme/shop")
	require.Equal(t, 10000, info.MaxKeys)
	require.Nil(t, info.Rate)
	read(&got, "token", "revoke", token.ID)
	read(&list, "token", "list", "acme/shop")
	require.Empty(t, list)
	read(&got, "tenant", "drop", "acme", "--yes")
	require.InDelta(t, 1, got["dropped"], 0)
}

func TestTokens(t *testing.T) {
	w, at := managed(t)
	w.ok(at("app", "create", "acme/shop")...)
	r := w.ok(at("token", "create", "acme/shop", "--name", "ci", "--readonly", "--prefix", "p:", "--expires", "30d",
		"--origin", "https://a.example", "--origin", "https://b.example")...)
	require.Contains(t, r.err, "not shown again")
	require.Regexp(t, `^id\t[a-z0-9]{16}\ntoken\tcub_[a-z0-9]{16}_[A-Za-z0-9]{43}\n$`, r.out)
	id := strings.Fields(r.out)[1]
	out := w.ok(at("token", "list", "acme/shop")...).out
	require.Regexp(t, id+`\tci\t\S+\t\S+Z\ttrue\tp:\thttps://a.example https://b.example\t\n$`, out)
	require.Contains(t, w.ok(at("token", "list")...).out, "acme/shop\t"+id+"\tci\t")
	require.NotContains(t, out, secretOf(r))

	rotated := w.ok(at("token", "rotate", id, "--grace", "2h")...)
	require.Contains(t, rotated.err, "not shown again")
	require.Regexp(t, `^id\t`+id+`\ntoken\tcub_`+id+`_[A-Za-z0-9]{43}\ngrace_ends_at\t\S+Z\n$`, rotated.out)
	require.NotEqual(t, secretOf(r), secretOf(rotated))
	require.Regexp(t, id+`\tci\t\S+\t\S+Z\ttrue\tp:\t.*b.example\t\S+Z\n$`, w.ok(at("token", "list", "acme/shop")...).out)
	require.Contains(t, w.cubby(at("token", "rotate", "nobody")...).err, "no such token 'nobody'")

	require.Equal(t, "revoked "+id+"\n", w.ok(at("token", "revoke", id)...).out)
	r = w.cubby(at("token", "revoke", id)...)
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "there is no token with the id "+id)
}

func TestCommandsThatFail(t *testing.T) {
	w, at := managed(t)
	w.ok(at("app", "create", "acme/shop")...)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"app", "create", "acme/shop"}, "cubby: the app 'acme/shop' exists already (hint: 'cubby app set' changes its limits)"},
		{[]string{"app", "create", "acme"}, `cubby: "acme" is not an app's full name; write tenant/app`},
		{[]string{"app", "create", "acme/x", "max-moons=1"}, `cubby: "max-moons" is not a limit; the limits are key-bytes`},
		{[]string{"app", "set", "acme/x", "max-keys=1"}, "cubby: no such app 'acme/x' (hint: 'cubby app create acme/x' creates it)"},
		{[]string{"app", "info", "acme/x"}, "cubby: no such app 'acme/x'"},
		{[]string{"app", "drop", "acme/x", "--yes"}, "cubby: no such app 'acme/x'"},
		{[]string{"token", "create", "acme/shop", "--expires", "soon"}, `cubby: --expires "soon"`},
		{[]string{"token", "revoke", "cub_aaaa_bbbb"}, "cubby: 'cubby token revoke' takes the token's id, not its secret"},
		{[]string{"token", "list", "acme/x"}, "cubby: no such app 'acme/x'"},
		{[]string{"app", "list", "--password-file", "none"}, "cubby: admin's password: open none: no such file"},
	} {
		r := w.cubby(at(c.args...)...)
		require.Equal(t, exitError, r.code, c.args)
		require.Contains(t, r.err, c.want, c.args)
		require.Equal(t, 1, strings.Count(r.err, "\n"), "one line: %q", r.err)
		require.Empty(t, r.out)
	}
}

func TestUsageErrors(t *testing.T) {
	w := newWorld(t)
	w.vars[passwordVar] = testPassword
	for _, c := range []struct{ args, want string }{
		{"", "which command"},
		{"app", "which command of 'cubby app'?"},
		{"serv", `no command "serv"; did you mean serve?`},
		{"app crate", `no command "crate"; did you mean create?`},
		{"app zebra", `no command "zebra"`},
		{"app create", "TENANT/APP is missing"},
		{"app create a/b max-keys", `"max-keys" is not LIMIT=VALUE`},
		{"app set a/b", "cubby: LIMIT=VALUE is missing"},
		{"app info", "TENANT/APP is missing"},
		{"app info a/b c", `unexpected argument "c"`},
		{"app list a b", `unexpected argument "b"`},
		{"app list --jsn", "unknown flag: --jsn"},
		{"app list --addr localhost", `--addr "localhost" is neither`},
		{"app drop a/b", "add --yes"},
		{"tenant drop a", "add --yes"},
		{"token revoke", "ID is missing"},
		{"token rotate", "ID is missing"},
		{"usage a b", `unexpected argument "b"`},
		{"usage --sort size", `--sort "size" is none of use, keys`},
		{"usage --top -1", "--top -1 is no count"},
		{"config set maxclients", `"maxclients" is not NAME=VALUE; 'cubby config get maxclients' shows it`},
		{"config rewrite now", `unexpected argument "now"`},
		{"client kill", "ID or --app is missing"},
		{"client kill x", `"x" is no id`},
		{"client kill 1 --app a/b", "give either ids or --app"},
		{"version now", `unexpected argument "now"`},
	} {
		r := w.cubby(strings.Fields(c.args)...)
		require.Equal(t, exitUsage, r.code, c.args)
		require.Contains(t, r.err, c.want, c.args)
		require.Contains(t, r.err, "--help' for more.")
		require.Empty(t, r.out)
	}
}

func TestFindingTheServerAndThePassword(t *testing.T) {
	w := newWorld(t)
	r := w.cubby("app", "list")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "the admin's password is needed: set $CUBBY_ADMIN_PASSWORD, or use --password-file")

	s := w.serve("--port", "0")
	w.ok("app", "list", "--addr", s.socket) // from ./cubby-data
	require.NoError(t, os.Rename("cubby-data/"+passwordName, "elsewhere"))
	w.ok("app", "list", "--addr", s.socket, "--password-file", "elsewhere")
	w.vars[passwordVar] = "wrong"
	w.ok("app", "list", "--addr", s.socket, "--password-file", "elsewhere")
	r = w.cubby("app", "list", "--addr", s.socket)
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "does not accept the admin's password from $CUBBY_ADMIN_PASSWORD")

	require.Equal(t, exitOK, s.stop())
	r = w.cubby("app", "list", "--addr", s.socket)
	require.Contains(t, r.err, "no server answers at "+s.socket)
	r = w.cubby("app", "list", "--addr", "127.0.0.1:1")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "no server answers at 127.0.0.1:1 (connect: connection refused); start one with 'cubby serve'")
	w.vars[addrVar] = "127.0.0.1:2"
	require.Contains(t, w.cubby("app", "list").err, "no server answers at 127.0.0.1:2")
}

func TestDropAsks(t *testing.T) {
	w, at := managed(t)
	w.interactive = true
	w.ok(at("app", "create", "acme/shop")...)
	for _, answer := range []string{"", "\n", "n\n", "no\n", "yellow\n"} {
		r := w.answering(answer, at("app", "drop", "acme/shop")...)
		require.Equal(t, exitError, r.code)
		require.Contains(t, r.err, "acme/shop holds 0 keys (0 B), and 0 tokens.\nErase acme/shop with all its data and tokens? [y/N] ")
		require.Contains(t, r.err, "nothing was erased")
	}
	w.ok(at("app", "info", "acme/shop")...)
	r := w.answering("y\n", at("app", "drop", "acme/shop")...)
	require.Equal(t, exitOK, r.code, r.err)
	r = w.answering("y\n", at("app", "drop", "acme/shop")...)
	require.Equal(t, "cubby: no such app 'acme/shop' (hint: 'cubby app create acme/shop' creates it)\n", r.err, "without a question")
	w.ok(at("app", "create", "acme/a")...)
	w.ok(at("app", "create", "acme/b")...)
	r = w.answering("n\n", at("tenant", "drop", "acme")...)
	require.Contains(t, r.err, "acme/a holds 0 keys (0 B), and 0 tokens.\nacme/b holds")
	require.Contains(t, r.err, "Erase the tenant acme with all apps, their data and tokens? [y/N] cubby: nothing was erased")
	r = w.answering("y\n", at("tenant", "drop", "acme")...)
	require.Equal(t, "dropped 2 app(s) of acme\n", r.out)
}

func TestHelpAndVersion(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{"--help", "serve --help", "serve -h", "app create --help", "token create -h"} {
		r := w.ok(strings.Fields(line)...)
		require.Contains(t, r.out, "Usage:", line)
		require.Empty(t, r.err)
	}
	require.Contains(t, w.ok("version").out, "cubby "+version()+" (go")
	require.Equal(t, "cubby "+version()+"\n", w.ok("--version").out)
}
