package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// file is what the writer needs of an open file.
type file interface {
	io.Writer
	io.ReaderAt
	Sync() error
	Truncate(size int64) error
	Stat() (os.FileInfo, error)
	Close() error
}

// fileSystem is every way in which the writer touches a disk, so that tests can
// make each of them fail.
type fileSystem interface {
	// Open opens a file to append to, and creates it for its owner's eyes only.
	Open(name string) (file, error)
	ReadDir(name string) ([]os.DirEntry, error)
	Rename(from, to string) error
	Remove(name string) error
}

type systemFS struct{}

func (systemFS) Open(name string) (file, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: another process writes it: %w", name, err)
	}
	return f, nil
}

func (systemFS) ReadDir(name string) ([]os.DirEntry, error) { return os.ReadDir(name) }
func (systemFS) Rename(from, to string) error               { return os.Rename(from, to) }
func (systemFS) Remove(name string) error                   { return os.Remove(name) }

// open opens the file at the trail's path and goes on with the chain, be it in
// this file or in the one that was turned over last. w.prev is taken over when
// there is one.
func (w *writer) open(s Settings) error {
	path := w.trail.path
	f, err := w.fs.Open(path)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	e, err := findEnd(f)
	if err == nil && !e.known { // a new file, or one that was torn in its first line
		if e.prev = w.prev; e.prev == "" {
			e.prev, err = w.lastOf(path)
		}
	}
	if err != nil {
		_ = f.Close()
		return fmt.Errorf("audit: read the end of %s: %w", path, err)
	}
	w.file, w.size, w.torn, w.prev = f, e.size, false, e.prev
	w.sum = seeded(e.prev)
	w.sum.Write(e.tail)
	w.since, w.bytes = e.lines, len(e.tail)
	w.sealed = w.trail.clock()
	detail := AppendDetail(nil, "prev", e.prev)
	if w.trail.version != "" {
		detail = AppendDetail(detail, "version", w.trail.version)
	}
	line := w.own(Opened, detail)
	if e.torn {
		line = append([]byte{'\n'}, line...) // what a crash tore stays a line of its own
		w.since++
	}
	if err := w.write(line); err != nil {
		_ = f.Close()
		w.file = nil
		return fmt.Errorf("audit: %w", err)
	}
	w.since++
	w.bytes += len(line)
	w.removeOld(s)
	return nil
}

// end is where a file ends.
type end struct {
	size  int64
	prev  string // hash of its newest seal, or what its first line names
	known bool   // there is one of the two
	tail  []byte // from that seal's line on, which the next seal is about
	lines int64  // in tail, the seal not counted
	torn  bool   // the last line has no end
}

// findEnd reads a file from behind until it meets a seal.
func findEnd(f file) (end, error) {
	info, err := f.Stat()
	if err != nil {
		return end{}, err
	}
	e := end{size: info.Size()}
	for window := int64(2 * sealBytes); ; window *= 4 {
		from := max(0, e.size-window)
		b := make([]byte, e.size-from)
		if _, err := f.ReadAt(b, from); err != nil && !errors.Is(err, io.EOF) {
			return e, err
		}
		at, hash := lastSeal(b, from == 0)
		if at < 0 && from > 0 {
			continue
		}
		if at < 0 { // no seal at all
			first, _, _ := bytes.Cut(b, newline)
			var l struct{ Event, Prev string }
			if json.Unmarshal(first, &l) == nil && Event(l.Event) == Opened {
				e.prev, e.known = l.Prev, true
			}
			at = 0
		} else {
			e.prev, e.known = hash, true
			e.lines = -1
		}
		e.tail = b[at:]
		e.lines += int64(bytes.Count(e.tail, newline))
		e.torn = len(e.tail) > 0 && e.tail[len(e.tail)-1] != '\n'
		return e, nil
	}
}

var sealMark = []byte(`"event":"` + string(Sealed) + `"`) // no text of a client's can look so: its quotes are escaped

