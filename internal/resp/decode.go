package resp

import (
	"bytes"
	"fmt"
	"strconv"
)

// ErrorText is an error reply: its code and its message.
type ErrorText string

// Decode reads the first reply of b, in RESP2, and returns what follows it. A
// reply is a string, an int64, nil, an ErrorText, or a []any of them. Errors:
// ErrMalformed.
func Decode(b []byte) (reply any, rest []byte, err error) { return decode(b, 0) }

func decode(b []byte, depth int) (reply any, rest []byte, err error) {
	end := bytes.IndexByte(b, '\n')
	if end < 2 || b[end-1] != '\r' || depth > maxDepth {
		return nil, b, fmt.Errorf("%w: %.40q", ErrMalformed, b)
	}
	line, rest := string(b[1:end-1]), b[end+1:]
	switch b[0] {
	case '+':
		return line, rest, nil
	case '-':
		return ErrorText(line), rest, nil
	}
	n, err := strconv.ParseInt(line, 10, 64)
	switch {
	case err != nil:
	case b[0] == ':':
		return n, rest, nil
	case (b[0] == '$' || b[0] == '*') && n == -1:
		return nil, rest, nil
	case n < 0 || n > int64(len(rest)):
	case b[0] == '$' && n+2 <= int64(len(rest)):
		return string(rest[:n]), rest[n+2:], nil
	case b[0] == '*':
		list := make([]any, n)
		for i := range list {
			if list[i], rest, err = decode(rest, depth+1); err != nil {
				return nil, rest, err
			}
		}
		return list, rest, nil
	}
	return nil, b, fmt.Errorf("%w: %.40q", ErrMalformed, b)
}
