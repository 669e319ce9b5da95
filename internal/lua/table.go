package lua

import (
	"sort"
	"strings"

	vm "github.com/yuin/gopher-lua"
)

func (m *Machine) tableLibrary() *vm.LTable {
	return m.library(functions{
		"concat": m.tableConcat, "foreach": m.tableForEach, "foreachi": m.tableForEachI, "getn": m.tableGetN,
		"insert": m.tableInsert, "maxn": m.tableMaxN, "remove": m.tableRemove, "setn": m.tableSetN, "sort": m.tableSort,
	})
}

func (m *Machine) tableConcat(l *vm.LState) int {
	t := m.thaw(m.table(l, 1))
	sep := m.textOr(l, 2, "")
	from, to := m.integerOr(l, 3, 1), m.integerOr(l, 4, t.Len())
	// Twice, because the sum is charged before the string is made.
	size := 0
	for i := from; i <= to; i++ {
		v := t.RawGet(vm.LNumber(i))
		switch v := v.(type) {
		case vm.LString:
			size += len(v)
		case vm.LNumber:
			size += 8
		default:
			raiseAt(l, "invalid value (%s) at index %d in table for 'concat'", v.Type(), i)
		}
		size += len(sep)
		if i%64 == 0 {
			m.work(l, 8)
			m.charge(l, 0)
			if limit := m.meter.limits.Memory; limit > 0 && int64(size) > limit {
				break
			}
		}
	}
	m.charge(l, size)
	var b strings.Builder
	b.Grow(size)
	for i := from; i <= to; i++ {
		text, _ := toText(t.RawGet(vm.LNumber(i)))
		b.WriteString(text)
		if i != to {
			b.WriteString(sep)
		}
	}
	l.Push(vm.LString(b.String()))
	return 1
}

func (m *Machine) tableForEach(l *vm.LState) int {
	t, fn := m.thaw(m.table(l, 1)), m.function(l, 2)
	for k, v := t.Next(vm.LNil); k != vm.LNil; k, v = t.Next(k) {
		l.Push(fn)
		l.Push(k)
		l.Push(v)
		l.Call(2, 1)
		if l.Get(-1) != vm.LNil {
			return 1
		}
		l.Pop(1)
	}
	return 0
}

func (m *Machine) tableForEachI(l *vm.LState) int {
	t, fn := m.thaw(m.table(l, 1)), m.function(l, 2)
	for i, n := 1, t.Len(); i <= n; i++ {
		l.Push(fn)
		l.Push(vm.LNumber(i))
		l.Push(t.RawGetInt(i))
		l.Call(2, 1)
		if l.Get(-1) != vm.LNil {
			return 1
		}
		l.Pop(1)
	}
	return 0
}

func (m *Machine) tableGetN(l *vm.LState) int {
	l.Push(vm.LNumber(m.thaw(m.table(l, 1)).Len()))
	return 1
}

func (m *Machine) tableSetN(l *vm.LState) int {
	m.table(l, 1)
	raiseAt(l, "'setn' is obsolete")
	return 0
}

// tableInsert moves what follows, so the length of the table is its cost.
func (m *Machine) tableInsert(l *vm.LState) int {
	t := m.table(l, 1)
	n := t.Len()
	switch l.GetTop() {
	case 2:
		m.writable(l, t)
		t.RawSetInt(n+1, l.Get(2))
	case 3:
		pos := m.integer(l, 2)
		m.writable(l, t)
		if pos < 1 || pos > n || n >= maxArray-2 {
			for i := n; i >= pos; i-- { // what an array cannot hold moves one by one
				m.work(l, 1)
				t.RawSet(vm.LNumber(i+1), t.RawGet(vm.LNumber(i)))
			}
			t.RawSet(vm.LNumber(pos), l.Get(3))
			return 0
		}
		m.work(l, 1+(n-pos)/64)
		t.Insert(pos, l.Get(3))
	default:
		raiseAt(l, "wrong number of arguments to 'insert'")
	}
	return 0
}

func (m *Machine) tableMaxN(l *vm.LState) int {
	most := vm.LNumber(0)
	t := m.thaw(m.table(l, 1))
	m.work(l, 1+t.Len()/64)
	t.ForEach(func(k, _ vm.LValue) {
		if n, ok := k.(vm.LNumber); ok && n > most {
			most = n
		}
	})
	l.Push(most)
	return 1
}

func (m *Machine) tableRemove(l *vm.LState) int {
	t := m.table(l, 1)
	n := m.thaw(t).Len()
	pos := m.integerOr(l, 2, n)
	if pos < 1 || pos > n {
		return 0
	}
	m.writable(l, t)
	m.work(l, 1+(n-pos)/64)
	v := t.RawGetInt(pos)
	for i := pos; i < n; i++ {
		t.RawSetInt(i, t.RawGetInt(i+1))
	}
	t.RawSetInt(n, vm.LNil)
	l.Push(v)
	return 1
}

// sorter lets Go sort a table's array part.
type sorter struct {
	m    *Machine
	l    *vm.LState
	t    *vm.LTable
	n    int
	less *vm.LFunction
}

func (s *sorter) Len() int { return s.n }

func (s *sorter) Swap(i, j int) {
	a, b := s.t.RawGetInt(i+1), s.t.RawGetInt(j+1)
	s.t.RawSetInt(i+1, b)
	s.t.RawSetInt(j+1, a)
}

func (s *sorter) Less(i, j int) bool {
	a, b := s.t.RawGetInt(i+1), s.t.RawGetInt(j+1)
	if s.less == nil {
		s.m.work(s.l, 1)
		return s.m.lessThan(s.l, a, b)
	}
	s.l.Push(s.less)
	s.l.Push(a)
	s.l.Push(b)
	s.l.Call(2, 1)
	result := vm.LVAsBool(s.l.Get(-1))
	s.l.Pop(1)
	return result
}

// lessThan is the operator, with an error that has no place in front because
// it is raised in a library.
func (m *Machine) lessThan(l *vm.LState, a, b vm.LValue) bool {
	switch x := a.(type) {
	case vm.LNumber:
		if y, ok := b.(vm.LNumber); ok {
			return x < y
		}
	case vm.LString:
		if y, ok := b.(vm.LString); ok {
			return x < y
		}
	case *vm.LTable:
		if event := m.metaEvent(a, "__lt"); event != vm.LNil {
			return l.LessThan(a, b)
		}
	}
	if a.Type() == b.Type() {
		raise(l, "attempt to compare two "+a.Type().String()+" values")
	}
	raise(l, "attempt to compare "+a.Type().String()+" with "+b.Type().String())
	return false
}

func (m *Machine) tableSort(l *vm.LState) int {
	t := m.table(l, 1)
	s := &sorter{m: m, l: l, t: t, n: m.thaw(t).Len()}
	if l.Get(2) != vm.LNil {
		s.less = m.function(l, 2)
	}
	m.writable(l, t)
	sort.Sort(s)
	return 0
}
