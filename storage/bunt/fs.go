package bunt

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cubbykv/cubby/storage"
)

// file is what the store needs of an open file.
type file interface {
	io.Reader
	io.Writer
	io.WriterAt
	// Sync makes the file's bytes durable, and its size.
	Sync() error
	Truncate(size int64) error
	Close() error
}

// fileSystem is every way in which the store touches a disk, so that tests can
// make each of them fail.
type fileSystem interface {
	OpenFile(name string, flag int) (file, error)
	ReadDir(name string) ([]os.DirEntry, error)
	MkdirAll(name string) error
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes the names in a directory durable: POSIX keeps a new or
	// renamed file's name only once its directory was fsynced.
	SyncDir(name string) error
}

const (
	createFlags = os.O_CREATE | os.O_EXCL | os.O_WRONLY
	readFlags   = os.O_RDONLY
	patchFlags  = os.O_WRONLY
)

// systemFS is the operating system. Data is private to the server's user.
type systemFS struct{}

func (systemFS) OpenFile(name string, flag int) (file, error) {
	f, err := os.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return &systemFile{f}, nil
}

func (systemFS) ReadDir(name string) ([]os.DirEntry, error) { return os.ReadDir(name) }
func (systemFS) MkdirAll(name string) error                 { return os.MkdirAll(name, 0o700) }
func (systemFS) Rename(from, to string) error               { return os.Rename(from, to) }
func (systemFS) Remove(name string) error                   { return os.Remove(name) }

func (systemFS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

// readAll returns the content of a file.
func readAll(fs fileSystem, name string) ([]byte, error) {
	f, err := fs.OpenFile(name, readFlags)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return b, err
}

// writeWhole makes a file of these bytes and fsyncs it. Its name is not durable
// yet.
func writeWhole(fs fileSystem, name string, b []byte) error {
	f, err := fs.OpenFile(name, tempFlags)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// makeDir makes a directory and those above it, durably.
func makeDir(fs fileSystem, name string) error {
	name = filepath.Clean(name)
	var made []string // those that are missing, deepest first
	for dir := name; ; dir = filepath.Dir(dir) {
		_, err := fs.ReadDir(dir)
		if err == nil || !errors.Is(err, iofs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		made = append(made, dir)
	}
	if err := fs.MkdirAll(name); err != nil {
		return err
	}
	if len(made) == 0 {
		// It may be new all the same, when the process died here. Its parent may be
		// none of ours.
		_ = fs.SyncDir(filepath.Dir(name))
	}
	for _, dir := range made {
		if err := fs.SyncDir(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	return nil
}

// unusable says which directory an error is about, and what can be done.
func unusable(dir string, err error) error {
	advice := ""
	switch {
	case errors.Is(err, storage.ErrDamaged), errors.Is(err, storage.ErrLocked):
		return err // they say it themselves
	case errors.Is(err, syscall.EROFS):
		advice = "; it is mounted read-only: mount it for writing, or choose another dir"
	case errors.Is(err, iofs.ErrPermission):
		advice = "; give the user that runs the server access to it, or choose another dir"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		advice = "; the disk or the quota is full: make space, then start again"
	case errors.Is(err, syscall.ENOTDIR):
		advice = "; a part of the path is a file: choose another dir"
	case errors.Is(err, syscall.EIO):
		advice = "; the disk has failed: look at the system's log before anything else"
	}
	return fmt.Errorf("data directory %s cannot be used: %w%s", dir, err, advice)
}
