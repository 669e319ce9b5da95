package commands

// glob is a compiled pattern of Redis's: * ? [a-z] [^x] and \ to take a
// character as it is. It follows stringmatchlen of Redis 7, oddities included
// (an unclosed class ends with the pattern, a reversed range counts both ways).
//
// Whoever sends a pattern chooses what matching costs, under the lock of the
// keys that are matched. So a pattern is read once, a class is a table and not
// a text, and only the last * is ever retried: a match takes at most the square
// of the key's length, however long the pattern.
type glob struct {
	elements []globPart
	classes  []charClass
}

// globPart matches one character, or any number of them.
type globPart struct {
	kind  globKind
	char  byte  // of a globChar
	class int32 // of a globIn
}

type globKind uint8

const (
	globChar globKind = iota
	globAny           // ?
	globMany          // *
	globIn            // a class
)

// charClass has a bit for each character in it.
type charClass [4]uint64

func (c *charClass) add(b byte)      { c[b>>6] |= 1 << (b & 63) }
func (c *charClass) has(b byte) bool { return c[b>>6]&(1<<(b&63)) != 0 }

func compileGlob(pattern string) *glob {
	g := &glob{elements: make([]globPart, 0, min(len(pattern), 64))}
	for i := 0; i < len(pattern); {
		switch c := pattern[i]; {
		case c == '*':
			if n := len(g.elements); n == 0 || g.elements[n-1].kind != globMany {
				g.elements = append(g.elements, globPart{kind: globMany})
			}
		case c == '?':
			g.elements = append(g.elements, globPart{kind: globAny})
		case c == '[':
			class, width := parseCharClass(pattern[i:])
			g.elements = append(g.elements, globPart{kind: globIn, class: int32(len(g.classes))})
			g.classes = append(g.classes, class)
			i += width
			continue
		case c == '\\' && i+1 < len(pattern):
			i++
			g.elements = append(g.elements, globPart{char: pattern[i]})
		default:
			g.elements = append(g.elements, globPart{char: c})
		}
		i++
	}
	return g
}

// parseCharClass reads the class that pattern begins with, and tells how long
// it is.
func parseCharClass(pattern string) (class charClass, width int) {
	i := 1
	negated := i < len(pattern) && pattern[i] == '^'
	if negated {
		i++
	}
	for i < len(pattern) && pattern[i] != ']' {
		rest := len(pattern) - i
		switch {
		case rest >= 2 && pattern[i] == '\\':
			i++
			class.add(pattern[i])
		case rest >= 3 && pattern[i+1] == '-':
			lo, hi := pattern[i], pattern[i+2]
			if lo > hi {
				lo, hi = hi, lo
			}
			for c := int(lo); c <= int(hi); c++ {
				class.add(byte(c))
			}
			i += 2
		default:
			class.add(pattern[i])
		}
		i++
	}
	if i < len(pattern) {
		i++ // the closing bracket
	}
	if negated {
		for w := range class {
			class[w] = ^class[w]
		}
	}
	return class, i
}

// match tells whether all of s fits the pattern. Nothing but the empty pattern
// fits the empty string, not even *.
func (g *glob) match(s string) bool {
	if s == "" {
		return len(g.elements) == 0
	}
	e, i := 0, 0
	starE, starI := -1, 0
	for i < len(s) {
		if e < len(g.elements) {
			if g.elements[e].kind == globMany {
				starE, starI = e, i
				e++
				continue
			}
			if g.matchOne(&g.elements[e], s[i]) {
				e++
				i++
				continue
			}
		}
		if starE < 0 {
			return false
		}
		starI++
		e, i = starE+1, starI
	}
	for e < len(g.elements) && g.elements[e].kind == globMany {
		e++
	}
	return e == len(g.elements)
}

func (g *glob) matchOne(e *globPart, c byte) bool {
	switch e.kind {
	case globAny:
		return true
	case globIn:
		return g.classes[e.class].has(c)
	default:
		return e.char == c
	}
}

// matchGlob is for a pattern that is used once.
func matchGlob(pattern, s string) bool { return compileGlob(pattern).match(s) }

// literalPrefix returns what every match of pattern begins with.
func literalPrefix(pattern string) string {
	var prefix []byte
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*', '?', '[':
			return string(prefix)
		case '\\':
			if i+1 < len(pattern) {
				i++
			}
			prefix = append(prefix, pattern[i])
		default:
			prefix = append(prefix, c)
		}
	}
	return string(prefix)
}
