package lua

import (
	"math"
	"slices"
	"strings"

	vm "github.com/yuin/gopher-lua"
)

// This file is struct: C's data as strings, in the formats of
// http://www.inf.puc-rio.br/~roberto/struct/.

const (
	maxAlign   = 8
	maxIntSize = 32
)

func (m *Machine) structLibrary() *vm.LTable {
	return m.library(functions{"pack": m.structPack, "unpack": m.structUnpack, "size": m.structSize})
}

// layout reads a format.
type layout struct {
	m      *Machine
	l      *vm.LState
	format string
	at     int
	big    bool
	align  int
}

func (m *Machine) layout(l *vm.LState) *layout {
	return &layout{m: m, l: l, format: m.text(l, 1), align: 1}
}

// number reads digits of the format.
func (f *layout) number(absent int) int {
	if f.at >= len(f.format) || !isDigit(f.format[f.at]) {
		return absent
	}
	n := 0
	for ; f.at < len(f.format) && isDigit(f.format[f.at]); f.at++ {
		if n = 10*n + int(f.format[f.at]-'0'); n > math.MaxInt32 {
			raiseAt(f.l, "integral size overflow")
		}
	}
	return n
}

// next returns the next item and its size; padding bytes come before it when
// it starts at offset.
func (f *layout) next(offset int) (option byte, size, padding int, ok bool) {
	for f.at < len(f.format) {
		f.m.work(f.l, 1)
		option = f.format[f.at]
		f.at++
		switch option {
		case ' ':
			continue
		case '>', '<':
			f.big = option == '>'
			continue
		case '!':
			f.align = f.number(maxAlign)
			if f.align == 0 || f.align&(f.align-1) != 0 {
				raiseAt(f.l, "alignment is not a power of 2")
			}
			continue
		case 'b', 'B', 'x':
			size = 1
		case 'h', 'H':
			size = 2
		case 'l', 'L', 'T', 'd':
			size = 8
		case 'f':
			size = 4
		case 'i', 'I':
			if size = f.number(4); size > maxIntSize {
				raiseAt(f.l, "integral size %d is larger than limit of %d", size, maxIntSize)
			}
		case 'c':
			return option, f.number(1), 0, true
		case 's':
			return option, 0, 0, true
		default:
			f.m.refuse(f.l, 1, "invalid format option '"+string([]byte{option})+"'")
		}
		if unit := min(size, f.align); unit > 1 {
			padding = (unit - offset&(unit-1)) & (unit - 1)
		}
		return option, size, padding, true
	}
	return 0, 0, 0, false
}

func (m *Machine) structPack(l *vm.LState) int {
	f := m.layout(l)
	var buf []byte
	arg := 2
	for {
		option, size, padding, ok := f.next(len(buf))
		if !ok {
			break
		}
		m.charge(l, size+padding)
		buf = append(buf, make([]byte, padding)...)
		switch option {
		case 'x':
			buf = append(buf, 0)
			continue
		case 'f':
			buf = f.append(buf, uint64(math.Float32bits(float32(m.number(l, arg)))), 4)
		case 'd':
			buf = f.append(buf, math.Float64bits(m.number(l, arg)), 8)
		case 'c', 's':
			s := m.text(l, arg)
			if size == 0 {
				size = len(s)
			}
			if len(s) < size {
				m.refuse(l, arg+1, "string too short")
			}
			m.charge(l, 2*size)
			if buf = append(buf, s[:size]...); option == 's' {
				buf = append(buf, 0)
			}
		default:
			n := m.number(l, arg)
			value := uint64(truncate(n))
			if n >= 9223372036854775808 && n < 18446744073709551616 {
				value = uint64(n)
			}
			buf = f.append(buf, value, size)
		}
		arg++
	}
	l.Push(vm.LString(borrow(buf)))
	return 1
}

// append writes an integer; what is longer than 8 bytes is filled with zeros.
func (f *layout) append(buf []byte, value uint64, size int) []byte {
	start := len(buf)
	for range size {
		buf = append(buf, byte(value))
		value >>= 8
	}
	if f.big {
		slices.Reverse(buf[start:])
	}
	return buf
}

func (m *Machine) structUnpack(l *vm.LState) int {
	f := m.layout(l)
	data := m.text(l, 2)
	at := m.integerOr(l, 3, 1) - 1
	if at < 0 {
		m.refuse(l, 3, "offset must be 1 or greater")
	}
	var values []vm.LValue
	for {
		option, size, padding, ok := f.next(at)
		if !ok {
			break
		}
		if len(values) >= maxUnpacked {
			raiseAt(l, "too many results")
		}
		at += padding
		if at > len(data) || size > len(data)-at {
			m.refuse(l, 2, "data string too short")
		}
		part := data[at : at+size]
		switch option {
		case 'x':
		case 'f':
			values = append(values, vm.LNumber(math.Float32frombits(uint32(f.integer(part)))))
		case 'd':
			values = append(values, vm.LNumber(math.Float64frombits(f.integer(part))))
		case 'c':
			if size == 0 {
				n, isNumber := vm.LNumber(0), false
				if len(values) > 0 {
					n, isNumber = values[len(values)-1].(vm.LNumber)
				}
				if !isNumber {
					raiseAt(l, "format 'c0' needs a previous size")
				}
				values = values[:len(values)-1]
				if n < 0 || float64(n) > float64(len(data)-at) {
					m.refuse(l, 2, "data string too short")
				}
				size = int(n)
				part = data[at : at+size]
			}
			values = append(values, vm.LString(part))
		case 's':
			end := strings.IndexByte(data[at:], 0)
			if end < 0 {
				raiseAt(l, "unfinished string in data")
			}
			values = append(values, vm.LString(data[at:at+end]))
			size = end + 1
		default:
			n := f.integer(part)
			if option >= 'a' && size > 0 && size < 8 { // signed
				shift := 64 - 8*size
				n = uint64(int64(n<<shift) >> shift)
			}
			if option >= 'a' {
				values = append(values, vm.LNumber(int64(n)))
			} else {
				values = append(values, vm.LNumber(n))
			}
		}
		at += size
	}
	for _, v := range values {
		l.Push(v)
	}
	l.Push(vm.LNumber(at + 1))
	return len(values) + 1
}

// integer reads the low 8 bytes of an integer.
func (f *layout) integer(part string) uint64 {
	n := uint64(0)
	for i := range len(part) {
		c := part[i]
		if !f.big {
			c = part[len(part)-1-i]
		}
		n = n<<8 | uint64(c)
	}
	return n
}

func (m *Machine) structSize(l *vm.LState) int {
	f := m.layout(l)
	total := 0
	for {
		option, size, padding, ok := f.next(total)
		if !ok {
			break
		}
		if option == 's' {
			m.refuse(l, 1, "variable-size format in size")
		}
		if option == 'c' && size == 0 {
			m.refuse(l, 1, "variable-length format in size")
		}
		total += size + padding
	}
	l.Push(vm.LNumber(total))
	return 1
}
