package commands

import (
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// The test vector of the paper that introduced the cipher.
func TestVersionCipherIsSpeck(t *testing.T) {
	c := newVersionCipher([versionKeyLen]byte{0x00, 0x01, 0x02, 0x08, 0x09, 0x0a, 0x10, 0x11, 0x12, 0x18, 0x19, 0x1a})
	require.Equal(t, uint64(0x735e10b6445d), c.encrypt(0x6d2073696874))
}

func TestShownVersionsAreUnlikeEachOther(t *testing.T) {
	var key [versionKeyLen]byte
	for i := range key {
		key[i] = byte(rand.Uint32())
	}
	t.Logf("key %x", key)
	c := newVersionCipher(key)
	require.Zero(t, c.shown(0), "a key that is missing")
	seen := make(map[uint64]bool)
	flipped := 0
	const versions = 100_000
	for v := uint64(1); v <= versions; v++ {
		shown := c.shown(v)
		require.False(t, seen[shown], "version %d", v)
		seen[shown] = true
		require.NotZero(t, shown)
		require.Less(t, shown, uint64(1)<<53, "exact as a double")
		flipped += bits.OnesCount64(shown ^ c.shown(v+1))
	}
	require.InDelta(t, speckBlock/2, float64(flipped)/versions, 1, "bits that differ between neighbours")
	require.Equal(t, uint64(3)<<speckBlock, c.shown(3<<speckBlock+7)-c.shown(7), "beyond 48 bits the count goes on")
}
