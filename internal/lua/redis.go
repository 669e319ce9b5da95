package lua

import (
	"crypto/sha1" //nolint:gosec // what redis.sha1hex is
	"encoding/hex"
	"strconv"
	"strings"
	"unsafe"

	vm "github.com/yuin/gopher-lua"
)

// CompatibleVersion is the version of Redis that scripts are told.
const (
	CompatibleVersion       = "7.0.15"
	compatibleVersionNumber = 0x0007000F
)

func (m *Machine) redisLibrary() *vm.LTable {
	t := m.library(functions{
		"call":         func(l *vm.LState) int { return m.redisCall(l, true) },
		"pcall":        func(l *vm.LState) int { return m.redisCall(l, false) },
		"error_reply":  m.redisErrorReply,
		"status_reply": m.redisStatusReply,
		"sha1hex":      m.redisSHA1,
		"log":          m.redisLog,
		"setresp":      m.redisSetResp,
		"set_repl":     m.redisSetRepl,
		"replicate_commands": func(l *vm.LState) int {
			l.Push(vm.LTrue)
			return 1
		},
		"breakpoint": func(l *vm.LState) int {
			l.Push(vm.LFalse)
			return 1
		},
		"debug":         func(*vm.LState) int { return 0 },
		"acl_check_cmd": m.redisCheckCommand,
	})
	for name, n := range map[string]int{
		"LOG_DEBUG": 0, "LOG_VERBOSE": 1, "LOG_NOTICE": 2, "LOG_WARNING": 3,
		"REPL_NONE": 0, "REPL_AOF": 1, "REPL_SLAVE": 2, "REPL_REPLICA": 2, "REPL_ALL": 3,
		"REDIS_VERSION_NUM": compatibleVersionNumber,
	} {
		t.RawSetString(name, vm.LNumber(n))
	}
	t.RawSetString("REDIS_VERSION", vm.LString(CompatibleVersion))
	return t
}

// errorTable is an error as Redis's functions return or raise it.
func (m *Machine) errorTable(l *vm.LState, text string) *vm.LTable {
	t := l.CreateTable(0, 2)
	t.RawSetString("err", vm.LString(text))
	return t
}

func (m *Machine) raiseTable(l *vm.LState, text string) { l.Error(m.errorTable(l, "ERR "+text), 0) }

// arguments reads a command's arguments: strings, and numbers with as many
// digits as they have.
func (m *Machine) arguments(l *vm.LState) (argv [][]byte, refusal string) {
	n := l.GetTop()
	if n == 0 {
		return nil, "Please specify at least one argument for this redis lib call"
	}
	m.argv = m.argv[:0]
	for i := 1; i <= n; i++ {
		switch v := l.Get(i).(type) {
		case vm.LString:
			m.argv = append(m.argv, unsafe.Slice(unsafe.StringData(string(v)), len(v)))
		case vm.LNumber:
			m.argv = append(m.argv, appendNumber(nil, float64(v), 17))
		default:
			return nil, "Lua redis lib command arguments must be strings or integers"
		}
	}
	return m.argv, ""
}

func (m *Machine) redisCall(l *vm.LState, throw bool) int {
	argv, refusal := m.arguments(l)
	if refusal != "" {
		if throw {
			m.raiseTable(l, refusal)
		}
		l.Push(m.errorTable(l, "ERR "+refusal))
		return 1
	}
	raw := m.host.Call(argv, m.proto)
	m.meter.steps = 0 // a command may have taken long
	m.work(l, 0)
	v, rest := m.value(l, raw)
	if rest == nil || len(raw) == 0 {
		m.raiseTable(l, "the reply could not be read")
	}
	if throw && raw[0] == '-' {
		l.Error(v, 0)
	}
	l.Push(v)
	return 1
}

// cutLine splits a reply's first line off.
func cutLine(raw []byte) (line string, rest []byte) {
	for i, c := range raw {
		if c == '\r' {
			return borrow(raw[:i]), raw[i+2:]
		}
	}
	return "", nil
}

// value converts a reply to what scripts get:
// https://redis.io/docs/latest/develop/interact/programmability/lua-api/#data-type-conversion.
// rest is nil when the bytes are no reply.
func (m *Machine) value(l *vm.LState, raw []byte) (v vm.LValue, rest []byte) {
	line, rest := cutLine(raw)
	if line == "" {
		return vm.LNil, nil
	}
	kind, line := line[0], line[1:]
	wrap := func(field string, v vm.LValue) *vm.LTable {
		t := l.CreateTable(0, 1)
		t.RawSetString(field, v)
		return t
	}
	switch kind {
	case '+':
		m.charge(l, decodedTable)
		return wrap("ok", vm.LString(strings.Clone(line))), rest
	case '-':
		m.charge(l, decodedTable)
		code, text, ok := strings.Cut(line, " ")
		if !ok {
			code, text = "ERR", line
		}
		t := m.errorTable(l, code+" "+text)
		t.RawSetString("ignore_error_stats_update", vm.LTrue)
		return t, rest
	case '_':
		return vm.LNil, rest
	case '#':
		return vm.LBool(line == "t"), rest
	case ',':
		f, _ := parseNumber(line)
		return wrap("double", vm.LNumber(f)), rest
	case '(':
		return wrap("big_number", vm.LString(strings.Clone(line))), rest
	}
	n, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		return vm.LNil, nil
	}
	switch kind {
	case ':':
		return vm.LNumber(n), rest
	case '$', '=':
		if n < 0 {
			return vm.LFalse, rest
		}
		if int64(len(rest)) < n+2 {
			return vm.LNil, nil
		}
		m.charge(l, int(n))
		text := vm.LString(rest[:n])
		rest = rest[n+2:]
		if kind == '$' {
			return text, rest
		}
		t := l.CreateTable(0, 2)
		t.RawSetString("string", text[4:])
		t.RawSetString("format", text[:3])
		return wrap("verbatim_string", t), rest
	case '*', '>', '~', '%':
		if n < 0 {
			return vm.LFalse, rest
		}
		return m.aggregate(l, kind, int(n), rest)
	}
	return vm.LNil, nil
}

