package bunt

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// A keyspace against a map: keys come, change size and go, in phases that grow
// and shrink it, so that segments split, blocks are used again and chunks are
// emptied.
func TestKeyspaceIsAMap(t *testing.T) {
	rnd := seeded(t)
	ks := newKeyspace(maphash.MakeSeed())
	want := map[string]string{}
	var names []string
	value := func() string {
		n := rnd.IntN(200)
		switch rnd.IntN(40) {
		case 0:
			n = rnd.IntN(2 * farBytes)
		case 1:
			n = 0
		}
		return strings.Repeat("v", n) + fmt.Sprint(n)
	}
	var most int64
	for _, phase := range []struct{ steps, grow int }{{20_000, 80}, {30_000, 10}, {20_000, 50}, {40_000, 5}, {10_000, 100}} {
		for i := range phase.steps {
			if rnd.IntN(100) < phase.grow || len(names) == 0 {
				key := fmt.Sprintf("key%d", rnd.IntN(1_000_000))
				if rnd.IntN(500) == 0 {
					key += strings.Repeat("k", 2*farBytes)
				}
				if _, ok := want[key]; !ok {
					v := value()
					ks.add(ks.hash(key), ks.record(key, v, 1, int64(rnd.IntN(2)*(1+rnd.IntN(1000))), 1))
					want[key] = v
					names = append(names, key)
				}
				continue
			}
			n := rnd.IntN(len(names))
			key := names[n]
			slot, ok := ks.find(ks.hash(key), key)
			require.True(t, ok, key)
			require.Equal(t, want[key], ks.item(slot).value)
			if rnd.IntN(2) == 0 {
				want[key] = value()
				ks.discard(ks.replace(slot, ks.record(key, want[key], 1, int64(rnd.IntN(2)*(1+rnd.IntN(1000))), 1)))
			} else {
				ks.kill(slot)
				ks.bury(slot)
				delete(want, key)
				names[n] = names[len(names)-1]
				names = names[:len(names)-1]
			}
			ks.tidy()
			if i%2000 == 0 {
				require.NoError(t, ks.check())
			}
		}
		require.NoError(t, ks.check())
		require.Len(t, want, ks.count)
		for key, v := range want {
			slot, ok := ks.find(ks.hash(key), key)
			require.True(t, ok)
			require.Equal(t, v, ks.item(slot).value)
		}
		_, ok := ks.find(ks.hash("absent"), "absent")
		require.False(t, ok)
		most = max(most, ks.arena.size)
		require.False(t, ks.arena.wasteful() && ks.arena.unused > 4*chunkBytes, "%d of %d bytes lie unused", ks.arena.unused, ks.arena.size)
	}
	for _, key := range names {
		slot, _ := ks.find(ks.hash(key), key)
		ks.kill(slot)
		ks.bury(slot)
		ks.tidy()
	}
	require.Zero(t, ks.count)
	require.NoError(t, ks.check())
	require.Less(t, ks.arena.size, most/8, "chunks are given back")
}

// The pages of one space, in a shard with a neighbour, in several orders of
// arrival, and the rows that are left when keys go.
func TestPagesKeepOrder(t *testing.T) {
	const keys = 5000
	rnd := seeded(t)
	orders := map[string]func(i int) int{
		"rising":  func(i int) int { return i },
		"falling": func(i int) int { return keys - i },
		"mixed":   func(i int) int { return i * 7919 % keys },
		"halves":  func(i int) int { return i%2*keys + i/2 },
	}
	for name, order := range orders {
		t.Run(name, func(t *testing.T) {
			s := openTest(t, Options{IndexShards: 1})
			for _, id := range []storage.ID{todos, notes} {
				for i := range keys / 10 {
					write(t, s, id, func(tx storage.Tx) {
						for j := range 10 {
							put(t, tx, fmt.Sprintf("k%06d", order(10*i+j)), "v")
						}
					})
				}
			}
			sp := namespace(t, s, notes).(*space)
			require.NoError(t, s.Check())
			require.Less(t, sp.ks.pages.rows, keys/40, "pages are filled")
			if name == "rising" {
				require.Less(t, sp.ks.pages.rows, keys/100, "and well so by keys that come in order")
			}
			var left []string
			sp.ks.each(func(slot uint32) bool { left = append(left, strings.Clone(sp.ks.key(slot))); return true })
			rnd.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
			for len(left) > 0 {
				n := min(len(left), 100)
				write(t, s, notes, func(tx storage.Tx) {
					for _, key := range left[:n] {
						require.NoError(t, tx.Delete(key))
					}
				})
				left = left[n:]
			}
			require.NoError(t, s.Check())
			require.Zero(t, sp.ks.pages.rows)
			require.Empty(t, list(t, namespace(t, s, notes)))
			require.Len(t, list(t, namespace(t, s, todos)), keys)
		})
	}
}

