package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEnsurePassword(t *testing.T) {
	dir := t.TempDir()
	// What a crash left while the file was being made.
	require.NoError(t, os.WriteFile(filepath.Join(dir, passwordName+".new"), []byte("half"), 0o600))
	first, made, err := ensurePassword(dir)
	require.NoError(t, err)
	require.True(t, made)
	require.NotEqual(t, "half", first)
	again, made, err := ensurePassword(dir)
	require.NoError(t, err)
	require.False(t, made)
	require.Equal(t, first, again)
	require.NoFileExists(t, filepath.Join(dir, passwordName+".new"))
}

func TestReadPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p")
	for text, want := range map[string]string{"a b": "a b", "a\n": "a", "a\r\n": "a", "ü": "ü"} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		got, err := readPassword(path)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}
