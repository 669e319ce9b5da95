package commands

import (
	"bufio"
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

const testAdminPassword = "correct horse battery staple"

// harness is an engine on the in-memory double with a clock that tests move.
type harness struct {
	t      *testing.T
	clock  *storetest.Clock
	store  storage.Store
	dir    *auth.Directory
	engine *Engine
	log    *bytes.Buffer
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	clock := storetest.NewClock()
	return newHarnessOn(t, storetest.NewMemory(clock), clock)
}

func newHarnessOn(t *testing.T, store storage.Store, clock *storetest.Clock) *harness {
	t.Helper()
	now := time.Now
	if clock != nil {
		now = func() time.Time { return time.UnixMilli(clock.Now()) }
	}
	dir, err := auth.Open(context.Background(), store, auth.Options{AdminPassword: testAdminPassword, Clock: now})
	require.NoError(t, err)
	h := &harness{t: t, clock: clock, store: store, dir: dir, log: new(bytes.Buffer)}
	h.engine = New(Options{Store: store, Directory: dir, Clock: now, Log: slog.New(slog.NewTextHandler(h.log, nil))})
	return h
}

// wideOpen are the limits under which Redis's own behaviour shows.
func wideOpen() auth.Limits {
	return auth.Limits{
		KeyBytes: 1 << 16, KeyAnyByte: true, ValueBytes: 1 << 20,
		MaxKeys: [2]int64{1 << 40, 1 << 40},
		TTLMin:  [2]time.Duration{time.Millisecond, time.Millisecond},
	}
}

// session returns a client of a new connection in the namespace tenant/app
// with the given limits.
func (h *harness) session(id storage.ID, limits auth.Limits) *client {
	c := h.connect()
	c.s.become(&auth.Principal{App: auth.NewApp(id, limits)})
	return c
}

// open returns a client in t/a with wide-open limits, strict one with the
// defaults.
func (h *harness) open() *client {
	return h.session(storage.ID{Tenant: "t", App: "a"}, wideOpen())
}

func (h *harness) strict() *client {
	return h.session(storage.ID{Tenant: "t", App: "a"}, auth.DefaultLimits())
}

// admin returns a client that signed in as the admin.
func (h *harness) admin() *client {
	c := h.connect()
	require.Equal(h.t, "+OK\r\n", c.do("AUTH", "admin", testAdminPassword))
	return c
}

// connect returns a client that did not sign in.
func (h *harness) connect() *client {
	box := new(inbox)
	s := h.engine.NewSession(SessionOptions{Door: "resp", Remote: "127.0.0.1:50000", Local: "127.0.0.1:6379",
		Push: box.push, TakePushed: box.take})
	h.t.Cleanup(func() { h.engine.EndSession(s) })
	return &client{t: h.t, e: h.engine, s: s, inbox: box}
}

// inbox keeps what is pushed to a session, as a door would until the batch
// under way is answered.
type inbox struct {
	mu    sync.Mutex
	bytes []byte
	after storage.Seq // the greatest
}

func (b *inbox) push(msg []byte, after storage.Seq) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes = append(b.bytes, msg...)
	b.after = max(b.after, after)
}

func (b *inbox) take(out *resp.Writer) storage.Seq {
	b.mu.Lock()
	defer b.mu.Unlock()
	out.RawPush(b.bytes)
	after := b.after
	b.bytes, b.after = nil, 0
	return after
}

// client drives one session through Engine.Do.
type client struct {
	t *testing.T
	e *Engine
	s *Session

	inbox *inbox
	// wraps tells that a MULTI in front and an EXEC at the end of a batch are the
	// door's own, as those of a transaction over HTTP.
	wraps bool
}

// pushed returns what was pushed since the last call.
func (c *client) pushed() string {
	var out resp.Writer
	c.inbox.take(&out)
	return string(out.Bytes())
}

// resp3 switches the client to RESP3 and returns it.
func (c *client) resp3() *client {
	c.t.Helper()
	require.Equal(c.t, byte('%'), c.do("HELLO", "3")[0])
	return c
}

// do runs one command and returns its raw reply.
func (c *client) do(args ...string) string {
	c.t.Helper()
	return c.pipeline(args)[0]
}

// pipeline runs commands as one batch and returns their raw replies.
func (c *client) pipeline(cmds ...[]string) []string {
	c.t.Helper()
	return splitReplies(c.t, c.raw(cmds...))
}

// raw runs commands as one batch and returns all that the door would send as
// replies.
func (c *client) raw(cmds ...[]string) []byte {
	c.t.Helper()
	batch := make([]Request, len(cmds))
	for i, args := range cmds {
		for _, a := range args {
			batch[i].Argv = append(batch[i].Argv, []byte(a))
		}
		batch[i].Own = c.wraps && len(cmds) > 1 && (i == 0 && args[0] == "MULTI" || i == len(cmds)-1 && args[0] == "EXEC")
	}
	out := resp.NewWriter(resp.V2)
	for len(batch) > 0 && !c.s.Closing() {
		// As an event loop does it; the answers are those of Do alone.
		n, seq, waits := c.e.TryDo(context.Background(), c.s, batch, out)
		if n == 0 {
			require.True(c.t, waits)
			n, seq = c.e.Do(context.Background(), c.s, batch, out)
		}
		require.Positive(c.t, n)
		for _, r := range batch[:n] { // a door uses this memory again
			for _, a := range r.Argv {
				for i := range a {
					a[i] = 0xAA
				}
			}
		}
		require.NoError(c.t, c.e.Wait(context.Background(), seq))
		batch = batch[n:]
	}
	return out.Bytes()
}

func splitReplies(t *testing.T, raw []byte) []string {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(raw))
	var replies []string
	for {
		reply, err := resp.ReadRaw(r)
		if len(reply) == 0 && err != nil {
			return replies
		}
		require.NoError(t, err, "reply %q", reply)
		replies = append(replies, string(reply))
	}
}
