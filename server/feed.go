package server

import (
	"github.com/cubbykv/cubby/commands"
	"github.com/tidwall/redcon"
)

// redconWindow is the size of the buffer that redcon reads into. It starts a
// new one when a frame does not end within it, and such a buffer only grows;
// so each frame that redcon gets ends within the first.
const redconWindow = 4 << 10

// stub goes to redcon in the place of a command that it cannot carry: one that
// is too long for what is left of its window, inline, or refused. The command
// itself waits in feeder.aside.
const stub = "*1\r\n$0\r\n\r\n"

// feeder hands commands to redcon and puts them together again behind it.
type feeder struct {
	filled int    // bytes of redcon's window in use
	fed    uint64 // commands handed to redcon
	met    uint64 // commands that redcon handed on
	aside  []waiting
}

// waiting is a command that redcon knows only as a stub.
type waiting struct {
	nr  uint64 // counted as feeder.fed
	req commands.Request
}

// feed writes the next whole frame to p, which redcon reads from, and returns
// how many bytes that was; 0 when no frame is whole. Only one frame is handed
// over at a time: what follows it is taken by rest, cheaper than redcon could,
// and before sign-in it must not be looked at until the command has run,
// because that may be AUTH.
func (g *guard) feed(p []byte, b bounds) int {
	if g.filled == redconWindow {
		g.filled = 0 // redcon starts over at the end of its window
	}
	if !g.next(b) {
		return 0
	}
	p = p[:min(len(p), redconWindow-g.filled)]
	var n int
	g.fed++
	if size := g.pos - g.start; g.plain() && size <= len(p) {
		n = copy(p, g.buf[g.start:g.pos])
		g.consume()
	} else {
		n = copy(p, stub)
		g.aside = append(g.aside, waiting{g.fed, g.take(&arena{}, b)})
	}
	// A remnant that not even a stub fits in is filled with line breaks, which
	// redcon passes over.
	if len(p)-n < len(stub) {
		for ; n < len(p); n++ {
			p[n] = '\n'
		}
	}
	g.filled += n
	return n
}

// restore returns the command that redcon handed on as cmd.
func (g *guard) restore(cmd redcon.Command) commands.Request {
	g.met++
	if len(g.aside) > 0 && g.aside[0].nr == g.met {
		req := g.aside[0].req
		g.aside[0] = waiting{}
		if g.aside = g.aside[1:]; len(g.aside) == 0 {
			g.aside = nil
		}
		return req
	}
	return commands.Request{Argv: cmd.Args}
}

// rest appends the whole frames that have arrived behind those that redcon
// was given.
func (g *guard) rest(batch []commands.Request, b bounds) []commands.Request {
	if !b.signedIn || g.pending() == 0 {
		return batch
	}
	// Arguments are shorter than their frames, and rarely under 32 bytes with
	// all that stands around them.
	n := min(g.pending(), busyBuffer)
	var a arena
	for g.next(b) {
		if a.bytes == nil {
			a.bytes = make([]byte, 0, n)
			a.args = make([][]byte, 0, n/32+4)
		}
		batch = append(batch, g.take(&a, b))
	}
	return batch
}
