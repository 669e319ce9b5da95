package commands

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A key may be named any number of times, so the work is bounded and not the
// number of names.
func TestBitOpDoesABoundedAmountOfWork(t *testing.T) {
	c := newHarness(t).open()
	require.Equal(t, "+OK\r\n", c.do("SET", "big", string(make([]byte, 64<<10))))
	args := []string{"BITOP", "XOR", "d"}
	for range 1024 {
		args = append(args, "big")
	}
	require.Equal(t, ":65536\r\n", c.do(args...))
	require.Contains(t, c.do(append(args, "big")...), "-BAD_INPUT BITOP would combine more than 67108864 bytes (hint: name fewer keys in one command)")
}

func TestRestoreWithATTLBeyondTimeKeepsTheValue(t *testing.T) {
	c := newHarness(t).strict()
	require.Equal(t, "+OK\r\n", c.do("SET", "k", "v"))
	dump := splitBulk(t, c.do("DUMP", "k"))
	require.Contains(t, c.do("RESTORE", "k", "9223372036854775807", dump, "REPLACE"), "-BAD_INPUT the TTL of")
	require.Equal(t, ":1\r\n", c.do("EXISTS", "k"))
}

func splitBulk(t *testing.T, reply string) string {
	t.Helper()
	r := parseReply(t, reply)
	return r.text[1:]
}
