package server

import (
	"github.com/tidwall/redcon"

	"github.com/cubbykv/cubby/commands"
)

// redconWindow is the size of the buffer that redcon reads into. When a frame
// does not end within it, redcon takes a larger one; so no frame that it gets
// does that.
const redconWindow = 4 << 10

// placeholder goes to redcon in the place of a command that it cannot carry: one that
// is too long for what is left of its window, inline, or refused.
const placeholder = "*1\r\n$0\r\n\r\n"

// feeder hands commands to redcon and takes them back behind it.
type feeder struct {
	window int  // bytes of redcon's window in use
	aside  bool // redcon has a placeholder, and the command itself waits in held
	held   commands.Request
}

// feed writes the next whole frame to p, which redcon reads from, and returns
// how many bytes that was; 0 when no frame is whole.
//
// Only one frame is handed over at a time. What has arrived behind it is taken
// by rest, without the allocations that redcon makes; and before sign-in it
// must not be looked at until the command has run, because that may be AUTH.
func (g *guard) feed(p []byte, b bounds) int {
	if g.window == redconWindow {
		g.window = 0 // redcon starts over at the end of its window
	}
	if !g.next(b) {
		return 0
	}
	p = p[:min(len(p), redconWindow-g.window)]
	var n int
	if size := g.pos - g.start; g.plain() && size <= len(p) {
		n = copy(p, g.buf[g.start:g.pos])
		g.consume()
	} else {
		n = copy(p, placeholder)
		g.held, g.aside = g.take(b), true
	}
	// A remnant that not even a placeholder fits in is filled with line breaks, which
	// redcon passes over.
	if len(p)-n < len(placeholder) {
		for ; n < len(p); n++ {
			p[n] = '\n'
		}
	}
	g.window += n
	return n
}

// restore returns the command that redcon hands on as cmd.
func (g *guard) restore(cmd redcon.Command) commands.Request {
	if !g.aside {
		return commands.Request{Argv: cmd.Args}
	}
	r := g.held
	g.held, g.aside = commands.Request{}, false
	return r
}

// rest appends the whole frames that have arrived behind the first one of a
// batch. Before sign-in there is none: what may follow depends on whether the
// first was AUTH.
func (g *guard) rest(batch []commands.Request, b bounds) []commands.Request {
	for b.signedIn && g.next(b) {
		batch = append(batch, g.take(b))
	}
	return batch
}
