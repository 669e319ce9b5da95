package server

import (
	"sync"

	"github.com/cubbykv/cubby/commands"
)

// Sizes of the guard's buffer, in bytes.
const (
	quietBuffer = 4 << 10  // of a connection that sends a little at a time
	busyBuffer  = 64 << 10 // of one that sends much; also the most read ahead
	growthStep  = 1 << 20  // the most that it grows by at once
	wornRoom    = 512      // less room at its end than this is not read into
	calmReads   = 16       // small reads in a row that end a busy time
)

var busyBuffers = sync.Pool{New: func() any { return new([busyBuffer]byte) }}

// guard holds what arrived from a client and finds the commands in it. Its
// memory is bounded by the largest request allowed plus busyBuffer.
type guard struct {
	parser
	args [][]byte // of the requests taken since the last read
	calm int      // small reads in a row

	feeder
}

func newGuard() *guard { return &guard{parser: newParser()} }

// space returns where the next bytes from the socket belong, never empty. All
// requests that were taken have been run by then.
func (g *guard) space() []byte {
	if g.args = g.args[:0]; cap(g.args) > keptArgs {
		g.args = nil
	}
	switch {
	case g.start == g.end:
		g.rewind()
	case g.skip > quietBuffer && !g.busy():
		g.swap(busyBuffer) // to be through with it sooner
	case len(g.buf)-g.end < wornRoom:
		g.makeRoom()
	}
	// Whatever the buffer's size, not much is read beyond the frame under way:
	// the rest of the pipeline can wait in the socket.
	return g.buf[g.end:min(len(g.buf), max(g.frameEnd(), g.end)+busyBuffer)]
}

// arrived tells that n bytes were read into space.
func (g *guard) arrived(n int) {
	g.end += n
	switch {
	case g.end == len(g.buf):
		g.calm = -1 // there is likely more: read it with a larger buffer
	case n > quietBuffer:
		g.calm = 0
	case g.calm >= 0:
		g.calm++
	}
}

// busy tells whether the buffer is larger than a quiet client's.
func (g *guard) busy() bool { return len(g.buf) > quietBuffer }

// spare tells whether the buffer is larger than needed at the moment.
func (g *guard) spare() bool { return g.busy() && g.start == g.end }

// rewind starts an empty buffer from its beginning, in the size that suits
// the client's recent traffic.
func (g *guard) rewind() {
	g.start, g.pos, g.scan, g.end = 0, 0, 0, 0
	switch {
	case g.buf == nil:
		g.buf = make([]byte, quietBuffer)
	case g.calm < 0 && len(g.buf) <= busyBuffer, len(g.buf) > busyBuffer:
		g.swap(busyBuffer)
		g.calm = 0
	case g.calm > calmReads && g.busy():
		g.swap(quietBuffer)
	}
}

// quieten gives a busy buffer back when nothing is in it.
func (g *guard) quieten() {
	if g.spare() {
		g.swap(quietBuffer)
	}
}

// frameEnd is where the frame under way will end at the earliest, which may
// lie beyond the buffer.
func (g *guard) frameEnd() int {
	if g.left > 0 && g.bulk >= 0 {
		return g.pos + g.bulk + 2
	}
	return g.pos
}

// makeRoom moves the frame under way to the buffer's beginning when that
// helps, or else to a larger buffer.
func (g *guard) makeRoom() {
	have, need := g.end-g.start, g.frameEnd()-g.start
	if g.start >= have || g.start > 0 && need > have && need+wornRoom <= len(g.buf) {
		copy(g.buf, g.buf[g.start:g.end])
		g.shift()
		return
	}
	// Double, so that the copying stays in proportion; but a length that is
	// only announced takes no memory until its bytes arrive.
	size := have + min(max(have, quietBuffer), growthStep)
	if need > have {
		size = min(size, need+quietBuffer)
	}
	g.swap(max(size, busyBuffer))
}

// shift corrects the positions after the frame under way moved to 0.
func (g *guard) shift() {
	g.pos -= g.start
	g.scan -= g.start
	g.end -= g.start
	g.start = 0
}

// swap replaces the buffer and takes what is still needed over.
func (g *guard) swap(size int) {
	old := g.buf
	if size == busyBuffer {
		g.buf = busyBuffers.Get().(*[busyBuffer]byte)[:]
	} else {
		g.buf = make([]byte, size)
	}
	copy(g.buf, old[g.start:g.end])
	g.shift()
	recycle(old)
}

func recycle(buf []byte) {
	if len(buf) == busyBuffer {
		busyBuffers.Put((*[busyBuffer]byte)(buf))
	}
}

// release gives the buffer back at the end of the connection.
func (g *guard) release() {
	recycle(g.buf)
	g.parser, g.args = newParser(), nil
}

// keptArgs bounds the memory for lists of arguments that a connection keeps.
const keptArgs = 4 << 10

// take turns the whole frame at hand into a Request and goes on to the next.
// The arguments stay where they are: the next bytes are read over them.
func (g *guard) take(b bounds) commands.Request {
	r := commands.Request{Refusal: g.refused(b)}
	switch {
	case g.inline != nil:
		r.Argv = g.inline
	case g.tooLarge:
		r.Argv = [][]byte{g.name}
	default:
		from := len(g.args)
		for i := range g.marks {
			g.args = append(g.args, g.argument(i))
		}
		r.Argv = g.args[from:len(g.args):len(g.args)]
	}
	g.consume()
	return r
}

// pending counts the bytes that arrived and were not taken yet.
func (g *guard) pending() int { return g.end - g.start }
