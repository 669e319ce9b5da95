package bunt

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

func TestReopen(t *testing.T) {
	for _, mode := range []SyncMode{SyncEverySecond, SyncAlways, SyncNo} {
		t.Run(mode.String(), func(t *testing.T) {
			clock := storetest.NewClock()
			opts := Options{Dir: t.TempDir(), Sync: mode, Clock: clock.Now}
			s := openTest(t, opts)
			set(t, s, notes, "a", "1", "b", "", "c", "3")
			write(t, s, notes, func(tx storage.Tx) {
				require.NoError(t, tx.Delete("b"))
				require.NoError(t, tx.Set("ends", storage.Entry{ExpiresAt: tx.Now() + 60_000}))
				put(t, tx, "\x00\xff", "\x00")
			})
			set(t, s, todos, "x", "1")
			write(t, s, todos, func(tx storage.Tx) { require.NoError(t, tx.Clear()); put(t, tx, "y", "2") })
			before := holdings(t, s, notes, todos)
			versions := s.version.Load()
			eph, err := s.Namespace(t.Context(), storage.Ephemeral, notes)
			require.NoError(t, err)
			_, err = eph.Update(t.Context(), nil, func(tx storage.Tx) error { put(t, tx, "gone", ""); return nil })
			require.NoError(t, err)

			for range 2 {
				require.NoError(t, s.Close())
				s = openTest(t, opts)
				require.Equal(t, before, holdings(t, s, notes, todos))
				require.NoError(t, s.Check())
				require.GreaterOrEqual(t, s.version.Load(), versions)
			}
			eph, err = s.Namespace(t.Context(), storage.Ephemeral, notes)
			require.NoError(t, err)
			require.Empty(t, list(t, eph))
			clock.Advance(time.Minute)
			require.Len(t, list(t, namespace(t, s, notes)), 3)
		})
	}
}

// A process that is killed has lost nothing that Wait has returned for, and no
// transaction comes back in part.
func TestKilled(t *testing.T) {
	for _, opts := range []Options{{Sync: SyncAlways}, {Sync: SyncEverySecond, SegmentBytes: 2000}, {Sync: SyncNo}} {
		opts.Dir = t.TempDir()
		s := openTest(t, opts)
		for i := range 100 {
			value := fmt.Sprint(i)
			set(t, s, notes, "a", value, fmt.Sprintf("k%d", i%17), value, "b", value)
			if i%10 != 0 {
				continue
			}
			again := opts
			again.Dir, again.Log = crash(t, opts.Dir), quiet
			c := openTest(t, again)
			require.Equal(t, holdings(t, s, notes), holdings(t, c, notes))
			require.NoError(t, c.Close())
		}
	}
}

func TestRotationSnapshotsAndDeletes(t *testing.T) {
	opts := Options{Dir: t.TempDir(), SegmentBytes: 1000}
	s := openTest(t, opts)
	for i := range 300 {
		set(t, s, storage.ID{Tenant: "t", App: fmt.Sprintf("a%d", i%5)}, fmt.Sprintf("k%d", i%20), fmt.Sprint(i))
	}
	eventually(t, "old segments are deleted", func() bool { return s.Stats().JournalSegments <= leastSegments+1 })
	require.NoError(t, s.Compact(t.Context()))
	require.Equal(t, 1, s.Stats().JournalSegments)
	require.EqualValues(t, segmentHeader, s.Stats().JournalBytes)
	require.Len(t, files(t, opts.Dir, segmentSuffix), 1)
	require.Len(t, files(t, opts.Dir, snapshotExt), 5)
	require.Empty(t, files(t, opts.Dir, tempSuffix))
	ids := []storage.ID{{Tenant: "t", App: "a0"}, {Tenant: "t", App: "a1"}, {Tenant: "t", App: "a4"}}
	before := holdings(t, s, ids...)
	require.NoError(t, s.Close())

	s = openTest(t, opts)
	require.Zero(t, s.Stats().Spaces, "nothing is loaded before its first use")
	require.Equal(t, before, holdings(t, s, ids...))
	require.Equal(t, 3, s.Stats().Spaces)
	set(t, s, ids[0], "new", "1")
	before = holdings(t, s, ids...)
	require.NoError(t, s.Close())
	s = openTest(t, opts)
	require.Zero(t, s.Stats().Spaces, "not even what the journal's tail touches")
	require.Equal(t, 1, s.Stats().Unloaded)
	require.Equal(t, before, holdings(t, s, ids...))

	// An emptied namespace needs no file.
	write(t, s, ids[0], func(tx storage.Tx) { require.NoError(t, tx.Clear()) })
	require.NoError(t, s.Compact(t.Context()))
	require.Len(t, files(t, opts.Dir, snapshotExt), 4)
	require.NoError(t, s.Close())
	s = openTest(t, opts)
	require.Empty(t, list(t, namespace(t, s, ids[0])))
}

