package bunt

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// physical is how many items a space has in memory, expired or not.
func physical(sp *space) int {
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	return sp.ks.count
}

// The alarm clock is real here: buntdb looks once a second.
func TestExpiredItemsAreSweptInBackground(t *testing.T) {
	s := openTest(t, Options{})
	sp := namespace(t, s, notes).(*space)
	write(t, s, notes, func(tx storage.Tx) {
		put(t, tx, "stays", "")
		for i := range 3 * firstStep {
			require.NoError(t, tx.Set(fmt.Sprintf("soon%d", i), storage.Entry{ExpiresAt: tx.Now() + 20}))
		}
		// Extended and lifted: the calendar still expects an early end.
		require.NoError(t, tx.Set("soon1", storage.Entry{ExpiresAt: tx.Now() + 3_600_000}))
		put(t, tx, "soon2", "")
	})
	eventually(t, "expired items go", func() bool { return physical(sp) == 3 })
	require.NoError(t, s.Check())
	sp.mu.RLock()
	armed := sp.armedAt
	sp.mu.RUnlock()
	require.NotZero(t, armed, "the alarm is set again for what ends later")

	// A second round: the alarm moves ahead for an earlier end.
	write(t, s, notes, func(tx storage.Tx) {
		require.NoError(t, tx.Set("brief", storage.Entry{ExpiresAt: tx.Now() + 20}))
	})
	eventually(t, "expired items go", func() bool { return physical(sp) == 3 })
}

func TestNothingIsLeftBehind(t *testing.T) {
	s := openTest(t, Options{IndexShards: 1})
	rows := func() int {
		rows, err := s.shards[0].scan(nil, "", "", -1)
		require.NoError(t, err)
		return len(rows)
	}
	fillMany := func() {
		write(t, s, notes, func(tx storage.Tx) {
			for i := range 20 * pageSlots {
				require.NoError(t, tx.Set(fmt.Sprintf("k%d", i), storage.Entry{ExpiresAt: tx.Now() + time.Hour.Milliseconds()}))
			}
		})
	}
	fillMany()
	require.Greater(t, rows(), 20, "a row for each page but the first, and an alarm")
	write(t, s, notes, func(tx storage.Tx) { require.NoError(t, tx.Clear()); put(t, tx, "a", "") })
	eventually(t, "rows of a cleared space go", func() bool { return rows() == 1 })
	fillMany()
	require.NoError(t, s.Drop(t.Context(), notes))
	eventually(t, "rows of a dropped space go", func() bool { return rows() == 0 })
	require.Empty(t, s.shards[0].armed)
}

// A deletion of nearly everything gives memory back, although nobody writes
// behind it.
func TestDeletedMemoryGoesBack(t *testing.T) {
	s := openTest(t, Options{})
	sp := namespace(t, s, notes).(*space)
	const keys = 20_000
	write(t, s, notes, func(tx storage.Tx) {
		for i := range keys {
			put(t, tx, fmt.Sprintf("k%d", i), "a value of some length, to fill a few chunks")
		}
	})
	size := func() int64 {
		sp.mu.RLock()
		defer sp.mu.RUnlock()
		return sp.ks.arena.size
	}
	full := size()
	write(t, s, notes, func(tx storage.Tx) {
		for i := range keys - 10 {
			require.NoError(t, tx.Delete(fmt.Sprintf("k%d", i)))
		}
	})
	eventually(t, "memory goes back", func() bool { return size() < full/10 })
	require.Len(t, list(t, sp), 10)
	require.NoError(t, s.Check())
}

// Somebody who stays in one namespace holds up the purging and the events of no
// other, and gets his own when he has left.
func TestSweeperPassesBusySpacesBy(t *testing.T) {
	events := make(chan storage.ID, 9)
	s := openTest(t, Options{OnExpired: func(_ int, id storage.ID, _ []string) { events <- id }})
	busy, other := namespace(t, s, notes).(*space), namespace(t, s, todos).(*space)
	for _, sp := range []*space{busy, other} {
		s.WantEvents(storage.Durable, sp.name, true)
		write(t, s, sp.name, func(tx storage.Tx) {
			require.NoError(t, tx.Set("soon", storage.Entry{ExpiresAt: tx.Now() + 20}))
		})
	}
	for _, walk := range []bool{false, true} {
		inside := func(storage.Tx) error {
			for range 3 { // rings while it is aside
				s.sweeper.purge([]*space{busy})
			}
			s.sweeper.purge([]*space{busy, other})
			eventually(t, "the other one goes", func() bool { return physical(other) == 0 })
			return nil
		}
		var err error
		if walk {
			_, err = busy.View(t.Context(), nil, inside)
		} else {
			_, err = busy.Update(t.Context(), nil, inside)
		}
		require.NoError(t, err)
		eventually(t, "the busy one goes", func() bool { return physical(busy) == 0 })
		require.ElementsMatch(t, []storage.ID{todos, notes}, []storage.ID{<-events, <-events})
		for _, id := range []storage.ID{notes, todos} {
			write(t, s, id, func(tx storage.Tx) {
				require.NoError(t, tx.Set("soon", storage.Entry{ExpiresAt: tx.Now() + 20}))
			})
		}
	}
}

// Nor are snapshots, unloading and figures held up by who stays in a namespace.
func TestBackgroundWorkPassesBusySpacesBy(t *testing.T) {
	s := openTest(t, Options{Dir: t.TempDir(), manual: true})
	busy, other := namespace(t, s, notes).(*space), namespace(t, s, todos).(*space)
	set(t, s, notes, "a", "1")
	set(t, s, todos, "a", "1")
	require.EqualValues(t, 2, s.Stats().Keys)
	compacted := make(chan error, 1)
	_, err := busy.Update(t.Context(), nil, func(storage.Tx) error {
		require.EqualValues(t, 2, s.Stats().Keys, "as it was")
		go func() { compacted <- s.Compact(context.Background()) }()
		eventually(t, "the other's snapshot", func() bool { return len(files(t, s.dir, snapshotExt)) == 1 })
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, <-compacted)
	require.Len(t, files(t, s.dir, snapshotExt), 2)

	set(t, s, notes, "b", "1")
	_, err = busy.Update(t.Context(), nil, func(storage.Tx) error {
		n, err := s.unloadColdest(t.Context(), s.clock(), nil, func() bool { return true })
		require.NoError(t, err)
		require.Equal(t, 1, n)
		return nil
	})
	require.NoError(t, err)
	require.False(t, loaded(other))
	require.True(t, loaded(busy))
}

// A snapshot takes more at a time from a space that it had to wait for, and gives up
// where it had to wait for too long.
func TestSnapshotOfABusySpace(t *testing.T) {
	s := openTest(t, Options{Dir: t.TempDir(), manual: true})
	sp := namespace(t, s, notes).(*space)
	w := &snapshotWriter{}
	steps, err := w.enter(sp)
	require.NoError(t, err)
	require.Equal(t, 1, steps)
	sp.mu.RUnlock()
	sp.mu.Lock()
	w.patience = time.Hour
	time.AfterFunc(3*stepWait, sp.mu.Unlock)
	steps, err = w.enter(sp)
	require.NoError(t, err)
	require.Greater(t, steps, 1)
	sp.mu.RUnlock()
	w.patience, w.waited = 0, snapshotWaited
	sp.mu.Lock()
	time.AfterFunc(3*stepWait, sp.mu.Unlock)
	_, err = w.enter(sp)
	require.ErrorIs(t, err, errBusy)
}
