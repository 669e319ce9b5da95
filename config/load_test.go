package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDefault(t *testing.T) {
	c := Default()
	require.Equal(t, []Address{{Host: "127.0.0.1"}, {Host: "::1", Optional: true}}, c.Bind)
	require.Equal(t, 6379, c.Port)
	require.True(t, c.ProtectedMode)
	require.Equal(t, 60*time.Second, c.ClientWriteTimeout)
	require.EqualValues(t, 8<<20, c.ClientQueryBufferLimit)
	require.Equal(t, OutputLimit{Hard: 64 << 20}, c.ClientOutputBufferLimits.Normal)
	require.Equal(t, FsyncEverySec, c.AppendFsync)
	require.Equal(t, "./cubby-data", c.Dir)
	require.Empty(t, c.Anonymous)
	require.Equal(t, Limits{
		KeyBytes:   256,
		ValueBytes: 65536,
		MaxKeys:    [2]int64{10_000, 10_000},
		TTLMin:     [2]time.Duration{time.Minute, time.Millisecond},
		TTLMax:     [2]time.Duration{365 * 24 * time.Hour, 365 * 24 * time.Hour},
	}, c.Limits)
	require.Empty(t, crossCheck(c))
}

// TestLines gives one line at a time and reads the value back as CONFIG GET
// would show it.
func TestLines(t *testing.T) {
	for line, want := range map[string]string{
		"port 7000":                              "7000",
		"  PoRt\t7000\r":                         "7000",
		`"port" '7000'`:                          "7000",
		"port 0":                                 "0",
		"bind 10.0.0.1 -fe80::1%eth0":            "10.0.0.1 -fe80::1%eth0",
		"bind * -::*":                            "* -::*",
		"bind localhost my-host_1.lan":           "localhost my-host_1.lan",
		`bind ""`:                                "",
		"unixsocket '/tmp/a b.sock'":             "/tmp/a b.sock",
		"unixsocketperm 0770":                    "770",
		"protected-mode NO":                      "no",
		"timeout 5m":                             "300",
		"tcp-keepalive 0":                        "0",
		"maxclients 1":                           "1",
		"client-write-timeout 1000ms":            "1",
		"shutdown-timeout 1D":                    "86400",
		"client-query-buffer-limit 1gb":          "1073741824",
		"client-query-buffer-limit 8388609b":     "8388609",
		`notify-keyspace-events ""`:              "",
		"notify-keyspace-events KEA":             "KEA",
		"notify-keyspace-events g$lshzxedmntAKE": "g$lshzxedmntAKE",
		"proto-max-bulk-len 2M":                  "2000000",
		"value-bytes 64K":                        "64000",
		"value-bytes 64kB":                       "65536",
		"value-bytes 0064":                       "64",
		"journal-segment-size 1mb":               "1048576",
		"appendfsync Always":                     "always",
		"loglevel WARNING":                       "warning",
		`logfile ""`:                             "",
		`requirepass "a b\x21"`:                  "a b!",
		`requirepass #not-a-comment`:             "#not-a-comment",
		"key-charset any":                        "any",
		"max-bytes 1g":                           "1000000000",
		"ttl-min 1500ms":                         "1500ms",
		"ttl-max 0":                              "0",
		"ephemeral-ttl-max 365d":                 "31536000",
		"client-output-buffer-limit normal 0 0 0 SLAVE 1mb 2kb 3": "normal 0 0 0 slave 1048576 2048 3 pubsub 33554432 8388608 60",
		"client-output-buffer-limit pubsub 1 2 3 pubsub 4 5 6":    "normal 67108864 0 0 slave 268435456 67108864 60 pubsub 4 5 6",
	} {
		t.Run(line, func(t *testing.T) {
			c, err := Parse(strings.NewReader(line), "redis.conf")
			require.NoError(t, err)
			words, err := splitArgs(line)
			require.NoError(t, err)
			require.Equal(t, want, strings.Join(c.Get(words[0]), " "))
		})
	}
}

