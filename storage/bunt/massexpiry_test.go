package bunt

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// Many keys that end within three seconds, in many namespaces and in one: counts
// stay exact, all is removed, and events come once. No time is asserted; the
// figures are printed. CUBBY_TEST_EXPIRY_KEYS=1000000 is the size that matters.
func TestMassExpiry(t *testing.T) {
	keys := testSize(t, "CUBBY_TEST_EXPIRY_KEYS", 20_000)
	for _, spaces := range []int{1000, 1} {
		t.Run(fmt.Sprintf("%d namespaces", spaces), func(t *testing.T) { massExpiry(t, keys, spaces) })
	}
}

func massExpiry(t *testing.T, keys, spaces int) {
	var events atomic.Int64
	s := openTest(t, Options{Dir: t.TempDir(), Sync: SyncNo, Log: quiet, OnExpired: func(_ int, _ storage.ID, keys []string) {
		events.Add(int64(len(keys)))
	}})
	id := func(i int) storage.ID { return storage.ID{Tenant: "t", App: fmt.Sprint(i)} }
	value := make([]byte, 64)
	// The time that it takes to write them, and no less than a second.
	base := time.Now().UnixMilli() + 1000 + int64(keys/40)
	for n := range spaces {
		s.WantEvents(storage.Durable, id(n), true)
		ns := namespace(t, s, id(n))
		for k := 0; k < keys/spaces; k += 500 {
			_, err := ns.Update(t.Context(), nil, func(tx storage.Tx) error {
				for i := k; i < min(k+500, keys/spaces); i++ {
					end := base + int64((i*spaces+n)*3000/keys)
					if err := tx.Set(benchKey(i), storage.Entry{Value: value, ExpiresAt: end}); err != nil {
						return err
					}
				}
				return nil
			})
			require.NoError(t, err)
		}
		set(t, s, id(n), "stays", "")
	}
	require.Less(t, time.Now().UnixMilli(), base, "the machine is too slow for so many keys")

	// Somebody goes on using one of the namespaces and asks for its counts. The
	// same in a store where nothing happens tells what the machine adds.
	var longest, elsewhere time.Duration
	calm := namespace(t, openTest(t, Options{}), notes)
	done := make(chan struct{})
	var users sync.WaitGroup
	ns := namespace(t, s, id(0))
	users.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			write := func(tx storage.Tx) error {
				require.LessOrEqual(t, tx.Usage().Keys, int64(keys/spaces+2))
				return tx.Set("busy", storage.Entry{Value: value[:i%64]})
			}
			began := time.Now()
			_, err := ns.Update(t.Context(), nil, write)
			require.NoError(t, err)
			between := time.Now()
			_, err = calm.Update(t.Context(), nil, write)
			require.NoError(t, err)
			longest = max(longest, between.Sub(began))
			elsewhere = max(elsewhere, time.Since(between))
			if i%64 == 0 { // or the journal's backlog would be written inside Update
				require.NoError(t, s.Wait(t.Context(), storage.Seq(s.journal.newest())))
			}
		}
	})
	var lag time.Duration
	require.Eventually(t, func() bool {
		st := s.Stats()
		lag = max(lag, st.PurgeLag)
		return time.Now().UnixMilli() > base+3000 && st.Keys <= int64(spaces+1) && events.Load() >= int64(keys/spaces*spaces)
	}, 2*time.Minute, 20*time.Millisecond)
	gone := time.Now().UnixMilli() - base - 3000
	close(done)
	users.Wait()
	require.EqualValues(t, keys/spaces*spaces, events.Load(), "once for each key")
	require.NoError(t, s.Check())
	t.Logf("%d keys in %d namespaces: all gone %d ms after the last expiry, purge lag up to %v, longest hold %v, longest Update %v (%v elsewhere)",
		keys, spaces, gone, lag, s.Stats().PurgeHold, longest, elsewhere)
}

// An expired key that an Update finds before the sweeper raises its event too,
// unless the transaction is given up.
func TestExpiredKeyThatIsOverwritten(t *testing.T) {
	var got []string
	now := int64(1_000_000)
	s := openTest(t, Options{Clock: func() int64 { return now }, OnExpired: func(db int, id storage.ID, keys []string) {
		got = append(got, fmt.Sprint(db, id, keys))
	}})
	s.WantEvents(storage.Durable, notes, true)
	write(t, s, notes, func(tx storage.Tx) {
		for _, key := range []string{"a", "b", "c"} {
			require.NoError(t, tx.Set(key, storage.Entry{ExpiresAt: now + 3_600_000}))
		}
	})
	now += 3_600_000
	ns := namespace(t, s, notes)
	_, err := ns.Update(t.Context(), nil, func(tx storage.Tx) error { put(t, tx, "a", "1"); return errDisk })
	require.ErrorIs(t, err, errDisk)
	require.Empty(t, got)
	set(t, s, notes, "a", "1")
	set(t, s, notes, "a", "2")
	require.Equal(t, []string{"0 acme/notes [a]"}, got)
	write(t, s, notes, func(tx storage.Tx) {
		n, err := tx.Purge(1)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
	require.Len(t, got, 2)
	s.WantEvents(storage.Durable, notes, false)
	write(t, s, notes, func(tx storage.Tx) { _, _ = tx.Purge(9) })
	require.Len(t, got, 2)
}
