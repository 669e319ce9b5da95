package config

import (
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

//go:generate go test -run Golden -update .

var update = flag.Bool("update", false, "write the golden files and the documentation anew")

// requireGolden compares text with a file, or writes the file under -update.
func requireGolden(t *testing.T, path, text string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), text, "%s is not what the table says: go generate ./config", path)
}
