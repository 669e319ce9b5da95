package config

import "errors"

var (
	errQuotes   = errors.New("unbalanced quotes: a closing quote is missing, or text follows one without a blank")
	errZeroByte = errors.New("the line has a zero byte")
)

// splitArgs splits a line into words exactly as Redis does: blanks between
// them, 'single' or "double" quotes around them, and in double quotes the
// escapes \n \r \t \b \a and \xHH. Errors: errQuotes, errZeroByte.
func splitArgs(line string) ([]string, error) {
	var words []string
	for i := 0; ; {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) {
			return words, nil
		}
		word, next, err := nextWord(line, i)
		if err != nil {
			return nil, err
		}
		words = append(words, word)
		i = next
	}
}

// nextWord reads the word that starts at line[i] and returns where it ended.
func nextWord(line string, i int) (word string, next int, err error) {
	var w []byte
	for i < len(line) {
		switch c := line[i]; c {
		case 0:
			return "", 0, errZeroByte
		case ' ', '\n', '\r', '\t': // not \v and \f: Redis keeps them in a word
			return string(w), i, nil
		case '"', '\'':
			// Redis lets a quote open in the middle of a word, but the word
			// ends where the quote does.
			quoted, end, err := quotedPart(line, i+1, c)
			if err != nil {
				return "", 0, err
			}
			return string(append(w, quoted...)), end, nil
		default:
			w = append(w, c)
			i++
		}
	}
	return string(w), i, nil
}

// quotedPart reads up to the closing quote and returns the position after it.
func quotedPart(line string, i int, quote byte) (part []byte, next int, err error) {
	for i < len(line) {
		c := line[i]
		switch {
		case c == 0:
			return nil, 0, errZeroByte
		case c == quote:
			if i+1 < len(line) && !isSpace(line[i+1]) {
				return nil, 0, errQuotes
			}
			return part, i + 1, nil
		case c == '\\' && quote == '\'' && i+1 < len(line) && line[i+1] == '\'':
			part = append(part, '\'')
			i += 2
		case c == '\\' && quote == '"' && i+1 < len(line):
			b, n := unescape(line[i+1:])
			part = append(part, b)
			i += 1 + n
		default:
			part = append(part, c)
			i++
		}
	}
	return nil, 0, errQuotes
}

// unescape returns the byte that s, the text after a backslash, stands for,
// and how much of s it took.
func unescape(s string) (b byte, n int) {
	switch s[0] {
	case 'x':
		if len(s) >= 3 && isHex(s[1]) && isHex(s[2]) {
			return hexValue(s[1])<<4 | hexValue(s[2]), 3
		}
		return 'x', 1
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 't':
		return '\t', 1
	case 'b':
		return '\b', 1
	case 'a':
		return '\a', 1
	default:
		return s[0], 1
	}
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
