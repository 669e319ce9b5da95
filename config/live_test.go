package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChange(t *testing.T) {
	base, err := Parse(strings.NewReader("value-bytes 1mb\nproto-max-bulk-len 2mb\nport 7000\n"), "redis.conf")
	require.NoError(t, err)
	for _, tt := range []struct {
		changes string // name=value, blanks between them
		parts   []Part
		err     string
	}{
		{"timeout=30", []Part{PartServer}, ""},
		{"TIMEOUT=30 maxclients=5", []Part{PartServer}, ""},
		{"loglevel=debug timeout=1 max-keys=5", []Part{PartLog, PartServer, PartDirectory}, ""},
		{"client-output-buffer-limit=normal_1mb_0_0", []Part{PartServer}, ""},
		{"port=1", nil, "port: can't set immutable config"},
		{"databases=2", nil, "databases: can't set immutable config"},
		{"timeout=1 timeout=2", nil, "timeout: duplicate parameter"},
		{"timeout=1 Timeout=2", nil, "duplicate parameter"},
		{"nope=1", nil, "nope: no such directive"},
		{"include=x", nil, "include: no such directive"},
		{"hz=100", nil, "hz: Redis has this directive, Cubby does not: "},
		{"timeout=x", nil, `timeout: "x" is not a duration; allowed: `},
		{"timeout=1 maxclients=0", nil, `maxclients: "0" is too small; allowed: `},
		{"value-bytes=3mb", nil, "value-bytes: 3mb is more than proto-max-bulk-len, which is 2mb (redis.conf:2); change one of them"},
		{"value-bytes=3mb proto-max-bulk-len=4mb", []Part{PartDirectory, PartServer}, ""},
	} {
		var changes []Setting
		for word := range strings.FieldsSeq(tt.changes) {
			name, value, _ := strings.Cut(word, "=")
			changes = append(changes, Setting{name, strings.ReplaceAll(value, "_", " ")})
		}
		before := *base
		changed, parts, err := base.Change(changes)
		before.origins = base.origins
		require.Equal(t, &before, base, "the old one stays: %s", tt.changes)
		if tt.err != "" {
			require.ErrorContains(t, err, tt.err, tt.changes)
			continue
		}
		require.NoError(t, err, tt.changes)
		require.Equal(t, tt.parts, parts, tt.changes)
		for _, c := range changes {
			want, err := Parse(strings.NewReader(c.Name+" "+c.Value), "want")
			if c.Name != "value-bytes" { // which is wrong without the other
				require.NoError(t, err)
				require.Equal(t, want.Get(c.Name), changed.Get(c.Name), tt.changes)
			}
		}
	}
}

func TestSettings(t *testing.T) {
	c := Default()
	c.RequirePass = "hunter2"
	all, public := map[string]string{}, map[string]string{}
	for _, s := range c.Settings(false) {
		require.NotContains(t, all, s.Name, "twice")
		require.NotContains(t, s.Value, "hunter2")
		all[s.Name] = s.Value
	}
	for _, s := range c.Settings(true) {
		public[s.Name] = s.Value
		require.Equal(t, all[s.Name], s.Value)
	}
	require.Equal(t, "everysec", all["appendfsync"])
	require.Equal(t, "2", public["databases"])
	require.Empty(t, public["save"])
	require.Contains(t, public, "save")
	require.Equal(t, "10000", public["max-keys"])
	require.Contains(t, all, "dir")
	require.NotContains(t, all, "requirepass")
	for _, d := range Directives() {
		if d.Kind == KindPath || d.Kind == KindAddresses || d.Secret {
			require.NotContains(t, public, d.Name)
		}
	}
	require.True(t, IsSecret("RequirePass"))
	require.False(t, IsSecret("timeout"))
	require.False(t, IsSecret("nope"))
}

func TestRewrite(t *testing.T) {
	for _, tt := range []struct {
		name, file, overrides, changes, want string
	}{
		{"nothing changed", "# mine\n\nport 7000\n", "", "", "# mine\n\nport 7000\n"},
		{"in its line", "# top\ntimeout 5 \n# below\nport 7000\n", "", "timeout=9", "# top\ntimeout 9\n# below\nport 7000\n"},
		{"the last line counts", "timeout 5\nport 7000\nTIMEOUT 6", "", "timeout=9", "timeout 5\nport 7000\ntimeout 9\n"},
		{"set anew", "port 7000\n", "", "timeout=9", "port 7000\n" + rewriteNote + "\ntimeout 9\n"},
		{"back to the default", "timeout 5\n", "", "timeout=0", "timeout 0\n"},
		{"as it is written", "timeout 1m\n", "", "timeout=60", "timeout 1m\n"},
		{"the command line", "port 7000\n", "--port 7001 --timeout 4", "", "port 7001\n" + rewriteNote + "\ntimeout 4\n"},
		{"quotes", "port 7000\n", "", `requirepass=a_"b\c`, "port 7000\n" + rewriteNote + "\nrequirepass \"a \\\"b\\\\c\"\n"},
		{"limits of buffers", "client-output-buffer-limit normal 1mb 0 0\n", "", "client-output-buffer-limit=pubsub_2mb_0_0",
			"client-output-buffer-limit normal 1048576 0 0 slave 268435456 67108864 60 pubsub 2097152 0 0\n"},
		{"an included file", "include other.conf\nport 7000\n", "", "timeout=9", "include other.conf\nport 7000\n" + rewriteNote + "\ntimeout 9\n"},
		{"a second time", "port 7000\n" + rewriteNote + "\ntimeout 9\n", "", "timeout=10 maxclients=7", "port 7000\n" + rewriteNote + "\ntimeout 10\nmaxclients 7\n"},
		{"an empty file", "", "", "timeout=1", rewriteNote + "\ntimeout 1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			require.NoError(t, os.WriteFile("other.conf", []byte("timeout 3\n"), 0o600))
			require.NoError(t, os.WriteFile("real.conf", []byte(tt.file), 0o640))
			require.NoError(t, os.Symlink("real.conf", "redis.conf"))
			c, err := Load("redis.conf", strings.Fields(tt.overrides))
			require.NoError(t, err)
			var changes []Setting
			for word := range strings.FieldsSeq(tt.changes) {
				name, value, _ := strings.Cut(word, "=")
				changes = append(changes, Setting{name, strings.ReplaceAll(value, "_", " ")})
			}
			c, _, err = c.Change(changes)
			require.NoError(t, err)
			require.NoError(t, c.Rewrite("redis.conf"))
			got, err := os.ReadFile("real.conf")
			require.NoError(t, err)
			require.Equal(t, tt.want, string(got))
			info, err := os.Lstat("redis.conf")
			require.NoError(t, err)
			require.NotZero(t, info.Mode()&os.ModeSymlink, "the link stays a link")
			info, err = os.Stat("real.conf")
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o640), info.Mode().Perm())
			again, err := Load("redis.conf", nil)
			require.NoError(t, err)
			require.Equal(t, c.Settings(false), again.Settings(false))
			require.Equal(t, c.RequirePass, again.RequirePass)
			left, err := filepath.Glob("real.conf.*")
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
	c := Default()
	require.ErrorIs(t, c.Rewrite(filepath.Join(t.TempDir(), "gone")), os.ErrNotExist)
}

func TestQuoteArgs(t *testing.T) {
	for _, words := range [][]string{{"a"}, {""}, {"a b", "c"}, {`"`, `\`, `'`, "#x", "a\x01\xff\n"}} {
		got, err := splitArgs(quoteArgs(words))
		require.NoError(t, err)
		require.Equal(t, words, got)
	}
}
