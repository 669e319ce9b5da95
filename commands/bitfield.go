package commands

import (
	"math"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
)

var (
	errBitFieldType = kverr.New(kverr.Err,
		"Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")
	errBitFieldOverflow = kverr.New(kverr.Err, "Invalid OVERFLOW type specified")
	errBitFieldRO       = kverr.New(kverr.Err, "BITFIELD_RO only supports the GET subcommand")
)

// overflowMode says what becomes of a number that its field cannot hold.
type overflowMode int

const (
	overflowWrap overflowMode = iota
	overflowSat
	overflowFail
)

// fieldOp is one operation of BITFIELD.
type fieldOp struct {
	kind     fieldKind
	field    bitField
	overflow overflowMode
	operand  int64
}

type fieldKind int

const (
	fieldGet fieldKind = iota
	fieldSet
	fieldIncr
)

// bitField is an integer inside a value.
type bitField struct {
	signed bool
	width  int64
	offset int64
}

var bitFieldKey = KeySpec{First: 1, Last: 1, Step: 1, Use: "RW access update variable_flags", Uses: usesOfBitField,
	UseNote: "This command allows both access and modification of the key"}

// usesOfBitField tells what BITFIELD does with its key.
func usesOfBitField(argv [][]byte) string {
	for i := 2; i < len(argv); i++ {
		switch word := string(argv[i]); {
		case strings.EqualFold(word, "GET") && i+2 < len(argv):
			i += 2
		case strings.EqualFold(word, "OVERFLOW") && i+1 < len(argv):
			i++
		default:
			return "RW access update"
		}
	}
	return "RO access"
}

func runBitField(c *Call) error   { return c.bitField(false) }
func runBitFieldRO(c *Call) error { return c.bitField(true) }

func (c *Call) bitField(readOnly bool) error {
	ops, highest, err := c.parseFieldOps()
	if err != nil {
		return err
	}
	if readOnly && highest >= 0 {
		return errBitFieldRO
	}
	key := c.arg(1)
	look := c.get
	if highest < 0 {
		look = c.lookup
	}
	e, _, err := look(key)
	if err != nil {
		return err
	}
	value, grown, changed := e.Value, false, false
	if highest >= 0 {
		if value, err = c.withRoomFor(value, highest); err != nil {
			return err
		}
		grown = len(value) > len(e.Value) // also when every write then fails, as in Redis
	}
	c.Out.Array(len(ops))
	for i := range ops {
		wrote, other := c.runFieldOp(&ops[i], value)
		changed = changed || other || wrote && grown
	}
	if !changed && !grown {
		return nil
	}
	if err := c.put(key, value, e.ExpiresAt); err != nil {
		return err
	}
	if changed {
		c.notify(eventString, "setbit", key)
	}
	return nil
}

// parseFieldOps reads the operations and the last bit that one of them may
// write, -1 when none writes.
func (c *Call) parseFieldOps() (ops []fieldOp, highest int64, err error) {
	overflow, highest := overflowWrap, int64(-1)
	for i := 2; i < c.argc(); i++ {
		op := fieldOp{overflow: overflow}
		word, more := c.arg(i), c.argc()-i-1
		switch {
		case strings.EqualFold(word, "GET") && more >= 2:
			op.kind = fieldGet
		case strings.EqualFold(word, "SET") && more >= 3:
			op.kind = fieldSet
		case strings.EqualFold(word, "INCRBY") && more >= 3:
			op.kind = fieldIncr
		case strings.EqualFold(word, "OVERFLOW") && more >= 1:
			i++
			if overflow, err = parseOverflow(c.arg(i)); err != nil {
				return nil, 0, err
			}
			continue
		default:
			return nil, 0, errSyntax
		}
		if op.field, err = parseBitField(c.Argv[i+1], c.Argv[i+2]); err != nil {
			return nil, 0, err
		}
		i += 2
		if op.kind != fieldGet {
			highest = max(highest, op.field.offset+op.field.width-1)
			i++
			if op.operand, err = c.intArg(i); err != nil {
				return nil, 0, err
			}
		}
		ops = append(ops, op)
	}
	return ops, highest, nil
}

