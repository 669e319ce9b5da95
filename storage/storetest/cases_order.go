package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// fill sets n keys k00000, k00001 ... to "v".
func fill(s *space, n int) {
	s.h.Helper()
	require.NoError(s.h, s.update(func(tx storage.Tx) error {
		for i := range n {
			if err := tx.Set(fmt.Sprintf("k%05d", i), storage.Entry{Value: []byte("v")}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// walk lists a transaction's keys from a point on.
func walk(h *harness, tx storage.Tx, from string) []string {
	h.Helper()
	var keys []string
	require.NoError(h, tx.Ascend(from, func(key string, _ storage.Entry) bool {
		keys = append(keys, strings.Clone(key))
		return true
	}))
	return keys
}

var orderCases = []testCase{
	{"by bytes, any byte", func(h *harness) {
		s := h.notes()
		keys := []string{"", "\x00", "\x00\x00", "\x00\x01", "A", "Z", "a", "a\x00", "a\x00b", "a\xff", "a\xff\xff", "aa", "b", "ä", "\xfe", "\xff", "\xff\x00", "\xff\xff"}
		slices.Sort(keys)
		for i := range keys { // not in order
			s.set(keys[i*7%len(keys)], "v")
		}
		require.Equal(h, keys, s.keys(""))
		for i, key := range keys {
			require.Equal(h, keys[i:], s.keys(key))
			require.Equal(h, keys[i+1:], append([]string{}, s.keys(key+"\x00")...))
			s.holds(key, "v")
		}
	}},
	{"stops when told", func(h *harness) {
		s := h.notes()
		fill(s, 1000)
		for _, stop := range []int{1, 31, 32, 33, 300} {
			n := 0
			require.NoError(h, s.view(func(tx storage.Tx) error {
				n = 0
				return tx.Ascend("k00100", func(key string, e storage.Entry) bool {
					require.Equal(h, fmt.Sprintf("k%05d", 100+n), key)
					require.Equal(h, "v", string(e.Value))
					n++
					return n < stop
				})
			}))
			require.Equal(h, stop, n)
		}
		require.Len(h, s.keys("k00500"), 500)
		require.Empty(h, s.keys("l"))
	}},
	{"own writes are in order", func(h *harness) {
		s := h.notes()
		s.set("b", "1", "d", "1", "f", "1", "h", "1")
		require.NoError(h, s.update(func(tx storage.Tx) error {
			for _, key := range []string{"i", "a", "e", "d"} {
				require.NoError(h, tx.Set(key, storage.Entry{Value: []byte("2")}))
			}
			require.NoError(h, tx.Delete("f"))
			require.NoError(h, tx.Delete("h"))
			require.NoError(h, tx.Set("h", storage.Entry{Value: []byte("2")}))
			require.NoError(h, tx.Set("gone", storage.Entry{}))
			require.NoError(h, tx.Delete("gone"))
			require.Equal(h, []string{"a", "b", "d", "e", "h", "i"}, walk(h, tx, ""))
			require.Equal(h, []string{"d", "e", "h", "i"}, walk(h, tx, "c"))
			require.NoError(h, tx.Clear())
			require.Empty(h, walk(h, tx, ""))
			require.NoError(h, tx.Set("c", storage.Entry{}))
			require.NoError(h, tx.Set("b", storage.Entry{}))
			require.Equal(h, []string{"b", "c"}, walk(h, tx, ""))
			return nil
		}))
		require.Equal(h, []string{"b", "c"}, s.keys(""))
	}},
	{"yield may write", func(h *harness) {
		s := h.notes()
		fill(s, 600)
		s.setUntil("k00000a", "", h.in(time.Hour))
		h.clock.Advance(time.Hour) // expired, and set again below
		var seen []string
		require.NoError(h, s.update(func(tx storage.Tx) error {
			seen = nil
			require.NoError(h, tx.Delete("k00599"))
			return tx.Ascend("", func(key string, e storage.Entry) bool {
				seen = append(seen, strings.Clone(key))
				var i int
				_, err := fmt.Sscanf(key, "k%d", &i)
				require.NoError(h, err)
				if i%2 == 0 && i < 598 { // every second one goes before it is seen
					require.NoError(h, tx.Delete(fmt.Sprintf("k%05d", i+1)))
				}
				require.NoError(h, tx.Set(key+"a", storage.Entry{})) // not seen any more
				require.NoError(h, tx.Set(fmt.Sprintf("k%05d", 598), storage.Entry{Value: []byte("new")}))
				if i == 10 { // deleted and set again is not what was there
					require.NoError(h, tx.Delete("k00300"))
					require.NoError(h, tx.Set("k00300", storage.Entry{}))
					require.Contains(h, walk(h, tx, ""), "k00300") // by a later one it is
				}
				if i == 598 {
					require.Equal(h, "new", string(e.Value))
					return false
				}
				return true
			})
		}))
		var want []string
		for i := 0; i < 600; i += 2 {
			if i != 300 {
				want = append(want, fmt.Sprintf("k%05d", i))
			}
		}
		// 300 was not seen, so it did not delete 301.
		want = slices.Insert(want, slices.Index(want, "k00302"), "k00301")
		require.Equal(h, want, seen)
	}},
	{"nested", func(h *harness) {
		s := h.notes()
		fill(s, 50)
		n := 0
		require.NoError(h, s.view(func(tx storage.Tx) error {
			n = 0
			return tx.Ascend("", func(outer string, _ storage.Entry) bool {
				n += len(walk(h, tx, outer))
				return true
			})
		}))
		require.Equal(h, 50*51/2, n)
	}},
}
