package lua

import (
	"math"
	"strings"

	vm "github.com/yuin/gopher-lua"
)

// openMetatables gives the types without tables of their own what the
// interpreter would do otherwise than Lua: arithmetic on strings, and the words
// for what cannot be done with nil.
func (m *Machine) openMetatables() {
	l := m.state
	fn := l.NewFunction
	arithmetic := map[string]func(a, b float64) float64{
		"__add": func(a, b float64) float64 { return a + b }, "__sub": func(a, b float64) float64 { return a - b },
		"__mul": func(a, b float64) float64 { return a * b }, "__div": func(a, b float64) float64 { return a / b },
		"__mod": modulo, "__pow": math.Pow, "__unm": func(a, _ float64) float64 { return -a },
	}
	for _, of := range []vm.LValue{vm.LNil, vm.LFalse, vm.LNumber(0), vm.LString(""), fn(nil)} {
		mt := l.CreateTable(0, 16)
		for event, compute := range arithmetic {
			unary := event == "__unm"
			mt.RawSetString(event, fn(func(l *vm.LState) int {
				a, b := l.Get(1), l.Get(2)
				if unary {
					b = a
				}
				x, ok := toNumber(a)
				y, also := toNumber(b)
				if ok && also {
					l.Push(vm.LNumber(compute(x, y)))
					return 1
				}
				if ok {
					a = b
				}
				raiseAt(l, "attempt to perform arithmetic on a %s value", a.Type())
				return 0
			}))
		}
		refuse := func(what string) *vm.LFunction {
			return fn(func(l *vm.LState) int {
				raiseAt(l, "attempt to %s a %s value", what, l.Get(1).Type())
				return 0
			})
		}
		if of.Type() != vm.LTFunction {
			mt.RawSetString("__call", refuse("call"))
		}
		if of.Type() == vm.LTString {
			mt.RawSetString("__index", m.thaw(m.real.RawGetString("string").(*vm.LTable)))
			m.stringMeta = l.CreateTable(0, 1)
			m.stringMeta.RawSetString("__index", m.real.RawGetString("string"))
			m.stringMeta = m.freeze(m.stringMeta, nil)
		} else {
			mt.RawSetString("__index", refuse("index"))
			mt.RawSetString("__len", refuse("get length of"))
		}
		mt.RawSetString("__newindex", refuse("index"))
		l.SetMetatable(of, mt)
	}
	null := l.CreateTable(0, 4)
	for event, what := range map[string]string{"__index": "index", "__newindex": "index", "__call": "call", "__len": "get length of"} {
		null.RawSetString(event, fn(func(l *vm.LState) int {
			raiseAt(l, "attempt to %s a userdata value", what)
			return 0
		}))
	}
	m.null.Metatable = null
}

// modulo is Lua 5.1's: a - floor(a/b)*b.
func modulo(a, b float64) float64 { return a - math.Floor(a/b)*b }

// concatenate is the operator "..", from the right to the left.
func (m *Machine) concatenate(l *vm.LState) int {
	n := l.GetTop()
	size := 0
	for i := 1; i <= n; i++ {
		s, ok := l.Get(i).(vm.LString)
		if !ok {
			return m.concatenateSlowly(l, n)
		}
		size += len(s)
	}
	m.charge(l, size)
	var b strings.Builder
	b.Grow(size)
	for i := 1; i <= n; i++ {
		b.WriteString(string(l.Get(i).(vm.LString)))
	}
	l.Push(vm.LString(b.String()))
	return 1
}

// concatenateSlowly is concatenate with numbers and metatables.
func (m *Machine) concatenateSlowly(l *vm.LState, n int) int {
	result := l.Get(n)
	for i := n - 1; i >= 1; i-- {
		left := l.Get(i)
		a, ok := toText(left)
		b, also := toText(result)
		if ok && also {
			m.charge(l, len(a)+len(b))
			result = vm.LString(a + b)
			continue
		}
		event := m.metaEvent(left, "__concat")
		if event == vm.LNil {
			event = m.metaEvent(result, "__concat")
		}
		if event == vm.LNil {
			if ok {
				left = result
			}
			raiseAt(l, "attempt to concatenate a %s value", left.Type())
		}
		l.Push(event)
		l.Push(left)
		l.Push(result)
		l.Call(2, 1)
		result = l.Get(-1)
		l.Pop(1)
	}
	l.Push(result)
	return 1
}

// metaEvent returns what a table's metatable has for an event.
func (m *Machine) metaEvent(v vm.LValue, event string) vm.LValue {
	if t, ok := v.(*vm.LTable); ok {
		if mt, ok := t.Metatable.(*vm.LTable); ok && !m.frozen(t) {
			return mt.RawGetString(event)
		}
	}
	return vm.LNil
}

func (m *Machine) getMetatable(l *vm.LState) int {
	switch v := m.any(l, 1).(type) {
	case vm.LString:
		l.Push(m.stringMeta)
		return 1
	case *vm.LTable:
		if mt, ok := v.Metatable.(*vm.LTable); ok && !m.frozen(v) {
			if shown := mt.RawGetString("__metatable"); shown != vm.LNil {
				l.Push(shown)
			} else {
				l.Push(mt)
			}
			return 1
		}
	}
	l.Push(vm.LNil)
	return 1
}

func (m *Machine) setMetatable(l *vm.LState) int {
	t := m.table(l, 1)
	mt, ok := l.Get(2).(*vm.LTable)
	if !ok && (l.Get(2) != vm.LNil || l.GetTop() < 2) {
		m.refuse(l, 2, "nil or table expected")
	}
	m.writable(l, t)
	if old, ok := t.Metatable.(*vm.LTable); ok && old.RawGetString("__metatable") != vm.LNil {
		raiseAt(l, "cannot change a protected metatable")
	}
	if t.Metatable = vm.LNil; mt != nil {
		t.Metatable = mt // a frozen one has no events of its own
	}
	l.SetTop(1)
	return 1
}