func TestFile(t *testing.T) {
	c, err := Parse(strings.NewReader("\n# port 1\n   # port 2\nport 3\r\n\n\tPORT 4"), "redis.conf")
	require.NoError(t, err)
	require.Equal(t, 4, c.Port, "the last line wins")

	c, err = Parse(strings.NewReader("client-output-buffer-limit normal 1 1 1\nclient-output-buffer-limit pubsub 2 2 2\n"), "redis.conf")
	require.NoError(t, err)
	require.Equal(t, OutputLimit{1, 1, 1}, c.ClientOutputBufferLimits.Normal, "classes add up")
	require.Equal(t, OutputLimit{2, 2, 2}, c.ClientOutputBufferLimits.PubSub)
	require.Equal(t, Default().ClientOutputBufferLimits.Replica, c.ClientOutputBufferLimits.Replica)
}

// TestErrorsGolden holds the text for each way to be wrong.
func TestErrorsGolden(t *testing.T) {
	var b strings.Builder
	for _, content := range []string{
		// the line
		"port \"6379", "port '1'2", "requirepass 'secret", "port\x00 1", "\x1b[31m 1",
		// the name
		"prot 1", "max_clients 5", "journal-segment 1mb", "ephemeral-maxkeys 1", "zzz", "client-output-bufer-limit normal 0 0 0",
		strings.Repeat("x", 70),
		// Redis's names
		"save 900 1", "APPENDONLY yes", "databases 16", "replicaof 10.0.0.1 6379", "cluster-enabled yes", "aclfile /etc/users.acl",
		"rename-command FLUSHALL \"\"", "loadmodule /m.so", "maxmemory-policy allkeys-lru", "hash-max-listpack-entries 512",
		"io-threads 4", "daemonize yes", "syslog-enabled yes", "tls-cluster yes", "tls-ciphersuites TLS_AES_128_GCM_SHA256", "tls-client-cert-file a.pem", "latency-tracking yes", "tcp-backlog 511", "search.timeout 500",
		// values
		"port", "port 1 2", "port abc", "port 65536", "port -1", "port 007", "port +1", "port 99999999999999999999",
		"bind", "bind 127.0.0.1:6379", "bind [::1]", "bind 256.0.0.1", "bind a b/c", `bind "" ::1`, "bind -", "bind " + strings.Repeat("a ", 17),
		"unixsocketperm 888", "unixsocketperm 1777", "unixsocket " + strings.Repeat("x", 108), "dir \"\"", `dir "a\x00"`,
		"protected-mode maybe", "timeout 1500ms", "timeout 5w", "timeout -1", "timeout 69y", "timeout 40000d", "tcp-keepalive 32768", "maxclients 0",
		"client-query-buffer-limit 1tb", "client-query-buffer-limit kb", "client-query-buffer-limit 1kb", "client-query-buffer-limit 99999999999gb",
		"proto-max-bulk-len 1gb", "appendfsync sometimes", "loglevel nothing", "requirepass " + strings.Repeat("x", 513), "requirepass my secret",
		"client-output-buffer-limit normal 0 0", "client-output-buffer-limit master 0 0 0", "client-output-buffer-limit normal -1 0 0",
		"client-output-buffer-limit normal 0 x 0", "client-output-buffer-limit normal 0 0 1s", "client-output-buffer-limit normal 0 0 -1",
		"notify-keyspace-events KEy", "key-charset ascii", "key-bytes 0", "key-bytes 65537", "max-keys 0", "ttl-min 0", "ttl-max 101y", "ttl-max 40000d", "commands-per-second 1.5",
		"tls-auth-clients maybe", "tls-protocols TLSv1.1", `tls-protocols "TLSv1.2 TLSv9"`, "tls-protocols TLSv1.2 TLSv1.3", "tls-ciphers DEFAULT:!MEDIUM", "tls-ciphers :",
		"tls-ciphers AES128-SHA", "tls-auth-clients-namespace ou",
		"include", "include a b", "include /nonexistent/redis.conf", "include /", `include "[a-"`,
		// two directives
		"value-bytes 2mb", "proto-max-bulk-len 9mb", "client-query-buffer-limit 1mb\nproto-max-bulk-len 2mb", "ttl-min 1h\nttl-max 1m",
		"tls-port 6380", "tls-port 6379\ntls-cert-file a\ntls-key-file a\ntls-auth-clients no", "tls-cert-file a\ntls-key-file a\ntls-port 6380\ntls-auth-clients optional",
		"tls-port 6380\ntls-cert-file a\ntls-key-file a\ntls-auth-clients no\ntls-auth-clients-namespace cn",
		"ttl-max 30s", "ephemeral-ttl-min 400d", "value-bytes 3mb\nproto-max-bulk-len 2mb",
		// all of them are told
		"port x\n\n# fine\ntimeout 5\nsave\nvalue-bytes 2mb",
	} {
		_, err := Parse(strings.NewReader(content), "redis.conf")
		require.Error(t, err, content)
		fmt.Fprintf(&b, "%q\n    %s\n", content, strings.ReplaceAll(err.Error(), "\n", "\n    "))
	}
	requireGolden(t, "testdata/errors.golden", b.String())
}