// A key that is deleted and written again in one transaction stands in its page
// twice when the page is split.
func TestPageSplitsAtKeyWrittenAgain(t *testing.T) {
	for at := range pageSlots - 1 {
		s := openTest(t, Options{})
		key := func(i int) string { return fmt.Sprintf("k%06d", i) }
		write(t, s, notes, func(tx storage.Tx) {
			for i := range pageSlots - 1 {
				put(t, tx, key(i), "v")
			}
		})
		write(t, s, notes, func(tx storage.Tx) {
			require.NoError(t, tx.Delete(key(at)))
			put(t, tx, key(at), "again")
		})
		require.NoError(t, s.Check())
		require.Len(t, list(t, namespace(t, s, notes)), pageSlots-1)
	}
}

// Emptying chunks comes to an end, whatever sizes records have: the sweeper goes
// on as long as there is something to tidy.
func TestTidyEnds(t *testing.T) {
	rnd := seeded(t)
	for range 100 {
		ks := newKeyspace(maphash.MakeSeed())
		var names []string
		next := 0
		for range 4 {
			large, small := 1+rnd.IntN(farBytes-100), 1+rnd.IntN(200)
			share, keep := rnd.IntN(101), rnd.IntN(200)
			for range 400 {
				if len(names) > keep {
					n := rnd.IntN(len(names))
					slot, _ := ks.find(ks.hash(names[n]), names[n])
					ks.kill(slot)
					ks.bury(slot)
					names[n] = names[len(names)-1]
					names = names[:len(names)-1]
				}
				if rnd.IntN(3) > 0 {
					next++
					key, size := fmt.Sprintf("k%08d", next), small
					if rnd.IntN(100) < share {
						size = large
					}
					ks.add(ks.hash(key), ks.record(key, strings.Repeat("v", size), 1, 0, 1))
					names = append(names, key)
				}
				steps := 0
				for ; ks.untidy() && steps < 100; steps++ {
					ks.tidy()
				}
				require.Less(t, steps, 100, "%d keys of %d and %d bytes: %d of %d bytes lie unused", len(names), large, small, ks.arena.unused, ks.arena.size)
			}
		}
		require.NoError(t, ks.check())
	}
}

// What a namespace took when it was large is given back when few keys are left,
// whoever removes the others.
func TestSparseKeyspaceIsMadeAnew(t *testing.T) {
	s := openTest(t, Options{IndexShards: 1})
	const keys, kept = 20 * sparseSlots, 30
	key := func(i int) string { return fmt.Sprintf("k%06d", i*7919%keys) }
	for i := 0; i < keys; i += 1000 {
		write(t, s, notes, func(tx storage.Tx) {
			for j := range 1000 {
				e := storage.Entry{Value: []byte(key(i + j))}
				switch i + j {
				case 1:
					e.Value = []byte(strings.Repeat("long", farBytes))
				case 2:
					e.ExpiresAt = tx.Now() + time.Hour.Milliseconds()
				}
				require.NoError(t, tx.Set(key(i+j), e))
			}
		})
	}
	sp := namespace(t, s, notes).(*space)
	given := func() int {
		sp.mu.RLock()
		defer sp.mu.RUnlock()
		return int(sp.ks.slots.given)
	}
	for i := kept; i < keys; i += 10 {
		write(t, s, notes, func(tx storage.Tx) {
			for j := i; j < min(i+10, keys); j++ {
				require.NoError(t, tx.Delete(key(j)))
			}
		})
	}
	want := list(t, sp)
	require.Len(t, want, kept)
	eventually(t, "it is made anew", func() bool { return given() < sparseSlots })
	require.NoError(t, s.Check())
	require.Equal(t, want, list(t, sp))
	eventually(t, "rows go", func() bool {
		rows, err := s.shards[0].scan(nil, "", "", -1)
		require.NoError(t, err)
		return len(rows) < 20 // of some thousand
	})
}

