package storetest

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

var entryCases = []testCase{
	{"set, get, overwrite, delete", func(h *harness) {
		s := h.notes()
		s.lacks("a")
		s.set("a", "1", "b", "")
		e := s.holds("a", "1")
		require.Equal(h, h.clock.Now(), e.UpdatedAt)
		require.Zero(h, e.ExpiresAt)
		s.holds("b", "")
		h.clock.Advance(time.Second)
		s.set("a", "two")
		require.Equal(h, h.clock.Now(), s.holds("a", "two").UpdatedAt)
		require.NoError(h, s.delete("a"))
		s.lacks("a")
		require.ErrorIs(h, s.delete("a"), storage.ErrNotFound)
		s.holds("b", "")
	}},
	{"the store copies what it is given", func(h *harness) {
		s := h.notes()
		key, value := []byte("key"), []byte("value")
		require.NoError(h, s.update(func(tx storage.Tx) error {
			return tx.Set(string(key), storage.Entry{Value: value})
		}))
		copy(value, "xxxxx")
		s.holds("key", "value")
	}},
	{"what a transaction handed out stays until it ends", func(h *harness) {
		s := h.notes()
		long := strings.Repeat("long", 10_000)
		s.set("a", "before", "b", long, "c", "other")
		require.NoError(h, s.update(func(tx storage.Tx) error {
			get := func(key string) []byte {
				e, err := tx.Get(key)
				require.NoError(h, err)
				return e.Value
			}
			a, b, again := get("a"), get("b"), []byte(nil)
			unchanged := func() {
				require.Equal(h, "before", string(a))
				require.Equal(h, long, string(b))
			}
			for i := range 100 { // what they were stored in is not used again
				require.NoError(h, tx.Set("a", storage.Entry{Value: []byte(fmt.Sprintf("behind%03d", i)[3:])}))
				if i == 50 {
					again = get("a")
				}
			}
			require.Equal(h, "ind050", string(again))
			unchanged()
			require.NoError(h, tx.Delete("b"))
			require.NoError(h, tx.Set("d", storage.Entry{Value: a})) // from the store's own memory
			require.NoError(h, tx.Set("e", storage.Entry{Value: b}))
			require.Equal(h, "before", string(get("d")))
			require.NoError(h, tx.Ascend("c", func(key string, e storage.Entry) bool {
				require.NoError(h, tx.Delete("c"))
				require.NoError(h, tx.Set("x", storage.Entry{Value: []byte("OTHER")}))
				require.Equal(h, "c", key)
				require.Equal(h, "other", string(e.Value))
				return false
			}))
			require.NoError(h, tx.Clear())
			for i := range 100 {
				require.NoError(h, tx.Set(fmt.Sprint(i), storage.Entry{Value: []byte("######")}))
			}
			unchanged()
			return tx.Set("a", storage.Entry{Value: b})
		}))
		s.holds("a", long)
	}},
	{"large values", func(h *harness) {
		s := h.notes()
		big := strings.Repeat("x", 1<<20)
		s.set("a", big, "b", big)
		s.holds("b", big)
		require.Equal(h, storage.Usage{Keys: 2, Bytes: 2 + 2<<20}, s.usage())
	}},
	{"versions never repeat", func(h *harness) {
		s := h.notes()
		seen := map[uint64]bool{}
		note := func() {
			h.Helper()
			e, err := h.notes().get("a")
			require.NoError(h, err)
			require.False(h, seen[e.Version], "version %d came twice", e.Version)
			seen[e.Version] = true
		}
		s.set("a", "1")
		note()
		s.set("a", "1")
		note()
		require.NoError(h, s.delete("a"))
		s.set("a", "1")
		note()
		require.NoError(h, s.update(func(tx storage.Tx) error { return tx.Clear() }))
		s.set("a", "1")
		note()
		require.NoError(h, h.store.Drop(h.Context(), acme))
		h.notes().set("a", "1")
		note()
	}},
	{"a set is visible in its own transaction", func(h *harness) {
		s := h.notes()
		require.NoError(h, s.update(func(tx storage.Tx) error {
			require.Equal(h, h.clock.Now(), tx.Now())
			require.NoError(h, tx.Set("a", storage.Entry{Value: []byte("1")}))
			e, err := tx.Get("a")
			require.NoError(h, err)
			require.Equal(h, "1", string(e.Value))
			require.NotZero(h, e.Version)
			require.Equal(h, storage.Usage{Keys: 1, Bytes: 2}, tx.Usage())
			require.NoError(h, tx.Delete("a"))
			require.ErrorIs(h, tx.Delete("a"), storage.ErrNotFound)
			require.Zero(h, tx.Usage())
			return tx.Set("a", storage.Entry{Value: []byte("22")})
		}))
		s.holds("a", "22")
		require.Equal(h, storage.Usage{Keys: 1, Bytes: 3}, s.usage())
	}},
	{"clear", func(h *harness) {
		s := h.notes()
		for _, n := range []int{1, 3000} { // few and many keys may take different ways
			fill(s, n)
			require.NoError(h, s.update(func(tx storage.Tx) error {
				require.NoError(h, tx.Set("mine", storage.Entry{}))
				require.NoError(h, tx.Clear())
				require.Zero(h, tx.Usage())
				return tx.Set("k00001", storage.Entry{Value: []byte("new")})
			}))
			require.Equal(h, []string{"k00001"}, s.keys(""))
			require.Equal(h, storage.Usage{Keys: 1, Bytes: 9}, s.usage())
			require.NoError(h, s.update(func(tx storage.Tx) error { return tx.Clear() }))
			require.Empty(h, s.keys(""))
		}
	}},
	{"random", func(h *harness) {
		s := h.notes()
		random := func() (key string, err error) {
			err = s.view(func(tx storage.Tx) error {
				var err error
				key, err = tx.Random()
				key = strings.Clone(key)
				return err
			})
			return key, err
		}
		_, err := random()
		require.ErrorIs(h, err, storage.ErrNotFound)
		s.set("a", "", "b", "", "c", "")
		s.setUntil("gone", "", h.in(time.Hour))
		h.clock.Advance(time.Hour)
		count := map[string]int{}
		for range 3000 {
			key, err := random()
			require.NoError(h, err)
			count[key]++
		}
		require.Len(h, count, 3)
		for key, n := range count { // 1000 expected, deviation 26
			require.InDelta(h, 1000, n, 200, "key %q", key)
		}
		fill(s, 1000)
		count = map[string]int{}
		for range 1000 {
			key, err := random()
			require.NoError(h, err)
			count[key]++
		}
		require.Greater(h, len(count), 300) // 632 expected when all are alike
	}},
}

