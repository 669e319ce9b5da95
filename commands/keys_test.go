package commands

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRandomKeyReachesEveryKey: which one it names, the replays cannot tell.
func TestRandomKeyReachesEveryKey(t *testing.T) {
	c := newHarness(t).open()
	fill(c, 5, "k%d")
	seen := make(map[string]bool)
	for range 1000 { // a key is missed once in 10^96 runs
		seen[c.run("RANDOMKEY")] = true
	}
	for i := range 5 {
		require.Contains(t, seen, fmt.Sprintf("$2\r\nk%d", i))
	}
	require.Len(t, seen, 5)
}

// TestARenameInOneBatch sees the writes before it in its own batch and EXEC.
func TestARenameInOneBatch(t *testing.T) {
	c := newHarness(t).open()
	require.Equal(t, []string{"+OK\r\n", "+OK\r\n", ":1\r\n", "-ERR no such key\r\n", "$1\r\nv\r\n"},
		c.pipeline([]string{"SET", "a", "v"}, []string{"RENAME", "a", "b"}, []string{"RENAMENX", "b", "c"}, []string{"RENAME", "a", "d"}, []string{"GET", "c"}))
	require.Equal(t, "*1\r\n$1\r\nc\r\n", c.do("KEYS", "*"))
}
