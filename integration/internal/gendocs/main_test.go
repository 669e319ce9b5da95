package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTables(t *testing.T) {
	dir := t.TempDir()
	results, file := filepath.Join(dir, "results.json"), filepath.Join(dir, "compatibility.md")
	require.NoError(t, os.WriteFile(results, []byte(`[
		{"name": "one", "language": "Go", "version": "1.0", "protocol": 2, "checks": ["sign-in", "scan", "--stat"]},
		{"name": "one", "language": "Go", "version": "1.0", "protocol": 3, "checks": ["sign-in", "caching", "--stat"]},
		{"name": "two", "language": "Ruby", "version": "2.0", "checks": ["values"]},
		{"name": "three", "language": "PHP", "version": "3.0", "over": "two", "limits": "ttl-min=1ms", "checks": ["a lock", "a wait"]}
	]`), 0o600))
	require.NoError(t, generate(results, file))
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(b), "| one (Go) | 1.0 | 2, 3 |  |  |  | 2 |  |  | 3 |  |  | --stat |\n")
	require.Contains(t, string(b), "| two (Ruby) | 2.0 |  | yes |  |  |  |  |  |  |  |  |  |\n")
	require.Contains(t, string(b), "| three (PHP) | 3.0 | two | ttl-min=1ms | a lock; a wait |\n")
	require.Contains(t, string(b), "## Commands of Redis 7.0\n")

	require.NoError(t, os.WriteFile(results, []byte("{"), 0o600))
	require.Error(t, generate(results, file))
}
