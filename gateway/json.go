package gateway

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/cubbykv/cubby/internal/resp"
)

// replies turns RESP replies into JSON.
type replies struct {
	in     []byte // what is still to be read
	base64 bool   // strings are shown in base64, so that any bytes arrive; see appendNext
	limit  int    // of the JSON, in bytes, about; 0 is none
}

// maxExact is the greatest whole number that a double, and so JavaScript, keeps
// exactly.
const maxExact = 1<<53 - 1

// errReply is returned for bytes that are no reply; the engine writes none.
var errReply = errors.New("gateway: malformed reply")

// errLong is returned for replies that are longer in JSON than they may be: a
// control character takes six bytes there.
var errLong = errors.New("gateway: the replies are too long")

// next returns the first line of the next reply: its type and the rest.
func (r *replies) next() (kind byte, line []byte, err error) {
	i := bytes.IndexByte(r.in, '\n')
	if i < 2 || r.in[i-1] != '\r' {
		return 0, nil, errReply
	}
	kind, line = r.in[0], r.in[1:i-1]
	r.in = r.in[i+1:]
	return kind, line, nil
}

// isError tells whether the next reply is an error, and takes it if so.
func (r *replies) isError() (text string, yes bool, err error) {
	if len(r.in) == 0 {
		return "", false, errReply
	}
	if r.in[0] != '-' {
		return "", false, nil
	}
	_, line, err := r.next()
	return string(line), true, err
}

// count reads the head of an array and returns its length, -1 for a null.
func (r *replies) count() (int, error) {
	kind, line, err := r.next()
	if err != nil || kind != '*' && kind != '>' && kind != '_' {
		return 0, errReply
	}
	if kind == '_' {
		return -1, nil
	}
	return strconv.Atoi(string(line))
}

// text reads a bulk or simple string, or a number, as bytes.
func (r *replies) text() ([]byte, error) {
	kind, line, err := r.next()
	if err != nil {
		return nil, err
	}
	switch kind {
	case '+', ':':
		return line, nil
	case '$':
		return r.bulk(line)
	}
	return nil, errReply
}

// bulk reads the bytes of a bulk string; nil for a null.
func (r *replies) bulk(line []byte) ([]byte, error) {
	n, err := strconv.Atoi(string(line))
	switch {
	case err == nil && n < 0:
		return nil, nil
	case err != nil || n > len(r.in)-2:
		return nil, errReply
	}
	b := r.in[:n:n]
	r.in = r.in[n+2:]
	return b, nil
}

// appendNext appends the next reply, which is no error, to dst. The status OK is
// not shown in base64: people and clients look for it. Inside of an array it is,
// because clients decode all strings there.
func (r *replies) appendNext(dst []byte) ([]byte, error) {
	if bytes.HasPrefix(r.in, okReply) {
		r.in = r.in[len(okReply):]
		return append(dst, `"OK"`...), nil
	}
	return r.appendAny(dst)
}

var okReply = []byte("+OK\r\n")

func (r *replies) appendAny(dst []byte) ([]byte, error) {
	if r.limit > 0 && len(dst) > r.limit {
		return dst, errLong
	}
	kind, line, err := r.next()
	if err != nil {
		return dst, err
	}
	switch kind {
	case '+':
		return r.appendString(dst, line), nil
	case '-': // inside of an array
		return r.appendString(dst, line), nil
	case ':':
		return r.appendInt(dst, line), nil
	case '$':
		b, err := r.bulk(line)
		if err != nil {
			return dst, err
		}
		if b == nil {
			return append(dst, "null"...), nil
		}
		return r.appendString(dst, b), nil
	case '_':
		return append(dst, "null"...), nil
	case '*', '~', '>':
		return r.appendArray(dst, line)
	}
	return dst, errReply
}

func (r *replies) appendArray(dst, line []byte) ([]byte, error) {
	n, err := strconv.Atoi(string(line))
	if err != nil {
		return dst, errReply
	}
	if n < 0 {
		return append(dst, "null"...), nil
	}
	dst = append(dst, '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = r.appendAny(dst); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// appendString shows a string as the client asked for it.
func (r *replies) appendString(dst, b []byte) []byte {
	if !r.base64 {
		return appendQuoted(dst, b)
	}
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

// appendInt writes a whole number, and as a string one that a double would not
// keep.
func (r *replies) appendInt(dst, digits []byte) []byte {
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err == nil && -maxExact <= n && n <= maxExact {
		return strconv.AppendInt(dst, n, 10)
	}
	return r.appendString(dst, digits)
}

// appendQuoted writes b as a JSON string. Bytes that are not UTF-8 become
// U+FFFD: JSON has no others, and base64 is there for them.
func appendQuoted(dst, b []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(b); {
		c := b[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(b[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
			continue
		}
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
		i++
	}
	return append(dst, '"')
}

// protocol is what replies are read in: its types are those of JSON, and of the
// clients of this door.
const protocol = resp.V2
