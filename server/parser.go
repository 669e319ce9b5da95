package server

import (
	"bytes"
	"math"

	"github.com/cubbykv/cubby/internal/kverr"
)

// Bounds of the protocol, as in Redis 7.0.
const (
	redisMaxLine  = 64 << 10  // bytes of an inline command or of a length line
	redisMaxBulk  = 512 << 20 // bytes of one argument, Redis's own proto-max-bulk-len
	maxArgs       = 1 << 20   // arguments of one command (Redis before 7.0)
	maxArgsBefore = 10        // the same before sign-in
	maxBulkBefore = 16 << 10  // bytes of one argument before sign-in
)

// fault is a breach of the protocol: Redis answers it and hangs up.
type fault string

const (
	faultMultibulk       fault = "invalid multibulk length"
	faultBulk            fault = "invalid bulk length"
	faultMultibulkBefore fault = "unauthenticated multibulk length"
	faultBulkBefore      fault = "unauthenticated bulk length"
	faultMultibulkLine   fault = "too big mbulk count string"
	faultBulkLine        fault = "too big bulk count string"
	faultInlineLine      fault = "too big inline request"
	faultQuotes          fault = "unbalanced quotes in request"
	// faultHTTP is a web browser, lured into speaking to us. Like Redis we hang
	// up without a word, before the lines of its body are taken for commands.
	faultHTTP fault = "an HTTP request"
)

// faultNotBulk is Redis's word for an argument that does not begin with $.
func faultNotBulk(c byte) fault {
	if c == '\r' || c == '\n' {
		c = ' ' // an error is one line
	}
	return fault("expected '$', got '" + string([]byte{c}) + "'")
}

// reply is the error reply that the client gets; nil for none.
func (f fault) reply() []byte {
	if f == faultHTTP {
		return nil
	}
	return []byte("-ERR Protocol error: " + string(f) + "\r\n")
}

// bounds are the limits that frames are parsed by.
type bounds struct {
	request  int  // bytes kept of one frame
	bulk     int  // bytes of one argument
	signedIn bool // before sign-in less is allowed
}

// mark is where an argument stands, relative to the start of its frame.
type mark struct{ from, to uint32 }

// parser finds commands in a buffer that fills bit by bit. It keeps its place,
// so that no byte is looked at twice, however slowly they trickle in.
//
// buf[start:pos] is the frame under way as far as it is understood and
// buf[pos:end] what arrived after it. When next reports true, the frame is
// whole, and stays so until consume.
type parser struct {
	buf             []byte
	start, pos, end int

	scan  int   // the search for the end of the line goes on here
	left  int   // arguments still to come
	bulk  int   // bytes of the argument under way; -1 before its length is known
	skip  int   // bytes still to be read and dropped
	fault fault // set once, for good

	marks  []mark   // the arguments so far
	inline [][]byte // the arguments of an inline command

	refusal  error // why the frame is not to be run
	tooLarge bool  // of the frame only its name is kept, in name
	name     []byte
	size     int // bytes of the frame as sent, counted when tooLarge
}

func newParser() parser { return parser{bulk: -1} }

// next goes on parsing and tells whether a frame is whole. It stops for good
// at a fault.
func (p *parser) next(b bounds) bool {
	for p.fault == "" {
		switch {
		case p.skip > 0:
			if !p.drop() {
				return false
			}
			if p.argumentDone() {
				return true
			}
		case p.pos == p.end:
			return false
		case p.left > 0 && p.bulk < 0:
			if !p.bulkLength(b) {
				return false
			}
		case p.left > 0:
			if p.end-p.pos < p.bulk+2 {
				return false
			}
			p.keepArgument()
			if p.argumentDone() {
				return true
			}
		case p.buf[p.pos] == '*':
			if p.plainFrame(b) {
				return true
			}
			if !p.multibulkLength(b) {
				return false
			}
		default:
			if !p.inlineLine(b) {
				return false
			}
			if len(p.inline) > 0 {
				return true
			}
		}
	}
	return false
}

// consume makes room for the next frame.
func (p *parser) consume() {
	p.start = p.pos
	p.marks = p.marks[:0]
	if cap(p.marks) > 4<<10 {
		p.marks = nil
	}
	p.inline = nil
	p.refusal, p.tooLarge, p.name, p.size = nil, false, nil, 0
}

// plain tells whether the whole frame stands in the buffer as a RESP array.
func (p *parser) plain() bool { return p.inline == nil && p.refusal == nil && !p.tooLarge }

// line returns what stands before the \r of the line at pos and steps over
// it. Like Redis it takes any byte after the \r for its \n; redcon does not,
// so a \n is put there.
func (p *parser) line(tooLong fault) ([]byte, bool) {
	i := bytes.IndexByte(p.buf[p.scan:p.end], '\r')
	if i < 0 {
		p.scan = p.end
		if p.end-p.pos > redisMaxLine {
			p.fault = tooLong
		}
		return nil, false
	}
	i += p.scan
	p.scan = i
	if i-p.pos > redisMaxLine {
		p.fault = tooLong
		return nil, false
	}
	if i+2 > p.end {
		return nil, false
	}
	p.buf[i+1] = '\n'
	return p.buf[p.pos:i], true
}

func (p *parser) step(to int) { p.pos, p.scan = to, to }

// multibulkLength reads the line that begins a frame. Like Redis it passes
// over frames without arguments.
func (p *parser) multibulkLength(b bounds) bool {
	line, ok := p.line(faultMultibulkLine)
	if !ok {
		return false
	}
	n, ok := parseLength(line[1:])
	switch {
	case !ok || n > maxArgs:
		p.fault = faultMultibulk
	case n > maxArgsBefore && !b.signedIn:
		p.fault = faultMultibulkBefore
	}
	p.step(p.scan + 2)
	if n > 0 {
		p.left = n
	} else {
		p.start = p.pos
	}
	return p.fault == ""
}

