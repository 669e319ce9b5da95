package commands

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// The functions of this file walk text that compactJSON has returned. On
// anything else they may panic or go astray.

// skipJSONString returns where the string that starts at i ends. Blanks around
// it do no harm.
func skipJSONString(text []byte, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipJSON returns where the value that starts at i ends.
func skipJSON(text []byte, i int) int {
	for depth := 0; i < len(text); {
		switch text[i] {
		case '"':
			i = skipJSONString(text, i)
		case '[', '{':
			depth++
			i++
			continue
		case ']', '}':
			depth--
			i++
		case ',', ':':
			i++
			continue
		default: // a number or a word
			for i < len(text) && text[i] != ',' && text[i] != ']' && text[i] != '}' {
				i++
			}
		}
		if depth == 0 {
			break
		}
	}
	return i
}

// firstMember returns the position of the first member of the object that
// starts at i.
func firstMember(text []byte, i int) (at int, ok bool) { return i + 1, text[i+1] != '}' }

// readMember reads the member at i: its name with the quotes, and where its
// value stands. A further member follows at end+1 if text[end] is a comma.
func readMember(text []byte, i int) (name []byte, value, end int) {
	colon := skipJSONString(text, i)
	return text[i:colon], colon + 1, skipJSON(text, colon+1)
}

// isJSONName tells whether a member's name, with its quotes, spells field.
func isJSONName(name []byte, field string) bool {
	name = name[1 : len(name)-1]
	if len(name) <= len(field) || bytes.IndexByte(name, '\\') < 0 {
		return string(name) == field // an escape is longer than what it means
	}
	return string(unescapeJSON(nil, name)) == field
}

// unescapeJSON appends what the inside of a string means. Half a surrogate
// pair, which UTF-8 cannot say, becomes the three bytes that UTF-8 would use:
// they differ from those of every other string.
func unescapeJSON(dst, s []byte) []byte {
	for len(s) > 0 {
		plain := bytes.IndexByte(s, '\\')
		if plain < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:plain]...)
		s = s[plain+1:]
		c := s[0]
		s = s[1:]
		switch c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hexRune(s)
			s = s[4:]
			if utf16.IsSurrogate(r) {
				if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
					if pair := utf16.DecodeRune(r, hexRune(s[2:])); pair != utf8.RuneError {
						dst = utf8.AppendRune(dst, pair)
						s = s[6:]
						continue
					}
				}
				dst = append(dst, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0xBF, 0x80|byte(r)&0xBF)
				continue
			}
			dst = utf8.AppendRune(dst, r)
		default: // quote, backslash, slash
			dst = append(dst, c)
		}
	}
	return dst
}

// hexRune reads four hex digits.
func hexRune(s []byte) (r rune) {
	for _, c := range s[:4] {
		switch {
		case c <= '9':
			c -= '0'
		default:
			c = c | 0x20 - 'a' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}
