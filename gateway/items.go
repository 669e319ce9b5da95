package gateway

import "bytes"

// blanks may stand between the parts of a JSON text.
const blanks = " \t\r\n"

// items are those of a JSON array, one after the other. The text is known to be
// valid JSON, and nothing is kept for an item until its number is known: package
// json would make twenty times a body's bytes of a list of short ones.
type items struct {
	rest []byte // begins with the array's bracket; behind begin, with an item
}

// count returns how many items there are; not ok is a text that is no array.
func (l items) count() (n int, ok bool) {
	if len(l.rest) == 0 || l.rest[0] != '[' {
		return 0, false
	}
	l.begin()
	for len(l.rest) > 0 && l.rest[0] != ']' {
		l.next()
		n++
	}
	return n, true
}

// begin goes to the first item.
func (l *items) begin() { l.rest = bytes.TrimLeft(l.rest[1:], blanks) }

// next returns an item, which is there, and goes on to the one behind it.
func (l *items) next() []byte {
	end := itemEnd(l.rest)
	item := l.rest[:end:end]
	l.rest = bytes.TrimLeft(l.rest[end:], blanks)
	if len(l.rest) > 0 && l.rest[0] == ',' {
		l.rest = bytes.TrimLeft(l.rest[1:], blanks)
	}
	return item
}

// itemEnd returns where the value ends that text begins with.
func itemEnd(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringEnd(text[i:])
			if depth == 0 {
				return i + 1
			}
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
			if depth < 0 { // of what the value is in
				return i
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return len(text)
}

// stringEnd returns where the closing quote of the string is that text begins
// with.
func stringEnd(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(text) - 1
}
