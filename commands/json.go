package commands

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// The KV commands keep JSON (RFC 8259, in UTF-8) exactly as it was sent, less
// the blanks between its tokens. It is never decoded and encoded again: number
// text and escapes belong to the app.
//
// The check has its own scanner because every KV read runs it: encoding/json's
// takes several times as long and knows neither where UTF-8 goes wrong nor
// whether there is anything to compact.

// maxJSONDepth is how deep arrays and objects may be nested, the bound of
// encoding/json.
const maxJSONDepth = 10_000

// jsonError is the first thing in a text that is not JSON.
type jsonError struct {
	what string
	at   int // offset in bytes
}

// Error says what is wrong and where.
func (e *jsonError) Error() string { return fmt.Sprintf("at byte %d: %s", e.at, e.what) }

// compactJSON checks text and returns it without the blanks between tokens:
// text itself when there are none. It never writes to text.
func compactJSON(text []byte) ([]byte, *jsonError) {
	blanks, err := checkJSON(text)
	if err != nil {
		return nil, err
	}
	if blanks == 0 {
		return text, nil
	}
	return dropBlanks(make([]byte, 0, len(text)-blanks), text), nil
}

// isJSON tells whether a stored value is JSON.
func isJSON(value []byte) bool {
	_, err := checkJSON(value)
	return err == nil
}

// dropBlanks appends valid JSON to dst without the blanks between tokens.
func dropBlanks(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		switch text[i] {
		case ' ', '\t', '\r', '\n':
			i++
		case '"':
			end := skipJSONString(text, i)
			dst = append(dst, text[i:end]...)
			i = end
		default:
			dst = append(dst, text[i])
			i++
		}
	}
	return dst
}

// checkJSON tells whether text is one JSON value, and how many blanks stand
// between its tokens.
func checkJSON(text []byte) (blanks int, err *jsonError) {
	s := jsonScanner{text: text}
	if err := s.value(0); err != nil {
		return 0, err
	}
	s.skipBlanks()
	if s.at < len(text) {
		return 0, s.unexpected("after the end of the value")
	}
	return s.blanks, nil
}

type jsonScanner struct {
	text   []byte
	at     int
	blanks int // passed so far
}

// next skips blanks and returns the byte after them, 0 at the end of the text:
// no token starts with it.
func (s *jsonScanner) next() byte {
	if s.at < len(s.text) && s.text[s.at] > ' ' {
		return s.text[s.at]
	}
	s.skipBlanks()
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *jsonScanner) skipBlanks() {
	from := s.at
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
			continue
		}
		break
	}
	s.blanks += s.at - from
}

// value passes one value that stands inside depth arrays and objects.
func (s *jsonScanner) value(depth int) *jsonError {
	switch c := s.next(); c {
	case '"':
		return s.str()
	case '{', '[':
		if depth == maxJSONDepth {
			return &jsonError{fmt.Sprintf("more than %d arrays and objects inside each other", maxJSONDepth), s.at}
		}
		s.at++
		if c == '{' {
			return s.object(depth + 1)
		}
		return s.array(depth + 1)
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return s.number()
	}
	return s.unexpected("where a value should start")
}

// array passes the rest of an array; depth counts it.
func (s *jsonScanner) array(depth int) *jsonError {
	if s.next() == ']' {
		s.at++
		return nil
	}
	for {
		if err := s.value(depth); err != nil {
			return err
		}
		switch s.next() {
		case ',':
			s.at++
		case ']':
			s.at++
			return nil
		default:
			return s.unexpected("after an item of an array")
		}
	}
}

// object passes the rest of an object; depth counts it.
func (s *jsonScanner) object(depth int) *jsonError {
	if s.next() == '}' {
		s.at++
		return nil
	}
	for {
		if s.next() != '"' {
			return s.unexpected("where a member's name should start")
		}
		if err := s.str(); err != nil {
			return err
		}
		if s.next() != ':' {
			return s.unexpected("after a member's name")
		}
		s.at++
		if err := s.value(depth); err != nil {
			return err
		}
		switch s.next() {
		case ',':
			s.at++
		case '}':
			s.at++
			return nil
		default:
			return s.unexpected("after a member of an object")
		}
	}
}

// plainInString marks the bytes that mean themselves inside a string: ASCII
// less control characters, quote and backslash.
var plainInString = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

func (s *jsonScanner) str() *jsonError {
	text, i := s.text, s.at+1
	for i < len(text) {
		c := text[i]
		switch {
		case plainInString[c]:
			i++
		case c == '"':
			s.at = i + 1
			return nil
		case c == '\\':
			n := escapeLen(text[i:])
			if n == 0 {
				return &jsonError{"an escape that JSON does not have", i}
			}
			i += n
		case c < ' ':
			return &jsonError{fmt.Sprintf("the control character 0x%02X, which must be escaped", c), i}
		default:
			_, n := utf8.DecodeRune(text[i:])
			if n == 1 {
				return &jsonError{fmt.Sprintf("0x%02X, which is not UTF-8", c), i}
			}
			i += n
		}
	}
	return &jsonError{"a string without an end", s.at}
}

// escapeLen is the length of the escape at the start of b, 0 when it is none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if !isHex(c) {
				return 0
			}
		}
		return 6
	}
	return 0
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func (s *jsonScanner) number() *jsonError {
	if s.text[s.at] == '-' {
		s.at++
	}
	// A leading zero stands alone.
	if s.at < len(s.text) && s.text[s.at] == '0' {
		s.at++
	} else if !s.digits() {
		return s.unexpected("where a digit should stand")
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		if !s.digits() {
			return s.unexpected("where a digit should stand")
		}
	}
	if s.at < len(s.text) && s.text[s.at]|0x20 == 'e' {
		s.at++
		if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
			s.at++
		}
		if !s.digits() {
			return s.unexpected("where a digit should stand")
		}
	}
	return nil
}

// digits passes digits and tells whether there was one.
func (s *jsonScanner) digits() bool {
	from := s.at
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > from
}

func (s *jsonScanner) word(word string) *jsonError {
	if !bytes.HasPrefix(s.text[s.at:], []byte(word)) {
		return &jsonError{"a word that is not true, false or null", s.at}
	}
	s.at += len(word)
	return nil
}

// byteOrderMark is what some editors put before UTF-8; RFC 8259 forbids it.
var byteOrderMark = []byte("\xEF\xBB\xBF")

// unexpected is the error for the byte at the scanner's position.
func (s *jsonScanner) unexpected(where string) *jsonError {
	if s.at >= len(s.text) {
		return &jsonError{"it ends", s.at}
	}
	if s.at == 0 && bytes.HasPrefix(s.text, byteOrderMark) {
		return &jsonError{"a byte order mark", 0}
	}
	if c := s.text[s.at]; ' ' < c && c < 0x7F {
		return &jsonError{fmt.Sprintf("'%c' %s", c, where), s.at}
	}
	return &jsonError{fmt.Sprintf("0x%02X %s", s.text[s.at], where), s.at}
}
