package bunt

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

// unloadAll closes every space that can be closed.
func unloadAll(t testing.TB, s *Store) int {
	t.Helper()
	n, err := s.unloadColdest(t.Context(), s.clock()+1, nil, func() bool { return true })
	require.NoError(t, err)
	return n
}

func loaded(ns storage.Namespace) bool {
	sp := ns.(*space)
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	return sp.loaded
}

func TestUnloadedSpaceComesBack(t *testing.T) {
	clock := storetest.NewClock()
	opts := Options{Dir: t.TempDir(), Clock: clock.Now, IndexShards: 1}
	s := openTest(t, opts)
	ns := namespace(t, s, notes)
	set(t, s, notes, "a", "1", "b", "2", "c", "")
	write(t, s, notes, func(tx storage.Tx) {
		require.NoError(t, tx.Set("ends", storage.Entry{ExpiresAt: tx.Now() + 60_000}))
		require.NoError(t, tx.Delete("b"))
	})
	eph, err := s.Namespace(t.Context(), storage.Ephemeral, notes)
	require.NoError(t, err)
	_, err = eph.Update(t.Context(), nil, func(tx storage.Tx) error { put(t, tx, "only here", "1"); return nil })
	require.NoError(t, err)
	before := list(t, ns)
	memory := s.Stats().Memory

	for i := range 3 {
		require.Equal(t, 1, unloadAll(t, s))
		require.False(t, loaded(ns))
		require.True(t, loaded(eph), "database 1 has nowhere to come back from")
		require.Equal(t, 1, s.Stats().Spaces)
		require.Less(t, s.Stats().Memory, memory)
		require.NoError(t, s.Check())
		require.Equal(t, before, list(t, ns), "through the same handle")
		if i == 0 {
			require.Less(t, s.Stats().Memory, memory, "what the deleted key had left is gone")
			memory = s.Stats().Memory
		}
		require.Equal(t, memory, s.Stats().Memory)
	}
	unloadAll(t, s)
	eventually(t, "the index lets go of the rows", func() bool {
		rows, err := s.shards[0].scan(nil, "", "", -1)
		require.NoError(t, err)
		return len(rows) == 0 // each is a single page
	})

	// A write brings it back too, and is found after a crash.
	set(t, s, notes, "d", "4")
	before = list(t, ns)
	c := openTest(t, Options{Dir: crash(t, opts.Dir), Clock: clock.Now})
	require.Equal(t, before, list(t, namespace(t, c, notes)))

	// What ends while nobody looks is gone.
	unloadAll(t, s)
	clock.Advance(time.Minute)
	require.Len(t, list(t, ns), 3)

	unloadAll(t, s)
	require.NoError(t, s.Drop(t.Context(), notes))
	_, err = ns.View(t.Context(), nil, func(storage.Tx) error { return nil })
	require.ErrorIs(t, err, storage.ErrDropped)
	require.Empty(t, list(t, namespace(t, s, notes)))
}

func TestIdleSpacesAreUnloaded(t *testing.T) {
	clock := storetest.NewClock()
	s := openTest(t, Options{Dir: t.TempDir(), Clock: clock.Now, IdleTimeout: time.Minute})
	a, b := namespace(t, s, notes), namespace(t, s, todos)
	set(t, s, notes, "a", "1")
	set(t, s, todos, "b", "1")
	clock.Advance(50 * time.Second)
	list(t, b)
	clock.Advance(20 * time.Second)
	require.NoError(t, s.unloadIdle(t.Context()))
	require.False(t, loaded(a))
	require.True(t, loaded(b), "it was read meanwhile")
	clock.Advance(time.Minute)
	eventually(t, "the unloader looks around by itself", func() bool { return !loaded(b) })
}