// bulkLength reads the line that begins an argument, and decides whether the
// argument is kept.
func (p *parser) bulkLength(b bounds) bool {
	line, ok := p.line(faultBulkLine)
	if !ok {
		return false
	}
	if len(line) == 0 || line[0] != '$' {
		p.fault = faultNotBulk(p.buf[p.pos])
		return false
	}
	n, ok := parseLength(line[1:])
	switch {
	case !ok || n < 0 || n > redisMaxBulk:
		p.fault = faultBulk
	case n > maxBulkBefore && !b.signedIn:
		p.fault = faultBulkBefore
	}
	if p.fault != "" {
		return false
	}
	lineStart := p.pos
	p.step(p.scan + 2)
	switch {
	case p.tooLarge:
		p.size += p.pos - lineStart + n + 2
		p.start = p.pos
		p.skip = n + 2
	case n > b.bulk:
		if p.refusal == nil {
			p.refusal = kverr.Newf(kverr.SizeExceeded,
				"the argument is %d bytes; at most %d are allowed (proto-max-bulk-len)", n, b.bulk)
		}
		at := uint32(p.pos - p.start)
		p.marks = append(p.marks, mark{at, at})
		p.skip = n + 2
	case p.pos-p.start+n+2 > b.request:
		p.giveUp(n + 2)
	default:
		p.bulk = n
	}
	return true
}

// giveUp lets go of a frame that grew too large, but for its name. The rest
// of it, from the argument of n bytes on, is dropped as it comes.
func (p *parser) giveUp(n int) {
	p.tooLarge = true
	p.size = p.pos - p.start + n
	p.name = []byte{}
	if len(p.marks) > 0 {
		p.name = bytes.Clone(p.argument(0))
	}
	p.marks = nil
	p.start = p.pos
	p.skip = n
}

// keepArgument steps over an argument that has arrived. Redis does not look
// at the two bytes after it; redcon does, so they are put right.
func (p *parser) keepArgument() {
	to := p.pos + p.bulk
	p.marks = append(p.marks, mark{uint32(p.pos - p.start), uint32(to - p.start)})
	p.buf[to], p.buf[to+1] = '\r', '\n'
	p.step(to + 2)
}

// drop forgets bytes of an argument that is not kept. It reports whether that
// was all of it.
func (p *parser) drop() bool {
	n := min(p.skip, p.end-p.pos)
	if p.tooLarge {
		p.start = p.pos + n // nothing before it is needed: no need to move
		p.step(p.start)
	} else {
		copy(p.buf[p.pos:], p.buf[p.pos+n:p.end])
		p.end -= n
	}
	p.skip -= n
	return p.skip == 0
}

// argumentDone reports whether that was the last argument of its frame.
func (p *parser) argumentDone() bool {
	p.bulk = -1
	p.left--
	return p.left == 0
}

func (p *parser) inlineLine(b bounds) bool {
	i := bytes.IndexByte(p.buf[p.scan:p.end], '\n')
	if i < 0 {
		p.scan = p.end
		if p.end-p.pos > redisMaxLine {
			p.fault = faultInlineLine
		}
		return false
	}
	i += p.scan
	if i-p.pos > redisMaxLine {
		p.fault = faultInlineLine
		return false
	}
	line := p.buf[p.pos:i]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	argv, ok := splitInline(line)
	if !ok {
		p.fault = faultQuotes
		return false
	}
	switch {
	case len(argv) > 0 && isHTTP(argv[0]):
		p.fault = faultHTTP
	case !b.signedIn:
		p.fault = inlineBefore(argv)
	}
	if p.fault != "" {
		return false
	}
	p.step(i + 1)
	p.inline = argv
	if len(argv) == 0 {
		p.start = p.pos
	}
	return true
}

// isHTTP recognizes lines of requests that a page can make a browser send.
func isHTTP(name []byte) bool {
	return bytes.EqualFold(name, []byte("post")) || bytes.EqualFold(name, []byte("host:"))
}

// inlineBefore holds inline commands to the bounds before sign-in. Redis does
// not; the promise of 10 arguments of 16 KB makes no difference between forms.
func inlineBefore(argv [][]byte) fault {
	if len(argv) > maxArgsBefore {
		return faultMultibulkBefore
	}
	for _, a := range argv {
		if len(a) > maxBulkBefore {
			return faultBulkBefore
		}
	}
	return ""
}

// argument returns one argument of the frame in the buffer.
func (p *parser) argument(i int) []byte {
	m := p.marks[i]
	return p.buf[p.start+int(m.from) : p.start+int(m.to) : p.start+int(m.to)]
}

// refused is the reason why the whole frame is not to be run, or nil.
func (p *parser) refused(b bounds) error {
	if p.tooLarge && p.refusal == nil {
		return kverr.Newf(kverr.SizeExceeded,
			"the request is %d bytes; at most %d are allowed (client-query-buffer-limit)", p.size, b.request)
	}
	return p.refusal
}

// parseLength reads a decimal number as strictly as Redis: no plus sign, no
// leading zeros, nothing but digits.
func parseLength(b []byte) (int, bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 19 || b[0] == '0' && (len(b) > 1 || negative) {
		return 0, false
	}
	var n uint64 // 19 digits fit
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	if n > math.MaxInt64 {
		return 0, false
	}
	if negative {
		return -int(n), true
	}
	return int(n), true
}
