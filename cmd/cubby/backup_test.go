package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// filled is a server with an app that holds a few keys, and a client of it.
func filled(t *testing.T) (w *world, s *running, app *redis.Client) {
	t.Helper()
	w = newWorld(t)
	w.vars[passwordVar] = testPassword
	s = w.serve("--port", "0")
	w.ok("app", "create", "acme/shop", "--addr", s.socket, "ttl-min=1ms", "key-charset=any", "max-keys=2000")
	app = s.client("", secretOf(w.ok("token", "create", "acme/shop", "--addr", s.socket)))
	require.NoError(t, app.MSet(t.Context(), "a", "1", "b", "\x00\xff<&>", "two\nlines", "").Err())
	return w, s, app
}

func TestBackupAndRestore(t *testing.T) {
	w, s, app := filled(t)
	r := w.ok("backup", "first.cubby", "--addr", s.socket)
	require.Regexp(t, `^backed up to first.cubby \(.*B\)\n$`, r.out)
	require.Empty(t, r.err)
	require.NoError(t, app.Set(t.Context(), "later", "1", 0).Err())
	require.NoError(t, app.Do(t.Context(), "WAITAOF", 1, 0, 0).Err())

	r = w.cubby("backup", "first.cubby", "--addr", s.socket)
	require.Equal(t, result{exitError, "", "cubby: first.cubby exists already; choose another name, or remove it first\n"}, r)
	r = w.cubby("backup", "--dir", "cubby-data", "other.cubby")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "cubby-data is in use by a running server; leave --dir out to back up through it")
	r = w.cubby("check", "cubby-data")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "cubby-data is in use by a running server; stop it first")
	require.NoFileExists(t, "other.cubby")
	piped := w.ok("backup", "-", "--addr", s.socket)
	require.True(t, strings.HasPrefix(piped.out, "CUBBYBAK"))

	require.Equal(t, exitOK, s.stop())
	var info struct{ Files int }
	require.NoError(t, json.Unmarshal([]byte(w.ok("backup", "--json", "--dir", "cubby-data", "second.cubby").out), &info))
	require.Positive(t, info.Files)

	require.Regexp(t, `^restored new: 2 namespace\(s\), \d+ key\(s\), as of 20\S+Z\n$`, w.ok("restore", "first.cubby", "new").out)
	require.Contains(t, w.cubby("restore", "first.cubby", "new").err, "new: the directory is not empty: it holds ")
	w.ok("restore", "second.cubby", "newer", "--json")
	require.Regexp(t, `(?m)^acme/shop +4 +\d+ +0$`, w.ok("check", "newer").out)

	again := w.serve("--port", "0", "--dir", "new")
	app = again.client("", app.Options().Password) // tokens are in the backup
	got, err := app.MGet(t.Context(), "a", "b", "two\nlines", "later").Result()
	require.NoError(t, err)
	require.Equal(t, []any{"1", "\x00\xff<&>", "", nil}, got)

	entries, err := filepath.Glob(".*.partial")
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestDamagedBackupsAreRefused(t *testing.T) {
	w, s, _ := filled(t)
	w.ok("backup", "good.cubby", "--addr", s.socket)
	b, err := os.ReadFile("good.cubby")
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	require.NoError(t, os.WriteFile("bad.cubby", b, 0o600))
	r := w.cubby("restore", "bad.cubby", "new")
	require.Equal(t, exitError, r.code)
	require.Regexp(t, `^cubby: bad.cubby: damaged at byte \d+: checksum does not match; nothing was restored\n$`, r.err)
	require.NoDirExists(t, "new")
	require.Contains(t, w.cubby("restore", "none", "new").err, "no such file")
	require.Contains(t, w.cubby("backup", "none/x", "--addr", s.socket).err, "no such file")
}