// Limits that come while the store is in use hold from then on.
func TestSetMemory(t *testing.T) {
	clock := storetest.NewClock()
	s := openTest(t, Options{Dir: t.TempDir(), Clock: clock.Now})
	a := namespace(t, s, notes)
	set(t, s, notes, "a", "1")
	clock.Advance(time.Hour)
	s.SetMemory(0, time.Minute)
	eventually(t, "the unloader looks around by itself", func() bool { return !loaded(a) })
	list(t, a)
	require.NoError(t, s.MayGrow())
	s.SetMemory(1, 0)
	require.ErrorIs(t, s.MayGrow(), storage.ErrOutOfMemory)
	s.SetMemory(0, 0)
	require.NoError(t, s.MayGrow())
}

func TestExpiredKeysAreCounted(t *testing.T) {
	clock := storetest.NewClock()
	s := openTest(t, Options{Clock: clock.Now, manual: true})
	write(t, s, notes, func(tx storage.Tx) {
		for _, key := range []string{"a", "b", "c"} {
			require.NoError(t, tx.Set(key, storage.Entry{ExpiresAt: clock.Now() + 1000}))
		}
	})
	clock.Advance(time.Second)
	require.Zero(t, s.Stats().Expired, "nobody has removed them yet")
	set(t, s, notes, "a", "again")
	require.EqualValues(t, 1, s.Stats().Expired)
	write(t, s, notes, func(tx storage.Tx) {
		n, err := tx.Purge(10)
		require.NoError(t, err)
		require.Equal(t, 2, n)
	})
	require.EqualValues(t, 3, s.Stats().Expired)
}

// Past MaxMemory the coldest go; when none is cold, growth is refused.
func TestMaxMemory(t *testing.T) {
	clock := storetest.NewClock()
	const limit = 1 << 20
	s := openTest(t, Options{Dir: t.TempDir(), Clock: clock.Now, MaxMemory: limit, manual: true})
	fill := func(id storage.ID, size int) storage.Namespace {
		write(t, s, id, func(tx storage.Tx) {
			require.NoError(t, tx.Set("big", storage.Entry{Value: make([]byte, size)}))
		})
		return namespace(t, s, id)
	}
	var spaces []storage.Namespace
	for i := range 5 {
		spaces = append(spaces, fill(storage.ID{Tenant: "t", App: fmt.Sprint(i)}, limit/5))
		clock.Advance(10 * time.Second)
		require.NoError(t, s.MayGrow(), "%d", i)
	}
	list(t, spaces[0]) // warm again
	clock.Advance(inUse * time.Millisecond)
	spaces = append(spaces, fill(storage.ID{Tenant: "t", App: "more"}, limit/5))
	require.Greater(t, s.Stats().Memory, int64(limit))
	require.NoError(t, s.relieve(t.Context()))
	require.LessOrEqual(t, s.Stats().Memory, int64(limit))
	require.NoError(t, s.MayGrow())
	for i, in := range []bool{true, false, false, true, true, true} {
		require.Equal(t, in, loaded(spaces[i]), "space %d", i)
	}

	// All of these are in use.
	for _, ns := range spaces {
		list(t, ns)
	}
	require.NoError(t, s.relieve(t.Context()))
	require.ErrorIs(t, s.MayGrow(), storage.ErrOutOfMemory)
	// Database 1 counts, and does not go.
	clock.Advance(inUse * time.Millisecond)
	eph, err := s.Namespace(t.Context(), storage.Ephemeral, notes)
	require.NoError(t, err)
	_, err = eph.Update(t.Context(), nil, func(tx storage.Tx) error {
		return tx.Set("big", storage.Entry{Value: make([]byte, 2*limit)})
	})
	require.NoError(t, err)
	require.NoError(t, s.relieve(t.Context()))
	for i, ns := range spaces {
		require.False(t, loaded(ns), "space %d", i)
	}
	require.ErrorIs(t, s.MayGrow(), storage.ErrOutOfMemory)
	_, err = eph.Update(t.Context(), nil, func(tx storage.Tx) error { return tx.Delete("big") })
	require.NoError(t, err)
	require.NoError(t, s.relieve(t.Context()))
	require.NoError(t, s.MayGrow())
}

