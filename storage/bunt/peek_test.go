package bunt

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

// A peek reads nothing from the disk: it knows what is in memory, and what was
// there when it left.
func TestPeek(t *testing.T) {
	clock := storetest.NewClock()
	dir := t.TempDir()
	s := openTest(t, Options{Dir: dir, Clock: clock.Now})
	require.Equal(t, storage.Peek{Known: true}, s.Peek(storage.Durable, notes), "there is nothing")
	set(t, s, notes, "a", "1", "b", "22")
	held := storage.Usage{Keys: 2, Bytes: 5}
	require.Equal(t, storage.Peek{Usage: held, Known: true, InMemory: true}, s.Peek(storage.Durable, notes))
	require.Equal(t, storage.Peek{Known: true}, s.Peek(storage.Ephemeral, notes))
	ns := namespace(t, s, notes)
	_, err := ns.Update(t.Context(), nil, func(tx storage.Tx) error {
		require.NoError(t, tx.Set("c", storage.Entry{Value: []byte("3")}))
		require.Equal(t, storage.Peek{Usage: held, Known: true, InMemory: true}, s.Peek(storage.Durable, notes), "nobody waits for a writer")
		return nil
	})
	require.NoError(t, err)
	unloadAll(t, s)
	require.Equal(t, storage.Peek{Usage: storage.Usage{Keys: 3, Bytes: 7}, Known: true}, s.Peek(storage.Durable, notes))
	require.False(t, loaded(ns))

	again := openTest(t, Options{Dir: crash(t, dir), Clock: clock.Now})
	require.Equal(t, storage.Peek{}, again.Peek(storage.Durable, notes), "a start does not look")
	require.Equal(t, []storage.Peek{{Known: true}}, []storage.Peek{again.Peek(storage.Durable, storage.ID{Tenant: "acme", App: "new"})})
	namespace(t, again, notes)
	require.Equal(t, int64(3), again.Peek(storage.Durable, notes).Keys)
}
