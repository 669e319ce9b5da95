package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// newFile is a file that gets its name when it is whole and on disk. It never
// takes the place of another.
type newFile struct {
	*os.File
	path string
}

func createNewFile(path string) (*newFile, error) {
	if err := checkFree(path); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*.partial") // private to its owner
	if err != nil {
		return nil, err
	}
	return &newFile{f, path}, nil
}

func checkFree(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s exists already; choose another name, or remove it first", path)
	}
	return nil
}

// sync writes everything to the disk; keep is to follow.
func (f *newFile) sync() error { return errors.Join(f.Sync(), f.Close()) }

// keep gives the file its name.
func (f *newFile) keep() error {
	// A link refuses to replace a file that came in the meantime.
	err := os.Link(f.Name(), f.path)
	switch {
	case err == nil:
		err = os.Remove(f.Name())
	case errors.Is(err, os.ErrExist):
		return checkFree(f.path)
	default: // a file system without links
		if err = checkFree(f.path); err == nil {
			err = os.Rename(f.Name(), f.path)
		}
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// drop removes what has no name yet.
func (f *newFile) drop() {
	_ = f.Close()
	_ = os.Remove(f.Name())
}

// toFile lets write fill a new file, or standard output for "-", and check it
// before it gets its name.
func (e environment) toFile(path string, write func(w io.Writer) error, check func(path string) error) error {
	if path == "-" {
		return write(e.out)
	}
	f, err := createNewFile(path)
	if err != nil {
		return err
	}
	defer f.drop()
	if err := write(f); err != nil {
		return err
	}
	if err := f.sync(); err != nil {
		return err
	}
	if check != nil {
		if err := check(f.Name()); err != nil {
			return err
		}
	}
	return f.keep()
}
