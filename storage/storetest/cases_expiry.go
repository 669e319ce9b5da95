package storetest

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

var expiryCases = []testCase{
	{"exact at every read", func(h *harness) {
		s := h.notes()
		end := h.in(time.Hour)
		s.set("stays", "s")
		s.setUntil("ends", "e", end)
		require.Equal(h, end, s.holds("ends", "e").ExpiresAt)
		h.clock.Set(end - 1)
		s.holds("ends", "e")
		require.Equal(h, []string{"ends", "stays"}, s.keys(""))
		require.Equal(h, storage.Usage{Keys: 2, Bytes: 11}, s.usage())
		h.clock.Set(end)
		s.lacks("ends")
		require.Equal(h, []string{"stays"}, s.keys(""))
		require.Equal(h, storage.Usage{Keys: 1, Bytes: 6}, s.usage())
		require.ErrorIs(h, s.delete("ends"), storage.ErrNotFound)
		require.NoError(h, s.update(func(tx storage.Tx) error {
			require.Equal(h, storage.Usage{Keys: 1, Bytes: 6}, tx.Usage())
			_, err := tx.Get("ends")
			require.ErrorIs(h, err, storage.ErrNotFound)
			return nil
		}))
	}},
	{"an expired key can be set again", func(h *harness) {
		s := h.notes()
		s.setUntil("a", "old", h.in(time.Hour))
		h.clock.Advance(time.Hour)
		s.set("a", "new")
		require.Zero(h, s.holds("a", "new").ExpiresAt)
		require.Equal(h, storage.Usage{Keys: 1, Bytes: 4}, s.usage())
		require.Zero(h, s.purge(10))
		s.holds("a", "new")
	}},
	{"an expiry in the past deletes", func(h *harness) {
		s := h.notes()
		s.set("a", "1")
		s.setUntil("a", "2", h.clock.Now())
		s.lacks("a")
		s.setUntil("a", "2", h.clock.Now()-1)
		s.setUntil("b", "2", 1)
		require.Zero(h, s.usage())
		require.Zero(h, s.purge(10))
	}},
	{"extended, shortened, lifted", func(h *harness) {
		s := h.notes()
		start := h.clock.Now()
		at := func(minutes int64) int64 { return start + minutes*60_000 }
		for _, key := range []string{"longer", "shorter", "lifted", "same"} {
			s.setUntil(key, "v", at(100))
		}
		s.setUntil("longer", "v", at(300))
		s.setUntil("shorter", "v", at(50))
		s.set("lifted", "v")
		h.clock.Set(at(50))
		require.Equal(h, []string{"lifted", "longer", "same"}, s.keys(""))
		require.EqualValues(h, 3, s.usage().Keys)
		h.clock.Set(at(100))
		require.Equal(h, []string{"lifted", "longer"}, s.keys(""))
		require.EqualValues(h, 2, s.usage().Keys)
		require.Equal(h, 2, s.purge(10))
		h.clock.Set(at(300))
		require.Equal(h, []string{"lifted"}, s.keys(""))
		require.EqualValues(h, 1, s.usage().Keys)
		require.Equal(h, 1, s.purge(10))
		s.holds("lifted", "v")
	}},
	{"purge takes the oldest, at most the limit", func(h *harness) {
		s := h.notes()
		start := h.clock.Now()
		for i := range 100 {
			j := i * 37 % 100 // not in order
			s.setUntil(fmt.Sprintf("k%02d", j), "v", start+int64(j+1)*3_600_000)
		}
		s.set("stays", "s")
		require.Zero(h, s.purge(10))
		h.clock.Set(start + 50*3_600_000)
		require.Zero(h, s.purge(0))
		require.Zero(h, s.purge(-1))
		before := s.keys("")
		require.Equal(h, 20, s.purge(20))
		require.Equal(h, before, s.keys(""))
		// A clock that steps back shows which ones are left.
		h.clock.Set(start)
		left := s.keys("")
		require.Len(h, left, 81)
		require.Equal(h, "k20", left[0])
		h.clock.Set(start + 50*3_600_000)
		require.Equal(h, 30, s.purge(1000))
		require.Zero(h, s.purge(1000))
		require.EqualValues(h, 51, s.usage().Keys)
	}},
	{"a clock that steps back brings back what was not purged", func(h *harness) {
		s := h.notes()
		start := h.clock.Now()
		s.setUntil("a", "1", h.in(time.Hour))
		h.clock.Advance(time.Hour)
		s.lacks("a")
		h.clock.Set(start)
		s.holds("a", "1")
		require.Equal(h, []string{"a"}, s.keys(""))
		require.Equal(h, storage.Usage{Keys: 1, Bytes: 2}, s.usage())
	}},
	{"many that end together", func(h *harness) {
		s := h.notes()
		end := h.in(time.Hour)
		require.NoError(h, s.update(func(tx storage.Tx) error {
			for i := range 2000 {
				e := storage.Entry{Value: []byte("v")}
				if i%2 == 0 {
					e.ExpiresAt = end
				}
				if err := tx.Set(fmt.Sprintf("k%05d", i), e); err != nil {
					return err
				}
			}
			return nil
		}))
		h.clock.Set(end)
		require.Equal(h, storage.Usage{Keys: 1000, Bytes: 7000}, s.usage())
		require.Len(h, s.keys(""), 1000)
	}},
}
