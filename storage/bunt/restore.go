package bunt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cubbykv/cubby/storage"
)

// ErrNotEmpty is returned by Restore for a directory that holds something.
var ErrNotEmpty = errors.New("the directory is not empty")

// Restore makes a data directory from a backup. The whole file is checked
// before anything is written, and what was written is checked again, as Verify
// does, before it gets the names that a server looks for. Errors: ErrNotEmpty,
// storage.ErrDamaged, storage.ErrLocked, the system's, the context's. After an
// error the directory is as it was.
func Restore(ctx context.Context, file, dir string, o VerifyOptions) (info storage.BackupInfo, report *Report, err error) {
	f, err := os.Open(file)
	if err != nil {
		return info, nil, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return info, nil, err
	}
	meter := &meter{ctx: ctx, total: 2 * stat.Size(), progress: o.Progress}
	if info, err = checkBackup(file, meter.of(f)); err != nil {
		return info, nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return info, nil, err
	}

	undo, err := prepareEmpty(dir)
	if err != nil {
		return info, nil, err
	}
	defer func() { undo(err != nil) }()
	work := filepath.Join(dir, restoreDir)
	if err := extract(file, meter.of(f), work); err != nil {
		return info, nil, err
	}
	_, report, err = verify(ctx, work, VerifyOptions{Now: o.Now})
	if err != nil {
		return info, nil, err
	}
	if len(report.Damage) > 0 {
		return info, nil, &report.Damage[0]
	}
	info.Seq = storage.Seq(report.Last)
	return info, report, publishRestored(work, dir)
}

// restoreDir is where a restored directory grows.
const restoreDir = ".restore"

// checkArchived accepts the names of files that a backup holds, each once. A
// backup comes from outside: no name may lead elsewhere.
func checkArchived(name string, seen map[string]bool) error {
	if seen[name] {
		return fmt.Errorf("the file %q is in it twice", name)
	}
	seen[name] = true
	parts := strings.Split(name, "/")
	ok := false
	switch {
	case name == manifestName:
		ok = true
	case len(parts) == 2 && parts[0] == journalDir:
		_, ok = parseSegmentName(parts[1])
	case len(parts) == 3 && parts[0] == spacesDir:
		app, found := strings.CutSuffix(parts[2], snapshotExt)
		ok = found && plainName(parts[1]) && plainName(app)
	}
	if !ok {
		return fmt.Errorf("there is no place for a file %q in a data directory", name)
	}
	return nil
}

// plainName tells whether s may be the name of a tenant or an app.
func plainName(s string) bool {
	if s == "" || s[0] == '.' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("._-", c) >= 0) {
			return false
		}
	}
	return true
}

// prepareEmpty makes dir if it is missing, and locks it. undo gives it back,
// with failed as it was.
func prepareEmpty(dir string) (undo func(failed bool), err error) {
	entries, err := os.ReadDir(dir)
	missing := errors.Is(err, os.ErrNotExist)
	if err != nil && !missing {
		return nil, err
	}
	for _, e := range entries {
		if e.Name() != "lost+found" { // of a file system of its own
			return nil, fmt.Errorf("%s: %w: it holds %s", dir, ErrNotEmpty, e.Name())
		}
	}
	if err := makeDir(systemFS{}, dir); err != nil {
		return nil, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	return func(failed bool) {
		_ = os.RemoveAll(filepath.Join(dir, restoreDir))
		if failed {
			_ = os.Remove(lock.Name())
			if missing {
				_ = os.Remove(dir) // refused if there is anything in it
			}
		}
		_ = lock.Close()
	}, nil
}

// extract writes the files of a backup into dir, durably.
func extract(file string, r io.Reader, dir string) (err error) {
	var out *os.File
	finish := func() error {
		if out == nil {
			return nil
		}
		err := errors.Join(out.Sync(), out.Close())
		out = nil
		return err
	}
	defer func() { err = errors.Join(err, finish()) }()
	fs := systemFS{}
	for _, sub := range []string{dir, filepath.Join(dir, journalDir), filepath.Join(dir, spacesDir)} {
		if err := fs.MkdirAll(sub); err != nil {
			return err
		}
	}
	dirs := map[string]bool{dir: true, filepath.Join(dir, journalDir): true, filepath.Join(dir, spacesDir): true}
	seen := make(map[string]bool)
	_, err = readArchive(file, r, func(name string) error {
		if err := errors.Join(finish(), checkArchived(name, seen)); err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if parent := filepath.Dir(path); !dirs[parent] {
			if err := fs.MkdirAll(parent); err != nil {
				return err
			}
			dirs[parent] = true
		}
		var err error
		out, err = os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		return err
	}, func(b []byte) error {
		_, err := out.Write(b)
		return err
	})
	if err := errors.Join(err, finish()); err != nil {
		return err
	}
	for d := range dirs {
		if err := fs.SyncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// publishRestored gives the parts their names, the journal last: without it a
// server refuses the rest.
func publishRestored(work, dir string) error {
	for _, name := range []string{spacesDir, manifestName, journalDir} {
		if err := os.Rename(filepath.Join(work, name), filepath.Join(dir, name)); err != nil {
			return err
		}
		if err := (systemFS{}).SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// meter tells how much of a file was read, and stops when ctx ends.
type meter struct {
	ctx         context.Context
	in          io.Reader
	done, total int64
	progress    func(done, total int64)
}

func (m *meter) of(r io.Reader) io.Reader { m.in = r; return m }

func (m *meter) Read(b []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.in.Read(b)
	m.done += int64(n)
	if m.progress != nil && n > 0 {
		m.progress(min(m.done, m.total), m.total)
	}
	return n, err
}

// VerifyBackup reads a backup and checks everything in it. Errors:
// storage.ErrDamaged, the system's, the context's.
func VerifyBackup(ctx context.Context, file string) (storage.BackupInfo, error) {
	f, err := os.Open(file)
	if err != nil {
		return storage.BackupInfo{}, err
	}
	defer f.Close()
	return checkBackup(file, &meter{ctx: ctx, in: f})
}

func checkBackup(file string, r io.Reader) (storage.BackupInfo, error) {
	seen := make(map[string]bool)
	return readArchive(file, r, func(name string) error { return checkArchived(name, seen) }, func([]byte) error { return nil })
}
