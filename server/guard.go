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
	calm int // small reads in a row

	feeder
}

func newGuard() *guard { return &guard{parser: newParser()} }

// space returns where the next bytes from the socket belong, never empty.
func (g *guard) space() []byte {
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
	g.parser = newParser()
}

// arena keeps the arguments of a batch together, so that a pipeline costs a
// few allocations and not a few for each command.
type arena struct {
	bytes []byte
	args  [][]byte
}

// copy returns a copy of b.
func (a *arena) copy(b []byte) []byte {
	if cap(a.bytes)-len(a.bytes) < len(b) {
		a.bytes = make([]byte, 0, len(b))
	}
	from := len(a.bytes)
	a.bytes = append(a.bytes, b...)
	return a.bytes[from:len(a.bytes):len(a.bytes)]
}

// list returns n empty slots for arguments.
func (a *arena) list(n int) [][]byte {
	if cap(a.args)-len(a.args) < n {
		a.args = make([][]byte, 0, max(n, min(4*len(a.args), 1024)))
	}
	from := len(a.args)
	a.args = a.args[:from+n]
	return a.args[from : from+n : from+n]
}

// take turns the whole frame at hand into a Request and goes on to the next.
func (g *guard) take(a *arena, b bounds) commands.Request {
	r := commands.Request{Refusal: g.refused(b)}
	switch {
	case g.inline != nil:
		r.Argv = g.inline
	case g.tooLarge:
		r.Argv = [][]byte{g.name}
	case g.pos-g.start > len(g.buf)/2 && g.pos-g.start > busyBuffer/2:
		r.Argv = g.giveAway()
		return r
	default:
		r.Argv = a.list(len(g.marks))
		for i := range r.Argv {
			r.Argv[i] = a.copy(g.argument(i))
		}
	}
	g.consume()
	return r
}

// giveAway hands the buffer over together with the large frame in it, which
// spares a copy, and goes on with another one.
func (g *guard) giveAway() [][]byte {
	argv := make([][]byte, len(g.marks))
	for i := range argv {
		argv[i] = g.argument(i)
	}
	g.consume()
	rest := g.buf[g.start:g.end]
	if len(rest) <= quietBuffer/2 {
		g.buf = make([]byte, quietBuffer)
	} else {
		g.buf = make([]byte, max(busyBuffer, len(rest)+wornRoom))
	}
	copy(g.buf, rest)
	g.shift()
	return argv
}

// pending counts the bytes that arrived and were not taken yet.
func (g *guard) pending() int { return g.end - g.start }
