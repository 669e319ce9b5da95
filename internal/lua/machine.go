package lua

import (
	"context"
	"strconv"
	"unsafe"

	vm "github.com/yuin/gopher-lua"

	"github.com/cubbykv/cubby/internal/resp"
)

// Bounds of the interpreter.
const (
	// callDepth is how deep calls may nest. Calls through metatables, pcall or
	// string.gsub nest on Go's stack as well, at about 1 KB each.
	callDepth = 1000
	// protectedDepth is how deep pcall may nest, as in Lua. Each level that
	// catches an error costs the interpreter a look at all frames.
	protectedDepth = 200
	// registers are the slots for arguments and locals: at first, and at most.
	registers    = 1024
	maxRegisters = 128 << 10
	// maxArray is the largest index that makes a table's array grow to it in one
	// step; larger ones are kept like other keys.
	maxArray = 1 << 16
)

func init() { vm.MaxArrayIndex = maxArray }

// Host is what a script can do beyond computing.
type Host interface {
	// Call runs a command and returns its reply in protocol version proto (2 or
	// 3). The reply is valid until the next Call; argv is not used after it.
	Call(argv [][]byte, proto int) []byte
	// Allowed tells whether the caller may run a command, and whether it exists.
	Allowed(argv [][]byte) (allowed, known bool)
	// Log takes a line of redis.log. level is 0 (debug) to 3 (warning).
	Log(level int, text string)
}

// Run is one execution of a script.
type Run struct {
	Script *Script
	Name   string // the script's SHA1, for error texts
	Keys   [][]byte
	Args   [][]byte
	Host   Host
	Limits Limits
	Out    *resp.Writer // takes the reply
}

// Machine runs scripts, one at a time, each without a trace of those before.
type Machine struct {
	state *vm.LState
	real  *vm.LTable // the globals
	meter meter

	frozenMark  *vm.LTable
	refuseWrite *vm.LFunction
	concat      *vm.LFunction
	null        *vm.LUserData // cjson.null
	stringMeta  *vm.LTable    // of strings, as getmetatable shows it

	// Of the script that runs.
	host    Host
	proto   int // of redis.call's replies
	keys    *vm.LTable
	args    *vm.LTable
	name    string // the library function that was called last
	random  random
	json    jsonConfig
	argv    [][]byte
	depth   int // of coroutines
	guarded int // how deep pcall nests
	spoiled bool
}

// New returns a machine.
func New() *Machine {
	m := &Machine{}
	m.meter.machine = m
	m.state = vm.NewState(vm.Options{
		SkipOpenLibs: true, CallStackSize: callDepth, MinimizeStackMemory: true,
		RegistrySize: registers, RegistryMaxSize: maxRegisters, RegistryGrowStep: registers,
	})
	m.openLibraries()
	m.state.SetContext(&m.meter)
	return m
}

// openLibraries fills the globals and freezes them.
func (m *Machine) openLibraries() {
	l := m.state
	m.frozenMark = l.CreateTable(0, 0)
	m.refuseWrite = l.NewFunction(m.newIndexRefused)
	m.concat = m.function0("concat", m.concatenate)
	m.null = l.NewUserData()
	m.real = l.CreateTable(0, 64)
	m.openBase()
	for name, lib := range map[string]*vm.LTable{
		"string": m.stringLibrary(), "table": m.tableLibrary(), "math": m.mathLibrary(), "bit": m.bitLibrary(),
		"cjson": m.jsonLibrary(), "cmsgpack": m.msgpackLibrary(), "struct": m.structLibrary(), "redis": m.redisLibrary(),
		"coroutine": m.coroutineLibrary(),
	} {
		m.real.RawSetString(name, m.freeze(lib, nil))
	}
	globals := m.freeze(m.real, l.NewFunction(m.missingGlobal))
	m.real.RawSetString("_G", globals)
	l.G.Global, l.Env = globals, globals
	m.openMetatables()
}

// functions are the entries of a library.
type functions map[string]func(*vm.LState) int

