package lua

import (
	"fmt"
	"math"
	"strings"

	vm "github.com/yuin/gopher-lua"
)

// This file reads the arguments of library functions and raises errors, in
// Lua's words.

// raise raises a text as it is.
func raise(l *vm.LState, text string) { l.Error(vm.LString(text), 0) }

// raiseAt raises a text with the place of the function that is running in
// front, like luaL_error.
func raiseAt(l *vm.LState, format string, args ...any) {
	raise(l, where(l, 1)+fmt.Sprintf(format, args...))
}

// where is the place of a level of the call stack, as in "user_script:1: ", or
// nothing when it is in a library.
func where(l *vm.LState, level int) string {
	source, line, ok := place(l, level)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", source, line)
}

func place(l *vm.LState, level int) (source string, line int, ok bool) {
	dbg, ok := l.GetStack(level)
	if !ok {
		return "", 0, false
	}
	if _, err := l.GetInfo("Sl", dbg, nil); err != nil || dbg.Source == "" {
		return "", 0, false
	}
	return dbg.Source, dbg.CurrentLine, true
}

func typeName(l *vm.LState, i int) string {
	if i > l.GetTop() {
		return "no value"
	}
	return l.Get(i).Type().String()
}

// refuse raises the error for argument i.
func (m *Machine) refuse(l *vm.LState, i int, why string) {
	raiseAt(l, "bad argument #%d to '%s' (%s)", i, m.name, why)
}

func (m *Machine) expected(l *vm.LState, i int, what string) {
	m.refuse(l, i, what+" expected, got "+typeName(l, i))
}

func (m *Machine) text(l *vm.LState, i int) string {
	s, ok := toText(l.Get(i))
	if !ok {
		m.expected(l, i, "string")
	}
	return s
}

func (m *Machine) textOr(l *vm.LState, i int, absent string) string {
	if l.Get(i) == vm.LNil {
		return absent
	}
	return m.text(l, i)
}

func (m *Machine) number(l *vm.LState, i int) float64 {
	f, ok := toNumber(l.Get(i))
	if !ok {
		m.expected(l, i, "number")
	}
	return f
}

// integer reads an argument as C's cast to int does, within what an int holds
// on every machine.
func (m *Machine) integer(l *vm.LState, i int) int {
	f := m.number(l, i)
	switch {
	case f != f:
		return math.MinInt32
	case f <= math.MinInt32:
		return math.MinInt32
	case f >= math.MaxInt32:
		return math.MaxInt32
	}
	return int(f)
}

func (m *Machine) integerOr(l *vm.LState, i, absent int) int {
	if l.Get(i) == vm.LNil {
		return absent
	}
	return m.integer(l, i)
}

func (m *Machine) table(l *vm.LState, i int) *vm.LTable {
	t, ok := l.Get(i).(*vm.LTable)
	if !ok {
		m.expected(l, i, "table")
	}
	return t
}

func (m *Machine) function(l *vm.LState, i int) *vm.LFunction {
	f, ok := l.Get(i).(*vm.LFunction)
	if !ok {
		m.expected(l, i, "function")
	}
	return f
}

func (m *Machine) any(l *vm.LState, i int) vm.LValue {
	if i > l.GetTop() {
		m.refuse(l, i, "value expected")
	}
	return l.Get(i)
}

// luaWords translates what the interpreter itself says to what Lua says.
func luaWords(text string) string {
	at := strings.LastIndex(text, ": ") + 2 // its messages hold no colon
	if at < 2 {
		at = 0
	}
	place, text := text[:at], text[at:]
	var a, b string
	switch text {
	case "attempt to call a non-function object":
		text = "attempt to call a table value"
	case "for statement init must be a number":
		text = "'for' initial value must be a number"
	case "for statement limit must be a number":
		text = "'for' limit must be a number"
	case "for statement step must be a number":
		text = "'for' step must be a number"
	case "__unm undefined":
		text = "attempt to perform arithmetic on a table value"
	case "registry overflow", "lua callstack overflow":
		text = "stack overflow"
	default:
		if rest, ok := strings.CutPrefix(text, "attempt to index a non-table object("); ok {
			kind, _, _ := strings.Cut(rest, ")")
			text = "attempt to index a " + kind + " value"
		} else if n, _ := fmt.Sscanf(text, "attempt to compare %s with %s", &a, &b); n == 2 && a == b {
			text = "attempt to compare two " + a + " values"
		} else if _, rest, ok := strings.Cut(text, " operation between "); ok && strings.HasPrefix(text, "cannot perform ") {
			left, right, _ := strings.Cut(rest, " and ")
			if left == "number" || left == "string" {
				left = right
			}
			text = "attempt to perform arithmetic on a " + left + " value"
		}
	}
	return place + text
}
