package bunt

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// smallJournal makes a directory with a few transactions and returns it, the
// path of its only segment and what the namespace held after each.
func smallJournal(t *testing.T) (dir, path string, states [][]string) {
	t.Helper()
	s, err := Open(Options{Dir: t.TempDir(), Sync: SyncNo})
	require.NoError(t, err)
	states = append(states, nil)
	for _, value := range []string{"1", "2", "3", "4"} {
		set(t, s, notes, "a", value, "b"+value, value)
		states = append(states, list(t, namespace(t, s, notes)))
	}
	dir = crash(t, s.dir) // a clean close would record where the journal ends
	require.NoError(t, s.Close())
	paths := files(t, dir, segmentSuffix)
	require.Len(t, paths, 1)
	return dir, paths[0], states
}

// tryOpen opens a directory and lists the namespace, or returns the error.
func tryOpen(t *testing.T, dir string) ([]string, error) {
	t.Helper()
	s, err := Open(Options{Dir: dir, Log: quiet, IndexShards: 1})
	if err != nil {
		return nil, err
	}
	defer func() { require.NoError(t, s.Close()) }()
	ns, err := s.Namespace(t.Context(), storage.Durable, notes)
	if err != nil {
		return nil, err
	}
	require.NoError(t, s.Check())
	return list(t, ns), nil
}

func TestTornRecordIsCutOff(t *testing.T) {
	dir, path, states := smallJournal(t)
	whole, offsets := readFile(t, path), recordOffsets(t, path)
	last, end := offsets[3], offsets[4]
	known := readFile(t, filepath.Join(dir, manifestName))
	tails := map[string][]byte{
		"nothing": nil,
		"zeros":   make([]byte, 9000),
		"garbage": []byte("this is no record, however long one looks at it, is it?"),
	}
	for name, tail := range tails {
		for cut := last; cut <= end; cut++ {
			want := states[3]
			if cut == end {
				want = states[4]
			}
			writeFile(t, path, append(whole[:cut:cut], tail...))
			writeFile(t, filepath.Join(dir, manifestName), known)
			got, err := tryOpen(t, dir)
			require.NoError(t, err, "cut at %d, then %s", cut, name)
			require.Equal(t, want, got, "cut at %d, then %s", cut, name)
			if cut < end {
				require.Len(t, readFile(t, path), last, "the tail is gone for good")
			}
		}
	}
	// What comes after a cut is kept.
	writeFile(t, path, whole[:end-1])
	writeFile(t, filepath.Join(dir, manifestName), known)
	s := openTest(t, Options{Dir: dir, Log: quiet})
	set(t, s, notes, "after", "1")
	want := list(t, namespace(t, s, notes))
	require.NoError(t, s.Close())
	got, err := tryOpen(t, dir)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestFlippedByteInJournal(t *testing.T) {
	dir, path, states := smallJournal(t)
	whole, offsets := readFile(t, path), recordOffsets(t, path)
	for off := range whole {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			b := append([]byte(nil), whole...)
			b[off] ^= flip
			writeFile(t, path, b)
			got, err := tryOpen(t, dir)
			if off >= offsets[3] {
				// The last record is damaged, or torn: nobody can tell.
				require.NoError(t, err, "byte %d", off)
				require.Equal(t, states[3], got, "byte %d", off)
				continue
			}
			var damage *storage.DamageError
			require.ErrorAs(t, err, &damage, "byte %d", off)
			require.ErrorIs(t, err, storage.ErrDamaged)
			require.Equal(t, path, damage.File)
			require.LessOrEqual(t, damage.Offset, int64(off))
			require.NotEmpty(t, damage.Reason)
			require.Equal(t, b, readFile(t, path), "a damaged file is left as it is")
		}
	}
}

func TestDamagedOlderSegmentIsRefused(t *testing.T) {
	dir := t.TempDir()
	// Snapshots that fail keep all segments.
	fs := &faultyFS{}
	s, err := Open(Options{Dir: dir, SegmentBytes: 1, Sync: SyncNo, Log: quiet, fs: noSnapshots{fs}})
	require.NoError(t, err)
	for _, value := range []string{"1", "2", "3"} {
		set(t, s, notes, "a", value)
	}
	require.NoError(t, s.Close())
	paths := files(t, dir, segmentSuffix)
	require.Len(t, paths, 3)
	middle := readFile(t, paths[1])

	writeFile(t, paths[1], middle[:len(middle)-1]) // torn, but not the last one
	_, err = tryOpen(t, dir)
	require.ErrorIs(t, err, storage.ErrDamaged)
	require.ErrorContains(t, err, paths[1])

	require.NoError(t, os.Remove(paths[1]))
	_, err = tryOpen(t, dir)
	require.ErrorIs(t, err, storage.ErrDamaged)
	require.ErrorContains(t, err, "missing")

	writeFile(t, paths[1], middle)
	// A segment whose creation was cut short is no damage.
	writeFile(t, filepath.Join(dir, journalDir, segmentName(4)), make([]byte, 20))
	got, err := tryOpen(t, dir)
	require.NoError(t, err)
	require.Len(t, got, 1)
}

