package commands

import (
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// message is something to push, encoded once for each protocol in use. Its
// bytes never change: they are shared by all who get it.
type message struct {
	fields [4]string // of a pub/sub message, its kind first
	n      int       // how many
	wire   [2][]byte // in RESP2 and RESP3
}

func newMessage(fields ...string) *message {
	m := &message{n: len(fields)}
	copy(m.fields[:], fields)
	return m
}

// bytes encodes the message for a protocol.
func (m *message) bytes(proto int) []byte {
	i := 0
	if proto == resp.V3 {
		i = 1
	}
	if m.wire[i] == nil {
		w := resp.NewWriter(proto)
		w.Push(m.n)
		for _, f := range m.fields[:m.n] {
			w.BulkString(f)
		}
		m.wire[i] = w.Bytes()
	}
	return m.wire[i]
}

// cutOff closes the connection of a session whose sign-in has ended while it
// only listened: it would send no command that could be refused.
func (s *Session) cutOff() {
	if s.opts.Kill != nil {
		go s.opts.Kill() // callers hold locks
	}
}

// send pushes a message to the session; any goroutine may call it. It is not
// sent before Wait(after) has returned.
func (s *Session) send(m *message, after storage.Seq) {
	// The lock keeps HELLO and AUTH out: what is pushed before them is in the
	// protocol, and of the namespace, that the client still counts on.
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.Push(m.bytes(s.shown.proto), after)
}
