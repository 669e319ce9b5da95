package main

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/config"
)

func TestParseServeWords(t *testing.T) {
	for _, c := range []struct {
		args string
		want serveWords
	}{
		{"", serveWords{}},
		{"a.conf", serveWords{file: "a.conf"}},
		{"-", serveWords{file: "-"}},
		{"--dev", serveWords{dev: true}},
		{"a.conf --dev", serveWords{file: "a.conf", dev: true}},
		{"--port 1 --dev", serveWords{dev: true, directives: []string{"--port", "1"}}},
		{"--dev --port 1", serveWords{dev: true, directives: []string{"--port", "1"}}},
		{"--port=1 --dev", serveWords{dev: true, directives: []string{"--port=1"}}},
		{"--requirepass --dev", serveWords{directives: []string{"--requirepass", "--dev"}}},
		{"--requirepass --x --dev", serveWords{dev: true, directives: []string{"--requirepass", "--x"}}},
		{"--bind 127.0.0.1 -::1 --dev", serveWords{dev: true, directives: []string{"--bind", "127.0.0.1", "-::1"}}},
	} {
		require.Equal(t, c.want, parseServeWords(strings.Fields(c.args)), c.args)
	}
}

func TestServeRefusesToStart(t *testing.T) {
	w := newWorld(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("file", nil, 0o600))
	require.NoError(t, os.WriteFile("bad.conf", []byte("port 6379\n\nprot 1\n"), 0o600))
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no such file":       {[]string{"none.conf"}, "none.conf: no such file"},
		"wrong line":         {[]string{"bad.conf"}, "bad.conf:3: prot: no such directive; did you mean port?"},
		"wrong directive":    {[]string{"--port", "x"}, "command line: port: \"x\" is not a whole number"},
		"port in use":        {[]string{"--port", port}, "port " + port + " on 127.0.0.1 is in use by another program; stop it, or add '--port N'"},
		"port in use by dev": {[]string{"--dev", "--port", port}, "add '--port N'"},
		"no such address":    {[]string{"--bind", "192.0.2.1"}, "cannot listen on 192.0.2.1:6379"},
		"dev for others":     {[]string{"--dev", "--bind", "0.0.0.0"}, "not a loopback address"},
		"nothing to do":      {[]string{"--port", "0"}, "there is nothing to listen on"},
		"dir is a file":      {[]string{"--port", "0", "--unixsocket", "s.sock", "--dir", "file"}, "data directory file cannot be used"},
		"socket is a file":   {[]string{"--port", "0", "--unixsocket", "file"}, "file exists and is no socket"},
		"logfile is a dir":   {[]string{"--logfile", "."}, "logfile: open .: is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.cubby(append([]string{"serve"}, c.args...)...)
			require.Equal(t, exitError, r.code)
			require.Regexp(t, `(^|\n)cubby: [^\n]+\n$`, r.err, "one clear line at the end")
			require.Contains(t, r.err, c.want)
			require.NotContains(t, r.err, "ready:")
		})
	}
	require.FileExists(t, "file")
}

func TestOptionalAddressMayBeMissing(t *testing.T) {
	w := newWorld(t)
	w.serve("--port", "0")
	c := config.Default()
	c.Bind = []config.Address{{Host: "192.0.2.1", Optional: true}, {Host: "127.0.0.1"}}
	c.Port = freePort(t)
	list, err := listen(t.Context(), c, nil)
	require.NoError(t, err)
	require.Len(t, list, 1)
	closeAll(list)
}

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

func TestASecondServerOnTheSameDirectory(t *testing.T) {
	w := newWorld(t)
	w.serve("--port", "0")
	r := w.cubby("serve", "--port", "0", "--unixsocket", "other.sock")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "cubby: the data directory ./cubby-data is in use by another server; stop it, or choose another with '--dir PATH'\n")
}

func TestDamagedData(t *testing.T) {
	w := newWorld(t)
	s := w.serve("--port", "0", "--dev")
	require.NoError(t, s.client("", "").Set(t.Context(), "k", strings.Repeat("x", 100), 0).Err())
	require.NoError(t, s.client("", "").Set(t.Context(), "l", strings.Repeat("x", 100), 0).Err())
	require.Equal(t, exitOK, s.stop())
	segments, err := filepath.Glob("cubby-data/journal/*")
	require.NoError(t, err)
	require.NotEmpty(t, segments)
	for _, path := range segments {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		if i := strings.Index(string(data), "xxxx"); i >= 0 {
			data[i] = 'y'
		}
		require.NoError(t, os.WriteFile(path, data, 0o600))
	}
	r := w.cubby("serve", "--port", "0", "--unixsocket", s.socket)
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "damaged at byte")
	require.Contains(t, r.err, "nothing was changed")
}

