package lua

import (
	"strings"

	vm "github.com/yuin/gopher-lua"
)

func (m *Machine) stringLibrary() *vm.LTable {
	gmatch := m.function0("gmatch", m.stringGMatch)
	t := m.library(functions{
		"byte": m.stringByte, "char": m.stringChar, "find": m.stringFind, "format": m.stringFormat, "gsub": m.stringGSub,
		"len": m.stringLen, "lower": m.stringLower, "match": m.stringMatch, "rep": m.stringRep, "reverse": m.stringReverse,
		"sub": m.stringSub, "upper": m.stringUpper,
	})
	t.RawSetString("gmatch", gmatch)
	t.RawSetString("gfind", gmatch)
	return t
}

// position turns an index from the end into one from the start.
func position(i, length int) int {
	if i < 0 {
		i += length + 1
	}
	return max(i, 0)
}

// make charges n bytes and pushes the string that fill writes into.
func (m *Machine) pushFilled(l *vm.LState, n int, fill func([]byte)) int {
	m.charge(l, n)
	m.work(l, n/256)
	b := make([]byte, n)
	fill(b)
	l.Push(vm.LString(borrow(b)))
	return 1
}

func (m *Machine) stringByte(l *vm.LState) int {
	s := m.text(l, 1)
	from := position(m.integerOr(l, 2, 1), len(s))
	to := position(m.integerOr(l, 3, from), len(s))
	from, to = max(from, 1), min(to, len(s))
	if from > to {
		return 0
	}
	if to-from >= maxUnpacked {
		raiseAt(l, "string slice too long")
	}
	for i := from; i <= to; i++ {
		l.Push(vm.LNumber(s[i-1]))
	}
	return to - from + 1
}

func (m *Machine) stringChar(l *vm.LState) int {
	n := l.GetTop()
	return m.pushFilled(l, n, func(b []byte) {
		for i := range b {
			c := m.integer(l, i+1)
			if c < 0 || c > 255 {
				m.refuse(l, i+1, "invalid value")
			}
			b[i] = byte(c)
		}
	})
}

func (m *Machine) stringLen(l *vm.LState) int {
	l.Push(vm.LNumber(len(m.text(l, 1))))
	return 1
}

func (m *Machine) stringLower(l *vm.LState) int {
	s := m.text(l, 1)
	return m.pushFilled(l, len(s), func(b []byte) {
		for i := range b {
			if b[i] = s[i]; 'A' <= b[i] && b[i] <= 'Z' {
				b[i] += 'a' - 'A'
			}
		}
	})
}

func (m *Machine) stringUpper(l *vm.LState) int {
	s := m.text(l, 1)
	return m.pushFilled(l, len(s), func(b []byte) {
		for i := range b {
			if b[i] = s[i]; 'a' <= b[i] && b[i] <= 'z' {
				b[i] -= 'a' - 'A'
			}
		}
	})
}

func (m *Machine) stringReverse(l *vm.LState) int {
	s := m.text(l, 1)
	return m.pushFilled(l, len(s), func(b []byte) {
		for i := range b {
			b[i] = s[len(s)-1-i]
		}
	})
}

func (m *Machine) stringRep(l *vm.LState) int {
	s, n := m.text(l, 1), m.integer(l, 2)
	if n <= 0 || s == "" {
		l.Push(vm.LString(""))
		return 1
	}
	m.charge(l, len(s)*n) // both are at most 2^31
	m.work(l, len(s)*n/256)
	l.Push(vm.LString(strings.Repeat(s, n)))
	return 1
}

func (m *Machine) stringSub(l *vm.LState) int {
	s := m.text(l, 1)
	from := max(position(m.integer(l, 2), len(s)), 1)
	to := min(position(m.integerOr(l, 3, -1), len(s)), len(s))
	if from > to {
		l.Push(vm.LString(""))
		return 1
	}
	l.Push(vm.LString(s[from-1 : to]))
	return 1
}