var errMine = errors.New("my own error")

var atomicCases = []testCase{
	{"an error leaves nothing", func(h *harness) { leavesNothing(h, func() error { return errMine }) }},
	{"a panic leaves nothing and goes on", func(h *harness) { leavesNothing(h, func() error { panic(errMine) }) }},
	{"a goroutine that ends leaves nothing", func(h *harness) {
		leavesNothing(h, func() error { runtime.Goexit(); return nil })
	}},
	{"view is read-only", func(h *harness) {
		s := h.notes()
		s.set("a", "1")
		require.NoError(h, s.view(func(tx storage.Tx) error {
			require.ErrorIs(h, tx.Set("a", storage.Entry{}), storage.ErrReadOnlyTx)
			require.ErrorIs(h, tx.Delete("a"), storage.ErrReadOnlyTx)
			require.ErrorIs(h, tx.Clear(), storage.ErrReadOnlyTx)
			_, err := tx.Purge(1)
			require.ErrorIs(h, err, storage.ErrReadOnlyTx)
			return nil
		}))
		s.holds("a", "1")
		require.ErrorIs(h, s.view(func(storage.Tx) error { return errMine }), errMine)
		require.PanicsWithError(h, errMine.Error(), func() { _ = s.view(func(storage.Tx) error { panic(errMine) }) })
		s.set("a", "2") // no lock was left behind
	}},
}

// leavesNothing runs an Update that does everything and then fails.
func leavesNothing(h *harness, end func() error) {
	for _, n := range []int{10, 3000} {
		s := h.notes()
		require.NoError(h, s.update(func(tx storage.Tx) error { return tx.Clear() }))
		fill(s, n)
		s.setUntil("ends", "e", h.in(time.Hour))
		s.setUntil("ended", "e", h.in(time.Minute))
		s.setUntil("extended", "e", h.in(time.Minute))
		s.setUntil("extended", "e", h.in(time.Hour))
		h.clock.Advance(time.Minute)
		keys, usage, before := s.keys(""), s.usage(), s.holds("k00001", "v")

		write := func(tx storage.Tx) {
			set := func(key, value string, at int64) {
				require.NoError(h, tx.Set(key, storage.Entry{Value: []byte(value), ExpiresAt: at}))
			}
			set("k00001", "changed", 0)
			set("k00002", "changed", tx.Now()+1)
			set("ends", "forever", 0)
			set("ended", "again", 0)
			set("new", "n", tx.Now()+5)
			set("k00003", "", tx.Now()) // deletes
			require.NoError(h, tx.Delete("k00004"))
			require.NoError(h, tx.Delete("new"))
			_, err := tx.Purge(10)
			require.NoError(h, err)
			require.NoError(h, tx.Clear())
			set("k00001", "after clear", tx.Now()+9)
			require.NoError(h, tx.Clear())
			set("newer", "n", 0)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					require.Equal(h, errMine, p)
				}
			}()
			err := s.update(func(tx storage.Tx) error { write(tx); return end() })
			require.ErrorIs(h, err, errMine)
		})
		wg.Wait()

		require.Equal(h, keys, s.keys(""))
		require.Equal(h, usage, s.usage())
		require.Equal(h, before, s.holds("k00001", "v"))
		h.recountAll()
		h.clock.Advance(time.Hour)
		require.Equal(h, keys[2:], s.keys("")) // without "ends" and "extended"
		h.recountAll()
	}
}
