package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// patience is how long something may take that comes by itself.
const patience = time.Minute

// varying is what differs from run to run, at its full length.
var varying = []struct {
	is *regexp.Regexp
	as string
}{
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\d \d\d:\d\d\b`), "2026-01-02 03:04"},
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`), "2026-01-02T03:04:05.678Z"},
	{regexp.MustCompile(`\b[a-z2-7]{16}\b`), "abcdefghijklmnop"},
	{regexp.MustCompile(`_[A-Za-z0-9]{43}\b`), "_" + strings.Repeat("S", 43)},
}

// requireGolden compares with testdata/<name>.txt.
func requireGolden(t *testing.T, name, got string) {
	t.Helper()
	for _, v := range varying {
		got = v.is.ReplaceAllString(got, v.as)
	}
	path := filepath.Join(here, "testdata", name+".txt")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "%s: go test ./cmd/cubby -run Golden -update writes it anew", path)
}

// here is this package's directory; tests change theirs.
var here = func() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return dir
}()

// furnished is a server with something to show.
func furnished(t *testing.T) (*world, *running, func(args ...string) []string) {
	t.Helper()
	w := newWorld(t)
	w.vars[passwordVar] = testPassword
	s := w.serve("--port", "0")
	at := func(args ...string) []string { return append(args, "--addr", s.socket) }
	w.ok(at("app", "create", "acme/shop", "max-keys=2000", "max-bytes=1mb")...)
	w.ok(at("app", "create", "acme/notes", "commands-per-second=500")...)
	w.ok(at("app", "create", "globex/shop", "max-keys=4")...)
	w.ok(at("token", "create", "acme/shop", "--name", "ci", "--readonly", "--expires", "30d", "--prefix", "build:")...)
	w.ok(at("token", "create", "globex/shop", "--origin", "https://a.example", "--origin", "https://b.example")...)
	fill := func(app string, keys, size int) {
		token := strings.Fields(w.ok(at("token", "create", app, "--name", "web")...).out)[3]
		c := s.client("default", token)
		for i := range keys {
			require.NoError(t, c.Set(t.Context(), fmt.Sprintf("key:%04d", i), strings.Repeat("v", size), 0).Err())
		}
		require.NoError(t, c.Close())
	}
	fill("acme/shop", 1250, 100)
	fill("globex/shop", 4, 10)
	require.Eventually(t, func() bool { // the server notices when clients have gone
		return strings.Count(w.ok(at("client", "list")...).out, "\n") == 1
	}, patience, time.Millisecond)
	return w, s, at
}

// What the admin's commands show on a terminal, in a pipe and as JSON.
func TestGoldenOutput(t *testing.T) {
	w, _, at := furnished(t)
	require.Eventually(t, func() bool { // the last second has passed without commands
		return strings.Count(w.ok(at("usage", "--json")...).out, `"commands-last-second": 0,`) == 3
	}, patience, 50*time.Millisecond)
	for _, c := range []struct{ name, args string }{
		{"usage", "usage"},
		{"usage-tenant", "usage acme --sort name"},
		{"usage-one", "usage globex/shop"},
		{"usage-top", "usage --sort keys --top 1"},
		{"app-list", "app list"},
		{"app-info", "app info acme/shop"},
		{"tenant-list", "tenant list"},
		{"token-list", "token list acme/shop"},
		{"token-list-all", "token list"},
		{"config-get", "config get max* appendfsync loglevel"},
	} {
		words := strings.Fields(c.args)
		text := ""
		for _, how := range []struct {
			name  string
			width int
			flags []string
		}{{"on a terminal", 120, nil}, {"on a narrow one", 60, nil}, {"in a pipe", 0, nil}, {"as JSON", 0, []string{"--json"}}} {
			w.width = how.width
			r := w.ok(at(append(words, how.flags...)...)...)
			text += fmt.Sprintf("-- cubby %s, %s\n%s%s", c.args, how.name, r.out, r.err)
		}
		requireGolden(t, c.name, text)
	}
}

func TestColors(t *testing.T) {
	var out strings.Builder
	env := environment{out: &out, width: 80, colored: true}
	require.NoError(t, new(target).printRecords(env, []record{{{"a", "1"}}}, column{field: "a"}))
	require.Equal(t, "\x1b[1mA\x1b[0m\n1\n", out.String())
	out.Reset()
	env.colored = false
	require.NoError(t, new(target).printRecords(env, []record{{{"a", "1"}}}, column{field: "a"}))
	require.Equal(t, "A\n1\n", out.String())
}

// Names that clients chose must neither steer the terminal nor break a row.
func TestCellsAreHarmless(t *testing.T) {
	list := []record{{{"name", "a\x1b[2Jb\tc\nd"}, {"n", int64(1)}}}
	columns := []column{{field: "name"}, number("n", "", showCount, "")}
	for width, want := range map[int]string{
		80: "NAME                 N\na\\x1b[2Jb\\x09c\\x0ad  1\n",
		0:  "name\tn\na\\x1b[2Jb\\x09c\\x0ad\t1\n",
	} {
		var out strings.Builder
		require.NoError(t, new(target).printRecords(environment{out: &out, width: width}, list, columns...))
		require.Equal(t, want, out.String())
	}
}

func TestUnitsForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -999: "-999"} {
		require.Equal(t, want, showCount(n))
	}
	for n, want := range map[int64]string{0: "0s", 59: "59s", 61: "1m1s", 3700: "1h1m", 90000: "1d1h"} {
		require.Equal(t, want, showSeconds(n))
	}
	require.Equal(t, "99%", showPercent(0.999), "not full yet")
	require.Equal(t, "100%", showPercent(1.0))
}

func TestWatch(t *testing.T) {
	w, s, at := furnished(t)
	c := s.client("admin", testPassword)
	for _, width := range []int{0, 120} {
		w.width = width
		ran := make(chan result)
		env, out, errs := w.environment("")
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			code := run(ctx, env, at("usage", "acme", "--watch=200ms"))
			ran <- result{code, out.String(), errs.String()}
		}()
		title := map[int]string{0: "\tin_memory\n", 120: "CMD/S"}[width]
		<-out.seen(title)
		require.NoError(t, c.Ping(t.Context()).Err())
		require.Eventually(t, func() bool { return strings.Count(out.String(), title) > 1 }, patience, time.Millisecond)
		stop()
		r := <-ran
		require.Equal(t, exitOK, r.code, r.err)
		require.Empty(t, r.err)
		require.Equal(t, width > 0, strings.Contains(r.out, "\x1b[H"), "only a terminal is redrawn")
		require.Equal(t, width > 0, strings.Contains(r.out, "every 200ms, Ctrl-C ends"))
	}
	w.width = 0
	for _, flag := range []string{"--watch=1ms", "--watch=soon"} {
		r := w.cubby(at("usage", flag)...)
		require.Equal(t, exitUsage, r.code)
		require.Contains(t, r.err, "is no interval of at least 200ms")
	}
}
