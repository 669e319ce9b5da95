package lua

import (
	"strings"

	vm "github.com/yuin/gopher-lua"
)

// This file matches Lua's patterns as
// https://www.lua.org/manual/5.1/manual.html#5.4.1 describes them. A pattern
// can take any time (a row of ".-" takes a power of the text's length), so the
// matcher counts its steps as the script's work.

const (
	maxCaptures = 32
	// maxPatternDepth bounds how deep matching nests: about one level for each
	// repeated item and capture.
	maxPatternDepth = 1000
	// patternStride is how many steps are counted at once.
	patternStride = 256

	captureOpen     = -1 // not closed yet
	capturePosition = -2 // "()"
)

const escape = '%'

// matcher is one attempt to match a pattern.
type matcher struct {
	m       *Machine
	l       *vm.LState
	text    string
	pattern string
	level   int // captures so far
	depth   int
	steps   int
	capture [maxCaptures]struct{ start, length int }
}

// failed is no position.
const failed = -1

func (ms *matcher) step() {
	if ms.steps++; ms.steps >= patternStride {
		ms.m.work(ms.l, ms.steps)
		ms.steps = 0
	}
}

// match matches the pattern from p on at s, and returns where it ends.
func (ms *matcher) match(s, p int) int {
	if ms.depth++; ms.depth > maxPatternDepth {
		raiseAt(ms.l, "pattern too complex")
	}
	defer func() { ms.depth-- }()
	for {
		ms.step()
		if p == len(ms.pattern) {
			return s
		}
		switch c := ms.pattern[p]; {
		case c == '(':
			if p+1 < len(ms.pattern) && ms.pattern[p+1] == ')' {
				return ms.open(s, p+2, capturePosition)
			}
			return ms.open(s, p+1, captureOpen)
		case c == ')':
			return ms.close(s, p+1)
		case c == '$' && p+1 == len(ms.pattern):
			if s == len(ms.text) {
				return s
			}
			return failed
		case c == escape && p+1 < len(ms.pattern):
			switch d := ms.pattern[p+1]; {
			case d == 'b':
				if s = ms.balanced(s, p+2); s == failed {
					return failed
				}
				p += 4
				continue
			case d == 'f':
				p += 2
				if p >= len(ms.pattern) || ms.pattern[p] != '[' {
					raiseAt(ms.l, "missing '[' after '%%f' in pattern")
				}
				end := ms.classEnd(p)
				var before, after byte
				if s > 0 {
					before = ms.text[s-1]
				}
				if s < len(ms.text) {
					after = ms.text[s]
				}
				if ms.inSet(before, p, end-1) || !ms.inSet(after, p, end-1) {
					return failed
				}
				p = end
				continue
			case isDigit(d):
				if s = ms.repeated(s, d); s == failed {
					return failed
				}
				p += 2
				continue
			}
		}
		end := ms.classEnd(p)
		fits := s < len(ms.text) && ms.single(ms.text[s], p, end)
		var suffix byte
		if end < len(ms.pattern) {
			suffix = ms.pattern[end]
		}
		switch suffix {
		case '?':
			if fits {
				if r := ms.match(s+1, end+1); r != failed {
					return r
				}
			}
			p = end + 1
		case '*':
			return ms.most(s, p, end)
		case '+':
			if !fits {
				return failed
			}
			return ms.most(s+1, p, end)
		case '-':
			return ms.least(s, p, end)
		default:
			if !fits {
				return failed
			}
			s, p = s+1, end
		}
	}
}

// most takes as many as fit, then fewer.
func (ms *matcher) most(s, p, end int) int {
	n := 0
	for s+n < len(ms.text) && ms.single(ms.text[s+n], p, end) {
		n++
		ms.step()
	}
	for ; n >= 0; n-- {
		if r := ms.match(s+n, end+1); r != failed {
			return r
		}
	}
	return failed
}

// least takes none, then more.
func (ms *matcher) least(s, p, end int) int {
	for {
		if r := ms.match(s, end+1); r != failed {
			return r
		}
		if s >= len(ms.text) || !ms.single(ms.text[s], p, end) {
			return failed
		}
		s++
	}
}

func (ms *matcher) open(s, p, kind int) int {
	if ms.level >= maxCaptures {
		raiseAt(ms.l, "too many captures")
	}
	ms.capture[ms.level].start, ms.capture[ms.level].length = s, kind
	ms.level++
	r := ms.match(s, p)
	if r == failed {
		ms.level--
	}
	return r
}