func TestStopKeepsEverythingAndExitsZero(t *testing.T) {
	w := newWorld(t)
	w.vars[passwordVar] = testPassword
	s := w.serve("--port", "0")
	w.ok("app", "create", "acme/shop", "--addr", s.socket)
	token := secretOf(w.ok("token", "create", "acme/shop", "--addr", s.socket))
	require.NoError(t, s.client("", token).Set(t.Context(), "k", "v", 0).Err())
	require.Equal(t, exitOK, s.stop(), s.err.String())
	require.NoFileExists(t, s.socket)

	s = w.serve("--port", "0")
	got, err := s.client("acme/shop", token).Get(t.Context(), "k").Result()
	require.NoError(t, err)
	require.Equal(t, "v", got)
}

func secretOf(r result) string {
	fields := strings.Fields(r.out)
	return fields[len(fields)-1]
}

func TestAStaleSocketIsReplacedAndALiveOneIsNot(t *testing.T) {
	w := newWorld(t)
	s := w.serve("--port", "0")
	r := w.cubby("serve", "--port", "0", "--dir", "other", "--unixsocket", s.socket)
	require.Contains(t, r.err, "another program is listening on "+s.socket)
	require.ErrorContains(t, s.client("", "").Get(t.Context(), "k").Err(), "NOAUTH", "it still answers")
	require.Equal(t, exitOK, s.stop())

	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.socket, Net: "unix"})
	require.NoError(t, err)
	stale.SetUnlinkOnClose(false)
	require.NoError(t, stale.Close())
	c := config.Default()
	c.Port, c.UnixSocket, c.UnixSocketPerm = 0, s.socket, 0o600
	list, err := listen(t.Context(), c, nil)
	require.NoError(t, err)
	defer closeAll(list)
	info, err := os.Stat(s.socket)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestDevWorksWithoutSignIn(t *testing.T) {
	w := newWorld(t)
	port := strconv.Itoa(freePort(t))
	s := w.serve("--dev", "--port", port)
	<-s.out.seen("Ctrl-C")
	require.Contains(t, s.out.String(), "\n  redis-cli -p "+port+" SET hello world\n")
	require.Contains(t, s.out.String(), "cubby app create acme/shop --addr 127.0.0.1:"+port+"\n")
	require.Contains(t, s.err.String(), "ready: accepting connections on 127.0.0.1:"+port+", "+s.socket)
	c := s.client("", "")
	require.NoError(t, c.Set(t.Context(), "a key with blanks", "v", 0).Err())
	info, err := c.Do(t.Context(), "KV.USAGE").Result()
	require.NoError(t, err)
	require.Equal(t, "dev", info.(map[any]any)["tenant"])
	require.Equal(t, int64(1_000_000), info.(map[any]any)["ephemeral-max-keys"])
	require.Nil(t, info.(map[any]any)["ttl-max-ms"])
	require.Equal(t, exitOK, s.stop())
	w.serve("--dev", "--port", "0") // the app exists by now
}

func TestGeneratedPassword(t *testing.T) {
	w := newWorld(t)
	s := w.serve("--port", "0")
	path := filepath.Join("cubby-data", passwordName)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	password, err := readPassword(path)
	require.NoError(t, err)
	require.Len(t, password, 26)
	require.Contains(t, s.err.String(), "file="+path)
	require.NotContains(t, s.err.String()+s.out.String(), password)
	require.NoError(t, s.client("admin", password).Do(t.Context(), "APP.LIST").Err())
	require.Equal(t, exitOK, s.stop())

	s = w.serve("--port", "0")
	require.NotContains(t, s.err.String(), passwordName, "told once")
	require.NoError(t, s.client("admin", password).Do(t.Context(), "APP.LIST").Err())
}

