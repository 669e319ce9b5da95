// Package resp builds replies. A Writer is semantic: handlers say what a reply
// means (a map, a null, a double) and the protocol version chosen by HELLO
// decides how it looks. RESP2 and RESP3 differ here and nowhere else.
//
// The formats follow https://redis.io/docs/latest/develop/reference/protocol-spec/.
package resp

import (
	"math"
	"slices"
	"strconv"
)

// Protocol versions.
const (
	V2 = 2
	V3 = 3
)

// Writer appends replies to a buffer. The zero value writes RESP2.
type Writer struct {
	buf      []byte
	proto    int
	limit    int
	overflow bool
	pushes   []span // what DropReplies keeps; mostly empty
}

// span is a part of the buffer.
type span struct{ from, to int }

// NewWriter returns a Writer for protocol version proto (V2 or V3).
func NewWriter(proto int) *Writer { return &Writer{proto: proto} }

// SetProto chooses the protocol version of the replies that follow.
func (w *Writer) SetProto(proto int) { w.proto = proto }

// Proto is the protocol version in use.
func (w *Writer) Proto() int {
	if w.proto == V3 {
		return V3
	}
	return V2
}

// SetLimit bounds the buffer to about n bytes; 0 is no bound. What would exceed
// it is left out and Overflowed reports it: the replies are then useless, and
// the connection has to be closed.
func (w *Writer) SetLimit(n int) { w.limit = n }

// Overflowed tells whether something was left out since the last Reset.
func (w *Writer) Overflowed() bool { return w.overflow }

// fits tells whether n bytes more are within the limit.
func (w *Writer) fits(n int) bool {
	if w.limit == 0 || len(w.buf)+n <= w.limit {
		return true
	}
	w.overflow = true
	return false
}

// Bytes is what was written. It is valid until the next write or Reset.
func (w *Writer) Bytes() []byte { return w.buf }

// Len is the number of bytes written.
func (w *Writer) Len() int { return len(w.buf) }

// Cap is how many bytes the Writer holds room for.
func (w *Writer) Cap() int { return cap(w.buf) }

// maxKept bounds the memory that an idle Writer holds on to, in bytes.
const maxKept = 256 << 10

// Reset empties the Writer. A large buffer is given back to the collector.
func (w *Writer) Reset() {
	w.overflow = false
	w.pushes = w.pushes[:0]
	if cap(w.buf) > maxKept {
		w.buf = nil
		return
	}
	w.buf = w.buf[:0]
}

// Mark remembers the current end, for Rewind.
func (w *Writer) Mark() int { return len(w.buf) }

// InsertPush puts b, which is whole messages, at a position that Mark returned.
func (w *Writer) InsertPush(at int, b []byte) {
	if !w.fits(len(b)) {
		return
	}
	w.buf = slices.Insert(w.buf, at, b...)
	i := len(w.pushes)
	for ; i > 0 && w.pushes[i-1].from >= at; i-- {
		w.pushes[i-1].from += len(b)
		w.pushes[i-1].to += len(b)
	}
	w.pushes = slices.Insert(w.pushes, i, span{at, at + len(b)})
}

// RawPush appends b, which is whole messages.
func (w *Writer) RawPush(b []byte) { w.InsertPush(len(w.buf), b) }

// Rewind forgets everything written since mark.
func (w *Writer) Rewind(mark int) {
	w.buf = w.buf[:mark]
	for len(w.pushes) > 0 && w.pushes[len(w.pushes)-1].to > mark {
		w.pushes = w.pushes[:len(w.pushes)-1]
	}
}

// KeepPush says that everything written since mark is a message that no
// command asked for, such as one of a channel, and no reply: DropReplies keeps
// it. In RESP2 nothing else tells the two apart.
func (w *Writer) KeepPush(mark int) {
	if len(w.buf) > mark {
		w.pushes = append(w.pushes, span{mark, len(w.buf)})
	}
}

// DropReplies forgets what was written since mark, messages excepted.
func (w *Writer) DropReplies(mark int) {
	end := mark
	for i := range w.pushes {
		if p := &w.pushes[i]; p.from >= mark {
			n := copy(w.buf[end:], w.buf[p.from:p.to])
			*p = span{end, end + n}
			end += n
		}
	}
	w.buf = w.buf[:end]
}

// Raw writes replies that are encoded already.
func (w *Writer) Raw(b []byte) { w.buf = append(w.buf, b...) }

func (w *Writer) line(prefix byte, n int64) {
	w.buf = appendLine(w.buf, prefix, n)
}

func appendLine(b []byte, prefix byte, n int64) []byte {
	return append(strconv.AppendInt(append(b, prefix), n, 10), '\r', '\n')
}

// Status writes a simple string such as OK. It must not contain line breaks.
func (w *Writer) Status(s string) {
	w.buf = append(w.buf, '+')
	w.buf = append(w.buf, s...)
	w.buf = append(w.buf, '\r', '\n')
}

