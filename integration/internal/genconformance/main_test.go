package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTable(t *testing.T) {
	const cases = `{"cases": [{"name": "a|b"}, {"name": "c", "on": ["local"]}]}`
	for name, test := range map[string]struct{ results, page, table string }{
		"rows and columns": {
			results: `{"X, RESP": {"a|b": true}, "X, MockKv": {"a|b": false, "c": true}}`,
			page:    "above\n" + begin + "old\n" + end + "below\n",
			table:   "| case | X, MockKv | X, RESP |\n|---|---|---|\n| a\\|b | **no** | yes |\n| c | yes | |\n",
		},
		"a case without a result":     {results: `{"X, RESP": {}}`, page: begin + end},
		"a result without a case":     {results: `{"X, RESP": {"a|b": true, "z": true}}`, page: begin + end},
		"a case on the wrong kind":    {results: `{"X, RESP": {"a|b": true, "c": true}}`, page: begin + end},
		"no results":                  {results: `{}`, page: begin + end},
		"results that are no JSON":    {results: `{`, page: begin + end},
		"a page that lacks the marks": {results: `{"X, RESP": {"a|b": true}}`, page: end + begin},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) string {
				file := filepath.Join(dir, name)
				require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
				return file
			}
			page := write("page", test.page)
			err := generate(write("cases", cases), write("results", test.results), page)
			text, readErr := os.ReadFile(page)
			require.NoError(t, readErr)
			if test.table == "" {
				require.Error(t, err)
				require.Equal(t, test.page, string(text))
				return
			}
			require.NoError(t, err)
			require.Equal(t, "above\n"+begin+test.table+end+"below\n", string(text))
		})
	}
}