func (ms *matcher) close(s, p int) int {
	at := -1
	for i := ms.level - 1; i >= 0; i-- {
		if ms.capture[i].length == captureOpen {
			at = i
			break
		}
	}
	if at < 0 {
		raiseAt(ms.l, "invalid pattern capture")
	}
	ms.capture[at].length = s - ms.capture[at].start
	r := ms.match(s, p)
	if r == failed {
		ms.capture[at].length = captureOpen
	}
	return r
}

// balanced is %bxy; p is where x stands.
func (ms *matcher) balanced(s, p int) int {
	if p+1 >= len(ms.pattern) {
		raiseAt(ms.l, "unbalanced pattern")
	}
	open, shut := ms.pattern[p], ms.pattern[p+1]
	if s >= len(ms.text) || ms.text[s] != open {
		return failed
	}
	nested := 1
	for i := s + 1; i < len(ms.text); i++ {
		ms.step()
		switch ms.text[i] {
		case shut:
			if nested--; nested == 0 {
				return i + 1
			}
		case open:
			nested++
		}
	}
	return failed
}

// repeated is %1 to %9: what a capture matched, once more.
func (ms *matcher) repeated(s int, digit byte) int {
	i := int(digit) - '1'
	if i < 0 || i >= ms.level || ms.capture[i].length == captureOpen {
		raiseAt(ms.l, "invalid capture index")
	}
	c := ms.capture[i]
	if c.length < 0 {
		return failed
	}
	part := ms.text[c.start : c.start+c.length]
	ms.steps += len(part) / 16
	if strings.HasPrefix(ms.text[s:], part) {
		return s + len(part)
	}
	return failed
}

// classEnd is where the single-character item at p ends.
func (ms *matcher) classEnd(p int) int {
	c := ms.pattern[p]
	p++
	switch c {
	case escape:
		if p >= len(ms.pattern) {
			raiseAt(ms.l, "malformed pattern (ends with '%%')")
		}
		return p + 1
	case '[':
		if p < len(ms.pattern) && ms.pattern[p] == '^' {
			p++
		}
		for first := true; ; first = false {
			if p >= len(ms.pattern) {
				raiseAt(ms.l, "malformed pattern (missing ']')")
			}
			c := ms.pattern[p]
			p++
			if c == escape && p < len(ms.pattern) {
				p++
			}
			if c == ']' && !first {
				return p
			}
			ms.step()
		}
	}
	return p
}

// single tells whether c is one of the item from p to end.
func (ms *matcher) single(c byte, p, end int) bool {
	switch ms.pattern[p] {
	case '.':
		return true
	case escape:
		return inClass(c, ms.pattern[p+1])
	case '[':
		return ms.inSet(c, p, end-1)
	}
	return ms.pattern[p] == c
}

// inSet tells whether c is in the set between "[" at p and "]" at end.
func (ms *matcher) inSet(c byte, p, end int) bool {
	found := true
	p++
	if ms.pattern[p] == '^' {
		found = false
		p++
	}
	ms.steps += (end - p) / 4
	for ; p < end; p++ {
		switch {
		case ms.pattern[p] == escape:
			p++
			if inClass(c, ms.pattern[p]) {
				return found
			}
		case p+2 < end && ms.pattern[p+1] == '-':
			if ms.pattern[p] <= c && c <= ms.pattern[p+2] {
				return found
			}
			p += 2
		case ms.pattern[p] == c:
			return found
		}
	}
	return !found
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// inClass tells whether c is in a class such as %a; capitals mean the opposite.
func inClass(c, class byte) bool {
	lower := class | 0x20
	letter := 'a' <= c|0x20 && c|0x20 <= 'z'
	var in bool
	switch lower {
	case 'a':
		in = letter
	case 'c':
		in = c < 0x20 || c == 0x7F
	case 'd':
		in = isDigit(c)
	case 'l':
		in = 'a' <= c && c <= 'z'
	case 'p':
		in = 0x20 < c && c < 0x7F && !letter && !isDigit(c)
	case 's':
		in = c == ' ' || '\t' <= c && c <= '\r'
	case 'u':
		in = 'A' <= c && c <= 'Z'
	case 'w':
		in = letter || isDigit(c)
	case 'x':
		in = isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f'
	case 'z':
		in = c == 0
	default:
		return class == c
	}
	if class < 'a' && class >= 'A' {
		return !in
	}
	return in
}
