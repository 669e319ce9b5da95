package lua

import (
	"encoding/binary"
	"math"

	vm "github.com/yuin/gopher-lua"
)

// This file is cmsgpack: https://github.com/msgpack/msgpack/blob/master/spec.md
// without the extension types, as in Redis.

// maxMsgpackDepth is how deep tables are packed; deeper ones become nil.
const maxMsgpackDepth = 16

func (m *Machine) msgpackLibrary() *vm.LTable {
	t := m.library(functions{"pack": m.msgPack, "unpack": m.msgUnpack, "unpack_one": m.msgUnpackOne, "unpack_limit": m.msgUnpackLimit})
	t.RawSetString("_NAME", vm.LString("cmsgpack"))
	t.RawSetString("_VERSION", vm.LString("lua-cmsgpack 0.4.0"))
	t.RawSetString("_COPYRIGHT", vm.LString("Cubby"))
	t.RawSetString("_DESCRIPTION", vm.LString("MessagePack implementation for Lua"))
	return t
}

type msgPacker struct {
	m    *Machine
	l    *vm.LState
	buf  []byte
	paid int
}

func (m *Machine) msgPack(l *vm.LState) int {
	if l.GetTop() == 0 {
		m.refuse(l, 0, "MessagePack pack needs input.")
	}
	defer m.built()
	p := msgPacker{m: m, l: l}
	for i := 1; i <= l.GetTop(); i++ {
		p.value(l.Get(i), 0)
	}
	l.Push(vm.LString(borrow(p.buf)))
	return 1
}

func (p *msgPacker) value(v vm.LValue, depth int) {
	p.m.work(p.l, 1)
	if c := cap(p.buf); c > p.paid {
		p.m.build(p.l, c-p.paid)
		p.paid = c
	}
	switch v := v.(type) {
	case vm.LString:
		p.text(string(v))
	case vm.LNumber:
		p.number(float64(v))
	case vm.LBool:
		if v {
			p.buf = append(p.buf, 0xC3)
		} else {
			p.buf = append(p.buf, 0xC2)
		}
	case *vm.LTable:
		if depth < maxMsgpackDepth {
			p.table(p.m.thaw(v), depth+1)
			return
		}
		p.buf = append(p.buf, 0xC0)
	default:
		p.buf = append(p.buf, 0xC0)
	}
}

func (p *msgPacker) text(s string) {
	p.m.build(p.l, len(s))
	p.paid += len(s)
	switch n := len(s); {
	case n < 32:
		p.buf = append(p.buf, 0xA0|byte(n))
	case n <= math.MaxUint8:
		p.buf = append(p.buf, 0xD9, byte(n))
	case n <= math.MaxUint16:
		p.buf = binary.BigEndian.AppendUint16(append(p.buf, 0xDA), uint16(n))
	default:
		p.buf = binary.BigEndian.AppendUint32(append(p.buf, 0xDB), uint32(n))
	}
	p.buf = append(p.buf, s...)
}

func (p *msgPacker) number(f float64) {
	if f == math.Trunc(f) && f >= math.MinInt64 && f < -math.MinInt64 {
		p.integer(int64(f))
		return
	}
	if f32 := float32(f); float64(f32) == f {
		p.buf = binary.BigEndian.AppendUint32(append(p.buf, 0xCA), math.Float32bits(f32))
		return
	}
	p.buf = binary.BigEndian.AppendUint64(append(p.buf, 0xCB), math.Float64bits(f))
}

func (p *msgPacker) integer(n int64) {
	be := binary.BigEndian
	switch {
	case n >= 0 && n <= math.MaxInt8:
		p.buf = append(p.buf, byte(n))
	case n >= 0 && n <= math.MaxUint8:
		p.buf = append(p.buf, 0xCC, byte(n))
	case n >= 0 && n <= math.MaxUint16:
		p.buf = be.AppendUint16(append(p.buf, 0xCD), uint16(n))
	case n >= 0 && n <= math.MaxUint32:
		p.buf = be.AppendUint32(append(p.buf, 0xCE), uint32(n))
	case n >= 0:
		p.buf = be.AppendUint64(append(p.buf, 0xCF), uint64(n))
	case n >= -32:
		p.buf = append(p.buf, byte(n))
	case n >= math.MinInt8:
		p.buf = append(p.buf, 0xD0, byte(n))
	case n >= math.MinInt16:
		p.buf = be.AppendUint16(append(p.buf, 0xD1), uint16(n))
	case n >= math.MinInt32:
		p.buf = be.AppendUint32(append(p.buf, 0xD2), uint32(n))
	default:
		p.buf = be.AppendUint64(append(p.buf, 0xD3), uint64(n))
	}
}

func (p *msgPacker) table(t *vm.LTable, depth int) {
	count, most, array := 0, 0, true
	for k, _ := t.Next(vm.LNil); k != vm.LNil; k, _ = t.Next(k) {
		n, ok := k.(vm.LNumber)
		if !ok || n < 1 || float64(n) != math.Trunc(float64(n)) || n > math.MaxInt32 {
			array = false
		} else {
			most = max(most, int(n))
		}
		if count++; count%64 == 0 {
			p.m.work(p.l, 8)
		}
	}
	if array && most == count {
		p.header(count, 0x90, 0xDC)
		for i := 1; i <= count; i++ {
			p.value(t.RawGet(vm.LNumber(i)), depth)
		}
		return
	}
	p.header(count, 0x80, 0xDE)
	for k, v := t.Next(vm.LNil); k != vm.LNil; k, v = t.Next(k) {
		p.value(k, depth)
		p.value(v, depth)
	}
}

