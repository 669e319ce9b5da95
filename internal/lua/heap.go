package lua

import (
	"reflect"
	"unsafe"

	vm "github.com/yuin/gopher-lua"
)

// This file measures what a script holds: everything that can be reached from
// the interpreter's registers. Go cannot tell how much one goroutine has
// allocated, and tables keep the keys of what was deleted, so the walk looks
// into the fields of gopher-lua's types. A version that names them otherwise
// fails at the first use of the package, which is in every test.

// Bytes that values take beside their contents.
const (
	valueSize    = 16
	tableSize    = 112
	functionSize = 96
	upvalueSize  = 64
	threadSize   = 1024
	// dictEntry is a value in a Go map with a string or value key, and keyEntry
	// what a table remembers of each key ever used in it.
	dictEntry = 56
	keyEntry  = 72
)

var (
	tableArray   = field[vm.LTable]("array")
	tableDict    = field[vm.LTable]("dict")
	tableStrings = field[vm.LTable]("strdict")
	tableKeys    = field[vm.LTable]("keys")
	stateReg     = field[vm.LState]("reg")
	regArray     = fieldOf(stateType(), "array")
	regTop       = fieldOf(stateType(), "top")
)

func stateType() reflect.Type { return reflect.TypeFor[vm.LState]().Field(stateReg).Type.Elem() }

func field[T any](name string) int { return fieldOf(reflect.TypeFor[T](), name) }

func fieldOf(t reflect.Type, name string) int {
	f, ok := t.FieldByName(name)
	if !ok {
		panic("lua: gopher-lua's " + t.Name() + " has no field " + name)
	}
	return f.Index[0]
}

// walker adds up what can be reached. Strings that several values share count
// for each of them.
type walker struct {
	seen  map[unsafe.Pointer]struct{}
	todo  []vm.LValue
	total int64
}

// heapSize measures what the script holds, and stops counting beyond limit.
func (m *Machine) heapSize(limit int64) int64 {
	w := walker{seen: make(map[unsafe.Pointer]struct{})}
	w.todo = append(w.todo, m.state, m.keys, m.args)
	for len(w.todo) > 0 && w.total <= limit {
		v := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		switch v := v.(type) {
		case *vm.LTable:
			if v != nil && !m.frozen(v) {
				w.table(v)
			}
		case *vm.LFunction:
			w.function(v)
		case *vm.LState:
			w.thread(v)
		case *vm.LUserData:
			if p, ok := v.Value.(holder); ok {
				w.total += p.held()
			}
		}
	}
	return w.total
}

// holder is a value of our own that holds memory for a script.
type holder interface{ held() int64 }

func (w *walker) new(p unsafe.Pointer) bool {
	if _, ok := w.seen[p]; ok {
		return false
	}
	w.seen[p] = struct{}{}
	return true
}

func (w *walker) value(v vm.LValue) {
	switch v := v.(type) {
	case vm.LString:
		w.total += int64(len(v))
	case *vm.LTable, *vm.LFunction, *vm.LState, *vm.LUserData:
		w.todo = append(w.todo, v)
	}
}

func (w *walker) table(t *vm.LTable) {
	if !w.new(unsafe.Pointer(t)) {
		return
	}
	w.total += tableSize
	s := reflect.ValueOf(t).Elem()
	w.total += int64(s.Field(tableArray).Cap()) * valueSize
	w.total += int64(s.Field(tableDict).Len()+s.Field(tableStrings).Len()) * dictEntry
	keys := s.Field(tableKeys)
	w.total += int64(keys.Len()) * keyEntry
	for i := range keys.Len() { // deleted ones too
		w.reflected(keys.Index(i))
	}
	t.ForEach(func(_, v vm.LValue) { w.value(v) })
	w.value(t.Metatable)
}

func (w *walker) function(f *vm.LFunction) {
	if !w.new(unsafe.Pointer(f)) {
		return
	}
	w.total += functionSize + upvalueSize*int64(len(f.Upvalues))
	for _, u := range f.Upvalues {
		if u != nil {
			w.value(u.Value())
		}
	}
	w.proto(f.Proto)
}

// proto counts the code of a function, which loadstring makes more of.
func (w *walker) proto(p *vm.FunctionProto) {
	if p == nil || !w.new(unsafe.Pointer(p)) {
		return
	}
	w.total += int64(unsafe.Sizeof(*p)) + 4*int64(cap(p.Code)) + 8*int64(cap(p.DbgSourcePositions)) + 24*int64(cap(p.DbgCalls))
	w.total += 2*valueSize*int64(cap(p.Constants)) + (8+40)*int64(cap(p.DbgLocals)) + valueSize*int64(cap(p.DbgUpvalues))
	for _, inner := range p.FunctionPrototypes {
		w.proto(inner)
	}
}

// deadKeys is how many keys a table remembers that are deleted.
func deadKeys(t *vm.LTable) int {
	s := reflect.ValueOf(t).Elem()
	return s.Field(tableKeys).Len() - s.Field(tableDict).Len() - s.Field(tableStrings).Len()
}

// thread follows the registers of the main state or of a coroutine.
func (w *walker) thread(l *vm.LState) {
	if !w.new(unsafe.Pointer(l)) {
		return
	}
	reg := reflect.ValueOf(l).Elem().Field(stateReg).Elem()
	array, top := reg.Field(regArray), int(reg.Field(regTop).Int())
	w.total += threadSize + int64(array.Cap())*valueSize
	for i := range min(top, array.Len()) {
		w.reflected(array.Index(i))
	}
}

// reflected is value for what only reflection can reach.
func (w *walker) reflected(v reflect.Value) {
	if v.IsNil() {
		return
	}
	switch v = v.Elem(); v.Kind() {
	case reflect.String:
		w.total += int64(v.Len())
	case reflect.Pointer:
		switch p := v.UnsafePointer(); v.Type() {
		case reflect.TypeFor[*vm.LTable]():
			w.todo = append(w.todo, (*vm.LTable)(p))
		case reflect.TypeFor[*vm.LFunction]():
			w.todo = append(w.todo, (*vm.LFunction)(p))
		case reflect.TypeFor[*vm.LState]():
			w.todo = append(w.todo, (*vm.LState)(p))
		case reflect.TypeFor[*vm.LUserData]():
			w.todo = append(w.todo, (*vm.LUserData)(p))
		}
	}
}