func TestAChosenPasswordMakesNoFile(t *testing.T) {
	for name, give := range map[string]func(*world) []string{
		"requirepass": func(*world) []string { return []string{"--requirepass", testPassword} },
		"environment": func(w *world) []string { w.vars[passwordVar] = testPassword; return nil },
		"both": func(w *world) []string {
			w.vars[passwordVar] = "another"
			return []string{"--requirepass", testPassword}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.serve(append([]string{"--port", "0"}, give(w)...)...)
			require.NoFileExists(t, filepath.Join("cubby-data", passwordName))
			require.NoError(t, s.client("admin", testPassword).Do(t.Context(), "APP.LIST").Err())
		})
	}
}

func TestAnEmptyPasswordFileStopsTheStart(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, os.Mkdir("cubby-data", 0o700))
	require.NoError(t, os.WriteFile(filepath.Join("cubby-data", passwordName), []byte("\n"), 0o600))
	r := w.cubby("serve", "--port", "0", "--unixsocket", "s.sock")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "admin.password is empty; delete it")
}

// Protected mode must not take a password that nobody chose for one.
func TestWhoCountsAsProtected(t *testing.T) {
	for name, c := range map[string]struct {
		chosen    bool
		anonymous *auth.Principal
		want      bool
	}{
		"generated password":         {false, nil, false},
		"chosen password":            {true, nil, true},
		"chosen, but open to anyone": {true, &auth.Principal{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := process{config: config.Default(), anonymous: c.anonymous}
			p.passwordSet.Store(c.chosen)
			require.Equal(t, c.want, p.serverOptions(nil).PasswordSet())
		})
	}
}

func TestSignalsEndTheServer(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		ctx, _, stop := catchSignals(t.Context(), false)
		require.NoError(t, syscall.Kill(os.Getpid(), sig))
		<-ctx.Done()
		stop()
	}
	ctx, hangup, stop := catchSignals(t.Context(), false)
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	<-hangup
	require.NoError(t, ctx.Err())
	stop()
	ctx, _, stop = catchSignals(t.Context(), true)
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	<-ctx.Done()
	stop()
}

// The limits have one name each, with one meaning, wherever they are set.
func TestLimitsAreTheConfigurations(t *testing.T) {
	require.Equal(t, auth.DefaultLimits(), auth.Limits(config.Default().Limits))
	directives := make(map[string]config.Directive)
	for _, d := range config.Directives() {
		directives[d.Name] = d
	}
	for i := range auth.LimitTable {
		x := &auth.LimitTable[i]
		require.Contains(t, directives, x.Name)
		for _, text := range []string{"0", "1", "any", "printable", "65536", "65537", "1ms", "100kb", "512mb", "513mb", "1000000001", "36500d", "36501d", "2h", "x", ""} {
			c, err := config.Parse(strings.NewReader("proto-max-bulk-len 512mb\nclient-query-buffer-limit 1gb\n"+
				"ttl-min 1ms\nttl-max 0\nephemeral-ttl-max 0\n"+x.Name+" "+text), "test")
			var l auth.Limits
			ours := x.Parse(&l, text)
			require.Equal(t, err == nil, ours == nil, "%s %q: configuration %v, here %v", x.Name, text, err, ours)
			if err == nil {
				there := auth.Limits(c.Limits)
				require.Equal(t, x.Format(&there), x.Format(&l), "%s %q", x.Name, text)
			}
		}
	}
}

// A tool that rotates logs moves the file away and sends SIGHUP.
func TestLogIsOpenedAnew(t *testing.T) {
	w := newWorld(t)
	env, _, errs := w.environment("")
	cfg := config.Default()
	cfg.LogFile = "cubby.log"
	log, out, err := newLogger(cfg, slog.LevelInfo, env.err)
	require.NoError(t, err)
	p := &process{env: env, log: log, logOutput: out}
	p.live = &liveConfig{process: p, current: cfg}
	read := func(name string) string {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		return string(text)
	}
	log.Info("one")
	require.NoError(t, os.Rename("cubby.log", "cubby.log.1"))
	log.Info("two")
	p.reload()
	log.Info("three")
	require.Contains(t, read("cubby.log.1"), "msg=two")
	require.Contains(t, read("cubby.log"), "msg=three")
	require.NotContains(t, read("cubby.log"), "msg=two")

	require.NoError(t, os.Rename("cubby.log", "cubby.log.2"))
	require.NoError(t, os.Mkdir("cubby.log", 0o700))
	p.reload()
	log.Info("four")
	require.Contains(t, read("cubby.log.2"), "the log goes on where it went")
	require.Contains(t, read("cubby.log.2"), "msg=four")
	require.NoError(t, out.Close())
	require.Empty(t, errs.String())
}