func TestCheckAndRepair(t *testing.T) {
	w, s, app := filled(t)
	w.ok("app", "create", "globex/other", "--addr", s.socket)
	require.NoError(t, s.client("admin", testPassword).Do(t.Context(), "BGSAVE").Err())
	require.NoError(t, app.Do(t.Context(), "WAITAOF", 1, 0, 0).Err())
	require.Equal(t, exitOK, s.stop())

	r := w.ok("check", "cubby-data")
	require.Regexp(t, `^NAMESPACE +KEYS +BYTES +EXPIRED\n_cubby/directory +\d+ +\d+ +0\nacme/shop +3 +17 +0\n\njournal: .*\nno damage\n$`, r.out)
	require.Empty(t, r.err)

	segments, err := filepath.Glob("cubby-data/journal/*.log")
	require.NoError(t, err)
	snapshots, err := filepath.Glob("cubby-data/spaces/*/*.snap")
	require.NoError(t, err)
	for _, path := range append(segments, snapshots...) {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		b[20] ^= 1
		require.NoError(t, os.WriteFile(path, b, 0o600))
		break
	}
	r = w.cubby("check", "cubby-data")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.out, "\ndamage:\n  journal/")
	require.Contains(t, r.err, "cubby: cubby-data is damaged in ")
	var found checkJSON
	r = w.cubby("check", "cubby-data", "--json")
	require.Equal(t, exitError, r.code)
	require.NoError(t, json.Unmarshal([]byte(r.out), &found))
	require.False(t, found.Good)
	require.NotEmpty(t, found.Damage)

	r = w.ok("check", "cubby-data", "--repair")
	require.Contains(t, r.out, "Moved to cubby-data/damaged-20")
	require.Contains(t, r.out, "The directory is good now.\n")
	require.Contains(t, w.ok("check", "cubby-data").out, "no damage\n")
	require.Contains(t, w.ok("check", "cubby-data", "--repair").out, "no damage\n")
	again := w.serve("--port", "0")
	require.NoError(t, again.client("", app.Options().Password).Ping(t.Context()).Err())
}

func TestCheckOfOtherDirectories(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, os.Mkdir("empty", 0o700))
	r := w.cubby("check", "empty")
	require.Equal(t, result{exitError, "", "cubby: empty: it is not a data directory of Cubby: it has neither journal nor spaces\n"}, r)
	r = w.cubby("check", "none")
	require.Equal(t, result{exitError, "", "cubby: there is no directory none\n"}, r)
	require.NoDirExists(t, "none")
	for _, c := range []struct{ args, want string }{
		{"check", "DIR is missing"},
		{"check a b", `unexpected argument "b"`},
		{"backup", "FILE is missing"},
		{"restore a", "cubby: DIR is missing"},
		{"export", "TENANT/APP is missing"},
		{"export a/b f --db 2", "--db 2 is neither 0 nor 1"},
		{"import", "TENANT/APP is missing"},
		{"import a/b", "FILE or --from URL is missing"},
		{"import a/b f --from redis://x", "give either FILE or --from, not both"},
		{"import a/b f --prefix x", "--prefix goes with --from"},
		{"import a/b --from http://:secret@x", "--from is not redis://"},
	} {
		r := w.cubby(strings.Fields(c.args)...)
		require.Equal(t, exitUsage, r.code, c.args)
		require.Contains(t, r.err, c.want, c.args)
		require.NotContains(t, r.err, "secret")
	}
}

func TestFormatBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KB", 1536: "1.5 KB", 1 << 30: "1 GB", 1 << 62: "4096 PB"} {
		require.Equal(t, want, formatBytes(n))
	}
}

func TestProgressIsForTerminals(t *testing.T) {
	errs := newLog()
	p := environment{err: errs, watched: true}.progress("checking")
	p.bytes(1, 2)
	require.Empty(t, errs.String(), "not in the first second")
	p.began = p.began.Add(-2 * progressAfter)
	p.bytes(512, 1024)
	p.bytes(600, 1024)
	p.end()
	require.Equal(t, "\r\x1b[Kchecking: 50% of 1 KB\r\x1b[K", errs.String())
	silent := newLog()
	p = environment{err: silent}.progress("checking")
	p.began = p.began.Add(-2 * progressAfter)
	p.count(1, "keys")
	p.end()
	require.Empty(t, silent.String())
}
