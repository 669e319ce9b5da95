package lua

import (
	"fmt"
	"hash/maphash"
	"math"
	"strconv"
	"strings"
	"unsafe"

	vm "github.com/yuin/gopher-lua"
)

// maxUnpacked is how many results unpack may have, as in Lua 5.1 whose stack
// holds as many.
const maxUnpacked = 8000

func (m *Machine) openBase() {
	for name, fn := range (functions{
		"assert": m.assert, "collectgarbage": m.collectGarbage, "error": m.throw, "gcinfo": m.gcInfo,
		"getmetatable": m.getMetatable, "ipairs": nil, "load": m.load, "loadstring": m.loadString, "next": m.next, "pairs": nil,
		"pcall": m.protectedCall, "rawequal": m.rawEqual, "rawget": m.rawGet, "rawset": m.rawSet, "select": m.selectArgs,
		"setmetatable": m.setMetatable, "tonumber": m.toNumber, "tostring": m.toString, "type": m.typeOf,
		"unpack": m.unpack, "xpcall": m.protectedCallWith,
	}) {
		if fn != nil {
			m.real.RawSetString(name, m.function0(name, fn))
		}
	}
	next := m.function0("next", m.next)
	m.real.RawSetString("pairs", m.function0("pairs", func(l *vm.LState) int {
		t := m.table(l, 1)
		l.Push(next)
		l.Push(t)
		l.Push(vm.LNil)
		return 3
	}))
	step := m.state.NewFunction(m.ipairsStep)
	m.real.RawSetString("ipairs", m.function0("ipairs", func(l *vm.LState) int {
		t := m.table(l, 1)
		l.Push(step)
		l.Push(t)
		l.Push(vm.LNumber(0))
		return 3
	}))
	m.real.RawSetString("_VERSION", vm.LString("Lua 5.1"))
}

func (m *Machine) assert(l *vm.LState) int {
	if vm.LVIsFalse(m.any(l, 1)) {
		raiseAt(l, "%s", m.textOr(l, 2, "assertion failed!"))
	}
	return l.GetTop()
}

// throw is error(value [, level]).
func (m *Machine) throw(l *vm.LState) int {
	value := l.Get(1)
	level := m.integerOr(l, 2, 1)
	if text, ok := toText(value); ok && level > 0 {
		value = vm.LString(where(l, level) + text)
	}
	l.Error(value, 0)
	return 0
}

// collectGarbage accepts what Lua accepts; the collector needs no help.
func (m *Machine) collectGarbage(l *vm.LState) int {
	option := m.textOr(l, 1, "collect")
	switch option {
	case "count":
		l.Push(vm.LNumber(m.kilobytes()))
	case "step":
		l.Push(vm.LTrue)
	case "collect", "stop", "restart", "setpause", "setstepmul":
		l.Push(vm.LNumber(0))
	default:
		m.refuse(l, 1, "invalid option '"+option+"'")
	}
	return 1
}

func (m *Machine) gcInfo(l *vm.LState) int {
	l.Push(vm.LNumber(math.Floor(m.kilobytes())))
	return 1
}

// kilobytes is about what the script holds, with what an empty one does.
func (m *Machine) kilobytes() float64 {
	const empty = 40
	return empty + float64(m.meter.live+m.meter.unseen)/1024
}

func (m *Machine) ipairsStep(l *vm.LState) int {
	t, _ := l.Get(1).(*vm.LTable)
	i, _ := l.Get(2).(vm.LNumber)
	if t == nil {
		return 0
	}
	v := t.RawGet(i + 1)
	if v == vm.LNil {
		return 0
	}
	l.Push(i + 1)
	l.Push(v)
	return 2
}

func (m *Machine) next(l *vm.LState) int {
	t := m.thaw(m.table(l, 1))
	if dead := deadKeys(t); dead > stride {
		m.work(l, dead/16) // Next may pass over all of them
	}
	k, v := t.Next(l.Get(2))
	if k == vm.LNil {
		l.Push(vm.LNil)
		return 1
	}
	l.Push(k)
	l.Push(v)
	return 2
}

// protectedCall is pcall as Redis has it: an error that is a table with a text
// in its field err arrives as that text.
func (m *Machine) protectedCall(l *vm.LState) int {
	m.any(l, 1)
	if err := m.pcall(l, l.GetTop()-1); err != nil {
		l.Push(vm.LFalse)
		l.Push(caught(err, true))
		return 2
	}
	l.Insert(vm.LTrue, 1)
	return l.GetTop()
}

func (m *Machine) protectedCallWith(l *vm.LState) int {
	fn, handler := m.any(l, 1), m.any(l, 2)
	l.SetTop(2)
	l.Push(fn)
	if err := m.pcall(l, 0); err != nil {
		l.SetTop(2)
		l.Push(handler)
		l.Push(caught(err, false))
		l.Call(1, 1)
		result := l.Get(-1)
		l.Push(vm.LFalse)
		l.Push(result)
		return 2
	}
	l.Insert(vm.LTrue, 3)
	return l.GetTop() - 2
}