// header starts an array or a map of n.
func (p *msgPacker) header(n int, small, large byte) {
	switch {
	case n <= 15:
		p.buf = append(p.buf, small|byte(n))
	case n <= math.MaxUint16:
		p.buf = binary.BigEndian.AppendUint16(append(p.buf, large), uint16(n))
	default:
		p.buf = binary.BigEndian.AppendUint32(append(p.buf, large+1), uint32(n))
	}
}

type msgUnpacker struct {
	m    *Machine
	l    *vm.LState
	data string
	at   int
}

func (m *Machine) msgUnpack(l *vm.LState) int { return m.unpackValues(l, 0, 0) }

func (m *Machine) msgUnpackOne(l *vm.LState) int {
	return m.unpackValues(l, 1, m.integerOr(l, 2, 0))
}

func (m *Machine) msgUnpackLimit(l *vm.LState) int {
	return m.unpackValues(l, m.integer(l, 2), m.integerOr(l, 3, 0))
}

// unpackValues pushes the values from offset on, all of them when limit and
// offset are 0; otherwise the next offset comes first, -1 at the end.
func (m *Machine) unpackValues(l *vm.LState, limit, offset int) int {
	data := m.text(l, 1)
	if limit < 0 || offset < 0 {
		raiseAt(l, "Invalid request to unpack with offset of %d and limit of %d.", offset, len(data))
	}
	if offset > len(data) {
		raiseAt(l, "Start offset %d greater than input length %d.", offset, len(data))
	}
	all := limit == 0 && offset == 0
	defer m.built()
	u := msgUnpacker{m: m, l: l, data: data, at: offset}
	var values []vm.LValue
	for u.at < len(data) && (limit == 0 || len(values) < limit) {
		if len(values) >= maxUnpacked {
			raiseAt(l, "too many values to unpack")
		}
		values = append(values, u.value(0))
	}
	if !all {
		next := u.at
		if next == len(data) {
			next = -1
		}
		l.Push(vm.LNumber(next))
	}
	for _, v := range values {
		l.Push(v)
	}
	if all {
		return len(values)
	}
	return len(values) + 1
}

// take returns the next n bytes.
func (u *msgUnpacker) take(n int) string {
	if n < 0 || n > len(u.data)-u.at {
		raiseAt(u.l, "Missing bytes in input.")
	}
	u.at += n
	return u.data[u.at-n : u.at]
}

// uint reads an unsigned integer of n bytes.
func (u *msgUnpacker) uint(n int) uint64 {
	v := uint64(0)
	for _, c := range []byte(u.take(n)) {
		v = v<<8 | uint64(c)
	}
	return v
}

func (u *msgUnpacker) value(depth int) vm.LValue {
	u.m.work(u.l, 1)
	if depth > maxJSONDepth {
		raiseAt(u.l, "Bad data format in input.")
	}
	switch c := u.take(1)[0]; {
	case c <= 0x7F:
		return vm.LNumber(c)
	case c <= 0x8F:
		return u.pairs(int(c&0x0F), depth)
	case c <= 0x9F:
		return u.items(int(c&0x0F), depth)
	case c <= 0xBF:
		return vm.LString(u.take(int(c & 0x1F)))
	case c >= 0xE0:
		return vm.LNumber(int8(c))
	default:
		return u.long(c, depth)
	}
}

// long reads what has its size or value in further bytes.
func (u *msgUnpacker) long(c byte, depth int) vm.LValue {
	switch c {
	case 0xC0:
		return vm.LNil
	case 0xC2:
		return vm.LFalse
	case 0xC3:
		return vm.LTrue
	case 0xC4, 0xD9:
		return vm.LString(u.take(int(u.uint(1))))
	case 0xC5, 0xDA:
		return vm.LString(u.take(int(u.uint(2))))
	case 0xC6, 0xDB:
		return vm.LString(u.take(int(u.uint(4))))
	case 0xCA:
		return vm.LNumber(math.Float32frombits(uint32(u.uint(4))))
	case 0xCB:
		return vm.LNumber(math.Float64frombits(u.uint(8)))
	case 0xCC, 0xCD, 0xCE, 0xCF:
		return vm.LNumber(u.uint(1 << (c - 0xCC)))
	case 0xD0:
		return vm.LNumber(int8(u.uint(1)))
	case 0xD1:
		return vm.LNumber(int16(u.uint(2)))
	case 0xD2:
		return vm.LNumber(int32(u.uint(4)))
	case 0xD3:
		return vm.LNumber(int64(u.uint(8)))
	case 0xDC:
		return u.items(int(u.uint(2)), depth)
	case 0xDD:
		return u.items(int(u.uint(4)), depth)
	case 0xDE:
		return u.pairs(int(u.uint(2)), depth)
	case 0xDF:
		return u.pairs(int(u.uint(4)), depth)
	}
	raiseAt(u.l, "Bad data format in input.")
	return nil
}

func (u *msgUnpacker) items(n, depth int) vm.LValue {
	u.m.build(u.l, tableSize)
	t := u.l.CreateTable(0, 0)
	for i := 1; i <= n; i++ {
		v := u.value(depth + 1)
		if i == 1 {
			u.m.build(u.l, 32*valueSize)
		}
		u.m.build(u.l, decodedItem)
		t.RawSet(vm.LNumber(i), v)
	}
	return t
}

func (u *msgUnpacker) pairs(n, depth int) vm.LValue {
	u.m.build(u.l, decodedTable)
	t := u.l.CreateTable(0, 4)
	for range n {
		k := u.value(depth + 1)
		v := u.value(depth + 1)
		u.m.build(u.l, decodedField)
		u.l.RawSet(t, k, v)
	}
	return t
}
