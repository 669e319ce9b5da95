package bunt

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// backedUp writes a backup of s to a file.
func backedUp(t *testing.T, s *Store) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup")
	f, err := os.Create(path)
	require.NoError(t, err)
	_, err = s.Backup(t.Context(), f, nil)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return path
}

// restored unpacks a backup and opens it.
func restored(t *testing.T, path string) *Store {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "new", "data")
	_, _, err := Restore(t.Context(), path, dir, VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, verified(t, dir).Damage)
	return openTest(t, Options{Dir: dir, Log: quiet})
}

func TestBackupEqualsTheStore(t *testing.T) {
	s := openTest(t, Options{Dir: t.TempDir(), Log: quiet})
	empty := restored(t, backedUp(t, s))
	require.Empty(t, list(t, namespace(t, empty, notes)))

	set(t, s, notes, "a", "1", "b", "\x00\xff")
	set(t, s, todos, "x", "1")
	set(t, s, only, "gone", "1")
	require.NoError(t, s.Compact(t.Context()))
	set(t, s, notes, "a", "2")
	write(t, s, todos, func(tx storage.Tx) { require.NoError(t, tx.Clear()) })
	require.NoError(t, s.Drop(t.Context(), only))
	ephemeral, err := s.Namespace(t.Context(), storage.Ephemeral, notes)
	require.NoError(t, err)
	_, err = ephemeral.Update(t.Context(), nil, func(tx storage.Tx) error { put(t, tx, "memory", "1"); return nil })
	require.NoError(t, err)

	want := holdings(t, s, notes, todos, only)
	again := restored(t, backedUp(t, s))
	require.Equal(t, want, holdings(t, again, notes, todos, only))
	ephemeral, err = again.Namespace(t.Context(), storage.Ephemeral, notes)
	require.NoError(t, err)
	require.Empty(t, list(t, ephemeral))
	set(t, again, notes, "goes", "on")

	_, err = openTest(t, Options{}).Backup(t.Context(), io.Discard, nil)
	require.ErrorIs(t, err, storage.ErrNoBackup)
}

// TestBackupIsOneMoment moves amounts between keys, and numbers from one
// namespace to the next, while snapshots, drops and backups go on.
func TestBackupIsOneMoment(t *testing.T) {
	s := openTest(t, Options{Dir: t.TempDir(), Log: quiet, Sync: SyncNo, SegmentBytes: 4 << 10})
	const accounts, total = 20, 1000
	account := func(i int) string { return fmt.Sprintf("account%02d", i) }
	write(t, s, notes, func(tx storage.Tx) {
		put(t, tx, account(0), strconv.Itoa(total))
		for i := 1; i < accounts; i++ {
			put(t, tx, account(i), "0")
		}
	})
	set(t, s, todos, "n", "0")
	set(t, s, only, "n", "0")

	var work sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	number := func(tx storage.Tx, key string) int {
		e, err := tx.Get(key)
		require.NoError(t, err)
		n, err := strconv.Atoi(string(e.Value))
		require.NoError(t, err)
		return n
	}
	work.Go(func() { // transfers: the sum stays
		for i := 0; ctx.Err() == nil; i++ {
			from, to := account(i%accounts), account((i*7+3)%accounts)
			write(t, s, notes, func(tx storage.Tx) {
				n := number(tx, from) / 2
				put(t, tx, from, strconv.Itoa(number(tx, from)-n))
				put(t, tx, to, strconv.Itoa(number(tx, to)+n))
			})
		}
	})
	work.Go(func() { // todos is at most one ahead of only
		for i := 1; ctx.Err() == nil; i++ {
			set(t, s, todos, "n", strconv.Itoa(i))
			set(t, s, only, "n", strconv.Itoa(i))
		}
	})
	work.Go(func() { // namespaces come and go
		for i := 0; ctx.Err() == nil; i++ {
			id := storage.ID{Tenant: "brief", App: fmt.Sprint("app", i%5)}
			set(t, s, id, "k", "v")
			if i%3 == 0 {
				require.NoError(t, s.Drop(context.Background(), id))
			}
		}
	})
	for round := range 12 {
		if round%3 == 1 {
			require.NoError(t, s.Compact(t.Context()))
		}
		again := restored(t, backedUp(t, s))
		var sum, first, second int
		read := func(id storage.ID, fn func(tx storage.Tx)) {
			_, err := namespace(t, again, id).View(t.Context(), nil, func(tx storage.Tx) error { fn(tx); return nil })
			require.NoError(t, err)
		}
		read(notes, func(tx storage.Tx) {
			for i := range accounts {
				sum += number(tx, account(i))
			}
		})
		read(todos, func(tx storage.Tx) { first = number(tx, "n") })
		read(only, func(tx storage.Tx) { second = number(tx, "n") })
		require.Equal(t, total, sum)
		require.Contains(t, []int{second, second + 1}, first)
	}
	stop()
	work.Wait()
	require.NoError(t, s.Compact(t.Context()))
	eventually(t, "segments are deleted after the backups", func() bool { return s.Stats().JournalSegments <= 2 })
}

