package commands

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

func requests(cmds ...[]string) []Request {
	batch := make([]Request, len(cmds))
	for i, args := range cmds {
		for _, a := range args {
			batch[i].Argv = append(batch[i].Argv, []byte(a))
		}
	}
	return batch
}

// TryDo runs what comes before a slow command, and Do goes on from there.
func TestTryDoStopsBeforeASlowCommand(t *testing.T) {
	h := newHarness(t)
	c := h.limited(func(l *auth.Limits) { l.CommandsPerSecond = 5 })
	batch := requests([]string{"SET", "k", "v"}, []string{"PING"}, []string{"KEYS", "*"}, []string{"GET", "k"}, []string{"PING"}, []string{"PING"})
	out := resp.NewWriter(resp.V2)
	try := func() (int, bool) {
		n, _, waits := h.engine.TryDo(context.Background(), c.s, batch, out)
		batch = batch[n:]
		return n, waits
	}
	c.s.spaces = [storage.Databases]storage.Namespace{}
	n, waits := try()
	require.Zero(t, n, "opening a namespace may read files")
	require.True(t, waits)
	n, _ = h.engine.Do(context.Background(), c.s, batch[:1], out)
	batch = batch[n:]

	n, waits = try()
	require.Equal(t, 1, n)
	require.True(t, waits)
	require.Equal(t, "+OK\r\n+PONG\r\n", string(out.Bytes()))
	out.Reset()
	n, waits = try()
	require.Zero(t, n)
	require.True(t, waits)
	require.Zero(t, out.Len())
	n, _ = h.engine.Do(context.Background(), c.s, batch, out)
	require.Equal(t, 4, n)
	require.Equal(t, "*1\r\n$1\r\nk\r\n$1\r\nv\r\n+PONG\r\n-RATE_LIMITED the namespace may send 5 commands per second; wait 200 ms\r\n",
		string(out.Bytes()), "what was put off is paid for once")
}

// busyStore declines as a store that somebody else uses.
type busyStore struct {
	storage.Store
	busy bool
}

type busyNamespace struct {
	storage.Namespace
	store *busyStore
}

func (s *busyStore) Namespace(ctx context.Context, db int, id storage.ID) (storage.Namespace, error) {
	ns, err := s.Store.Namespace(ctx, db, id)
	return busyNamespace{ns, s}, err
}

func (n busyNamespace) TryView(ctx context.Context, keys []string, fn func(storage.Tx) error) (storage.Seq, error) {
	if n.store.busy {
		return 0, storage.ErrWouldWait
	}
	return n.View(ctx, keys, fn)
}

func (n busyNamespace) TryUpdate(ctx context.Context, keys []string, fn func(storage.Tx) error) (storage.Seq, error) {
	if n.store.busy {
		return 0, storage.ErrWouldWait
	}
	return n.Update(ctx, keys, fn)
}

func TestTryDoDeclinesABusyNamespace(t *testing.T) {
	clock := storetest.NewClock()
	store := &busyStore{Store: storetest.NewMemory(clock)}
	h := newHarnessOn(t, store, clock)
	c := h.limited(func(l *auth.Limits) { l.CommandsPerSecond = 6 })
	require.Equal(t, "+OK", c.run("SET n 1"))
	batch := requests([]string{"PING"}, []string{"GET", "n"}, []string{"INCR", "n"}, []string{"PING"})
	out := resp.NewWriter(resp.V2)
	store.busy = true
	n, _, waits := h.engine.TryDo(context.Background(), c.s, batch, out)
	require.Equal(t, 1, n)
	require.True(t, waits)
	n, _, waits = h.engine.TryDo(context.Background(), c.s, batch[1:], out)
	require.Zero(t, n)
	require.True(t, waits)
	require.Equal(t, "+PONG\r\n", string(out.Bytes()))
	n, _ = h.engine.Do(context.Background(), c.s, batch[1:], out)
	require.Equal(t, 3, n, "Do waits")
	require.Equal(t, "+PONG\r\n$1\r\n1\r\n:2\r\n+PONG\r\n", string(out.Bytes()))
	require.Equal(t, "+PONG", c.run("PING"))
	require.Contains(t, c.run("PING"), "-RATE_LIMITED", "each was paid for once")
}

// TryDo leaves to others what is much by its arguments, and stops for a moment
// in a long batch of little.
func TestTryDoDoesLittleAtATime(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	require.Equal(t, "$-1", c.run("GET k"))
	try := func(cmds ...[]string) (int, bool) {
		n, _, waits := h.engine.TryDo(context.Background(), c.s, requests(cmds...), resp.NewWriter(resp.V2))
		return n, waits
	}
	many := []string{"EXISTS"}
	for range hastyArguments {
		many = append(many, "k")
	}
	n, waits := try([]string{"GET", "k"}, many)
	require.Equal(t, 1, n, "the neighbour that fits")
	require.True(t, waits)
	n, waits = try(many)
	require.Zero(t, n)
	require.True(t, waits)
	n, waits = try(many[:hastyArguments])
	require.Equal(t, 1, n)
	require.False(t, waits)

	var batch [][]string
	for range 2 * hastyCommands {
		batch = append(batch, []string{"GET", "k"})
	}
	n, waits = try(batch...)
	require.Equal(t, hastyCommands, n)
	require.False(t, waits)
}

// One command with a message for very many is not for a loop to run.
func TestTryDoLeavesCrowdsToOthers(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	require.Equal(t, "$-1", c.run("GET k"))
	try := func(args ...string) int {
		n, _, waits := h.engine.TryDo(context.Background(), c.s, requests(args), resp.NewWriter(resp.V2))
		require.Equal(t, n == 0, waits)
		return n
	}
	for range hastyHearers / 2 { // each is one, and its pattern another
		h.open().run("PSUBSCRIBE a*")
	}
	require.Equal(t, 1, try("PUBLISH", "abc", "m"))
	for range hastyHearers / 2 {
		h.open().run("PSUBSCRIBE a*")
	}
	for _, args := range [][]string{{"PUBLISH", "abc", "m"}, {"SPUBLISH", "abc", "m"}, {"SSUBSCRIBE", "x"}} {
		require.Zero(t, try(args...), args[0])
	}
	require.Equal(t, 1, try("SET", "k", "v"), "nobody hears of keys")
	h.open().run("PSUBSCRIBE __key*")
	require.Equal(t, 1, try("SET", "k", "v"), "notifications are off")
	h.engine.SetKeyspaceEvents("KEA")
	require.Zero(t, try("SET", "k", "v"))
	require.Equal(t, 1, try("GET", "k"))
	require.Equal(t, 1, try("PING"))
}
