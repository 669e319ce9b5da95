package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestUsage(t *testing.T) {
	w, _, at := furnished(t)
	var list []struct {
		Name   string
		Use    *float64
		Keys   *int64
		Memory bool `json:"in_memory"`
	}
	read := func(args ...string) []string {
		t.Helper()
		list = nil
		require.NoError(t, json.Unmarshal([]byte(w.ok(at(append([]string{"usage", "--json"}, args...)...)...).out), &list))
		var names []string
		for _, r := range list {
			names = append(names, r.Name)
		}
		return names
	}
	require.Equal(t, []string{"globex/shop", "acme/shop", "acme/notes"}, read())
	require.InDelta(t, 1, *list[0].Use, 0)
	require.InDelta(t, 0.625, *list[1].Use, 0)
	require.Equal(t, []string{"acme/shop", "globex/shop", "acme/notes"}, read("--sort", "bytes"))
	require.Equal(t, []string{"acme/shop", "globex/shop"}, read("--sort", "keys", "--top", "2"))
	require.Equal(t, []string{"acme/notes", "acme/shop", "globex/shop"}, read("--sort", "name"))
	require.Equal(t, []string{"acme/shop", "acme/notes"}, read("acme"))
	require.Equal(t, []string{"globex/shop", "acme/shop"}, read("*/shop"))
	require.Equal(t, []string{"acme/notes"}, read("acme/notes"))
	require.Empty(t, read("nobody"))
	r := w.cubby(at("usage", "acme/nothing")...)
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "no such app 'acme/nothing'")
}

// After a start nobody knows what is on the disk until somebody looks.
func TestUsageOfWhatIsOnDisk(t *testing.T) {
	w := newWorld(t)
	w.vars[passwordVar] = testPassword
	s := w.serve("--port", "0")
	w.ok("app", "create", "acme/shop", "--addr", s.socket)
	token := strings.Fields(w.ok("token", "create", "acme/shop", "--addr", s.socket).out)[3]
	require.NoError(t, s.client("default", token).Set(t.Context(), "k", "v", 0).Err())
	require.Equal(t, exitOK, s.stop())

	s = w.serve("--port", "0")
	w.width = 100
	r := w.ok("usage", "--addr", s.socket)
	require.Regexp(t, `(?m)^acme/shop +\? +\? +10,000 +\? `, r.out)
	require.Contains(t, r.err, "--load reads it")
	require.Regexp(t, `(?m)^acme +1 +0 +0 B +0 +1$`, w.ok("tenant", "list", "--addr", s.socket).out)
	r = w.ok("usage", "--load", "--addr", s.socket)
	require.Regexp(t, `(?m)^acme/shop +0% +1 +10,000 +2 B `, r.out)
	require.Empty(t, r.err)
	require.NotContains(t, w.ok("usage", "--addr", s.socket).out, "?", "it is known from now on")
}

func TestClients(t *testing.T) {
	w, s, at := furnished(t)
	token := strings.Fields(w.ok(at("token", "create", "acme/shop")...).out)[3]
	connect := func() string {
		c := s.client("default", token)
		id, err := c.ClientID(t.Context()).Result()
		require.NoError(t, err)
		return strconv.FormatInt(id, 10)
	}
	a, b, c := connect(), connect(), connect()
	rows := func(args ...string) []string {
		t.Helper()
		return strings.Split(strings.TrimSuffix(w.ok(at(append([]string{"client", "list"}, args...)...)...).out, "\n"), "\n")
	}
	list := rows()
	require.Len(t, list, 4)
	require.Regexp(t, `^id\tapp\taddr\tname\tage\tidle\tcommand\tauth\tlib_name\tlib_version$`, list[0])
	require.Regexp(t, `^`+a+`\tacme/shop\t\S+\t\t\d+\t\d+\tclient\|id\ttoken:[a-z2-7]{16}\tgo-redis`, list[1])
	require.Len(t, rows("globex/shop"), 1)
	require.Equal(t, "closed 2 connections\n", w.ok(at("client", "kill", a, b)...).out)
	require.Eventually(t, func() bool { return len(rows()) == 2 }, patience, time.Millisecond)
	require.Equal(t, "{\n  \"closed\": 1\n}\n", w.ok(at("client", "kill", "--app", "acme/shop", "--json")...).out)
	require.Eventually(t, func() bool { return len(rows()) == 1 }, patience, time.Millisecond)
	require.Equal(t, "closed 0 connections\n", w.ok(at("client", "kill", "--app", "acme/shop")...).out)
	r := w.cubby(at("client", "kill", c)...)
	require.Equal(t, result{exitError, "", "cubby: there is no such connection; 'cubby client list' shows them\n"}, r)
	require.Contains(t, w.cubby(at("client", "kill", "--app", "acme/x")...).err, "no such app 'acme/x'")
}

func TestConfigure(t *testing.T) {
	w := newWorld(t)
	w.vars[passwordVar] = testPassword
	file := filepath.Join(t.TempDir(), "cubby.conf")
	require.NoError(t, os.WriteFile(file, []byte("# ours\nmaxclients 100 \nport 0\n"), 0o640))
	s := w.serve(file)
	at := func(args ...string) []string { return append(args, "--addr", s.socket) }
	require.Equal(t, "name\tvalue\tchange\nport\t0\trestart\nmaxclients\t100\tlive\n", w.ok(at("config", "get", "MAXCLIENTS", "port")...).out)
	require.Equal(t, "changed maxclients loglevel\n", w.ok(at("config", "set", "maxclients=200", "loglevel=verbose")...).out)
	require.Equal(t, "rewritten\n", w.ok(at("config", "rewrite")...).out)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(text), "# ours\nmaxclients 200\nport 0\n"), "%s", text)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode().Perm())

	// A secret comes from where nobody sees it.
	r := w.answering("another password\n", at("config", "set", "requirepass")...)
	require.Equal(t, result{exitOK, "changed requirepass\n", ""}, r)
	require.Contains(t, w.cubby(at("config", "get")...).err, "does not accept the admin's password")
	w.vars[passwordVar] = "another password"
	w.interactive = true
	r = w.answering(testPassword+"\n", at("config", "set", "requirepass")...)
	require.Equal(t, exitOK, r.code, r.err)
	require.Contains(t, r.err, "New requirepass: ")
	require.Contains(t, r.err, "'cubby config rewrite' writes it into the server's file")
	w.interactive = false
	w.vars[passwordVar] = testPassword
	all := w.ok(at("config", "get")...).out
	require.NotContains(t, all, "requirepass")
	require.NotContains(t, all, testPassword)

	for _, c := range []struct{ args, want string }{
		{"config get requirepass", "requirepass is a secret and not shown; 'cubby config set requirepass' changes it"},
		{"config get maxclient", "there is no directive maxclient; 'cubby config get' shows all"},
		{"config set maxclients=0", `"0" is too small; allowed: 1 to 1000000`},
		{"config set port=1", "can't set immutable config"},
	} {
		r := w.cubby(at(strings.Fields(c.args)...)...)
		require.Equal(t, exitError, r.code)
		require.Contains(t, r.err, c.want)
	}
}

func TestRewriteWithoutAFile(t *testing.T) {
	w, at := managed(t)
	r := w.cubby(at("config", "rewrite")...)
	require.Equal(t, result{exitError, "", "cubby: The server is running without a config file; one that was started with 'cubby serve FILE' has one\n"}, r)
}
