package lua

import (
	vm "github.com/yuin/gopher-lua"
)

// A machine serves one script after another, so nothing that a script can
// reach may change under it and stay changed: the globals, the libraries, the
// metatable of strings. gopher-lua has no read-only tables. What scripts see
// instead is an empty table whose metatable looks everything up in the real one
// and refuses every assignment. Functions that reach around metatables (rawset,
// table.insert, next ...) are our own and know these tables.

const errReadOnly = "Attempt to modify a readonly table"

// freeze returns the table that scripts see in place of table. missing, unless
// nil, answers for names that it lacks.
func (m *Machine) freeze(table *vm.LTable, missing *vm.LFunction) *vm.LTable {
	if missing != nil {
		behind := m.state.CreateTable(0, 1)
		behind.RawSetString("__index", missing)
		table.Metatable = behind
	}
	meta := m.state.CreateTable(0, 3)
	meta.RawSetString("__index", table)
	meta.RawSetString("__newindex", m.refuseWrite)
	meta.Metatable = m.frozenMark
	front := m.state.CreateTable(0, 0)
	front.Metatable = meta
	return front
}

// frozen tells whether t is one that scripts may only read.
func (m *Machine) frozen(t *vm.LTable) bool {
	meta, ok := t.Metatable.(*vm.LTable)
	return ok && meta.Metatable == m.frozenMark
}

// thaw returns what holds the entries of t.
func (m *Machine) thaw(t *vm.LTable) *vm.LTable {
	if !m.frozen(t) {
		return t
	}
	behind, _ := t.Metatable.(*vm.LTable).RawGetString("__index").(*vm.LTable)
	return behind
}

// writable refuses to change a frozen table.
func (m *Machine) writable(l *vm.LState, t *vm.LTable) {
	if m.frozen(t) {
		raise(l, errReadOnly)
	}
}

func (m *Machine) newIndexRefused(l *vm.LState) int {
	raiseAt(l, "%s", errReadOnly)
	return 0
}

func (m *Machine) missingGlobal(l *vm.LState) int {
	name, _ := toText(l.Get(2))
	raiseAt(l, "Script attempted to access nonexistent global variable '%s'", name)
	return 0
}
