package commands

import "encoding/binary"

// Versions of entries come from one counter of the whole store, so that none
// ever stands for two writes. Shown as they are, two of them would tell how much
// everybody wrote in between: other namespaces, and in one's own what a key
// prefix hides. Clients get them enciphered. What they may rely on stays: a
// version stands for one write of one key, after a restart too, and 0 for a key
// that is missing. What they could read out of the order of two is gone.

// versionCipher is Speck48/96 (Beaulieu and others, "The Simon and Speck
// families of lightweight block ciphers", 2013): a block cipher whose numbers
// still fit into the 53 bits that clients in JavaScript hold exactly.
type versionCipher struct{ keys [speckRounds]uint32 }

const (
	speckRounds = 23
	speckWord   = 24 // bits
	speckMask   = 1<<speckWord - 1
	speckBlock  = 2 * speckWord
)

// versionKeyLen is how many bytes of a key the cipher uses.
const versionKeyLen = 12

func newVersionCipher(key [versionKeyLen]byte) *versionCipher {
	word := func(i int) uint32 {
		return uint32(key[3*i]) | uint32(binary.LittleEndian.Uint16(key[3*i+1:]))<<8
	}
	k, l := word(0), [3]uint32{word(1), word(2), word(3)}
	c := new(versionCipher)
	for i := range uint32(speckRounds) {
		c.keys[i] = k
		x := &l[i%3]
		*x, k = speckRound(*x, k, i)
	}
	return c
}

func speckRound(x, y, key uint32) (uint32, uint32) {
	x = ((x>>8|x<<(speckWord-8))&speckMask + y) & speckMask
	x ^= key
	y = (y<<3|y>>(speckWord-3))&speckMask ^ x
	return x, y
}

// encrypt is for blocks of 48 bits.
func (c *versionCipher) encrypt(block uint64) uint64 {
	x, y := uint32(block>>speckWord)&speckMask, uint32(block)&speckMask
	for _, key := range c.keys {
		x, y = speckRound(x, y, key)
	}
	return uint64(x)<<speckWord | uint64(y)
}

// shown is the version that clients see. Versions beyond 48 bits, which take
// years of a million writes a second, go on above: no two are shown alike.
func (c *versionCipher) shown(version uint64) uint64 {
	if version == 0 {
		return 0
	}
	high := version >> speckBlock << speckBlock
	return high + c.encrypt(version) + 1
}
