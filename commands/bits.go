package commands

import (
	"encoding/binary"
	"math/bits"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
)

func bitRows() []*Command {
	return []*Command{
		{Name: "setbit", Arity: 4, Flags: Writes | Grows, Keys: oneKey, ACL: "write bitmap slow", Group: "bits", Since: "2.2.0",
			Syntax: "key offset value", Doc: "Sets or clears a bit and returns what it was; the value grows with zero bits.", Run: runSetBit},
		{Name: "getbit", Arity: 3, Flags: Reads, Keys: oneKey, ACL: "read bitmap fast", Group: "bits", Since: "2.2.0",
			Syntax: "key offset", Doc: "Returns a bit; beyond the end of the value all are 0.", Run: runGetBit},
		{Name: "bitcount", Arity: -2, Flags: Reads, Keys: oneKey, ACL: "read bitmap slow", Group: "bits", Since: "2.6.0",
			Syntax: "key [start end [BYTE | BIT]]", Doc: "Counts the bits that are set, in all of the value or in a range.", Run: runBitCount},
		{Name: "bitpos", Arity: -3, Flags: Reads, Keys: oneKey, ACL: "read bitmap slow", Group: "bits", Since: "2.8.7",
			Syntax: "key bit [start [end [BYTE | BIT]]]", Doc: "Finds the first bit that is set or clear.", Run: runBitPos},
		{Name: "bitop", Arity: -4, Flags: Writes | Grows | Slow, Keys: KeySpec{First: 2, Last: -1, Step: 1, Use: "OW update", UseRest: "RO access"}, ACL: "write bitmap slow", Group: "bits", Since: "2.6.0",
			Syntax: "<AND | OR | XOR | NOT> destkey key [key ...]",
			Doc:    "Combines values bit by bit, shorter ones padded with zero bytes, and stores the result.", Run: runBitOp},
		{Name: "bitfield", Arity: -2, Flags: Writes | Grows, Keys: bitFieldKey, ACL: "write bitmap slow", Group: "bits", Since: "3.2.0",
			Syntax: "key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment> ...]",
			Doc:    "Reads, sets and adds to integers of any width inside a value.", Run: runBitField},
		{Name: "bitfield_ro", Arity: -2, Flags: Reads, Keys: oneKey, ACL: "read bitmap fast", Group: "bits", Since: "6.0.0",
			Syntax: "key [GET encoding offset ...]", Doc: "Reads integers of any width inside a value.", Run: runBitFieldRO},
	}
}

// maxBitOffset is where Redis's largest value, of 512 MB, ends. The
// namespace's own limit is judged where a value would grow.
const maxBitOffset = 1<<32 - 1

var (
	errBitOffset = kverr.New(kverr.Err, "bit offset is not an integer or out of range")
	errBitValue  = kverr.New(kverr.Err, "bit is not an integer or out of range")
	errBitArg    = kverr.New(kverr.Err, "The bit argument must be 1 or 0.")
	errBitOpNot  = kverr.New(kverr.Err, "BITOP NOT must be called with a single source key.")
)

func parseBitOffset(b []byte) (int64, error) {
	n, ok := parseInt(b)
	if !ok || n < 0 || n > maxBitOffset {
		return 0, errBitOffset
	}
	return n, nil
}

// bitAt returns a bit of value; the first one is the highest of the first
// byte.
func bitAt(value []byte, offset int64) byte {
	if offset>>3 >= int64(len(value)) {
		return 0
	}
	return value[offset>>3] >> (7 - offset&7) & 1
}

func setBit(value []byte, offset int64, bit byte) {
	mask := byte(1) << (7 - offset&7)
	value[offset>>3] &^= mask
	value[offset>>3] |= bit * mask
}

