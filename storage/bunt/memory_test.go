package bunt

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// What a key costs, with a value of 64 bytes: the heap before and after, against
// what the store counts. CUBBY_TEST_MEMORY_KEYS=1000000 gives figures to quote.
func TestMemoryPerKey(t *testing.T) {
	keys := testSize(t, "CUBBY_TEST_MEMORY_KEYS", 100_000)
	for _, ttl := range []bool{false, true} {
		for _, perSpace := range []int{1000, keys} {
			t.Run(fmt.Sprintf("expiring %t, %d each", ttl, perSpace), func(t *testing.T) { memoryPerKey(t, keys, perSpace, ttl) })
		}
	}
}

func memoryPerKey(t *testing.T, keys, perSpace int, ttl bool) {
	s := openTest(t, Options{})
	// buntdb lets go of a closed store within a second.
	eventually(t, "the store before is gone", func() bool { return liveHeap() < 8<<20 })
	before := liveHeap()
	value := make([]byte, 64)
	for n := range keys / perSpace {
		ns := namespace(t, s, storage.ID{Tenant: "t", App: fmt.Sprint(n)})
		for k := 0; k < perSpace; k += 100 {
			_, err := ns.Update(t.Context(), nil, func(tx storage.Tx) error {
				for i := range 100 {
					e := storage.Entry{Value: value}
					if ttl { // each at its own time, not in order
						e.ExpiresAt = tx.Now() + 3_600_000 + int64((k+i)*7919%perSpace)
					}
					if err := tx.Set(benchKey(k+i), e); err != nil {
						return err
					}
				}
				return nil
			})
			require.NoError(t, err)
		}
	}
	used := liveHeap() - before
	counted := s.Stats().Memory
	t.Logf("%d bytes for each key, %d counted", used/int64(keys), counted/int64(keys))
	if !raceEnabled {
		require.InEpsilon(t, used, counted, 0.2, "the estimate is off")
	}
}

// liveHeap returns the bytes of live objects.
func liveHeap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
