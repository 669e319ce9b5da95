package bunt

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

func TestObserve(t *testing.T) {
	for mode, want := range map[SyncMode][]string{
		SyncAlways:      {storage.TookJournalSync, storage.TookJournalWrite, storage.TookExpiry},
		SyncEverySecond: {storage.TookJournalWrite, storage.TookExpiry},
	} {
		s := openTest(t, Options{Dir: t.TempDir(), Sync: mode})
		var mu sync.Mutex
		seen := map[string]int{}
		names := func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Sorted(maps.Keys(seen))
		}
		s.Observe(func(event string, took time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			seen[event]++
			if took < 0 {
				seen["the clock went back"]++
			}
		})
		write(t, s, notes, func(tx storage.Tx) {
			require.NoError(t, tx.Set("soon", storage.Entry{ExpiresAt: tx.Now() + 20}))
		})
		eventually(t, "the key goes", func() bool { return physical(namespace(t, s, notes).(*space)) == 0 })
		slices.Sort(want)
		eventually(t, "all is told", func() bool { return slices.Equal(want, names()) })
		require.NoError(t, s.Sync(t.Context()))
		require.Equal(t, want, names())
		s.Observe(nil)
		mu.Lock()
		clear(seen)
		mu.Unlock()
		set(t, s, notes, "k", "v")
		require.Empty(t, names())
	}
}
