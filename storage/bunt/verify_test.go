package bunt

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// checked makes a directory with snapshots and three segments: notes and todos
// are in all of them, only is in the journal alone.
func checked(t *testing.T) (dir string, want map[string][]string) {
	t.Helper()
	s := openTest(t, Options{Dir: t.TempDir(), Sync: SyncNo, Log: quiet})
	set(t, s, notes, "a", "1", "b", "1", "c", "1")
	set(t, s, todos, "x", "1", "y", "1")
	require.NoError(t, s.Compact(t.Context()))
	s.compacting.Lock() // or the closed segments would go
	defer s.compacting.Unlock()
	for i := range 3 {
		set(t, s, notes, "a", fmt.Sprint("new", i), fmt.Sprint("n", i), "1")
		set(t, s, todos, fmt.Sprint("t", i), "1")
		set(t, s, only, fmt.Sprint("o", i), "1")
		if i < 2 {
			require.NoError(t, s.journal.rotate(t.Context()))
		}
	}
	require.NoError(t, s.Sync(t.Context()))
	require.Len(t, files(t, s.dir, segmentSuffix), 3)
	return crash(t, s.dir), holdings(t, s, notes, todos, only)
}

var only = storage.ID{Tenant: "globex", App: "only"}

func verified(t *testing.T, dir string) *Report {
	t.Helper()
	r, err := Verify(t.Context(), dir, VerifyOptions{})
	require.NoError(t, err)
	return r
}