// Snapshots are made while writers go on; what is on disk is right at any time.
func TestFuzzySnapshots(t *testing.T) {
	opts := Options{Dir: t.TempDir(), Sync: SyncNo, SegmentBytes: 16 << 10}
	s := openTest(t, opts)
	ids := []storage.ID{notes, todos}
	for _, id := range ids {
		write(t, s, id, func(tx storage.Tx) {
			for i := range 3000 {
				put(t, tx, fmt.Sprintf("k%04d", i), "first")
			}
		})
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var wg sync.WaitGroup
	for worker := range 2 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(worker)))
			for i := range 1500 {
				write(t, s, ids[rnd.IntN(2)], func(tx storage.Tx) {
					key := func() string { return fmt.Sprintf("k%04d", rnd.IntN(3500)) }
					put(t, tx, key(), fmt.Sprintf("%d of worker %d", i, worker))
					_ = tx.Delete(key())
					if rnd.IntN(500) == 0 {
						require.NoError(t, tx.Clear())
					}
				})
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			require.NoError(t, s.Compact(t.Context()))
		}
	}
	for range 2 {
		c := openTest(t, Options{Dir: crash(t, opts.Dir)})
		require.Equal(t, holdings(t, s, ids...), holdings(t, c, ids...))
		require.NoError(t, s.Compact(t.Context()))
	}
}

func TestDropIsDurable(t *testing.T) {
	opts := Options{Dir: t.TempDir(), Sync: SyncNo}
	s := openTest(t, opts)
	set(t, s, notes, "a", "1")
	require.NoError(t, s.Compact(t.Context()))
	set(t, s, notes, "b", "1")
	set(t, s, todos, "x", "1")
	require.NoError(t, s.Drop(t.Context(), notes))
	require.Empty(t, files(t, opts.Dir, snapshotExt))
	require.NoDirExists(t, filepath.Join(opts.Dir, spacesDir, notes.Tenant))
	dropped := openTest(t, Options{Dir: crash(t, opts.Dir)})
	require.Empty(t, list(t, namespace(t, dropped, notes)))
	require.Len(t, list(t, namespace(t, dropped, todos)), 1)
	require.NoError(t, dropped.Compact(t.Context()))
	require.NoError(t, dropped.Close())

	set(t, s, notes, "c", "1")
	versions := s.version.Load()
	for range 2 {
		again := openTest(t, Options{Dir: crash(t, opts.Dir)})
		require.Equal(t, holdings(t, s, notes, todos), holdings(t, again, notes, todos))
		require.GreaterOrEqual(t, again.version.Load(), versions)
		require.NoError(t, s.Compact(t.Context()))
	}
}

// A crash after the drop's record and before the removal of the snapshot does
// not bring the namespace back.
func TestDropThatCannotRemove(t *testing.T) {
	fs := &faultyFS{remove: func(name string) bool { return filepath.Ext(name) == snapshotExt }}
	opts := Options{Dir: t.TempDir(), Log: quiet, fs: fs}
	s := openTest(t, opts)
	set(t, s, notes, "a", "1")
	require.NoError(t, s.Compact(t.Context()))
	require.NoError(t, s.Drop(t.Context(), notes))
	require.Len(t, files(t, opts.Dir, snapshotExt), 1)
	require.Empty(t, list(t, namespace(t, s, notes)))
	require.Error(t, s.Compact(t.Context()), "the drop's record has to stay")

	c := openTest(t, Options{Dir: crash(t, opts.Dir)})
	require.Empty(t, list(t, namespace(t, c, notes)))
	require.NoError(t, c.Compact(t.Context()))
	require.Empty(t, files(t, c.dir, snapshotExt))

	set(t, s, notes, "b", "2")
	c = openTest(t, Options{Dir: crash(t, opts.Dir)})
	require.Equal(t, holdings(t, s, notes), holdings(t, c, notes))
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, Options{Dir: dir})
	_, err := Open(Options{Dir: dir})
	require.ErrorIs(t, err, storage.ErrLocked)
	require.ErrorContains(t, err, dir)
	require.NoError(t, s.Close())
	openTest(t, Options{Dir: dir})
}

func TestUnusableDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	writeFile(t, dir, nil)
	for _, dir := range []string{dir, filepath.Join(dir, "below")} {
		_, err := Open(Options{Dir: dir})
		require.ErrorContains(t, err, dir)
		require.ErrorContains(t, err, "not a directory")
	}
	if os.Geteuid() == 0 {
		t.Log("permissions do not bind root: the read-only directory is not tried")
		return
	}
	dir = t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o500))
	_, err := Open(Options{Dir: dir})
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, "permission denied")
}

func TestWaitMode(t *testing.T) {
	s := openTest(t, Options{Dir: t.TempDir(), Sync: SyncAlways})
	seq, err := namespace(t, s, notes).Update(t.Context(), nil, func(tx storage.Tx) error { put(t, tx, "a", "1"); return nil })
	require.NoError(t, err)
	require.NoError(t, s.Wait(t.Context(), seq))
	require.GreaterOrEqual(t, s.Stats().Durable, seq)

	s = openTest(t, Options{Dir: t.TempDir(), Sync: SyncEverySecond})
	seq, err = namespace(t, s, notes).Update(t.Context(), nil, func(tx storage.Tx) error { put(t, tx, "a", "1"); return nil })
	require.NoError(t, err)
	// Nobody waits for it, and it is durable soon.
	eventually(t, "fsync each second", func() bool { return s.Stats().Durable >= seq })
	require.NotZero(t, s.Stats().LastSync)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Wait(ctx, storage.NeverSeq), context.Canceled)
	set(t, s, notes, "b", "1")
	require.NoError(t, s.Sync(t.Context()))
	require.Equal(t, s.Stats().Written, s.Stats().Durable)
}

// Updates that nobody waits for do not fill the memory.
func TestBacklogIsBounded(t *testing.T) {
	s := openTest(t, Options{Dir: t.TempDir(), Sync: SyncNo})
	value := make([]byte, 1<<20)
	for range 20 {
		_, err := namespace(t, s, notes).Update(t.Context(), nil, func(tx storage.Tx) error {
			return tx.Set("a", storage.Entry{Value: value})
		})
		require.NoError(t, err)
		require.LessOrEqual(t, s.journal.backlog.Load(), int64(maxBacklog+2<<20))
	}
}

func TestDiskRefusesWrites(t *testing.T) {
	tests := []struct {
		name string
		mode SyncMode
		fail func(*faultyFS)
	}{
		{"write", SyncEverySecond, func(fs *faultyFS) { fs.writes.Store(true) }},
		{"fsync", SyncAlways, func(fs *faultyFS) { fs.syncs.Store(true) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fs := &faultyFS{}
			s, err := Open(Options{Dir: t.TempDir(), Sync: test.mode, Log: quiet, fs: fs})
			require.NoError(t, err)
			defer s.Close()
			set(t, s, notes, "a", "1")
			before := holdings(t, s, notes)
			test.fail(fs)
			ns := namespace(t, s, notes)
			bad := func(tx storage.Tx) error { put(t, tx, "a", "2"); return nil }
			seq, err := ns.Update(t.Context(), nil, bad)
			require.NoError(t, err)
			err = s.Wait(t.Context(), seq)
			require.ErrorIs(t, err, storage.ErrWriteFailed)
			require.ErrorIs(t, err, errDisk)
			require.ErrorIs(t, s.Stats().WriteError, errDisk)

			_, err = ns.Update(t.Context(), nil, bad)
			require.ErrorIs(t, err, storage.ErrWriteFailed)
			require.ErrorIs(t, s.Drop(t.Context(), notes), storage.ErrWriteFailed)
			require.ErrorIs(t, s.Compact(t.Context()), storage.ErrWriteFailed)
			eventually(t, "reads go on", func() bool {
				seq, err := ns.View(t.Context(), nil, func(tx storage.Tx) error { _, err := tx.Get("a"); return err })
				require.NoError(t, err)
				return s.Wait(t.Context(), seq) == nil
			})
			require.Equal(t, before, holdings(t, s, notes), "what was answered with an error is not seen")
			require.NoError(t, s.Check())

			// What was answered with an error is not there after a restart.
			c := openTest(t, Options{Dir: crash(t, s.dir), Log: quiet})
			require.Equal(t, before, holdings(t, c, notes))
		})
	}
}
