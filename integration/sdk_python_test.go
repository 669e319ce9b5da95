package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testneed"
)

// The SDK's own tests: what they need and assert stands in sdk/python/tests.
func TestPythonSDK(t *testing.T) {
	t.Parallel()
	python := pythonWith(t, "redis", "redis.asyncio")
	server := filepath.Join(t.TempDir(), "sdkserver")
	built := run(t, exec.Command("go", "build", "-o", server, "../internal/sdkserver"))
	require.Zero(t, built.code, built.stderr)
	tests := exec.Command(python, "-B", "-W", "error::ResourceWarning", "-m", "unittest")
	tests.Dir = filepath.Join("..", "sdk", "python")
	seen := filepath.Join(t.TempDir(), "conformance.json")
	env := []string{"CUBBY_SDKSERVER=" + server, "CUBBY_CONFORMANCE_OUT=" + seen}
	if value, ok := os.LookupEnv("CUBBY_TEST_REQUIRE"); ok {
		env = append(env, "CUBBY_TEST_REQUIRE="+value)
	}
	r := run(t, tests, env...)
	require.Zero(t, r.code, r.stderr)
	conforms(t, "Python", seen)
	t.Log(r.stderr)
}

func TestPythonSDKTypes(t *testing.T) {
	t.Parallel()
	types := exec.Command(testneed.Program(t, "mypy"), "--cache-dir", t.TempDir())
	types.Dir = filepath.Join("..", "sdk", "python")
	r := run(t, types)
	require.Zero(t, r.code, r.stdout+r.stderr)
}
