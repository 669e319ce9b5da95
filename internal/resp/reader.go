package resp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// ErrMalformed is returned for bytes that are no reply.
var ErrMalformed = errors.New("resp: malformed reply")

// maxDepth bounds how deep replies may nest.
const maxDepth = 64

// ReadRaw reads one whole reply, of either protocol, and returns its bytes as
// they came, nested replies included.
func ReadRaw(r *bufio.Reader) ([]byte, error) { return appendRaw(nil, r, 0) }

func appendRaw(dst []byte, r *bufio.Reader, depth int) ([]byte, error) {
	if depth > maxDepth {
		return dst, fmt.Errorf("%w: nested deeper than %d", ErrMalformed, maxDepth)
	}
	line, err := r.ReadBytes('\n')
	dst = append(dst, line...)
	if err != nil {
		return dst, err
	}
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return dst, fmt.Errorf("%w: line %q", ErrMalformed, line)
	}
	body := string(line[1 : len(line)-2])
	switch line[0] {
	case '+', '-', ':', '_', ',', '#', '(':
		return dst, nil
	case '$', '=', '!':
		n, err := strconv.Atoi(body)
		if err != nil || n < -1 {
			return dst, fmt.Errorf("%w: length %q", ErrMalformed, line)
		}
		if n == -1 {
			return dst, nil
		}
		start := len(dst)
		dst = append(dst, make([]byte, n+2)...)
		_, err = io.ReadFull(r, dst[start:])
		return dst, err
	case '*', '~', '>', '%', '|':
		n, err := strconv.Atoi(body)
		if err != nil || n < -1 {
			return dst, fmt.Errorf("%w: count %q", ErrMalformed, line)
		}
		if line[0] == '%' || line[0] == '|' {
			n *= 2
		}
		if line[0] == '|' {
			n++ // an attribute precedes the reply that it describes
		}
		for range n {
			if dst, err = appendRaw(dst, r, depth+1); err != nil {
				return dst, err
			}
		}
		return dst, nil
	}
	return dst, fmt.Errorf("%w: line %q", ErrMalformed, line)
}
