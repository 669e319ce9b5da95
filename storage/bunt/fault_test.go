package bunt

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// onDisk opens a store on a simulated disk. Its background work is left to the
// test.
func onDisk(t *testing.T, mode SyncMode) (*Store, *disk) {
	t.Helper()
	dir := t.TempDir()
	d := newDisk(dir, seeded(t))
	return openTest(t, Options{Dir: dir, Sync: mode, Log: quiet, IndexShards: 1, fs: d, manual: true}), d
}

// tryWrite is a client's SET: it is acknowledged when it returns nil.
func tryWrite(t testing.TB, s *Store, id storage.ID, key, value string) error {
	t.Helper()
	seq, err := namespace(t, s, id).Update(t.Context(), nil, func(tx storage.Tx) error { put(t, tx, key, value); return nil })
	if err != nil {
		return err
	}
	return s.Wait(t.Context(), seq)
}

// seeded returns a source of random numbers that CUBBY_TEST_SEED repeats.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := envNumber(t, "CUBBY_TEST_SEED", rand.Uint64()>>1)
	t.Logf("CUBBY_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// failing returns a fault for operations of a kind on files with a suffix.
func failing(kind, suffix string, err error) func(op, name string) error {
	return func(op, name string) error {
		if op == kind && strings.HasSuffix(name, suffix) {
			return err
		}
		return nil
	}
}

func TestFullDiskHeals(t *testing.T) {
	for _, mode := range []SyncMode{SyncEverySecond, SyncAlways, SyncNo} {
		t.Run(mode.String(), func(t *testing.T) {
			s, d := onDisk(t, mode)
			set(t, s, notes, "a", "1")
			set(t, s, todos, "x", "1")
			before := holdings(t, s, notes, todos)
			for round := range 3 {
				d.space = 20
				err := tryWrite(t, s, notes, "a", "2")
				require.ErrorIs(t, err, storage.ErrWriteFailed)
				require.ErrorIs(t, err, syscall.ENOSPC)
				require.ErrorIs(t, s.Stats().WriteError, syscall.ENOSPC)
				require.Equal(t, before[todos.String()], list(t, namespace(t, s, todos)), "others are read at once")
				require.NoError(t, s.Wait(t.Context(), 1), "what was acknowledged stays so")

				s.mend() // there is no space yet
				require.ErrorIs(t, tryWrite(t, s, notes, "a", "3"), storage.ErrWriteFailed)
				require.ErrorIs(t, s.Drop(t.Context(), notes), storage.ErrWriteFailed)
				require.ErrorIs(t, s.Sync(t.Context()), storage.ErrWriteFailed)
				require.Equal(t, before, holdings(t, s, notes, todos), "the failed write is not seen")
				require.NoError(t, s.Check())

				d.space = -1
				s.mend()
				require.NoError(t, s.Stats().WriteError)
				require.NoError(t, tryWrite(t, s, notes, "b", fmt.Sprint(round)))
				require.NoError(t, s.Sync(t.Context()))
				require.NoError(t, s.Compact(t.Context()))
				before = holdings(t, s, notes, todos)
			}
			require.NoError(t, s.Close())
			s = openTest(t, Options{Dir: s.dir, fs: d, manual: true})
			require.Equal(t, before, holdings(t, s, notes, todos))
		})
	}
}

// What a client keeps of several tickets is the greatest. A lost write must not
// hide behind one that was made after the disk had space again.
func TestLostTicketsStayLost(t *testing.T) {
	s, d := onDisk(t, SyncEverySecond)
	put1 := func(key string) storage.Seq {
		seq, err := namespace(t, s, notes).Update(t.Context(), nil, func(tx storage.Tx) error { put(t, tx, key, ""); return nil })
		require.NoError(t, err)
		return seq
	}
	kept := put1("kept")
	require.NoError(t, s.Wait(t.Context(), kept))
	d.space = 0
	lost := put1("lost")
	pending := put1("pending")
	require.ErrorIs(t, s.Wait(t.Context(), lost), storage.ErrWriteFailed)
	d.space = -1
	s.mend()
	after := put1("after")
	require.ErrorIs(t, s.Wait(t.Context(), max(lost, after)), storage.ErrWriteFailed)
	require.ErrorIs(t, s.Wait(t.Context(), max(pending, after)), storage.ErrWriteFailed)
	require.NoError(t, s.Wait(t.Context(), max(kept, after)))
	require.GreaterOrEqual(t, s.Stats().Written, after, "an old ticket waits for what may hide behind it")
	require.NoError(t, s.Sync(t.Context()))
	require.GreaterOrEqual(t, s.Stats().Durable, after)
	require.Less(t, kept, storage.NeverSeq)
	require.Len(t, list(t, namespace(t, s, notes)), 2)
}

// Clients write and read while the disk fills up and gets space again, with the
// real background work. Nobody ever reads a value whose write was refused, once
// that read was acknowledged.
func TestFullDiskUnderLoad(t *testing.T) {
	dir := t.TempDir()
	d := newDisk(dir, seeded(t))
	s := openTest(t, Options{Dir: dir, Log: quiet, fs: d, SegmentBytes: 20_000})
	var refused sync.Map
	var healed, stop atomic.Bool
	var clients sync.WaitGroup
	for client := range 4 {
		clients.Go(func() {
			for i := 0; !stop.Load(); i++ {
				id := crashSpaces[(client+i)%3]
				value := fmt.Sprintf("%d of %d", i, client)
				if err := tryWrite(t, s, id, fmt.Sprintf("k%d", i%5), value); err != nil {
					refused.Store(value, true)
				} else if s.journal.epoch.Load() != firstEpoch {
					healed.Store(true)
				}
				var read []string
				seq, err := namespace(t, s, id).View(context.Background(), nil, func(tx storage.Tx) error {
					return tx.Ascend("", func(_ string, e storage.Entry) bool { read = append(read, string(e.Value)); return true })
				})
				if err != nil || s.Wait(context.Background(), seq) != nil {
					continue
				}
				for _, value := range read {
					if _, bad := refused.Load(value); bad {
						t.Errorf("%q was refused and is read", value)
						stop.Store(true)
					}
				}
			}
		})
	}
	limit := func(bytes int64) { d.mu.Lock(); d.space = bytes; d.mu.Unlock() }
	limit(50_000)
	eventually(t, "the disk is full", func() bool { return s.Stats().WriteError != nil })
	limit(-1)
	eventually(t, "writes go on", healed.Load)
	stop.Store(true)
	clients.Wait()
	require.NoError(t, s.Check())
}

// An fsync each second that fails: acknowledged writes stay in sight, later ones
// are refused, and a start finds everything that was acknowledged.
func TestBackgroundFsyncFails(t *testing.T) {
	s, d := onDisk(t, SyncEverySecond)
	set(t, s, notes, "a", "1")
	seq, err := namespace(t, s, notes).Update(t.Context(), nil, func(tx storage.Tx) error { put(t, tx, "a", "2"); return nil })
	require.NoError(t, err)
	d.fault = failing("sync", segmentSuffix, syscall.EIO)
	require.NoError(t, s.Wait(t.Context(), seq), "written is what everysec promises")
	before := holdings(t, s, notes)
	s.journal.tick()
	require.ErrorIs(t, s.Stats().WriteError, syscall.EIO)
	d.fault = nil // the second fsync would lie
	s.journal.tick()
	s.mend()
	require.Less(t, s.Stats().Durable, seq)
	require.ErrorIs(t, tryWrite(t, s, notes, "a", "3"), storage.ErrWriteFailed)
	require.ErrorIs(t, s.Sync(t.Context()), storage.ErrWriteFailed)
	require.Equal(t, before, holdings(t, s, notes))

	next := d.killed()
	_ = s.Close()
	s = openTest(t, Options{Dir: s.dir, fs: next, manual: true, Log: quiet})
	require.Equal(t, before, holdings(t, s, notes))
	next.rnd = seeded(t)
	next = next.cut()
	_ = s.Close()
	s = openTest(t, Options{Dir: s.dir, fs: next, manual: true, Log: quiet})
	require.Equal(t, before, holdings(t, s, notes), "the start has written again what the fsync lost")
}

// An fsync in the background fails while a leader is writing: what it wrote is
// promised to nobody, and not there after a restart.
func TestFsyncFailsDuringWrite(t *testing.T) {
	s, d := onDisk(t, SyncEverySecond)
	set(t, s, notes, "a", "1")
	before := holdings(t, s, notes)
	d.fault = func(op, _ string) error {
		if op == "write" {
			s.journal.mu.Lock()
			defer s.journal.mu.Unlock()
			s.journal.poison(&syncError{syscall.EIO}, false)
		}
		return nil
	}
	require.ErrorIs(t, tryWrite(t, s, notes, "a", "2"), storage.ErrWriteFailed)
	s.mend()
	require.Equal(t, before, holdings(t, s, notes))
	next := d.killed()
	_ = s.Close()
	s = openTest(t, Options{Dir: s.dir, fs: next, manual: true, Log: quiet})
	require.Equal(t, before, holdings(t, s, notes))
}

// A process that dies between the renaming of a snapshot and the fsync of its
// directory leaves a name that the next process must not rely on.
func TestSnapshotNameIsNotDurable(t *testing.T) {
	rnd := seeded(t)
	for range 20 {
		s, d := onDisk(t, SyncAlways)
		d.rnd = rnd
		set(t, s, notes, "a", "1")
		before := holdings(t, s, notes)
		d.fault = failing("syncdir", notes.Tenant, syscall.EIO)
		require.Error(t, s.Compact(t.Context()))
		d = d.killed()
		_ = s.Close()
		opts := Options{Dir: s.dir, fs: d, manual: true, Log: quiet}
		s = openTest(t, opts)
		require.NoError(t, s.Compact(t.Context()))
		require.Equal(t, 1, s.Stats().JournalSegments)
		opts.fs = d.cut()
		_ = s.Close()
		require.Equal(t, before, holdings(t, openTest(t, opts), notes))
	}
}

// A rotation whose new segment cannot be opened is put off.
func TestNoFileForTheNextSegment(t *testing.T) {
	s, d := onDisk(t, SyncAlways)
	s.journal.rotateAt.Store(1)
	s.journal.segmentBytes = 100
	set(t, s, notes, "a", "1")
	d.fault = failing("create", segmentSuffix, syscall.EMFILE)
	set(t, s, notes, "b", "1")
	require.ErrorIs(t, s.Compact(t.Context()), syscall.EMFILE)
	set(t, s, notes, "c", "1")
	require.Equal(t, 1, s.Stats().JournalSegments)
	d.fault = nil
	for i := range 10 {
		set(t, s, notes, "d", fmt.Sprint(i))
	}
	require.Greater(t, s.Stats().JournalSegments, 1)
}

func TestFsyncFailsDuringRotation(t *testing.T) {
	s, d := onDisk(t, SyncNo)
	set(t, s, notes, "a", "1")
	before := holdings(t, s, notes)
	d.fault = failing("sync", segmentSuffix, syscall.EIO)
	require.ErrorIs(t, s.Compact(t.Context()), storage.ErrWriteFailed)
	d.fault = nil
	require.ErrorIs(t, tryWrite(t, s, notes, "a", "2"), storage.ErrWriteFailed)
	s.mend()
	require.Equal(t, before, holdings(t, s, notes))
	require.True(t, s.journal.final.Load())
	require.ErrorIs(t, s.Close(), storage.ErrWriteFailed)
}

// A snapshot that cannot be written keeps the journal, and nothing else.
func TestSnapshotCannotBeWritten(t *testing.T) {
	for _, kind := range []string{"create", "write", "sync", "rename"} {
		s, d := onDisk(t, SyncEverySecond)
		set(t, s, notes, "a", "1")
		d.fault = func(op, name string) error {
			if op == kind && strings.Contains(name, spacesDir) {
				return syscall.EIO
			}
			return nil
		}
		require.ErrorIs(t, s.Compact(t.Context()), syscall.EIO, kind)
		set(t, s, notes, "b", "1")
		require.Greater(t, s.Stats().JournalSegments, 1, kind)
		d.fault = nil
		require.NoError(t, s.Compact(t.Context()), kind)
		require.Equal(t, 1, s.Stats().JournalSegments, kind)
	}
}

// In the background it is tried again without being asked.
func TestSnapshotsAreTriedAgain(t *testing.T) {
	fs := &stubbornFS{}
	fs.refuse.Store(true)
	s := openTest(t, Options{Dir: t.TempDir(), Log: quiet, fs: fs, SegmentBytes: 200})
	for i := range 40 {
		set(t, s, notes, "a", fmt.Sprint(i))
	}
	eventually(t, "a snapshot is refused", func() bool { return fs.refused.Load() > 0 })
	require.NoError(t, s.Stats().WriteError)
	fs.refuse.Store(false)
	eventually(t, "old segments go", func() bool { return s.Stats().JournalBytes <= s.journalBudget() })
}

// stubbornFS refuses snapshots.
type stubbornFS struct {
	systemFS
	refuse  atomic.Bool
	refused atomic.Int32
}

func (f *stubbornFS) Rename(from, to string) error {
	if filepath.Ext(to) == snapshotExt && f.refuse.Load() {
		f.refused.Add(1)
		return errDisk
	}
	return f.systemFS.Rename(from, to)
}

func TestMissingSegmentsAreNoticed(t *testing.T) {
	s, d := onDisk(t, SyncEverySecond)
	opts := s.opts
	for i := range 4 {
		require.NoError(t, s.journal.rotate(t.Context()))
		set(t, s, notes, "a", fmt.Sprint(i))
	}
	require.NoError(t, s.Close())
	for _, name := range append(d.files(filepath.Join(s.dir, journalDir)), filepath.Join(s.dir, manifestName)) {
		d.rnd = seeded(t)
		less := d.cut()
		require.NoError(t, less.Remove(name))
		opts.fs = less
		_, err := Open(opts)
		require.ErrorIs(t, err, storage.ErrDamaged, name)
		require.ErrorContains(t, err, "missing", name)
	}
}

// An unusable directory is named, with the cause and what to do.
func TestUnusableDirectories(t *testing.T) {
	dir := t.TempDir()
	for kind, err := range map[string]error{"mkdir": syscall.EROFS, "create": syscall.EROFS, "write": syscall.ENOSPC, "syncdir": syscall.EIO} {
		d := newDisk(dir, seeded(t))
		d.fault = failing(kind, "", err)
		_, got := Open(Options{Dir: dir, Log: quiet, fs: d, manual: true})
		require.ErrorIs(t, got, err, kind)
		require.ErrorContains(t, got, dir, kind)
		require.ErrorContains(t, got, "data directory", kind)
		require.NotErrorIs(t, got, os.ErrNotExist)
	}
}