func TestBackupOfADirectory(t *testing.T) {
	dir, want := checked(t)
	var b bytes.Buffer
	info, err := BackupDir(t.Context(), dir, &b, VerifyOptions{Now: 5})
	require.NoError(t, err)
	require.Equal(t, int64(5), info.CreatedAt)
	path := filepath.Join(t.TempDir(), "backup")
	writeFile(t, path, b.Bytes())
	require.Equal(t, want, holdings(t, restored(t, path), notes, todos, only))

	segments := files(t, dir, segmentSuffix)
	bad := readFile(t, segments[0])
	bad[len(bad)-1] ^= 1
	writeFile(t, segments[0], bad)
	_, err = BackupDir(t.Context(), dir, io.Discard, VerifyOptions{})
	require.ErrorIs(t, err, storage.ErrDamaged)
}

func TestBackupFindsDamage(t *testing.T) {
	s := openTest(t, Options{Dir: t.TempDir(), Log: quiet})
	set(t, s, notes, "a", "1")
	require.NoError(t, s.Compact(t.Context()))
	path := files(t, s.dir, snapshotExt)[0]
	good := readFile(t, path)
	bad := slices.Clone(good)
	bad[len(bad)-20] ^= 1
	writeFile(t, path, bad)
	_, err := s.Backup(t.Context(), io.Discard, nil)
	require.ErrorIs(t, err, storage.ErrDamaged)
	writeFile(t, path, good)
	_, err = s.Backup(t.Context(), failingWriter{}, nil)
	require.ErrorIs(t, err, errDisk)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Backup(ctx, io.Discard, nil)
	require.ErrorIs(t, err, context.Canceled)
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errDisk }

// TestRestoreRefusesDamage flips each byte of a backup, and cuts it everywhere.
func TestRestoreRefusesDamage(t *testing.T) {
	s := openTest(t, Options{Dir: t.TempDir(), Log: quiet})
	set(t, s, notes, "a", "1")
	require.NoError(t, s.Compact(t.Context()))
	set(t, s, todos, "b", "2")
	good := readFile(t, backedUp(t, s))
	path, dir := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "data")
	refused := func(b []byte, what string) {
		t.Helper()
		writeFile(t, path, b)
		_, _, err := Restore(t.Context(), path, dir, VerifyOptions{})
		require.ErrorIs(t, err, storage.ErrDamaged, what)
		require.NoDirExists(t, dir)
	}
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 1
		refused(bad, fmt.Sprint("flip ", i))
		refused(good[:i], fmt.Sprint("cut ", i))
	}
	refused(append(slices.Clone(good), 0), "more")
	// A frame that is left out, with all checksums of frames intact.
	frame := prefixSize + frameHeader + int(good[prefixSize+1])
	next := frame + frameHeader + int(good[frame+1])
	refused(append(slices.Clone(good[:frame]), good[next:]...), "a frame is missing")
}

func TestRestoreRefusesNamesThatLeadElsewhere(t *testing.T) {
	for _, name := range []string{
		"", "/etc/passwd", "../x", "spaces/../../x.snap", "spaces/a/../x.snap", "spaces/.hidden/x.snap", "spaces/a/b/c.snap",
		"journal/../x.log", "journal/1.log", "LOCK", "spaces/a\x00/x.snap", `spaces/a\b/x.snap`, "admin.password",
	} {
		require.Error(t, checkArchived(name, make(map[string]bool)), "%q", name)
	}
	seen := make(map[string]bool)
	for _, name := range []string{"MANIFEST", "spaces/_cubby/directory.snap", "spaces/acme/a.b-c.snap", "journal/00000000000000000001.log"} {
		require.NoError(t, checkArchived(name, seen))
		require.Error(t, checkArchived(name, seen), "twice")
	}
}

func TestRestoreWantsAnEmptyDirectory(t *testing.T) {
	s := openTest(t, Options{Dir: t.TempDir(), Log: quiet})
	path := backedUp(t, s)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "lost+found"), 0o700))
	writeFile(t, filepath.Join(dir, "mine"), nil)
	_, _, err := Restore(t.Context(), path, dir, VerifyOptions{})
	require.ErrorIs(t, err, ErrNotEmpty)
	require.True(t, strings.HasSuffix(err.Error(), "it holds mine"))
	require.NoError(t, os.Remove(filepath.Join(dir, "mine")))
	_, _, err = Restore(t.Context(), path, dir, VerifyOptions{})
	require.NoError(t, err)
	_, _, err = Restore(t.Context(), path, dir, VerifyOptions{})
	require.ErrorIs(t, err, ErrNotEmpty)
	_, _, err = Restore(t.Context(), filepath.Join(dir, "none"), t.TempDir(), VerifyOptions{})
	require.ErrorIs(t, err, os.ErrNotExist)
}