// A snapshot that fails keeps its space in memory.
func TestUnloadThatFails(t *testing.T) {
	s := openTest(t, Options{Dir: t.TempDir(), Log: quiet, fs: noSnapshots{systemFS{}}})
	set(t, s, notes, "a", "1")
	_, err := s.unloadColdest(t.Context(), s.clock()+1, nil, func() bool { return true })
	require.ErrorIs(t, err, errDisk)
	require.True(t, loaded(namespace(t, s, notes)))
	require.Len(t, list(t, namespace(t, s, notes)), 1)
}

// Spaces come and go under writers, readers, drops and compactions. Nothing is
// lost, and what a crash leaves is the same.
func TestUnloadUnderLoad(t *testing.T) {
	opts := Options{Dir: t.TempDir(), Sync: SyncNo, SegmentBytes: 16 << 10, IndexShards: 2}
	s := openTest(t, opts)
	ids := []storage.ID{notes, todos, {Tenant: "t", App: "dropped"}}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var writers, others sync.WaitGroup
	done := make(chan struct{})
	want := make([]map[string]string, 2) // each writer has keys of its own
	for worker := range want {
		want[worker] = make(map[string]string)
		writers.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(worker)))
			spaces := []storage.Namespace{namespace(t, s, ids[0]), namespace(t, s, ids[1])}
			for i := range 2000 {
				db, key, value := rnd.IntN(2), fmt.Sprintf("%d:%03d", worker, rnd.IntN(300)), fmt.Sprint(i)
				name := fmt.Sprintf("%d/%s", db, key)
				_, err := spaces[db].Update(t.Context(), nil, func(tx storage.Tx) error {
					e, err := tx.Get(key)
					if err == nil {
						require.Equal(t, want[worker][name], string(e.Value))
					} else {
						require.Empty(t, want[worker][name], name)
					}
					return tx.Set(key, storage.Entry{Value: []byte(value)})
				})
				require.NoError(t, err)
				want[worker][name] = value
			}
		})
	}
	background := func(fn func(i int)) {
		others.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
					fn(i)
				}
			}
		})
	}
	background(func(int) { unloadAll(t, s) })
	background(func(i int) {
		if i%20 == 0 {
			require.NoError(t, s.Compact(t.Context()))
		}
		_, err := namespace(t, s, ids[i%2]).View(t.Context(), nil, func(tx storage.Tx) error {
			return tx.Ascend("", func(string, storage.Entry) bool { return true })
		})
		require.NoError(t, err)
	})
	background(func(i int) {
		seq, err := namespace(t, s, ids[2]).Update(t.Context(), nil, func(tx storage.Tx) error { put(t, tx, fmt.Sprint(i), "1"); return nil })
		if err == nil {
			require.NoError(t, s.Wait(t.Context(), seq))
		}
		if i%30 == 0 {
			require.NoError(t, s.Drop(t.Context(), ids[2]))
		}
	})
	writers.Wait()
	close(done)
	others.Wait()
	require.NoError(t, s.Check())
	require.NoError(t, s.Sync(t.Context()))
	c := openTest(t, Options{Dir: crash(t, opts.Dir)})
	require.Equal(t, holdings(t, s, ids...), holdings(t, c, ids...))
	got := make(map[string]string)
	for db, id := range ids[:2] {
		_, err := namespace(t, c, id).View(t.Context(), nil, func(tx storage.Tx) error {
			return tx.Ascend("", func(key string, e storage.Entry) bool {
				got[fmt.Sprintf("%d/%s", db, key)] = string(e.Value)
				return true
			})
		})
		require.NoError(t, err)
	}
	for _, keys := range want {
		for name, value := range keys {
			require.Equal(t, value, got[name], name)
		}
	}
}