func TestErrorFields(t *testing.T) {
	_, err := Parse(strings.NewReader("\nPORT x"), "a.conf")
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "a.conf", e.File)
	require.Equal(t, 2, e.Line)
	require.Equal(t, "port", e.Directive)
}

func TestErrorsTellNoPassword(t *testing.T) {
	for _, line := range []string{"requirepass 'hunter2", "requirepass hunter2 hunter2", "requirepass " + strings.Repeat("hunter2", 99)} {
		_, err := Parse(strings.NewReader(line), "redis.conf")
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestInclude(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(content, "DIR", dir)), 0o644))
		return path
	}
	write("conf.d/20.conf", "port 20") // no newline at the end: the next file must not continue the line
	write("conf.d/10.conf", "port 10\ntimeout 10\n")
	write("conf.d/.30.conf", "port 30\n")
	write("conf.d/x.txt", "port 40\n")

	main := write("main.conf", "port 1\ninclude DIR/conf.d/*.conf\ninclude DIR/none/*.conf\nmaxclients 7\n")
	c, err := Load(main, nil)
	require.NoError(t, err)
	require.Equal(t, 20, c.Port, "in the order of the names, hidden files left out")
	require.Equal(t, 10*time.Second, c.Timeout)
	require.Equal(t, 7, c.MaxClients)

	c, err = Load(write("negated.conf", "include DIR/conf.d/[!2]?.conf\n"), nil)
	require.NoError(t, err)
	require.Equal(t, 10, c.Port)

	c, err = Load(write("hidden.conf", "include DIR/conf.d/.*.conf\n"), nil)
	require.NoError(t, err)
	require.Equal(t, 30, c.Port)

	_, err = Load(write("bad.conf", "include DIR/bad/*.conf\n"), nil)
	require.NoError(t, err)
	bad := write("bad/a.conf", "\nport x\n")
	_, err = Load(filepath.Join(dir, "bad.conf"), nil)
	require.EqualError(t, err, bad+`:2: port: "x" is not a whole number; allowed: 0 to 65535 (0: no TCP)`)

	a := write("a.conf", "include DIR/b.conf\n")
	b := write("b.conf", "include DIR/a.conf\n")
	_, err = Load(a, nil)
	require.EqualError(t, err, b+":1: include: "+a+" includes itself")

	_, err = Load(filepath.Join(dir, "missing.conf"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "configuration file: open ")
}

func TestCommandLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "redis.conf")
	require.NoError(t, os.WriteFile(path, []byte("port 1\nrequirepass a\n"), 0o644))

	c, err := Load(path, strings.Fields("--port 0 --bind 127.0.0.1 -::1 --Timeout=5"))
	require.NoError(t, err)
	require.Equal(t, 0, c.Port, "the command line wins")
	require.Equal(t, []string{"127.0.0.1", "-::1"}, c.Get("BIND"))
	require.Equal(t, 5*time.Second, c.Timeout)
	require.Equal(t, "a", c.RequirePass)

	for _, tt := range []struct {
		args []string
		name string
		want string
	}{
		{[]string{"--requirepass", "--port"}, "requirepass", "--port"}, // Redis: the first word is always a value
		{[]string{"--requirepass=--x y=z"}, "requirepass", "--x y=z"},
		{[]string{"--requirepass="}, "requirepass", ""},
		{[]string{"--logfile", ""}, "logfile", ""},
		{[]string{"--port 7"}, "port", "7"},
		{[]string{`--requirepass "a b"`}, "requirepass", "a b"},
		{[]string{"--requirepass", `"a\n`}, "requirepass", `"a\n`}, // the shell has split already
		{[]string{"--bind=10.0.0.1", "::1", "--port", "1"}, "bind", "10.0.0.1 ::1"},
		{[]string{"--port", "7", "--port", "8"}, "port", "8"},
		{[]string{"--include", path}, "port", "1"},
	} {
		c, err := Load("", tt.args)
		require.NoError(t, err, tt.args)
		require.Equal(t, tt.want, strings.Join(c.Get(tt.name), " "), tt.args)
	}

	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"6379"}, "command line: 6379: is not a --directive and follows none"},
		{[]string{"--port"}, "command line: port: takes exactly one value (put quotes around one with blanks); allowed: 0 to 65535 (0: no TCP)"},
		{[]string{"--prot", "1"}, "command line: prot: no such directive; did you mean port?"},
		{[]string{"--port", "1", "2", "--timeout", "x"}, "command line: port: takes exactly one value (put quotes around one with blanks); allowed: 0 to 65535 (0: no TCP)\n" +
			`command line: timeout: "x" is not a duration; allowed: 0 to 36500d, in seconds or with ms, s, m, h, d (0: never)`},
		{[]string{`--requirepass "a`, "b"}, "command line: --requirepass: " + errQuotes.Error()},
		{[]string{"--", "x"}, "command line: : no such directive; docs/configuration.md lists all there are"},
		{[]string{"--value-bytes", "2mb"}, "command line: value-bytes: 2mb is more than proto-max-bulk-len, which is 1mb (default); change one of them"},
	} {
		_, err := Load("", tt.args)
		require.EqualError(t, err, tt.want, tt.args)
	}
}

func TestStandardInput(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "in"))
	require.NoError(t, err)
	_, err = file.WriteString("port 1\nx\n")
	require.NoError(t, err)
	_, err = file.Seek(0, 0)
	require.NoError(t, err)
	stdin := os.Stdin
	os.Stdin = file
	t.Cleanup(func() { os.Stdin = stdin; _ = file.Close() })
	_, err = Load("-", nil)
	require.EqualError(t, err, "standard input:2: x: no such directive; docs/configuration.md lists all there are")
}

func TestGetUnknown(t *testing.T) {
	require.Nil(t, Default().Get("save"))
	require.Nil(t, Default().Get("include"))
}

func TestListen(t *testing.T) {
	for host, want := range map[string][2]string{
		"127.0.0.1": {"tcp4", "127.0.0.1:1"}, "::1": {"tcp6", "[::1]:1"}, "*": {"tcp4", "0.0.0.0:1"}, "::*": {"tcp6", "[::]:1"},
		"localhost": {"tcp", "localhost:1"}, "fe80::1%eth0": {"tcp6", "[fe80::1%eth0]:1"},
	} {
		network, address := Address{Host: host}.Listen(1)
		require.Equal(t, want, [2]string{network, address})
	}
}

// FuzzParse reads whole files: nothing panics, and what was understood comes
// back from Get.
func FuzzParse(f *testing.F) {
	for _, content := range []string{
		"port 7000\nbind * -::*\n", "client-output-buffer-limit pubsub 1mb 2kb 3\n# x\n", "requirepass \"a\\x00b\"\nlogfile ''",
		"ttl-min 1ms\nttl-max 36500d\n", "prot 1\nsave \"\n", "value-bytes 2mb",
	} {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content string) {
		for line := range strings.SplitSeq(content, "\n") {
			if words, _ := splitArgs(line); len(words) > 0 && strings.EqualFold(words[0], "include") {
				t.Skip("would read any file of this machine")
			}
		}
		c, err := Parse(strings.NewReader(content), "f")
		if err != nil {
			require.Nil(t, c)
			return
		}
		var b strings.Builder
		for _, d := range Directives() {
			if words := c.Get(d.Name); words != nil {
				fmt.Fprintln(&b, d.Name, quote(words))
			}
		}
		again, err := Parse(strings.NewReader(b.String()), "again")
		require.NoError(t, err)
		c.origins, again.origins = nil, nil
		require.Equal(t, c, again)
	})
}
