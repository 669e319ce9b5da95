package bunt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

var (
	notes = storage.ID{Tenant: "acme", App: "notes"}
	todos = storage.ID{Tenant: "acme", App: "todos"}
)

func namespace(t testing.TB, s *Store, id storage.ID) storage.Namespace {
	t.Helper()
	ns, err := s.Namespace(context.Background(), storage.Durable, id)
	require.NoError(t, err)
	return ns
}

// write runs an Update on database 0 and waits for it.
func write(t testing.TB, s *Store, id storage.ID, fn func(tx storage.Tx)) {
	t.Helper()
	seq, err := namespace(t, s, id).Update(context.Background(), nil, func(tx storage.Tx) error { fn(tx); return nil })
	require.NoError(t, err)
	require.NoError(t, s.Wait(context.Background(), seq))
}

func put(t testing.TB, tx storage.Tx, key, value string) {
	t.Helper()
	require.NoError(t, tx.Set(key, storage.Entry{Value: []byte(value)}))
}

// set writes pairs in one transaction.
func set(t testing.TB, s *Store, id storage.ID, pairs ...string) {
	t.Helper()
	write(t, s, id, func(tx storage.Tx) {
		for i := 0; i < len(pairs); i += 2 {
			put(t, tx, pairs[i], pairs[i+1])
		}
	})
}

// list returns what a namespace holds, an entry a line.
func list(t testing.TB, ns storage.Namespace) (lines []string) {
	t.Helper()
	_, err := ns.View(context.Background(), nil, func(tx storage.Tx) error {
		return tx.Ascend("", func(key string, e storage.Entry) bool {
			lines = append(lines, fmt.Sprintf("%q=%q at %d until %d version %d", key, e.Value, e.UpdatedAt, e.ExpiresAt, e.Version))
			return true
		})
	})
	require.NoError(t, err)
	return lines
}

func holdings(t testing.TB, s *Store, ids ...storage.ID) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	for _, id := range ids {
		all[id.String()] = list(t, namespace(t, s, id))
	}
	return all
}

// crash copies a directory as a process that dies now would leave it.
func crash(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	// A store that runs may be writing a snapshot under another name.
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || strings.HasSuffix(path, ".tmp") {
			return nil
		}
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, dir))
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return os.WriteFile(target, b, 0o600)
	}))
	return to
}

// files returns the paths below dir that end with a suffix, in order.
func files(t testing.TB, dir, suffix string) (paths []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, suffix) {
			paths = append(paths, path)
		}
		return err
	}))
	slices.Sort(paths)
	return paths
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, b, 0o600))
}

// recordOffsets returns where each record of a segment starts, and its end.
func recordOffsets(t testing.TB, path string) []int {
	t.Helper()
	b := readFile(t, path)
	info, err := decodeSegmentHeader(path, b)
	require.NoError(t, err)
	offsets := []int{segmentHeader}
	for off := segmentHeader; off < len(b); {
		_, n, err := decodeRecord(b[off:], info.salt)
		require.NoError(t, err)
		off += n
		offsets = append(offsets, off)
	}
	return offsets
}

// eventually polls until a condition holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 20*time.Second, 5*time.Millisecond, what)
}

var errDisk = errors.New("the disk is on fire")

// faultyFS fails what a test asks it to.
type faultyFS struct {
	systemFS
	writes atomic.Bool            // fail journal writes, after half of the bytes
	syncs  atomic.Bool            // fail fsyncs of journal files
	remove func(name string) bool // fail these removals
}

func (f *faultyFS) OpenFile(name string, flag int) (file, error) {
	inner, err := f.systemFS.OpenFile(name, flag)
	if err != nil || !strings.HasSuffix(name, segmentSuffix) {
		return inner, err
	}
	return &faultyFile{inner, f}, nil
}

func (f *faultyFS) Remove(name string) error {
	if f.remove != nil && f.remove(name) {
		return errDisk
	}
	return f.systemFS.Remove(name)
}

type faultyFile struct {
	file
	fs *faultyFS
}

func (f *faultyFile) WriteAt(b []byte, off int64) (int, error) {
	if f.fs.writes.Load() {
		n, _ := f.file.WriteAt(b[:len(b)/2], off)
		return n, errDisk
	}
	return f.file.WriteAt(b, off)
}

func (f *faultyFile) Sync() error {
	if f.fs.syncs.Load() {
		return errDisk
	}
	return f.file.Sync()
}
