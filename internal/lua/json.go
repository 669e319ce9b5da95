package lua

import (
	"fmt"
	"math"

	vm "github.com/yuin/gopher-lua"
)

// jsonConfig is what the functions of cjson set. In Redis it stays for all
// later scripts; here it ends with the script.
type jsonConfig struct {
	sparseConvert        bool
	sparseRatio          int
	sparseSafe           int
	encodeDepth          int
	decodeDepth          int
	precision            int
	keepBuffer           bool
	encodeInvalidNumbers bool
	encodeInvalidAsNull  bool
	decodeInvalidNumbers bool
}

var defaultJSON = jsonConfig{
	sparseRatio: 2, sparseSafe: 10, encodeDepth: 1000, decodeDepth: 1000, precision: digits, keepBuffer: true, decodeInvalidNumbers: true,
}

func (m *Machine) jsonLibrary() *vm.LTable {
	t := m.library(functions{
		"encode": m.jsonEncode,
		"decode": m.jsonDecode,
		"encode_sparse_array": func(l *vm.LState) int {
			m.jsonArgs(l, 3)
			m.setBool(l, 1, &m.json.sparseConvert)
			m.setInteger(l, 2, &m.json.sparseRatio, 0, math.MaxInt32)
			m.setInteger(l, 3, &m.json.sparseSafe, 0, math.MaxInt32)
			l.Push(vm.LBool(m.json.sparseConvert))
			l.Push(vm.LNumber(m.json.sparseRatio))
			l.Push(vm.LNumber(m.json.sparseSafe))
			return 3
		},
		"encode_max_depth":        m.jsonInteger(func(c *jsonConfig) *int { return &c.encodeDepth }, maxJSONDepth),
		"decode_max_depth":        m.jsonInteger(func(c *jsonConfig) *int { return &c.decodeDepth }, maxJSONDepth),
		"encode_number_precision": m.jsonInteger(func(c *jsonConfig) *int { return &c.precision }, 16),
		"encode_keep_buffer": func(l *vm.LState) int {
			m.jsonArgs(l, 1)
			m.setBool(l, 1, &m.json.keepBuffer)
			l.Push(vm.LBool(m.json.keepBuffer))
			return 1
		},
		"encode_invalid_numbers": m.jsonInvalidEncoded,
		"decode_invalid_numbers": func(l *vm.LState) int {
			m.jsonArgs(l, 1)
			m.setBool(l, 1, &m.json.decodeInvalidNumbers)
			l.Push(vm.LBool(m.json.decodeInvalidNumbers))
			return 1
		},
		"new": func(l *vm.LState) int {
			l.Push(m.real.RawGetString("cjson"))
			return 1
		},
	})
	t.RawSetString("null", m.null)
	t.RawSetString("_NAME", vm.LString("cjson"))
	t.RawSetString("_VERSION", vm.LString("2.1.0"))
	return t
}

// maxJSONDepth is the deepest nesting that a script can ask for: documents are
// walked on Go's stack.
const maxJSONDepth = 10_000

func (m *Machine) jsonArgs(l *vm.LState, most int) {
	if l.GetTop() > most {
		m.refuse(l, most+1, "found too many arguments")
	}
}

func (m *Machine) setBool(l *vm.LState, i int, value *bool) {
	switch v := l.Get(i).(type) {
	case vm.LBool:
		*value = bool(v)
	case vm.LString:
		if v != "on" && v != "off" {
			m.refuse(l, i, "invalid option '"+string(v)+"'")
		}
		*value = v == "on"
	case *vm.LNilType:
	default:
		m.expected(l, i, "boolean")
	}
}

// setInteger takes any number within Redis's bounds; one above ours counts as
// ours.
func (m *Machine) setInteger(l *vm.LState, i int, value *int, least, most int) {
	if l.Get(i) == vm.LNil {
		return
	}
	n := m.integer(l, i)
	if n < least {
		m.refuse(l, i, fmt.Sprintf("expected integer between %d and %d", least, math.MaxInt32))
	}
	*value = min(n, most)
}

func (m *Machine) jsonInteger(of func(*jsonConfig) *int, most int) func(*vm.LState) int {
	return func(l *vm.LState) int {
		m.jsonArgs(l, 1)
		value := of(&m.json)
		m.setInteger(l, 1, value, 1, most)
		l.Push(vm.LNumber(*value))
		return 1
	}
}

func (m *Machine) jsonInvalidEncoded(l *vm.LState) int {
	m.jsonArgs(l, 1)
	c := &m.json
	if s, ok := l.Get(1).(vm.LString); ok && s == "null" {
		c.encodeInvalidNumbers, c.encodeInvalidAsNull = false, true
	} else if l.Get(1) != vm.LNil {
		c.encodeInvalidAsNull = false
		m.setBool(l, 1, &c.encodeInvalidNumbers)
	}
	if c.encodeInvalidAsNull {
		l.Push(vm.LString("null"))
	} else {
		l.Push(vm.LBool(c.encodeInvalidNumbers))
	}
	return 1
}