// library makes a table of functions.
func (m *Machine) library(fns functions) *vm.LTable {
	t := m.state.CreateTable(0, len(fns))
	for name, fn := range fns {
		t.RawSetString(name, m.function0(name, fn))
	}
	return t
}

// function0 makes a function that error texts call name.
func (m *Machine) function0(name string, fn func(*vm.LState) int) *vm.LFunction {
	return m.state.NewFunction(func(l *vm.LState) int {
		m.name = name
		return fn(l)
	})
}

// failure is what a script ended with, with the place where it did.
type failure struct {
	value  vm.LValue
	source string
	line   int
}

// Error is an error of the script itself, as the client sees it.
type Error struct{ Text string }

func (e *Error) Error() string { return e.Text }

// Run runs a script and writes its reply. What the script did through the host
// counts when Run returns nil or an *Error, which is the client's reply then;
// any other error ended the script from outside.
func (m *Machine) Run(ctx context.Context, r Run) (err error) {
	m.host, m.proto = r.Host, resp.V2
	m.random.seed(0)
	m.json = defaultJSON
	m.depth, m.guarded = 0, 0
	m.keys, m.args = m.list(r.Keys), m.list(r.Args)
	m.real.RawSetString("KEYS", m.keys)
	m.real.RawSetString("ARGV", m.args)
	m.meter.reset(ctx, r.Limits)
	value, fail := m.call(r.Script)
	if m.meter.cause != nil {
		return m.meter.cause
	}
	if fail != nil {
		return &Error{fail.text(m, r.Name)}
	}
	w := replyWriter{machine: m, out: r.Out, mark: r.Out.Mark()}
	if err := w.write(value); err != nil {
		r.Out.Rewind(w.mark)
		return err
	}
	m.state.SetTop(0)
	return nil
}

// Reset forgets the script that ran last, and tells whether the machine may
// run another one. After an error it may not: the interpreter can still hold
// on to frames of the script.
func (m *Machine) Reset() bool {
	m.host, m.keys, m.args = nil, nil, nil
	m.real.RawSetString("KEYS", vm.LNil)
	m.real.RawSetString("ARGV", vm.LNil)
	clear(m.argv)
	return !m.spoiled
}

// call runs the main function.
func (m *Machine) call(s *Script) (value vm.LValue, fail *failure) {
	l := m.state
	m.spoiled = true // until it ends well
	defer func() {
		switch p := recover().(type) {
		case nil:
			m.spoiled = false
		case *failure:
			fail = p
		case string: // the call stack's own way to say that it is full
			fail = &failure{value: vm.LString(p)}
		default:
			panic(p)
		}
	}()
	l.Panic = func(l *vm.LState) { panic(newFailure(l)) }
	l.Push(l.NewFunctionFromProto(s.proto))
	l.Push(m.concat)
	l.Call(1, 1)
	return l.Get(-1), nil
}

// newFailure notes what was raised and where, as Redis's error handler does:
// in the function that raised it, or in its caller when that is a library's.
func newFailure(l *vm.LState) *failure {
	f := &failure{value: l.Get(-1)}
	var ok bool
	if f.source, f.line, ok = place(l, 0); !ok {
		f.source, f.line, _ = place(l, 1)
	}
	return f
}

// text is the error as Redis words it.
func (f *failure) text(m *Machine, sha string) string {
	var text string
	if t, ok := f.value.(*vm.LTable); ok {
		var ok bool
		if text, ok = toText(t.RawGetString("err")); !ok {
			text = "ERR the script ended with a table that is no error"
		}
	} else {
		text = "ERR " + luaWords(m.show(f.value))
	}
	if f.source != "" {
		text += " script: " + sha + ", on @" + f.source + ":" + strconv.Itoa(f.line) + "."
	}
	return text
}

// list makes a table of arguments.
func (m *Machine) list(items [][]byte) *vm.LTable {
	t := m.state.CreateTable(len(items), 0)
	for _, b := range items {
		t.Append(vm.LString(borrow(b)))
	}
	return t
}

// borrow makes a string of b without copying. b must not change afterwards.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