func parseOverflow(word string) (overflowMode, error) {
	switch {
	case strings.EqualFold(word, "WRAP"):
		return overflowWrap, nil
	case strings.EqualFold(word, "SAT"):
		return overflowSat, nil
	case strings.EqualFold(word, "FAIL"):
		return overflowFail, nil
	}
	return 0, errBitFieldOverflow
}

// parseBitField reads an encoding such as u8, and an offset, which counts
// fields instead of bits when it starts with #.
func parseBitField(encoding, offset []byte) (f bitField, err error) {
	encoding = cString(encoding, len(encoding))
	if len(encoding) == 0 || encoding[0] != 'i' && encoding[0] != 'u' {
		return f, errBitFieldType
	}
	f.signed = encoding[0] == 'i'
	widest := int64(63) // replies are signed
	if f.signed {
		widest = 64
	}
	var ok bool
	if f.width, ok = parseInt(encoding[1:]); !ok || f.width < 1 || f.width > widest {
		return f, errBitFieldType
	}
	unit := int64(1)
	if len(offset) > 0 && offset[0] == '#' {
		offset, unit = offset[1:], f.width
	}
	n, ok := parseInt(offset)
	if !ok || n < 0 || n > maxBitOffset/unit {
		return f, errBitOffset
	}
	f.offset = n * unit
	return f, nil
}

// runFieldOp answers one operation, and tells whether it wrote to value and
// whether that is another one now.
func (c *Call) runFieldOp(op *fieldOp, value []byte) (wrote, changed bool) {
	old := op.field.read(value)
	if op.kind == fieldGet {
		c.Out.Int(old)
		return false, false
	}
	from, by := old, op.operand
	if op.kind == fieldSet {
		from, by = op.operand, 0
	}
	n, fits := op.field.fit(from, by, op.overflow)
	switch {
	case !fits && op.overflow == overflowFail:
		c.Out.Null()
		return false, false
	case op.kind == fieldSet:
		c.Out.Int(old)
	default:
		c.Out.Int(n)
	}
	op.field.write(value, n)
	return true, n != old
}

// read returns the field; bits beyond the end of value are 0.
func (f bitField) read(value []byte) int64 {
	var n uint64
	for i := range f.width {
		n = n<<1 | uint64(bitAt(value, f.offset+i))
	}
	return f.cut(n)
}

func (f bitField) write(value []byte, n int64) {
	for i := range f.width {
		setBit(value, f.offset+i, byte(n>>(f.width-1-i)&1))
	}
}

// cut keeps the bits of n that the field holds.
func (f bitField) cut(n uint64) int64 {
	unused := 64 - f.width
	if f.signed {
		return int64(n<<unused) >> unused
	}
	return int64(n << unused >> unused)
}

// fit adds two numbers and tells whether the field holds the sum. If not, the
// result is what mode makes of it.
func (f bitField) fit(n, by int64, mode overflowMode) (sum int64, fits bool) {
	lowest, highest := int64(0), int64(uint64(math.MaxUint64)>>(64-f.width))
	if f.signed {
		lowest, highest = math.MinInt64>>(64-f.width), math.MaxInt64>>(64-f.width)
	}
	sum = n + by
	wrapped := (sum < n) != (by < 0)
	limit := highest
	switch {
	case !wrapped && lowest <= sum && sum <= highest:
		return sum, true
	case n < lowest && (!f.signed || highest-n < 0):
		// What is set, and so low that Redis takes it for a large number.
	case by < 0 || sum < lowest && !wrapped:
		limit = lowest
	}
	if mode == overflowSat {
		return limit, false
	}
	return f.cut(uint64(n) + uint64(by)), false
}
