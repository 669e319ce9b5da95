package lua

import (
	"strings"

	vm "github.com/yuin/gopher-lua"
)

// loadString compiles text. Chunk names are as in Lua: "=name" and "@name" are
// shown as they are, anything else as a quotation.
func (m *Machine) loadString(l *vm.LState) int {
	text := m.text(l, 1)
	return m.loadText(l, text, m.textOr(l, 2, text))
}

func (m *Machine) load(l *vm.LState) int {
	fn := m.function(l, 1)
	name := m.textOr(l, 2, "=(load)")
	var text strings.Builder
	for {
		l.Push(fn)
		l.Call(0, 1)
		piece, ok := toText(l.Get(-1))
		isNil := l.Get(-1) == vm.LNil
		l.Pop(1)
		if !ok && !isNil {
			raiseAt(l, "reader function must return a string")
		}
		if piece == "" {
			break
		}
		if text.Len()+len(piece) > MaxSource {
			raiseAt(l, "the script is longer than %d bytes", MaxSource)
		}
		text.WriteString(piece)
	}
	return m.loadText(l, text.String(), name)
}

// compileCost is how many instructions' time a byte of source costs.
const compileCost = 20

func (m *Machine) loadText(l *vm.LState, text, name string) int {
	m.work(l, compileCost*len(text))
	m.charge(l, 40*min(len(text), MaxSource))
	proto, err := compileChunk(text, chunkName(name))
	if err != nil {
		l.Push(vm.LNil)
		l.Push(vm.LString(err.Error()))
		return 2
	}
	l.Push(l.NewFunctionFromProto(proto))
	l.Push(m.concat)
	l.Call(1, 1)
	return 1
}

// chunkName is how Lua shows the source of a chunk.
func chunkName(name string) string {
	const room = 60
	if name != "" && (name[0] == '=' || name[0] == '@') {
		return name[1:min(len(name), room)]
	}
	line, _, cut := strings.Cut(name, "\n")
	if limit := room - len(`[string "..."] `); len(line) > limit {
		line, cut = line[:limit], true
	}
	if cut {
		line += "..."
	}
	return `[string "` + line + `"]`
}