// withRoomFor returns a copy of value that holds the bit at offset, unless
// that is more than the namespace allows.
func (c *Call) withRoomFor(value []byte, offset int64) ([]byte, error) {
	size := max(offset>>3+1, int64(len(value)))
	if size > int64(c.Limits.ValueBytes) {
		return nil, kverr.Newf(kverr.SizeExceeded, "bit %d would make a larger value than the %d bytes allowed", offset, c.Limits.ValueBytes)
	}
	grown := make([]byte, size)
	copy(grown, value)
	return grown, nil
}

func runSetBit(c *Call) error {
	offset, err := parseBitOffset(c.Argv[2])
	if err != nil {
		return err
	}
	bit, ok := parseInt(c.Argv[3])
	if !ok || bit != 0 && bit != 1 {
		return errBitValue
	}
	key := c.arg(1)
	e, _, err := c.get(key)
	if err != nil {
		return err
	}
	old := bitAt(e.Value, offset)
	if old == byte(bit) && offset>>3 < int64(len(e.Value)) {
		c.Out.Int(int64(old))
		return nil // nothing changes, also for WATCH
	}
	value, err := c.withRoomFor(e.Value, offset)
	if err != nil {
		return err
	}
	setBit(value, offset, byte(bit))
	if err := c.put(key, value, e.ExpiresAt); err != nil {
		return err
	}
	c.notify(eventString, "setbit", key)
	c.Out.Int(int64(old))
	return nil
}

func runGetBit(c *Call) error {
	offset, err := parseBitOffset(c.Argv[2])
	if err != nil {
		return err
	}
	e, _, err := c.lookup(c.arg(1))
	if err != nil {
		return err
	}
	c.Out.Int(int64(bitAt(e.Value, offset)))
	return nil
}

// bitRange is a part of a value: the bits from first to last, none when first
// is greater.
type bitRange struct{ first, last int64 }

// rangeOf turns positions, which count from the end when they are negative,
// into a range of a value of size bytes.
func rangeOf(start, end, size int64, byBit bool) bitRange {
	total := size
	if byBit {
		total *= 8
	}
	if start < 0 {
		start = max(start+total, 0)
	}
	if end < 0 {
		end = max(end+total, 0)
	}
	end = min(end, total-1)
	switch {
	case start > end:
		return bitRange{1, 0}
	case byBit:
		return bitRange{start, end}
	}
	return bitRange{start * 8, end*8 + 7}
}

// unitIsBit reads the unit of a range.
func unitIsBit(unit string) (bool, error) {
	switch {
	case strings.EqualFold(unit, "BIT"):
		return true, nil
	case strings.EqualFold(unit, "BYTE"):
		return false, nil
	}
	return false, errSyntax
}

func runBitCount(c *Call) error {
	e, found, err := c.lookup(c.arg(1))
	if err != nil {
		return err
	}
	if !found {
		c.Out.Int(0) // Redis judges the other arguments only after this
		return nil
	}
	size := int64(len(e.Value))
	r := rangeOf(0, -1, size, false)
	switch c.argc() {
	case 2:
	case 4, 5:
		start, err := c.intArg(2)
		if err != nil {
			return err
		}
		end, err := c.intArg(3)
		if err != nil {
			return err
		}
		if start < 0 && end < 0 && start > end {
			c.Out.Int(0)
			return nil
		}
		byBit := false
		if c.argc() == 5 {
			if byBit, err = unitIsBit(c.arg(4)); err != nil {
				return err
			}
		}
		r = rangeOf(start, end, size, byBit)
	default:
		return errSyntax
	}
	c.Out.Int(countBits(e.Value, r))
	return nil
}

func countBits(value []byte, r bitRange) int64 {
	if r.first > r.last {
		return 0
	}
	first, last := r.first>>3, r.last>>3
	n := 0
	rest := value[first : last+1]
	for ; len(rest) >= 8; rest = rest[8:] {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(rest))
	}
	for _, b := range rest {
		n += bits.OnesCount8(b)
	}
	// What was counted beside the edges.
	n -= bits.OnesCount8(value[first] &^ (0xFF >> (r.first & 7)))
	n -= bits.OnesCount8(value[last] & (0xFF >> (r.last&7 + 1)))
	return int64(n)
}

