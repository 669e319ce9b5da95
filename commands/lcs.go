package commands

import (
	"math/bits"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
)

func lcsRows() []*Command {
	return []*Command{
		{Name: "lcs", Arity: -3, Flags: Reads | Bulky | Slow, Keys: KeySpec{First: 1, Last: 2, Step: 1}, ACL: "read string slow",
			Group: "strings", Since: "7.0.0", Syntax: "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
			Doc: "Finds the longest common subsequence of two values; refused, as in Redis, when their lengths multiply to 128 Mi or more.", Run: runLCS},
	}
}

// lcsMaxTable is how large Redis's table of 4 bytes for each pair of positions
// may be. Ours has one bit for each, so it needs at most a 32nd of that.
const lcsMaxTable = 512 << 20

var (
	errLCSBoth = kverr.New(kverr.Err, "If you want both the length and indexes, please just use IDX.")
	errLCSSize = kverr.New(kverr.Err, "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
)

type lcsOptions struct {
	length, index, withLength bool
	minimum                   int64
}

func parseLCSOptions(c *Call) (o lcsOptions, err error) {
	for i := 3; i < c.argc(); i++ {
		switch word := c.arg(i); {
		case strings.EqualFold(word, "IDX"):
			o.index = true
		case strings.EqualFold(word, "LEN"):
			o.length = true
		case strings.EqualFold(word, "WITHMATCHLEN"):
			o.withLength = true
		case strings.EqualFold(word, "MINMATCHLEN") && i+1 < c.argc():
			i++
			if o.minimum, err = c.intArg(i); err != nil {
				return o, err
			}
		default:
			return o, errSyntax
		}
	}
	if o.length && o.index {
		return o, errLCSBoth
	}
	return o, nil
}

func runLCS(c *Call) error {
	a, _, err := c.lookup(c.arg(1))
	if err != nil {
		return err
	}
	b, _, err := c.lookup(c.arg(2))
	if err != nil {
		return err
	}
	o, err := parseLCSOptions(c) // behind the keys: Redis tells of those that it misses
	if err != nil {
		return err
	}
	if int64(len(a.Value)+1)*int64(len(b.Value)+1) > lcsMaxTable/4 {
		return errLCSSize
	}
	t := newLCSTable(a.Value, b.Value, !o.length)
	switch {
	case o.length:
		c.Out.Int(int64(t.length))
	case o.index:
		c.writeLCSIndex(t.matches(), t.length, o)
	default:
		c.Out.Bulk(t.subsequence())
	}
	return nil
}

func (c *Call) writeLCSIndex(all []lcsMatch, length int, o lcsOptions) {
	var list []lcsMatch
	for _, m := range all {
		if int64(m.size) >= o.minimum {
			list = append(list, m)
		}
	}
	c.Out.Map(2)
	c.Out.BulkString("matches")
	c.Out.Array(len(list))
	for _, m := range list {
		if o.withLength {
			c.Out.Array(3)
		} else {
			c.Out.Array(2)
		}
		for _, start := range []int{m.a, m.b} {
			c.Out.Array(2)
			c.Out.Int(int64(start))
			c.Out.Int(int64(start + m.size - 1))
		}
		if o.withLength {
			c.Out.Int(int64(m.size))
		}
	}
	c.Out.BulkString("len")
	c.Out.Int(int64(length))
}

// lcsTable knows, for each prefix of a, where in b the length of the longest
// common subsequence grows. Row i has bit j clear when taking b[j] into the
// prefix of b makes it longer by one. That is all that the way back needs.
type lcsTable struct {
	a, b   []byte
	words  int      // of a row
	rows   []uint64 // empty when only the length is wanted
	length int
}

// newLCSTable computes 64 positions of b at a time, after Hyyrö, "Bit-parallel
// LCS-length computation revisited" (2004).
func newLCSTable(a, b []byte, keep bool) *lcsTable {
	t := &lcsTable{a: a, b: b, words: (len(b) + 63) / 64}
	if len(a) == 0 || len(b) == 0 {
		return t
	}
	row := make([]uint64, t.words)
	for w := range row {
		row[w] = ^uint64(0)
	}
	if keep {
		t.rows = make([]uint64, 0, len(a)*t.words)
	}
	var masks [256][]uint64 // where in b each byte of a is
	for _, x := range a {
		mask := masks[x]
		if mask == nil {
			mask = make([]uint64, t.words)
			for j, y := range b {
				if y == x {
					mask[j/64] |= 1 << (j % 64)
				}
			}
			masks[x] = mask
		}
		carry := uint64(0)
		for w, v := range row {
			hit := v & mask[w]
			var sum uint64
			sum, carry = bits.Add64(v, hit, carry)
			row[w] = sum | v&^hit
		}
		if keep {
			t.rows = append(t.rows, row...)
		}
	}
	for _, v := range row {
		t.length += bits.OnesCount64(^v) // bits beyond b stay set
	}
	return t
}

// walk goes the way back from the ends, by Redis's choice where there are
// several, and visits each pair of equal bytes on it.
func (t *lcsTable) walk(visit func(i, j int)) {
	if t.length == 0 {
		return
	}
	for i, j := len(t.a)-1, len(t.b)-1; i >= 0 && j >= 0; {
		switch {
		case t.a[i] == t.b[j]:
			visit(i, j)
			i--
			j--
		case t.rows[i*t.words+j/64]>>(j%64)&1 == 0:
			i--
		default:
			j--
		}
	}
}

func (t *lcsTable) subsequence() []byte {
	s := make([]byte, t.length)
	n := t.length
	t.walk(func(i, _ int) {
		n--
		s[n] = t.a[i]
	})
	return s
}

// lcsMatch is a run of equal bytes at a in the one value and at b in the
// other.
type lcsMatch struct{ a, b, size int }

// matches returns the runs of the subsequence, the last one first.
func (t *lcsTable) matches() []lcsMatch {
	var list []lcsMatch
	t.walk(func(i, j int) {
		if n := len(list); n > 0 && list[n-1].a == i+1 && list[n-1].b == j+1 {
			list[n-1] = lcsMatch{i, j, list[n-1].size + 1}
			return
		}
		list = append(list, lcsMatch{i, j, 1})
	})
	return list
}