// contentsOf opens a repaired directory and lists it.
func contentsOf(t *testing.T, dir string) map[string][]string {
	t.Helper()
	s, err := Open(Options{Dir: dir, Log: quiet, IndexShards: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	all := holdings(t, s, notes, todos, only)
	require.NoError(t, s.Check())
	return all
}

func TestVerifyCounts(t *testing.T) {
	dir := t.TempDir()
	now := int64(1_000_000)
	s := openTest(t, Options{Dir: dir, Log: quiet, Clock: func() int64 { return now }})
	set(t, s, notes, "key", "value", "more", "")
	set(t, s, todos, "gone", "1")
	require.NoError(t, s.Compact(t.Context()))
	write(t, s, notes, func(tx storage.Tx) {
		require.NoError(t, tx.Set("brief", storage.Entry{Value: []byte("x"), ExpiresAt: now + 10}))
		require.NoError(t, tx.Delete("more"))
	})
	write(t, s, todos, func(tx storage.Tx) { require.NoError(t, tx.Clear()) })
	_, err := Verify(t.Context(), dir, VerifyOptions{})
	require.ErrorIs(t, err, storage.ErrLocked)
	require.NoError(t, s.Close())

	var steps []int64
	r, err := Verify(t.Context(), dir, VerifyOptions{Now: now + 10, Progress: func(done, total int64) {
		require.LessOrEqual(t, done, total)
		steps = append(steps, done)
	}})
	require.NoError(t, err)
	require.Equal(t, []NamespaceReport{{Name: "acme/notes", Keys: 1, Bytes: 8, Expired: 1}}, r.Namespaces)
	require.Empty(t, r.Damage)
	require.Empty(t, r.Notes)
	require.Equal(t, r.Last, r.First+uint64(r.Records)-1)
	require.True(t, slices.IsSorted(steps))
	require.NotEmpty(t, steps)
}

func TestVerifyRefusesOtherDirectories(t *testing.T) {
	dir := t.TempDir()
	_, err := Verify(t.Context(), dir, VerifyOptions{})
	require.ErrorContains(t, err, "not a data directory of Cubby")
	_, err = Verify(t.Context(), filepath.Join(dir, "none"), VerifyOptions{})
	require.ErrorIs(t, err, os.ErrNotExist)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries, "nothing was made")
}

// TestEachFlippedByte damages each byte of each file in turn. Each is found or,
// in the very last record, called unfinished; the repair loses no more than the
// record or the snapshot around it.
func TestEachFlippedByte(t *testing.T) {
	good, want := checked(t)
	require.Empty(t, verified(t, good).Damage)
	require.Equal(t, want, contentsOf(t, crash(t, good)))
	segments := files(t, good, segmentSuffix)
	const repairEvery = 13 // a repair fsyncs much
	for _, path := range append(files(t, good, snapshotExt), segments...) {
		name, err := filepath.Rel(good, path)
		require.NoError(t, err)
		whole := readFile(t, path)
		tail := -1
		if path == segments[2] {
			offsets := recordOffsets(t, path)
			tail = offsets[len(offsets)-2]
		}
		for i := range whole {
			dir := crash(t, good)
			bad := slices.Clone(whole)
			bad[i] ^= 0x10
			writeFile(t, filepath.Join(dir, name), bad)
			found, err := Verify(t.Context(), dir, VerifyOptions{})
			require.NoError(t, err, "%s byte %d", name, i)
			if tail >= 0 && i >= tail {
				require.NotEmpty(t, append(found.Notes, reasons(found)...), "%s byte %d", name, i)
			} else {
				require.NotEmpty(t, found.Damage, "%s byte %d", name, i)
				require.Equal(t, filepath.Join(dir, name), found.Damage[0].File, "%s byte %d", name, i)
			}
			if i%repairEvery != 0 {
				continue
			}
			repaired, err := Repair(t.Context(), dir, VerifyOptions{})
			require.NoError(t, err, "%s byte %d", name, i)
			if len(found.Damage) > 0 {
				require.Equal(t, bad, readFile(t, filepath.Join(repaired.Aside, name)), "the damaged file is kept")
			}
			require.Empty(t, verified(t, dir).Damage)
			requireMostKept(t, want, contentsOf(t, dir), fmt.Sprintf("%s byte %d", name, i))
		}
	}
}

func reasons(r *Report) (list []string) {
	for i := range r.Damage {
		list = append(list, r.Damage[i].Error())
	}
	return list
}

// requireMostKept allows one namespace to differ.
func requireMostKept(t *testing.T, want, got map[string][]string, where string) {
	t.Helper()
	differ := 0
	for name := range want {
		if !slices.Equal(want[name], got[name]) {
			differ++
		}
	}
	require.LessOrEqual(t, differ, 1, "%s: %v", where, got)
}

func TestRepairKeepsWhatIsAroundTheDamage(t *testing.T) {
	dir, want := checked(t)
	segments := files(t, dir, segmentSuffix)
	offsets := recordOffsets(t, segments[1])
	b := readFile(t, segments[1])
	b[offsets[1]-3] ^= 1 // the record of notes
	writeFile(t, segments[1], b)

	r, err := Repair(t.Context(), dir, VerifyOptions{Now: 1_700_000_000_000})
	require.NoError(t, err)
	require.Len(t, r.Found.Damage, 1)
	require.Contains(t, r.Found.Damage[0].Error(), "checksum does not match; record 6 is lost")
	require.Equal(t, "acme/notes", r.Found.Damage[0].Namespace)
	require.Equal(t, filepath.Join(dir, "damaged-20231114T221320.000Z"), r.Aside)
	got := contentsOf(t, dir)
	require.Equal(t, want[todos.String()], got[todos.String()])
	require.Equal(t, want[only.String()], got[only.String()])
	require.Len(t, got[notes.String()], len(want[notes.String()])-1) // n1 is gone
	require.Contains(t, strings.Join(got[notes.String()], "\n"), `"a"="new2"`)
	for _, seg := range segments {
		name, err := filepath.Rel(dir, seg)
		require.NoError(t, err)
		require.Contains(t, r.Moved, name)
		require.FileExists(t, filepath.Join(r.Aside, name))
	}

	again, err := Repair(t.Context(), dir, VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, again.Aside)
}

func TestMissingFilesAreFound(t *testing.T) {
	for i, want := range []string{"it includes journal record 2, but the journal ends at 0", "ends at 5: records are missing"} {
		dir, _ := checked(t)
		segments := files(t, dir, segmentSuffix)
		if i == 0 {
			for _, path := range segments {
				require.NoError(t, os.Remove(path))
			}
		} else {
			require.NoError(t, os.Remove(segments[1]))
		}
		require.Contains(t, strings.Join(reasons(verified(t, dir)), "\n"), want)
		_, err := Repair(t.Context(), dir, VerifyOptions{})
		require.NoError(t, err)
		require.Empty(t, verified(t, dir).Damage)
		require.NotEmpty(t, contentsOf(t, dir)[notes.String()])
	}
}

func TestRepairOfALargeSnapshotKeepsItsOtherBlocks(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir, Log: quiet})
	require.NoError(t, err)
	write(t, s, notes, func(tx storage.Tx) {
		for i := range 1000 {
			put(t, tx, fmt.Sprintf("k%04d", i), strings.Repeat("v", 1000))
		}
	})
	require.NoError(t, s.Compact(context.Background()))
	require.NoError(t, s.Close())
	path := files(t, dir, snapshotExt)[0]
	b := readFile(t, path)
	b[len(b)/2] ^= 1
	writeFile(t, path, b)
	before := verified(t, dir)
	require.Len(t, before.Damage, 1)
	require.True(t, before.Namespaces[0].Damaged)
	r, err := Repair(t.Context(), dir, VerifyOptions{})
	require.NoError(t, err)
	require.Len(t, r.Moved, 1)
	require.Greater(t, r.Kept[0].Keys, int64(900))
	require.Less(t, r.Kept[0].Keys, int64(1000))
	require.Len(t, contentsOf(t, dir)[notes.String()], int(r.Kept[0].Keys))
}