func (m *Machine) pcall(l *vm.LState, args int) error {
	if m.guarded >= protectedDepth {
		raiseAt(l, "C stack overflow")
	}
	m.guarded++
	defer func() { m.guarded-- }()
	return l.PCall(args, vm.MultRet, nil)
}

// caught is the value that a script gets of an error.
func caught(err error, plain bool) vm.LValue {
	e, ok := err.(*vm.ApiError) //nolint:errorlint // PCall returns nothing else
	if !ok {
		return vm.LString(err.Error())
	}
	switch v := e.Object.(type) {
	case *vm.LTable:
		if text, ok := toText(v.RawGetString("err")); ok && plain {
			return vm.LString(text)
		}
	case vm.LString:
		return vm.LString(luaWords(string(v)))
	}
	return e.Object
}

func (m *Machine) rawEqual(l *vm.LState) int {
	l.Push(vm.LBool(l.RawEqual(m.any(l, 1), m.any(l, 2))))
	return 1
}

func (m *Machine) rawGet(l *vm.LState) int {
	l.Push(m.thaw(m.table(l, 1)).RawGet(m.any(l, 2)))
	return 1
}

func (m *Machine) rawSet(l *vm.LState) int {
	t := m.table(l, 1)
	k, v := m.any(l, 2), m.any(l, 3)
	m.writable(l, t)
	l.RawSet(t, k, v)
	l.SetTop(1)
	return 1
}

func (m *Machine) selectArgs(l *vm.LState) int {
	n := l.GetTop()
	if s, ok := l.Get(1).(vm.LString); ok && strings.HasPrefix(string(s), "#") {
		l.Push(vm.LNumber(n - 1))
		return 1
	}
	i := m.integer(l, 1)
	if i < 0 {
		i += n
	} else if i > n {
		i = n
	}
	if i < 1 {
		m.refuse(l, 1, "index out of range")
	}
	return n - i
}

func (m *Machine) toNumber(l *vm.LState) int {
	base := m.integerOr(l, 2, 10)
	v := m.any(l, 1)
	if text, ok := v.(vm.LString); ok {
		m.work(l, len(text)/8) // it is read several times
	}
	if base == 10 {
		if f, ok := toNumber(v); ok {
			l.Push(vm.LNumber(f))
		} else {
			l.Push(vm.LNil)
		}
		return 1
	}
	text := m.text(l, 1)
	if base < 2 || base > 36 {
		m.refuse(l, 2, "base out of range")
	}
	text = strings.ToLower(strings.Trim(text, " \t\n\v\f\r"))
	if base == 16 {
		text = strings.TrimPrefix(text, "0x")
	}
	n, err := strconv.ParseUint(text, base, 64)
	if err != nil {
		l.Push(vm.LNil)
	} else {
		l.Push(vm.LNumber(n))
	}
	return 1
}

func (m *Machine) toString(l *vm.LState) int {
	v := m.any(l, 1)
	if event := m.metaEvent(v, "__tostring"); event != vm.LNil {
		l.Push(event)
		l.Push(v)
		l.Call(1, 1)
		return 1
	}
	l.Push(vm.LString(m.show(v)))
	return 1
}

// show is tostring without metatables.
func (m *Machine) show(v vm.LValue) string {
	var p unsafe.Pointer
	switch v := v.(type) {
	case vm.LString, vm.LNumber:
		text, _ := toText(v)
		return text
	case *vm.LTable:
		p = unsafe.Pointer(v)
	case *vm.LFunction:
		p = unsafe.Pointer(v)
	case *vm.LState:
		p = unsafe.Pointer(v)
	case *vm.LUserData:
		if v == m.null {
			return "userdata: (nil)"
		}
		p = unsafe.Pointer(v)
	default:
		return v.String()
	}
	// An address tells two objects apart, and should tell nothing else.
	h := maphash.Comparable(addressSeed, uintptr(p))
	return fmt.Sprintf("%s: 0x%012x", v.Type(), h>>16)
}

var addressSeed = maphash.MakeSeed()

func (m *Machine) typeOf(l *vm.LState) int {
	l.Push(vm.LString(m.any(l, 1).Type().String()))
	return 1
}

func (m *Machine) unpack(l *vm.LState) int {
	t := m.thaw(m.table(l, 1))
	from := m.integerOr(l, 2, 1)
	to := m.integerOr(l, 3, t.Len())
	if from > to {
		return 0
	}
	n := to - from + 1
	if n >= maxUnpacked {
		raiseAt(l, "too many results to unpack")
	}
	m.work(l, n/8)
	for i := from; i <= to; i++ {
		l.Push(t.RawGet(vm.LNumber(i)))
	}
	return n
}
