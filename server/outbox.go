package server

import (
	"sync"
	"time"

	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// BufferLimit says when a client that does not take what is pushed to it is
// cut off.
type BufferLimit struct {
	Hard    int           // bytes waiting; at once above it; 0 is no limit
	Soft    int           // bytes waiting; when above it for SoftFor; 0 is no limit
	SoftFor time.Duration // how long
}

// outbox holds the messages that were pushed to one connection and not sent
// yet. It belongs to no kind of door: whoever sends asks for the next.
type outbox struct {
	mu    sync.Mutex
	queue []pushed
	first uint64 // the number of queue[0]; messages are numbered as they come
	bytes int
	// softSince is since when bytes is above the soft limit; zero when it is not.
	softSince time.Time
	closed    bool // nothing is kept any more
}

type pushed struct {
	msg   []byte
	after storage.Seq
}

// messageCost is what keeping a message takes beside its bytes.
const messageCost = 40

// push keeps a message. It reports false when the client is too far behind:
// the outbox is closed then, and the connection should be. Whether a limit is
// exceeded is judged here, as in Redis, so a client that gets nothing more is
// left alone.
func (o *outbox) push(msg []byte, after storage.Seq, limit BufferLimit, now func() time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return true // whoever closed it knows
	}
	o.queue = append(o.queue, pushed{msg, after})
	o.bytes += len(msg) + messageCost
	if o.within(limit, now) {
		return true
	}
	o.drop()
	return false
}

func (o *outbox) within(limit BufferLimit, now func() time.Time) bool {
	if limit.Hard > 0 && o.bytes > limit.Hard {
		return false
	}
	switch {
	case limit.Soft <= 0 || o.bytes <= limit.Soft:
		o.softSince = time.Time{}
	case o.softSince.IsZero():
		o.softSince = now()
	case now().Sub(o.softSince) >= limit.SoftFor:
		return false
	}
	return true
}

// next tells the number of the oldest message and what has to be waited for
// before it may be sent; ok is false when there is none.
func (o *outbox) next() (number uint64, after storage.Seq, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		return 0, 0, false
	}
	return o.first, o.queue[0].after, true
}

// take appends to dst the oldest messages that depend on nothing beyond upTo,
// about most bytes of them, and forgets them.
func (o *outbox) take(dst []byte, upTo storage.Seq, most int) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for ; n < len(o.queue) && o.queue[n].after <= upTo && len(dst) < most; n++ {
		dst = append(dst, o.queue[n].msg...)
	}
	o.forget(n)
	return dst
}

// takeAll appends all messages to out, the oldest first, forgets them, and
// returns the greatest of what has to be waited for.
func (o *outbox) takeAll(out *resp.Writer) (last storage.Seq) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.queue {
		out.RawPush(o.queue[i].msg)
		last = max(last, o.queue[i].after)
	}
	o.forget(len(o.queue))
	return last
}

// skip forgets the oldest message if its number is still this one.
func (o *outbox) skip(number uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) > 0 && o.first == number {
		o.forget(1)
	}
}

func (o *outbox) forget(n int) {
	for i := range n {
		o.bytes -= len(o.queue[i].msg) + messageCost
		o.queue[i] = pushed{}
	}
	o.first += uint64(n)
	if o.queue = o.queue[n:]; len(o.queue) == 0 {
		o.queue = nil // a burst's memory is not kept
	}
}

// close forgets everything, now and from now on.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop()
}

func (o *outbox) drop() {
	o.closed = true
	o.forget(len(o.queue))
}