// lastSeal returns where the line of the last seal begins and its hash, or -1.
// whole tells that b begins at a line's beginning.
func lastSeal(b []byte, whole bool) (at int, hash string) {
	for end := len(b); ; {
		mark := bytes.LastIndex(b[:end], sealMark)
		if mark < 0 {
			return -1, ""
		}
		at, n := bytes.LastIndexByte(b[:mark], '\n')+1, bytes.IndexByte(b[mark:], '\n')
		if at == 0 && !whole {
			return -1, ""
		}
		var l struct{ Event, Hash string }
		if n >= 0 && json.Unmarshal(b[at:mark+n], &l) == nil && Event(l.Event) == Sealed {
			return at, l.Hash
		}
		end = mark
	}
}

// lastOf returns the hash that the file which was turned over last ends with.
func (w *writer) lastOf(path string) (string, error) {
	turned, err := w.turned(path)
	if err != nil || len(turned) == 0 {
		return "", err
	}
	f, err := os.Open(turned[len(turned)-1])
	if err != nil {
		return "", err
	}
	defer f.Close()
	e, err := findEnd(f)
	return e.prev, err
}

func (w *writer) turned(path string) ([]string, error) {
	entries, err := w.fs.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	return turnedIn(path, entries), nil
}

// turnedIn picks the files that path was turned over to, the oldest first.
func turnedIn(path string, entries []os.DirEntry) []string {
	var numbers []int
	for _, e := range entries {
		if n := numberOf(filepath.Base(path), e.Name()); n > 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	names := make([]string, len(numbers))
	for i, n := range numbers {
		names[i] = numbered(path, n)
	}
	return names
}

// numbered is the name of the nth file that path was turned over to.
func numbered(path string, n int) string { return fmt.Sprintf("%s.%06d", path, n) }

// numberOf is the n of numbered, or 0 for another name.
func numberOf(base, name string) int {
	digits, ok := strings.CutPrefix(name, base+".")
	if !ok || len(digits) < 6 {
		return 0
	}
	n, err := strconv.Atoi(digits)
	if err != nil || filepath.Base(numbered(base, n)) != name {
		return 0
	}
	return n
}

// Files returns the files of the trail at path that there are, in the order in
// which they were written.
func Files(path string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	list := turnedIn(path, entries)
	if _, err := os.Stat(path); err == nil {
		list = append(list, path)
	} else if !errors.Is(err, iofs.ErrNotExist) || len(list) == 0 {
		return nil, err
	}
	return list, nil
}

// turnOver ends the file and begins another.
func (w *writer) turnOver(s Settings) error {
	path := w.trail.path
	if !w.torn { // the next file's first line names the last good seal in any case
		if err := w.seal(); err != nil {
			return err
		}
	}
	turned, err := w.turned(path)
	if err != nil {
		return err
	}
	next := 1
	if n := len(turned); n > 0 {
		next = numberOf(filepath.Base(path), filepath.Base(turned[n-1])) + 1
	}
	if err := w.sync(s); err != nil && !w.torn {
		return err
	}
	if err := w.fs.Rename(path, numbered(path, next)); err != nil {
		return err
	}
	w.trail.log.Info("audit: began a new file", "file", path, "before", numbered(path, next), "hash", w.prev)
	return w.reopen(s)
}

// reopen closes the file, if one is open, and opens the path.
func (w *writer) reopen(s Settings) error {
	if w.file != nil {
		if !w.torn {
			if err := w.seal(); err != nil {
				return err
			}
			if err := w.sync(s); err != nil {
				return err
			}
		}
		_ = w.file.Close() // synced, or torn
		w.file = nil
	}
	return w.open(s)
}

// removeOld removes the files beyond those that are to be kept.
func (w *writer) removeOld(s Settings) {
	if s.Files <= 0 {
		return
	}
	turned, err := w.turned(w.trail.path)
	for err == nil && len(turned) > s.Files {
		err = w.fs.Remove(turned[0])
		turned = turned[1:]
	}
	if err != nil {
		w.trail.log.Error("audit: an old file could not be removed", "file", w.trail.path, "error", err)
	}
}
