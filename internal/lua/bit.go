package lua

import (
	"math"
	"math/bits"

	vm "github.com/yuin/gopher-lua"
)

// bitLibrary is LuaBitOp: numbers are taken modulo 2^32, results are signed.
func (m *Machine) bitLibrary() *vm.LTable {
	push := func(l *vm.LState, n uint32) int {
		l.Push(vm.LNumber(int32(n)))
		return 1
	}
	fold := func(f func(a, b uint32) uint32) func(*vm.LState) int {
		return func(l *vm.LState) int {
			n := m.bits(l, 1)
			for i := 2; i <= l.GetTop(); i++ {
				n = f(n, m.bits(l, i))
			}
			return push(l, n)
		}
	}
	shift := func(f func(n uint32, by int) uint32) func(*vm.LState) int {
		return func(l *vm.LState) int { return push(l, f(m.bits(l, 1), int(m.bits(l, 2)&31))) }
	}
	return m.library(functions{
		"tobit":   func(l *vm.LState) int { return push(l, m.bits(l, 1)) },
		"bnot":    func(l *vm.LState) int { return push(l, ^m.bits(l, 1)) },
		"bswap":   func(l *vm.LState) int { return push(l, bits.ReverseBytes32(m.bits(l, 1))) },
		"band":    fold(func(a, b uint32) uint32 { return a & b }),
		"bor":     fold(func(a, b uint32) uint32 { return a | b }),
		"bxor":    fold(func(a, b uint32) uint32 { return a ^ b }),
		"lshift":  shift(func(n uint32, by int) uint32 { return n << by }),
		"rshift":  shift(func(n uint32, by int) uint32 { return n >> by }),
		"arshift": shift(func(n uint32, by int) uint32 { return uint32(int32(n) >> by) }),
		"rol":     shift(bits.RotateLeft32),
		"ror":     shift(func(n uint32, by int) uint32 { return bits.RotateLeft32(n, -by) }),
		"tohex":   m.toHex,
	})
}

// bits reads an argument as LuaBitOp does: rounded to even, modulo 2^32.
func (m *Machine) bits(l *vm.LState, i int) uint32 {
	f := math.RoundToEven(m.number(l, i))
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	f = math.Mod(f, 1<<32)
	return uint32(int64(f))
}

func (m *Machine) toHex(l *vm.LState) int {
	n := m.bits(l, 1)
	width := int32(8)
	if l.Get(2) != vm.LNil {
		width = int32(m.bits(l, 2))
	}
	digits := "0123456789abcdef"
	if width < 0 {
		width, digits = -width, "0123456789ABCDEF"
	}
	if width > 8 || width < 0 {
		width = 8
	}
	var b [8]byte
	for i := width - 1; i >= 0; i-- {
		b[i] = digits[n&15]
		n >>= 4
	}
	l.Push(vm.LString(b[:width]))
	return 1
}