// noSnapshots lets no snapshot be written.
type noSnapshots struct{ fileSystem }

func (f noSnapshots) OpenFile(name string, flag int) (file, error) {
	if strings.HasPrefix(filepath.Base(name), ".") {
		return nil, errDisk
	}
	return f.fileSystem.OpenFile(name, flag)
}

func TestFlippedByteInSnapshot(t *testing.T) {
	dir, _, states := smallJournal(t)
	s, err := Open(Options{Dir: dir})
	require.NoError(t, err)
	set(t, s, todos, "x", "1")
	require.NoError(t, s.Compact(t.Context()))
	require.NoError(t, s.Close())
	path := filepath.Join(dir, spacesDir, notes.Tenant, notes.App+snapshotExt)
	whole := readFile(t, path)
	got, err := tryOpen(t, dir)
	require.NoError(t, err)
	require.Equal(t, states[4], got)

	refused := func(b []byte, what string, off int) {
		t.Helper()
		writeFile(t, path, b)
		_, err := tryOpen(t, dir)
		var damage *storage.DamageError
		require.ErrorAs(t, err, &damage, "%s %d", what, off)
		require.Equal(t, path, damage.File)
	}
	for off := range whole {
		b := append([]byte(nil), whole...)
		b[off] ^= 0xff
		refused(b, "flipped byte", off)
		b[off] ^= 0xfe
		refused(b, "flipped bit", off)
		refused(whole[:off], "cut at", off)
	}
	refused(append(whole[:len(whole):len(whole)], 0), "longer by", 1)

	// A neighbour's file under this name.
	require.NoError(t, os.Rename(filepath.Join(dir, spacesDir, todos.Tenant, todos.App+snapshotExt), path))
	_, err = tryOpen(t, dir)
	require.ErrorContains(t, err, "acme/todos")
}

// A damaged snapshot spoils its own namespace only, which can be dropped.
func TestDamagedSnapshotSpoilsNoOther(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, Options{Dir: dir})
	set(t, s, notes, "a", "1")
	set(t, s, todos, "x", "1")
	require.NoError(t, s.Compact(t.Context()))
	require.NoError(t, s.Close())
	path := s.snapshotPath(notes)
	b := readFile(t, path)
	b[len(b)-1]++
	writeFile(t, path, b)

	s = openTest(t, Options{Dir: dir})
	for range 2 {
		_, err := s.Namespace(t.Context(), storage.Durable, notes)
		require.ErrorIs(t, err, storage.ErrDamaged)
	}
	require.Len(t, list(t, namespace(t, s, todos)), 1)
	require.NoError(t, s.Drop(t.Context(), notes))
	require.Empty(t, list(t, namespace(t, s, notes)))
}

func TestMissingJournalIsNoticed(t *testing.T) {
	dir, path, _ := smallJournal(t)
	s, err := Open(Options{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, s.Compact(t.Context()))
	require.NoError(t, s.Close())
	require.NoFileExists(t, path)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, journalDir)))
	_, err = tryOpen(t, dir)
	require.ErrorIs(t, err, storage.ErrDamaged)
	require.ErrorContains(t, err, "journal files are missing")
}

func TestNewerFormatIsNamed(t *testing.T) {
	dir, path, _ := smallJournal(t)
	b := readFile(t, path)
	binary.LittleEndian.PutUint32(b[8:], formatVersion+1)
	binary.LittleEndian.PutUint32(b[12:], crc32.Checksum(b[:12], castagnoli))
	writeFile(t, path, b)
	_, err := tryOpen(t, dir)
	require.ErrorContains(t, err, "format version 2")
	require.ErrorContains(t, err, path)
	require.NotErrorIs(t, err, storage.ErrDamaged)
}

// A power cut may lose a page of what was never fsynced and keep a later one.
// That is no damage, unless a later record says that the lost one was durable.
func TestPageLostInPowerCut(t *testing.T) {
	dir, path, states := smallJournal(t)
	whole, offsets := readFile(t, path), recordOffsets(t, path)
	info, err := decodeSegmentHeader(path, whole)
	require.NoError(t, err)
	body := appendName([]byte{byte(kindBatch)}, notes)
	crc := crc32.Update(info.salt, castagnoli, body)
	for _, durable := range []uint64{2, 3} {
		b := slices.Concat(whole[:offsets[2]], make([]byte, 9000))
		b = appendRecord(b, 7, durable, body, nil, crc)
		b = appendRecord(b, 8, durable, body, nil, crc)
		writeFile(t, path, b)
		got, err := tryOpen(t, dir)
		if durable == 3 {
			require.ErrorIs(t, err, storage.ErrDamaged)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, states[2], got)
	}
}
