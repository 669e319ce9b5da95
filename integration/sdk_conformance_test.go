package integration

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// conformanceResults is what the page docs/sdk.md is made of: for each store the
// cases of sdk/conformance that it has passed.
const conformanceResults = "../sdk/conformance/results.json"

var conformanceMu sync.Mutex

// conforms compares what a language's runner wrote with what is checked in, so
// that docs/sdk.md says what is so. CUBBY_UPDATE_CONFORMANCE=1 writes it there.
func conforms(t *testing.T, language, seenFile string) {
	t.Helper()
	conformanceMu.Lock()
	defer conformanceMu.Unlock()
	seen := readResults(t, seenFile)
	require.NotEmpty(t, seen)
	for store, cases := range seen {
		require.True(t, strings.HasPrefix(store, language+", "), store)
		require.NotContains(t, slices.Collect(maps.Values(cases)), false, store)
	}
	known := readResults(t, conformanceResults)
	others := maps.Clone(known)
	maps.DeleteFunc(others, func(store string, _ map[string]bool) bool { return strings.HasPrefix(store, language+", ") })
	maps.Copy(others, seen)
	if os.Getenv("CUBBY_UPDATE_CONFORMANCE") == "1" {
		text, err := json.MarshalIndent(others, "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(conformanceResults, append(text, '\n'), 0o644))
		return
	}
	require.Equal(t, known, others, "CUBBY_UPDATE_CONFORMANCE=1 and go generate ./integration write down what the SDKs do now")
}

func readResults(t *testing.T, file string) map[string]map[string]bool {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var results map[string]map[string]bool
	require.NoError(t, json.Unmarshal(text, &results))
	return results
}

// TestGoSDKConformance runs what client's own tests run, for what it writes down.
func TestGoSDKConformance(t *testing.T) {
	t.Parallel()
	seen := filepath.Join(t.TempDir(), "conformance.json")
	args := append([]string{"test", "-count=1", "-run", "^TestConformance"}, buildFlags...)
	r := run(t, exec.Command("go", append(args, "../client")...), "CUBBY_CONFORMANCE_OUT="+seen)
	require.Zero(t, r.code, r.stdout+r.stderr)
	conforms(t, "Go", seen)
}