func runBitPos(c *Call) error {
	bit, err := c.intArg(2)
	if err != nil {
		return err
	}
	if bit != 0 && bit != 1 {
		return errBitArg
	}
	e, found, err := c.lookup(c.arg(1))
	if err != nil {
		return err
	}
	if !found {
		c.Out.Int(-bit) // all the bits of a missing key are 0
		return nil
	}
	start, end, byBit := int64(0), int64(-1), false
	if c.argc() > 6 {
		return errSyntax
	}
	if c.argc() > 3 {
		if start, err = c.intArg(3); err != nil {
			return err
		}
	}
	if c.argc() > 5 {
		if byBit, err = unitIsBit(c.arg(5)); err != nil {
			return err
		}
	}
	if c.argc() > 4 {
		if end, err = c.intArg(4); err != nil {
			return err
		}
	}
	size := int64(len(e.Value))
	r := rangeOf(start, end, size, byBit)
	pos := findBit(e.Value, r, byte(bit))
	if pos < 0 && bit == 0 && c.argc() < 5 && r.first <= r.last {
		pos = size * 8 // without an end, zero bits follow the value
	}
	c.Out.Int(pos)
	return nil
}

// findBit returns the first position in a range that holds bit, or -1.
func findBit(value []byte, r bitRange, bit byte) int64 {
	without := byte(0) // a byte that does not hold bit
	if bit == 0 {
		without = 0xFF
	}
	for i := r.first; i <= r.last; {
		if i&7 == 0 && value[i>>3] == without {
			i += 8
			continue
		}
		if bitAt(value, i) == bit {
			return i
		}
		i++
	}
	return -1
}

// maxBitOpWork bounds the bytes that one BITOP combines: a key may be named
// any number of times, and the namespace waits meanwhile.
const maxBitOpWork = 64 << 20

var errBitOpWork = kverr.Newf(kverr.BadInput, "BITOP would combine more than %d bytes", maxBitOpWork).
	WithHint("name fewer keys in one command")

func runBitOp(c *Call) error {
	var combine func(a, b byte) byte
	switch op := c.arg(1); {
	case strings.EqualFold(op, "AND"):
		combine = func(a, b byte) byte { return a & b }
	case strings.EqualFold(op, "OR"):
		combine = func(a, b byte) byte { return a | b }
	case strings.EqualFold(op, "XOR"):
		combine = func(a, b byte) byte { return a ^ b }
	case strings.EqualFold(op, "NOT"):
		if c.argc() != 4 {
			return errBitOpNot
		}
	default:
		return errSyntax
	}
	sources := make([][]byte, 0, c.argc()-3)
	size := 0
	for i := 3; i < c.argc(); i++ {
		e, _, err := c.lookup(c.arg(i))
		if err != nil {
			return err
		}
		sources = append(sources, e.Value)
		size = max(size, len(e.Value))
		if size*len(sources) > maxBitOpWork {
			return errBitOpWork
		}
	}
	if size == 0 {
		_, err := c.del(c.arg(2))
		c.Out.Int(0)
		return err
	}
	if err := checkValue(c.Limits, size); err != nil {
		return err
	}
	result := make([]byte, size)
	copy(result, sources[0])
	for _, s := range sources[1:] {
		for i := range result {
			other := byte(0)
			if i < len(s) {
				other = s[i]
			}
			result[i] = combine(result[i], other)
		}
	}
	if combine == nil {
		for i := range result {
			result[i] = ^result[i]
		}
	}
	if err := c.put(c.arg(2), result, 0); err != nil {
		return err
	}
	c.notify(eventString, "set", c.arg(2))
	c.Out.Int(int64(size))
	return nil
}
