package integration

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testneed"
)

// pythonWithRedis returns a Python that has the package redis. Debian installs
// it for /usr/bin/python3, which need not be the first one in PATH.
func pythonWithRedis(t testing.TB) string {
	t.Helper()
	var out []byte
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if out, err = exec.Command(path, "-c", "import redis, redis.asyncio").CombinedOutput(); err == nil {
			return path
		}
	}
	if out == nil {
		return testneed.Program(t, "python3")
	}
	if os.Getenv("CUBBY_TEST_REQUIRE") == "1" {
		require.FailNow(t, "Python's package redis is missing, and CUBBY_TEST_REQUIRE=1 forbids to skip", "%s", out)
	}
	t.Skipf("needs Python's package redis, which is not installed: %s", out)
	return ""
}

// The scripts assert what they expect; see testdata.
func TestPythonClient(t *testing.T) {
	t.Parallel()
	python := pythonWithRedis(t)
	s := start(t)
	token, other := s.app(t, "acme/notes"), s.app(t, "acme/async")
	for script, token := range map[string]string{"redis_sync.py": token, "redis_async.py": other} {
		r := run(t, exec.Command(python, "-X", "dev", "-W", "error::ResourceWarning", "testdata/"+script),
			"REDIS_ADDR="+s.addr(), "REDIS_TOKEN="+token)
		require.Zero(t, r.code, "%s: %s", script, r.stderr)
		require.Equal(t, "ok\n", r.stdout, "%s: %s", script, r.stderr)
	}
}
