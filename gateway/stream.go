package gateway

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/storage"
)

// outbox holds the messages that wait for one stream.
type outbox struct {
	mu    sync.Mutex
	queue []message
	bytes int
	wake  chan struct{} // holds a token while there may be something
}

type message struct {
	reply []byte // in the protocol of this door
	after storage.Seq
}

// messageCost is what keeping a message takes beside its bytes.
const messageCost = 64

// push keeps a message; not ok is one too many.
func (o *outbox) push(msg []byte, after storage.Seq, limit int) (ok bool) {
	o.mu.Lock()
	o.bytes += len(msg) + messageCost
	if ok = o.bytes <= limit; ok {
		o.queue = append(o.queue, message{msg, after})
	}
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return ok
}

func (o *outbox) take() []message {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := o.queue
	o.queue, o.bytes = nil, 0
	return list
}

// stream sends the messages of channels or patterns as server-sent events
// (WHATWG HTML, 9.2), until the client or the token ends.
func (g *Gateway) stream(w http.ResponseWriter, r *http.Request, token, origin, kind string) *failure {
	names, err := g.parsePath(r.URL, nil)
	if err != nil {
		return asFailure(err)
	}
	if len(names.Argv) < 2 || len(names.Argv) > maxChannels {
		return badInput("the path names no channel, or too many", "GET /subscribe/CHANNEL, GET /psubscribe/PATTERN")
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(g.ctx, cancel)()
	box := outbox{wake: make(chan struct{}, 1)}
	s, f := g.open(r, token, commands.SessionOptions{
		Origin: origin, Stateless: true, Kill: cancel,
		Push: func(msg []byte, after storage.Seq) {
			if !box.push(msg, after, g.options().PushBytes) {
				cancel()
			}
		},
	})
	if f != nil {
		return f
	}
	defer g.engine.EndSession(s)
	if end := s.EndsAt(); end != 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(ctx, time.UnixMilli(end))
		defer stop()
	}
	names.Argv[0], names.Own = []byte(kind), true
	out, f := g.run(ctx, s, []commands.Request{names})
	if f != nil {
		return f
	}
	in := replies{in: out.Bytes()}
	if text, refused, err := in.isError(); refused || err != nil {
		return failed(text)
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	(&events{gateway: g, w: w, box: &box}).send(ctx, &in)
	return nil
}

// maxChannels is how many channels one stream may name, the command included.
const maxChannels = 1000

// events writes one stream.
type events struct {
	gateway *Gateway
	w       http.ResponseWriter
	box     *outbox
	buf     []byte
}

// send writes what the subscription answered, and then what comes.
func (e *events) send(ctx context.Context, confirmations *replies) {
	for len(confirmations.in) > 0 {
		if !e.add(confirmations) {
			return
		}
	}
	beat := time.NewTicker(e.gateway.options().Heartbeat)
	defer beat.Stop()
	for e.flush() {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			e.buf = append(e.buf, ": still here\n\n"...)
		case <-e.box.wake:
		}
		for _, m := range e.box.take() {
			if e.gateway.engine.Wait(ctx, m.after) != nil {
				continue // what it tells of did not last
			}
			if !e.add(&replies{in: m.reply}) {
				return
			}
			if len(e.buf) > flushFrom && !e.flush() {
				return
			}
		}
	}
}

// flushFrom is how much is gathered before it is sent, in bytes.
const flushFrom = 64 << 10

// add appends an event for a message: its parts, with commas between. Its lines
// are lines of data, as a line break ends one.
func (e *events) add(in *replies) bool {
	n, err := in.count()
	if err != nil || n < 1 {
		return false
	}
	e.buf = append(e.buf, "data: "...)
	for i := range n {
		part, err := in.text()
		if err != nil {
			return false
		}
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.buf = appendLines(e.buf, part)
	}
	e.buf = append(e.buf, "\n\n"...)
	return true
}

func appendLines(dst, text []byte) []byte {
	for {
		i := bytes.IndexAny(text, "\r\n")
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(append(dst, text[:i]...), "\ndata: "...)
		if text[i] == '\r' && i+1 < len(text) && text[i+1] == '\n' {
			i++
		}
		text = text[i+1:]
	}
}

// flush sends what is there, and tells whether the client takes it.
func (e *events) flush() bool {
	c := http.NewResponseController(e.w)
	_ = c.SetReadDeadline(time.Time{}) // the request has no end of its own
	_ = c.SetWriteDeadline(time.Now().Add(e.gateway.options().RequestTimeout))
	if _, err := e.w.Write(e.buf); err != nil {
		return false
	}
	e.buf = e.buf[:0]
	return c.Flush() == nil
}
