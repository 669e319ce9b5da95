package lua

import (
	vm "github.com/yuin/gopher-lua"
)

// maxCoroutines is how deep coroutines resume each other: each level goes on
// Go's stack, and may nest calls of its own.
const maxCoroutines = 16

func (m *Machine) coroutineLibrary() *vm.LTable {
	return m.library(functions{
		"create": func(l *vm.LState) int {
			l.Push(m.newThread(l, m.function(l, 1)))
			return 1
		},
		"wrap":   m.wrap,
		"resume": m.resume,
		"yield": func(l *vm.LState) int {
			if l.Parent == nil {
				raiseAt(l, "attempt to yield across metamethod/C-call boundary")
			}
			return -1
		},
		"running": func(l *vm.LState) int {
			if l == m.state {
				l.Push(vm.LNil)
			} else {
				l.Push(l)
			}
			return 1
		},
		"status": func(l *vm.LState) int {
			th := m.thread(l, 1)
			switch {
			case th == l:
				l.Push(vm.LString("running"))
			case th.Parent != nil || th == m.state:
				l.Push(vm.LString("normal"))
			default:
				l.Push(vm.LString(l.Status(th)))
			}
			return 1
		},
	})
}

func (m *Machine) thread(l *vm.LState, i int) *vm.LState {
	th, ok := l.Get(i).(*vm.LState)
	if !ok {
		m.refuse(l, i, "coroutine expected")
	}
	return th
}

// newThread makes a coroutine. Until it is first resumed its function waits in
// its first register, and SkipOpenLibs, which means nothing any more then, tells.
func (m *Machine) newThread(l *vm.LState, fn *vm.LFunction) *vm.LState {
	m.charge(l, threadSize+registers*valueSize)
	th, cancel := l.NewThread()
	cancel() // the thread asks the meter itself
	th.SetContext(&m.meter)
	th.Options.SkipOpenLibs = true
	th.Push(fn)
	return th
}

// advance runs a coroutine until it yields or ends.
func (m *Machine) advance(l, th *vm.LState, from int) (ok bool, values []vm.LValue) {
	switch {
	case th == l || th.Parent != nil || th == m.state:
		return false, []vm.LValue{vm.LString("cannot resume non-suspended coroutine")}
	case th.Dead:
		return false, []vm.LValue{vm.LString("cannot resume dead coroutine")}
	case m.depth >= maxCoroutines:
		return false, []vm.LValue{vm.LString("C stack overflow")}
	}
	m.depth++
	defer func() { m.depth-- }()
	var args []vm.LValue
	for i := from; i <= l.GetTop(); i++ {
		args = append(args, l.Get(i))
	}
	var fn *vm.LFunction
	if th.Options.SkipOpenLibs {
		fn, _ = th.Get(1).(*vm.LFunction)
		th.Options.SkipOpenLibs = false
		th.SetTop(0)
	}
	state, err, values := l.Resume(th, fn, args...)
	if state == vm.ResumeError {
		return false, []vm.LValue{caught(err, false)}
	}
	return true, values
}

func (m *Machine) resume(l *vm.LState) int {
	ok, values := m.advance(l, m.thread(l, 1), 2)
	l.Push(vm.LBool(ok))
	for _, v := range values {
		l.Push(v)
	}
	return len(values) + 1
}

func (m *Machine) wrap(l *vm.LState) int {
	th := m.newThread(l, m.function(l, 1))
	l.Push(l.NewClosure(func(l *vm.LState) int {
		ok, values := m.advance(l, th, 1)
		if !ok {
			l.Error(values[0], 0)
		}
		for _, v := range values {
			l.Push(v)
		}
		return len(values)
	}, th))
	return 1
}