// Random finds the last keys of a namespace that was large, and no ended ones.
func TestRandomInSparseKeyspace(t *testing.T) {
	var now atomic.Int64
	now.Store(1)
	s := openTest(t, Options{manual: true, Clock: now.Load})
	const keys = 3 * sparseSlots
	write(t, s, notes, func(tx storage.Tx) {
		for i := range keys {
			require.NoError(t, tx.Set(fmt.Sprint("k", i), storage.Entry{ExpiresAt: 10}))
		}
		put(t, tx, "stays", "v")
	})
	random := func() (key string, err error) {
		_, _ = namespace(t, s, notes).View(t.Context(), nil, func(tx storage.Tx) error {
			key, err = tx.Random()
			key = strings.Clone(key)
			return nil
		})
		return key, err
	}
	now.Store(10)
	for range 20 {
		key, err := random()
		require.NoError(t, err)
		require.Equal(t, "stays", key)
	}
	write(t, s, notes, func(tx storage.Tx) {
		require.NoError(t, tx.Delete("stays"))
		_, err := tx.Random()
		require.ErrorIs(t, err, storage.ErrNotFound)
		put(t, tx, "new", "v")
		key, err := tx.Random()
		require.NoError(t, err)
		require.Equal(t, "new", key, "in no page yet")
	})
}

// A transaction that writes more than it may keeps nothing; what is in one piece
// may always be written.
func TestTransactionsAreBounded(t *testing.T) {
	for db := range storage.Databases {
		s := openTest(t, Options{Dir: t.TempDir(), Log: quiet, txBytes: 1000})
		ns, err := s.Namespace(t.Context(), db, notes)
		require.NoError(t, err)
		update := func(fn func(tx storage.Tx) error) error {
			_, err := ns.Update(t.Context(), nil, fn)
			return err
		}
		require.NoError(t, update(func(tx storage.Tx) error {
			return tx.Set("large", storage.Entry{Value: make([]byte, 2000)})
		}))
		before := list(t, ns)
		require.ErrorIs(t, update(func(tx storage.Tx) error {
			for range 10 { // also over the same key: what was there stays until the end
				if err := tx.Set("k", storage.Entry{Value: make([]byte, 150)}); err != nil {
					return err
				}
			}
			return nil
		}), storage.ErrTooLarge)
		require.Equal(t, before, list(t, ns))
		require.NoError(t, s.Check())
	}
}

// A commit that the index refuses leaves nothing behind.
func TestIndexRefuses(t *testing.T) {
	s := openTest(t, Options{IndexShards: 1})
	write(t, s, notes, func(tx storage.Tx) {
		for i := range pageSlots - 1 {
			put(t, tx, fmt.Sprintf("k%06d", i), "v")
		}
	})
	before := list(t, namespace(t, s, notes))
	sh := &s.shards[0]
	db, err := sh.index()
	require.NoError(t, err)
	sh.db = nil // as after Close
	_, err = namespace(t, s, notes).Update(t.Context(), nil, func(tx storage.Tx) error {
		put(t, tx, "k000001", "other")
		require.NoError(t, tx.Delete("k000002"))
		put(t, tx, "k000003a", "the page is full now")
		return nil
	})
	require.ErrorIs(t, err, storage.ErrClosed)
	sh.db = db
	require.NoError(t, s.Check())
	require.Equal(t, before, list(t, namespace(t, s, notes)))
	write(t, s, notes, func(tx storage.Tx) { put(t, tx, "k000003a", "it is") })
	require.Len(t, list(t, namespace(t, s, notes)), pageSlots)
	require.NoError(t, s.Check())
}

func TestSeparator(t *testing.T) {
	for _, c := range [][3]string{{"a", "b", "b"}, {"a", "ab", "ab"}, {"abc", "abd", "abd"}, {"abc", "b", "b"}, {"", "x", "x"}, {"a\xff", "b\x00\x00", "b"}, {"abc", "abcdef", "abcd"}} {
		got := separator(c[0], c[1])
		require.Equal(t, c[2], got)
		require.True(t, c[0] < got && got <= c[1])
	}
}
