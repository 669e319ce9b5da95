package integration

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testneed"
)

// TestJavaScriptSDK builds the SDK and runs its own tests, the conformance cases
// among them.
func TestJavaScriptSDK(t *testing.T) {
	t.Parallel()
	node := testneed.Program(t, "node")
	const dir = "../sdk/js"
	if _, err := os.Stat(dir + "/node_modules"); err != nil {
		testneed.Missing(t, "the packages of sdk/js", "npm ci --prefix sdk/js installs them: "+err.Error())
	}
	for _, args := range [][]string{{"node_modules/typescript/bin/tsc", "-p", "tsconfig.json"}, {"--test", "--test-reporter=tap", "test/conformance.test.js", "test/unit.test.js"}} {
		cmd := exec.CommandContext(t.Context(), node, args...)
		cmd.Dir = dir
		cmd.Env = append(childEnv(nil), "CUBBY_CONFORMANCE_OUT="+os.Getenv("CUBBY_CONFORMANCE_OUT"))
		dieWithUs(cmd)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}