// jsonEncoder writes a value as JSON, as Redis's cjson does.
type jsonEncoder struct {
	m     *Machine
	l     *vm.LState
	buf   []byte
	paid  int
	depth int
}

func (m *Machine) jsonEncode(l *vm.LState) int {
	if l.GetTop() != 1 {
		m.refuse(l, 1, "expected 1 argument")
	}
	defer m.built()
	e := jsonEncoder{m: m, l: l}
	e.value(l.Get(1))
	l.Push(vm.LString(borrow(e.buf)))
	return 1
}

// pay charges what the buffer has grown by.
func (e *jsonEncoder) pay() {
	e.m.work(e.l, 1)
	if c := cap(e.buf); c > e.paid {
		e.m.build(e.l, c-e.paid)
		e.paid = c
	}
}

func (e *jsonEncoder) fail(format string, args ...any) { raiseAt(e.l, format, args...) }

func (e *jsonEncoder) value(v vm.LValue) {
	e.pay()
	switch v := v.(type) {
	case vm.LString:
		e.text(string(v))
	case vm.LNumber:
		e.number(float64(v))
	case vm.LBool:
		e.buf = append(e.buf, v.String()...)
	case *vm.LNilType:
		e.buf = append(e.buf, "null"...)
	case *vm.LTable:
		e.table(e.m.thaw(v))
	default:
		if v == vm.LValue(e.m.null) {
			e.buf = append(e.buf, "null"...)
			return
		}
		e.fail("Cannot serialise %s: type not supported", v.Type())
	}
}

func (e *jsonEncoder) number(f float64) {
	if c := &e.m.json; math.IsNaN(f) || math.IsInf(f, 0) {
		switch {
		case c.encodeInvalidAsNull:
			e.buf = append(e.buf, "null"...)
			return
		case !c.encodeInvalidNumbers:
			e.fail("Cannot serialise number: must not be NaN or Inf")
		}
	}
	e.buf = appendNumber(e.buf, f, e.m.json.precision)
}

func (e *jsonEncoder) table(t *vm.LTable) {
	e.depth++
	if e.depth > e.m.json.encodeDepth {
		e.fail("Cannot serialise, excessive nesting (%d)", e.depth)
	}
	if n := e.arrayLength(t); n > 0 {
		e.buf = append(e.buf, '[')
		for i := 1; i <= n; i++ {
			if i > 1 {
				e.buf = append(e.buf, ',')
			}
			e.value(t.RawGet(vm.LNumber(i)))
		}
		e.buf = append(e.buf, ']')
	} else {
		e.object(t)
	}
	e.depth--
}

// arrayLength is the length of a table as an array, -1 when it is none.
func (e *jsonEncoder) arrayLength(t *vm.LTable) int {
	most, items := 0, 0
	for k, _ := t.Next(vm.LNil); k != vm.LNil; k, _ = t.Next(k) {
		n, ok := k.(vm.LNumber)
		if !ok || n < 1 || float64(n) != math.Floor(float64(n)) || n > math.MaxInt32 {
			return -1
		}
		most = max(most, int(n))
		if items++; items%64 == 0 {
			e.m.work(e.l, 8)
		}
	}
	c := &e.m.json
	if c.sparseRatio > 0 && most > items*c.sparseRatio && most > c.sparseSafe {
		if !c.sparseConvert {
			e.fail("Cannot serialise table: excessively sparse array")
		}
		return -1
	}
	return most
}

func (e *jsonEncoder) object(t *vm.LTable) {
	e.buf = append(e.buf, '{')
	first := true
	for k, v := t.Next(vm.LNil); k != vm.LNil; k, v = t.Next(k) {
		if !first {
			e.buf = append(e.buf, ',')
		}
		first = false
		switch k := k.(type) {
		case vm.LNumber:
			e.buf = append(e.buf, '"')
			e.number(float64(k))
			e.buf = append(e.buf, '"')
		case vm.LString:
			e.text(string(k))
		default:
			e.fail("Cannot serialise table: table key must be a number or string")
		}
		e.buf = append(e.buf, ':')
		e.value(v)
	}
	e.buf = append(e.buf, '}')
}

func (e *jsonEncoder) text(s string) {
	e.m.work(e.l, len(s)/64)
	if spare := cap(e.buf) - len(e.buf); spare < len(s)+2 { // may need more, which pay finds
		e.m.build(e.l, len(s)+2)
		e.paid += len(s) + 2
	}
	e.buf = append(e.buf, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\', '/':
			e.buf = append(e.buf, '\\', c)
		case '\b':
			e.buf = append(e.buf, `\b`...)
		case '\t':
			e.buf = append(e.buf, `\t`...)
		case '\n':
			e.buf = append(e.buf, `\n`...)
		case '\f':
			e.buf = append(e.buf, `\f`...)
		case '\r':
			e.buf = append(e.buf, `\r`...)
		default:
			if c < 0x20 || c == 0x7F {
				e.buf = fmt.Appendf(e.buf, `\u%04x`, c)
			} else {
				e.buf = append(e.buf, c)
			}
		}
	}
	e.buf = append(e.buf, '"')
}
