package integration

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testneed"
)

// pythonWith returns a Python that has some modules. Debian installs them for
// /usr/bin/python3, which need not be the first one in PATH.
func pythonWith(t testing.TB, modules ...string) string {
	t.Helper()
	imports := "import " + strings.Join(modules, ", ")
	var why string
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.Command(path, "-c", imports).CombinedOutput()
		if err == nil {
			return path
		}
		why = string(out)
	}
	if why == "" {
		return testneed.Program(t, "python3")
	}
	testneed.Missing(t, "Python with "+strings.Join(modules, ", "), why)
	return ""
}

// The scripts assert what they expect; see testdata.
func TestPythonClient(t *testing.T) {
	t.Parallel()
	python := pythonWith(t, "redis", "redis.asyncio")
	s := start(t)
	token, other := s.app(t, "acme/notes"), s.app(t, "acme/async")
	for script, token := range map[string]string{"redis_sync.py": token, "redis_async.py": other} {
		r := run(t, exec.Command(python, "-X", "dev", "-W", "error::ResourceWarning", "testdata/"+script),
			"REDIS_ADDR="+s.addr(), "REDIS_TOKEN="+token)
		require.Zero(t, r.code, "%s: %s", script, r.stderr)
		require.Equal(t, "ok\n", r.stdout, "%s: %s", script, r.stderr)
	}
}
