package bunt

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// Only the spaces in the oldest segments are snapshotted, and only when the
// journal is over its budget.
func TestCompactionTakesTheOldestFirst(t *testing.T) {
	opts := Options{Dir: t.TempDir(), Sync: SyncNo, SegmentBytes: 4000, Log: quiet, manual: true}
	s := openTest(t, opts)
	hot := storage.ID{Tenant: "t", App: "hot"}
	cold := func(i int) storage.ID { return storage.ID{Tenant: "t", App: fmt.Sprint("cold", i)} }
	snapshots := func() int { return len(files(t, opts.Dir, snapshotExt)) }
	for i := range 10 {
		set(t, s, cold(i), "a", "1")
	}
	set(t, s, hot, "a", "0")
	require.NoError(t, s.compactOver(t.Context()))
	require.Zero(t, snapshots(), "there is room in the journal")

	made := 0 // snapshots of the hot space
	var last os.FileInfo
	for i := range 2000 {
		set(t, s, hot, "a", fmt.Sprint(i))
		require.NoError(t, s.compactOver(t.Context()))
		require.LessOrEqual(t, s.journal.bytes(), s.journalBudget()+opts.SegmentBytes)
		info, err := os.Stat(filepath.Join(opts.Dir, spacesDir, "t", "hot"+snapshotExt))
		if err == nil && (last == nil || !os.SameFile(info, last)) {
			made, last = made+1, info
		}
	}
	require.Equal(t, 11, snapshots())
	rounds := int(s.journal.newest()) * 60 / int(s.journalBudget())
	t.Logf("%d snapshots while the journal went round about %d times", made, rounds)
	require.Less(t, made, 2*rounds)

	// After a restart, what the snapshots include needs no new ones, and what they
	// lack is snapshotted without staying in memory.
	want := holdings(t, s, hot, cold(3))
	set(t, s, cold(3), "b", "1")
	want[cold(3).String()] = list(t, namespace(t, s, cold(3)))
	require.NoError(t, s.Close())
	s = openTest(t, opts)
	require.NoError(t, s.Compact(t.Context()))
	require.Zero(t, s.Stats().Spaces)
	require.Equal(t, 1, s.Stats().JournalSegments)
	require.Equal(t, want, holdings(t, s, hot, cold(3)))
}
