package server

import (
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/internal/resp"
)

// peakFor is how long the largest reply buffer of a connection is remembered,
// as in Redis.
const peakFor = 5 * time.Second

// gauge is what CLIENT LIST tells of a connection's buffers. The goroutine that
// owns them notes what has changed, and others read the copy.
type gauge struct {
	noted  levels
	peak   int
	peakAt time.Time

	query, room, reply, replyPeak, unsent atomic.Int64
}

type levels struct{ query, room, reply, peak, unsent int }

// wrote notes how large the replies of a batch were.
func (g *gauge) wrote(n int, now time.Time) {
	if n > g.peak || now.Sub(g.peakAt) >= peakFor {
		g.peak, g.peakAt = n, now
	}
}

// note publishes what is not as it was.
func (g *gauge) note(in *guard, out *resp.Writer, unsent int) {
	now := levels{query: in.pending(), room: len(in.buf) - in.pending(), reply: out.Cap(), peak: g.peak, unsent: unsent}
	if now == g.noted {
		return
	}
	g.noted = now
	g.query.Store(int64(now.query))
	g.room.Store(int64(now.room))
	g.reply.Store(int64(now.reply))
	g.replyPeak.Store(int64(now.peak))
	g.unsent.Store(int64(now.unsent))
}

// buffers reads the gauge; any goroutine may.
func (g *gauge) buffers(box *outbox) commands.Buffers {
	b := commands.Buffers{
		Query: g.query.Load(), QueryFree: g.room.Load(),
		Reply: g.reply.Load(), ReplyPeak: g.replyPeak.Load(), Unsent: g.unsent.Load(),
	}
	box.mu.Lock()
	b.Messages, b.MessageBytes = int64(len(box.queue)), int64(box.bytes)
	box.mu.Unlock()
	return b
}
