package lua

import (
	"strings"

	vm "github.com/yuin/gopher-lua"
)

// This file is the functions of string that take patterns.

// captured is capture i; where there is none, the first is the whole match.
func (ms *matcher) captured(i, start, end int) vm.LValue {
	if i >= ms.level {
		if i != 0 {
			raiseAt(ms.l, "invalid capture index")
		}
		return vm.LString(ms.text[start:end])
	}
	switch c := ms.capture[i]; c.length {
	case captureOpen:
		raiseAt(ms.l, "unfinished capture")
	case capturePosition:
		return vm.LNumber(c.start + 1)
	default:
		return vm.LString(ms.text[c.start : c.start+c.length])
	}
	return vm.LNil
}

// pushCaptures pushes the captures, or the whole match when there are none and
// whole is set.
func (ms *matcher) pushCaptures(start, end int, whole bool) int {
	n := ms.level
	if n == 0 && whole {
		n = 1
	}
	for i := range n {
		ms.l.Push(ms.captured(i, start, end))
	}
	return n
}

// at tries the pattern from p on at s, from a new beginning.
func (ms *matcher) at(s, p int) int {
	ms.level, ms.depth = 0, 0
	return ms.match(s, p)
}

func (m *Machine) matcher(l *vm.LState, text, pattern string) *matcher {
	return &matcher{m: m, l: l, text: text, pattern: pattern}
}

func (m *Machine) stringFind(l *vm.LState) int  { return m.search(l, true) }
func (m *Machine) stringMatch(l *vm.LState) int { return m.search(l, false) }

func (m *Machine) search(l *vm.LState, find bool) int {
	text, pattern := m.text(l, 1), m.text(l, 2)
	from := m.integerOr(l, 3, 1)
	if from < 0 {
		from += len(text) + 1
	}
	from = min(max(from-1, 0), len(text))
	if find && (vm.LVAsBool(l.Get(4)) || !strings.ContainsAny(pattern, "^$*+?.([%-")) {
		m.work(l, (len(text)-from)/64)
		i := strings.Index(text[from:], pattern)
		if i < 0 {
			l.Push(vm.LNil)
			return 1
		}
		l.Push(vm.LNumber(from + i + 1))
		l.Push(vm.LNumber(from + i + len(pattern)))
		return 2
	}
	ms := m.matcher(l, text, pattern)
	p, anchored := 0, strings.HasPrefix(pattern, "^")
	if anchored {
		p = 1
	}
	for s := from; s <= len(text); s++ {
		if end := ms.at(s, p); end != failed {
			if find {
				l.Push(vm.LNumber(s + 1))
				l.Push(vm.LNumber(end))
				return ms.pushCaptures(s, end, false) + 2
			}
			return ms.pushCaptures(s, end, true)
		}
		if anchored {
			break
		}
	}
	l.Push(vm.LNil)
	return 1
}

func (m *Machine) stringGMatch(l *vm.LState) int {
	text, pattern := m.text(l, 1), m.text(l, 2)
	from := 0
	next := func(l *vm.LState) int {
		ms := m.matcher(l, text, pattern)
		for s := from; s <= len(text); s++ {
			end := ms.at(s, 0)
			if end == failed {
				continue
			}
			if from = end; end == s {
				from++
			}
			return ms.pushCaptures(s, end, true)
		}
		from = len(text) + 1
		return 0
	}
	// As upvalues, the texts are seen by who measures what the script holds.
	l.Push(l.NewClosure(next, vm.LString(text), vm.LString(pattern)))
	return 1
}

func (m *Machine) stringGSub(l *vm.LState) int {
	text, pattern := m.text(l, 1), m.text(l, 2)
	repl := l.Get(3)
	switch repl.(type) {
	case vm.LString, vm.LNumber, *vm.LTable, *vm.LFunction:
	default:
		m.refuse(l, 3, "string/function/table expected")
	}
	limit := m.integerOr(l, 4, len(text)+1)
	ms := m.matcher(l, text, pattern)
	p, anchored := 0, strings.HasPrefix(pattern, "^")
	if anchored {
		p = 1
	}
	g := substitution{matcher: ms, repl: repl}
	defer m.built()
	count, s := 0, 0
	for count < limit {
		end := ms.at(s, p)
		if end != failed {
			count++
			g.replace(s, end)
		}
		switch {
		case end != failed && end > s:
			s = end
		case s < len(text):
			g.add(text[s : s+1])
			s++
		default:
			s = len(text) + 1
		}
		if s > len(text) || anchored {
			break
		}
	}
	if s < len(text) {
		g.add(text[s:])
	}
	l.Push(vm.LString(g.result.String()))
	l.Push(vm.LNumber(count))
	return 2
}

// substitution builds the result of gsub.
type substitution struct {
	*matcher
	repl   vm.LValue
	result strings.Builder
	paid   int // bytes charged
}

// add appends to the result, and charges it in steps as the builder grows.
func (g *substitution) add(text string) {
	if need := g.result.Len() + len(text); need > g.paid {
		grow := max(2*need, 64)
		g.m.build(g.l, grow-g.paid)
		g.paid = grow
		g.m.work(g.l, need/256)
	}
	g.result.WriteString(text)
}

func (g *substitution) replace(start, end int) {
	var value vm.LValue
	switch repl := g.repl.(type) {
	case *vm.LTable:
		value = g.l.GetTable(repl, g.captured(0, start, end))
	case *vm.LFunction:
		g.l.Push(repl)
		n := g.pushCaptures(start, end, true)
		g.l.Call(n, 1)
		value = g.l.Get(-1)
		g.l.Pop(1)
	default:
		text, _ := toText(repl)
		g.expand(text, start, end)
		return
	}
	if vm.LVIsFalse(value) {
		g.add(g.text[start:end])
		return
	}
	text, ok := toText(value)
	if !ok {
		raiseAt(g.l, "invalid replacement value (a %s)", value.Type())
	}
	g.add(text)
}

// expand writes a replacement in which %0 to %9 stand for captures.
func (g *substitution) expand(repl string, start, end int) {
	for i := 0; i < len(repl); i++ {
		g.step()
		c := repl[i]
		if c != escape {
			g.add(repl[i : i+1])
			continue
		}
		if i++; i == len(repl) {
			g.add("\x00") // as in C, where one ends every string
			break
		}
		switch d := repl[i]; {
		case !isDigit(d):
			g.add(repl[i : i+1])
		case d == '0':
			g.add(g.text[start:end])
		default:
			text, _ := toText(g.captured(int(d)-'1', start, end))
			g.add(text)
		}
	}
}
