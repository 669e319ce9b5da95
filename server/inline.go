package server

// splitInline cuts a line into arguments by the rules that Redis has for
// inline commands: blanks separate, quotes group, and escapes work inside
// double quotes (\n \r \t \b \a \xHH; any other \c is c) while single quotes
// know only \'. It reports false for unbalanced quotes. The arguments are
// copies.
//
// A zero byte is an ordinary one here. Redis, whose line is a C string, never
// answers such a line.
func splitInline(line []byte) (argv [][]byte, ok bool) {
	i := 0
	for {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) {
			return argv, true
		}
		arg, next, ok := inlineToken(line, i)
		if !ok {
			return nil, false
		}
		argv = append(argv, arg)
		i = next
	}
}

// inlineToken reads the argument that begins at i and returns where it ends.
func inlineToken(line []byte, i int) (arg []byte, next int, ok bool) {
	arg = []byte{} // an empty argument is not a missing one
	for ; i < len(line); i++ {
		switch c := line[i]; c {
		case ' ', '\n', '\r', '\t': // but not \v and \f, as in Redis
			return arg, i + 1, true
		case '"', '\'':
			// A quote may begin inside an argument, and ends it when closed.
			return inlineQuoted(line, i+1, c, arg)
		default:
			arg = append(arg, c)
		}
	}
	return arg, i, true
}

// inlineQuoted appends to arg what stands between i and the closing quote.
func inlineQuoted(line []byte, i int, quote byte, arg []byte) ([]byte, int, bool) {
	for ; i < len(line); i++ {
		c := line[i]
		switch {
		case c == quote:
			i++
			if i < len(line) && !isSpace(line[i]) {
				return nil, 0, false
			}
			return arg, i, true
		case c == '\\' && quote == '\'' && i+1 < len(line) && line[i+1] == '\'':
			i++
			arg = append(arg, '\'')
		case c == '\\' && quote == '"' && i+3 < len(line) && line[i+1] == 'x' && isHex(line[i+2]) && isHex(line[i+3]):
			arg = append(arg, hexValue(line[i+2])<<4|hexValue(line[i+3]))
			i += 3
		case c == '\\' && quote == '"' && i+1 < len(line):
			i++
			arg = append(arg, unescape(line[i]))
		default:
			arg = append(arg, c)
		}
	}
	return nil, 0, false
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return c
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func hexValue(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	}
	return c - '0'
}