// Error writes an error reply. text starts with its code; line breaks in it
// become blanks, as in Redis, so that a key in a message cannot end the line.
func (w *Writer) Error(text string) {
	w.buf = append(w.buf, '-')
	for i := range len(text) {
		c := text[i]
		if c == '\r' || c == '\n' {
			c = ' '
		}
		w.buf = append(w.buf, c)
	}
	w.buf = append(w.buf, '\r', '\n')
}

// Int writes an integer.
func (w *Writer) Int(n int64) { w.line(':', n) }

// Bool writes a truth value as 1 or 0, the form that Redis's commands use in
// both protocols.
func (w *Writer) Bool(b bool) {
	if b {
		w.Int(1)
		return
	}
	w.Int(0)
}

// RawText appends encoded text that is the same in both protocols and a part of
// a reply: several of its elements in one go.
func (w *Writer) RawText(text string) {
	if w.fits(len(text)) {
		w.buf = append(w.buf, text...)
	}
}

// InsertHead puts what write writes at a position that Mark returned: the head
// of an array whose length is known only after its elements were written.
// Nothing that was written since may be a push.
func (w *Writer) InsertHead(at int, write func()) {
	end := len(w.buf)
	write()
	n := len(w.buf) - end
	var small [128]byte
	head := append(small[:0], w.buf[end:]...)
	copy(w.buf[at+n:], w.buf[at:end])
	copy(w.buf[at:], head)
}

// Bulk writes a binary-safe string.
func (w *Writer) Bulk(b []byte) {
	if !w.fits(len(b)) {
		return
	}
	w.buf = append(append(appendLine(w.buf, '$', int64(len(b))), b...), '\r', '\n')
}

// BulkString is Bulk for a string.
func (w *Writer) BulkString(s string) {
	if !w.fits(len(s)) {
		return
	}
	w.buf = append(append(appendLine(w.buf, '$', int64(len(s))), s...), '\r', '\n')
}

// BulkInt writes n in decimal as a bulk string.
func (w *Writer) BulkInt(n int64) {
	var tmp [20]byte
	w.Bulk(strconv.AppendInt(tmp[:0], n, 10))
}

// Verbatim writes text with its format ("txt" or "mkd"); RESP2 gets a bulk
// string.
func (w *Writer) Verbatim(format, text string) {
	if w.proto != V3 {
		w.BulkString(text)
		return
	}
	w.line('=', int64(len(text)+4))
	w.buf = append(w.buf, format...)
	w.buf = append(w.buf, ':')
	w.buf = append(w.buf, text...)
	w.buf = append(w.buf, '\r', '\n')
}

// Null writes the missing value.
func (w *Writer) Null() {
	if w.proto == V3 {
		w.buf = append(w.buf, "_\r\n"...)
		return
	}
	w.buf = append(w.buf, "$-1\r\n"...)
}

// NullArray writes the missing array; RESP3 has one null for everything.
func (w *Writer) NullArray() {
	if w.proto == V3 {
		w.Null()
		return
	}
	w.buf = append(w.buf, "*-1\r\n"...)
}

// Array starts an array of n replies.
func (w *Writer) Array(n int) { w.line('*', int64(n)) }

// Map starts a map of n pairs; RESP2 gets a flat array of 2n replies.
func (w *Writer) Map(n int) {
	if w.proto == V3 {
		w.line('%', int64(n))
		return
	}
	w.line('*', int64(2*n))
}

// Set starts a set of n replies; RESP2 gets an array.
func (w *Writer) Set(n int) {
	if w.proto == V3 {
		w.line('~', int64(n))
		return
	}
	w.line('*', int64(n))
}

// Push starts an out-of-band message of n replies; RESP2 gets an array.
func (w *Writer) Push(n int) {
	if w.proto == V3 {
		w.line('>', int64(n))
		return
	}
	w.line('*', int64(n))
}

// Double writes a floating point number; RESP2 gets a bulk string.
func (w *Writer) Double(f float64) {
	text := formatDouble(f)
	if w.proto != V3 {
		w.BulkString(text)
		return
	}
	w.buf = append(w.buf, ',')
	w.buf = append(w.buf, text...)
	w.buf = append(w.buf, '\r', '\n')
}

func formatDouble(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	return strconv.FormatFloat(f, 'g', 17, 64)
}

// Truth writes a truth value in RESP3's own form; RESP2 gets 1 or 0.
func (w *Writer) Truth(b bool) {
	switch {
	case w.proto != V3:
		w.Bool(b)
	case b:
		w.buf = append(w.buf, "#t\r\n"...)
	default:
		w.buf = append(w.buf, "#f\r\n"...)
	}
}

// BigNumber writes an integer of any size, given in decimal; RESP2 gets a bulk
// string. It must not contain line breaks.
func (w *Writer) BigNumber(s string) {
	if w.proto != V3 {
		w.BulkString(s)
		return
	}
	w.buf = append(w.buf, '(')
	w.buf = append(w.buf, s...)
	w.buf = append(w.buf, '\r', '\n')
}
