package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testneed"
)

const javaScriptSDK = "../sdk/js"

// TestJavaScriptSDK builds the SDK and runs its own tests, the conformance cases
// among them.
func TestJavaScriptSDK(t *testing.T) {
	t.Parallel()
	node := testneed.Program(t, "node")
	builtJavaScriptSDK(t)
	seen := filepath.Join(t.TempDir(), "conformance.json")
	tests := exec.Command(node, "--test", "--test-reporter=tap", "test/conformance.test.js", "test/unit.test.js")
	tests.Dir = javaScriptSDK
	dieWithUs(tests)
	r := run(t, tests, "CUBBY_CONFORMANCE_OUT="+seen)
	require.Zero(t, r.code, r.stdout+r.stderr)
	conforms(t, "JavaScript", seen)
}

var buildJavaScriptSDK = sync.OnceValue(func() string {
	compiler := exec.Command("node", "node_modules/typescript/bin/tsc", "-p", "tsconfig.json")
	compiler.Dir = javaScriptSDK
	if out, err := compiler.CombinedOutput(); err != nil {
		return err.Error() + "\n" + string(out)
	}
	return ""
})

// builtJavaScriptSDK compiles the SDK, once for all tests: they would find half
// of it otherwise while another compiles.
func builtJavaScriptSDK(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(javaScriptSDK + "/node_modules"); err != nil {
		testneed.Missing(t, "the packages of sdk/js", "npm ci --prefix sdk/js --ignore-scripts installs them: "+err.Error())
	}
	require.Empty(t, buildJavaScriptSDK())
}
