package integration

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// refuses runs serve, which must end by itself with exit code 1 and say why in
// one line, which it returns. The files that are in dir stay what they are.
func refuses(t *testing.T, dir string, args ...string) (reason string) {
	t.Helper()
	before := fingerprints(t, dir)
	s := spawn(t, exec.Command(binary, append([]string{"serve"}, args...)...), withPassword)
	require.Equal(t, 1, s.exitCode(), s.stderr.String())
	require.Subset(t, fingerprints(t, dir), before, "a start that failed changed the data")
	require.Empty(t, s.stdout.String())
	require.NotContains(t, s.stderr.String(), readyWords)
	for line := range strings.Lines(s.stderr.String()) {
		if rest, ok := strings.CutPrefix(line, "cubby: "); ok {
			require.Empty(t, reason, "more than one line: %s", s.stderr.String())
			reason = strings.TrimSuffix(rest, "\n")
		}
	}
	require.NotEmpty(t, reason, s.stderr.String())
	return reason
}

// fingerprints returns the checksum of each file under dir.
func fingerprints(t *testing.T, dir string) map[string]string {
	t.Helper()
	sums := make(map[string]string)
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		sums[path] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	}))
	return sums
}

func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file string
		args []string
		want []string // parts of the reason; %s is the file
	}{
		"unknown directive": {
			file: "port 7000\n\nprot 7001\n",
			want: []string{"%s:3", "prot"},
		},
		"wrong value": {
			file: "appendfsync sometimes\n",
			want: []string{"%s:1", "appendfsync", "always", "everysec"},
		},
		"number out of bounds":     {file: "port 70000\n", want: []string{"%s:1", "port", "65535"}},
		"directive of Redis only":  {file: "# a comment\nsave 3600 1\n", want: []string{"%s:2", "save", "journal"}},
		"open quotes":              {file: `requirepass "open` + "\n", want: []string{"%s:1"}},
		"wrong argument":           {args: []string{"--maxclients", "none"}, want: []string{"maxclients"}},
		"unknown argument":         {args: []string{"--no-such-thing", "1"}, want: []string{"no-such-thing"}},
		"limits that contradict":   {file: "ttl-min 100\nttl-max 10\n", want: []string{"ttl-min", "ttl-max"}},
		"dev for other machines":   {args: []string{"--dev", "--bind", "0.0.0.0"}, want: []string{"bind", "loopback"}},
		"nothing to listen on":     {args: []string{"--port", "0"}, want: []string{"port", "unixsocket"}},
		"a socket that is no file": {args: []string{"--port", "0", "--unixsocket", "%s"}, want: []string{"%s", "no socket"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			data, path := filepath.Join(dir, "data"), filepath.Join(dir, "redis.conf")
			require.NoError(t, os.Mkdir(data, 0o700))
			args := []string{"--dir", data}
			if c.file != "" || strings.Contains(fmt.Sprint(c.args), "%s") {
				require.NoError(t, os.WriteFile(path, []byte(c.file), 0o600))
			}
			if c.file != "" {
				args = append([]string{path}, args...)
			}
			for _, a := range c.args {
				args = append(args, strings.ReplaceAll(a, "%s", path))
			}
			conf := fingerprints(t, dir)[path]
			reason := refuses(t, data, args...)
			for _, want := range c.want {
				require.Contains(t, reason, strings.ReplaceAll(want, "%s", path))
			}
			require.Equal(t, conf, fingerprints(t, dir)[path])
		})
	}
}

func TestConfigurationFileIsMissing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "nowhere.conf")
	require.Contains(t, refuses(t, filepath.Dir(path), path), path)
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	port := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	s := start(t)
	token := s.app(t, "acme/notes")
	require.NoError(t, s.client(t, token, 3).Set(background, "k", "v", 0).Err())
	s.terminate()

	reason := refuses(t, s.dir, "--dir", s.dir, "--port", port)
	require.Contains(t, reason, "port "+port)
	require.Contains(t, reason, "in use")
	require.Contains(t, reason, "--port")
	s = startIn(t, s.dir)
	require.Equal(t, "v", s.client(t, token, 3).Get(background, "k").Val())
}

func TestSecondProcessOnTheSameDirectory(t *testing.T) {
	t.Parallel()
	s := start(t)
	kv := s.client(t, s.app(t, "acme/notes"), 3)
	require.NoError(t, kv.Set(background, "k", "v", 0).Err())
	reason := refuses(t, s.dir, "--dir", s.dir, "--port", strconv.Itoa(freePort(t)))
	require.Contains(t, reason, s.dir)
	require.Contains(t, reason, "in use by another server")
	require.Equal(t, "v", kv.Get(background, "k").Val(), "the first one goes on")

	// The lock is the process's: it ends with it, whichever way.
	s.kill()
	startIn(t, s.dir)
}

func TestDirectoryThatIsAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "data")
	require.NoError(t, os.WriteFile(path, []byte("somebody's file"), 0o600))
	for _, data := range []string{path, filepath.Join(path, "below")} {
		reason := refuses(t, dir, "--dir", data, "--port", strconv.Itoa(freePort(t)))
		require.Contains(t, reason, data)
		require.Contains(t, reason, "dir")
	}
}
