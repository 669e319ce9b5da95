package commands

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
)

func TestChecksumIsJoness(t *testing.T) {
	// The check value that Redis's crc64.c tests itself with.
	require.Equal(t, uint64(0xe9c6d914c4b8d9ca), rdbChecksum([]byte("123456789")))
}

func TestRestoreKeepsWithinTheLimits(t *testing.T) {
	c := newHarness(t).limited(func(l *auth.Limits) { l.ValueBytes = 20; l.MaxKeys[0] = 1 })
	restore := func(args ...string) string { return c.do(append([]string{"RESTORE"}, args...)...) }
	require.Equal(t, "-SIZE_EXCEEDED the value is 21 bytes; at most 20 are allowed\r\n", restore("k", "0", sealed("\x00\x15"+strings.Repeat("x", 21))))
	// Nine bytes that claim to be 2 GB.
	bomb := sealed("\x00\xc3\x05\x80\x7f\xff\xff\xff\x01xx\xe0\x0a\x00")
	require.Equal(t, "-SIZE_EXCEEDED the value is larger than the 20 bytes allowed\r\n", restore("k", "0", bomb))
	require.Equal(t, "-BAD_INPUT the TTL of 59 s is out of bounds; allowed are 60 s to 31536000 s\r\n", restore("k", "59000", sealed("\x00\x01v")))
	require.Equal(t, replyOK, restore("k", "60000", sealed("\x00\x01v")))
	require.Contains(t, restore("k2", "0", sealed("\x00\x01v")), "-CAP_REACHED")
	require.Equal(t, replyOK, restore("k", "0", sealed("\x00\x01w"), "REPLACE"))
}

// FuzzRestorePayload hands any payload to RESTORE, with and without a right
// footer: what is accepted is within the limit and survives DUMP and RESTORE.
func FuzzRestorePayload(f *testing.F) {
	for _, p := range dumpPayloads {
		f.Add([]byte(p))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		const limit = 1 << 12
		for _, p := range [][]byte{payload, []byte(sealed(string(payload)))} {
			value, err := readDump(p, limit)
			if err != nil {
				require.True(t, errors.Is(err, errRDBFooter) || errors.Is(err, errRDBData) || errors.Is(err, errRDBType) || errors.Is(err, errRDBSize), err)
				continue
			}
			require.LessOrEqual(t, len(value), max(limit, len(p)))
			again, err := readDump(appendDump(nil, value), max(limit, len(p)))
			require.NoError(t, err)
			require.Equal(t, string(value), string(again))
		}
	})
}