func (m *Machine) aggregate(l *vm.LState, kind byte, n int, rest []byte) (vm.LValue, []byte) {
	// What the script cannot reach yet is charged until the end of the reply.
	m.build(l, decodedTable+decodedItem*n)
	defer m.built()
	t := l.CreateTable(min(n, 1024), 0)
	var v vm.LValue
	for i := range n {
		if v, rest = m.value(l, rest); rest == nil {
			return vm.LNil, nil
		}
		switch kind {
		case '~':
			t.RawSet(v, vm.LTrue)
		case '%':
			k := v
			if v, rest = m.value(l, rest); rest == nil {
				return vm.LNil, nil
			}
			t.RawSet(k, v)
		default:
			t.RawSetInt(i+1, v)
		}
	}
	if kind != '~' && kind != '%' {
		return t, rest
	}
	field := "set"
	if kind == '%' {
		field = "map"
	}
	outer := l.CreateTable(0, 1)
	outer.RawSetString(field, t)
	return outer, rest
}

const wrongArguments = "wrong number or type of arguments"

func (m *Machine) redisErrorReply(l *vm.LState) int {
	s, ok := l.Get(1).(vm.LString)
	if l.GetTop() != 1 || !ok {
		l.Push(m.errorTable(l, "ERR "+wrongArguments))
		return 1
	}
	text := strings.TrimPrefix(string(s), "-")
	m.charge(l, decodedTable+len(text))
	code, rest, ok := strings.Cut(text, " ")
	if !ok {
		code, rest = "ERR", text
	}
	l.Push(m.errorTable(l, code+" "+strings.Trim(rest, "\r\n")))
	return 1
}

func (m *Machine) redisStatusReply(l *vm.LState) int {
	s, ok := l.Get(1).(vm.LString)
	if l.GetTop() != 1 || !ok {
		l.Push(m.errorTable(l, "ERR "+wrongArguments))
		return 1
	}
	t := l.CreateTable(0, 1)
	t.RawSetString("ok", s)
	l.Push(t)
	return 1
}

func (m *Machine) redisSHA1(l *vm.LState) int {
	if l.GetTop() != 1 {
		m.raiseTable(l, "wrong number of arguments")
	}
	text, _ := toText(l.Get(1))
	m.work(l, len(text)/64)
	l.Push(vm.LString(SHA1(text)))
	return 1
}

// SHA1 is the name of a script: the SHA1 of its text in hexadecimal.
func SHA1(text string) string {
	sum := sha1.Sum(unsafe.Slice(unsafe.StringData(text), len(text))) //nolint:gosec // Redis's names for scripts
	return hex.EncodeToString(sum[:])
}

// maxLogLine bounds a line of redis.log.
const maxLogLine = 1024

func (m *Machine) redisLog(l *vm.LState) int {
	if l.GetTop() < 2 {
		m.raiseTable(l, "redis.log() requires two arguments or more.")
	}
	level, ok := toNumber(l.Get(1))
	if !ok {
		m.raiseTable(l, "First argument must be a number (log level).")
	}
	if level < 0 || level >= 4 {
		m.raiseTable(l, "Invalid debug level.")
	}
	var line strings.Builder
	for i := 2; i <= l.GetTop() && line.Len() < maxLogLine; i++ {
		if text, ok := toText(l.Get(i)); ok {
			if i > 2 {
				line.WriteByte(' ')
			}
			line.WriteString(text[:min(len(text), maxLogLine-line.Len())])
		}
	}
	m.host.Log(int(level), line.String())
	return 0
}

func (m *Machine) redisSetResp(l *vm.LState) int {
	if l.GetTop() != 1 {
		m.raiseTable(l, "redis.setresp() requires one argument.")
	}
	n, _ := toNumber(l.Get(1))
	if int(n) != 2 && int(n) != 3 {
		m.raiseTable(l, "RESP version must be 2 or 3.")
	}
	m.proto = int(n)
	return 0
}

func (m *Machine) redisSetRepl(l *vm.LState) int {
	if l.GetTop() != 1 {
		m.raiseTable(l, "redis.set_repl() requires two arguments.")
	}
	n, _ := toNumber(l.Get(1))
	if int(n)&^3 != 0 {
		m.raiseTable(l, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
	}
	return 0
}

func (m *Machine) redisCheckCommand(l *vm.LState) int {
	argv, refusal := m.arguments(l)
	if refusal != "" {
		m.raiseTable(l, refusal)
	}
	allowed, known := m.host.Allowed(argv)
	if !known {
		m.raiseTable(l, "Invalid command passed to redis.acl_check_cmd()")
	}
	l.Push(vm.LBool(allowed))
	return 1
}
