package bunt

import (
	iofs "io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// disk is a fileSystem in memory that knows what would survive a power cut:
//
//   - Of a file, what its last fsync saw. Of what was written since, any sectors
//     may have reached the disk, and of a sector any older version. Its size is
//     that of then, or any that it had since, or one between: bytes that were
//     never written are zeros.
//   - Of a file that was cut off since, perhaps what it was before.
//   - Of a directory, what its last fsync saw, and any of the changes since, each
//     whole.
//
// A failed fsync leaves the file's dirty pages marked clean, as Linux does: a
// later one succeeds and writes nothing of them.
type disk struct {
	mu   sync.Mutex
	base string // the only directory that is there from the start
	rnd  *rand.Rand
	root *node
	// fault is asked before each operation that changes something.
	fault func(op, name string) error
	dead  bool  // every operation fails
	space int64 // bytes that may still be written; negative is no limit
	ops   int   // changing operations so far
}

// node is a file or, with names, a directory.
type node struct {
	data, synced []byte
	marks        []mark       // the changes since the last fsync
	cutOff       []byte       // what it was before a Truncate that was not fsynced
	stale        map[int]bool // pages that a failed fsync left dirty: taken for clean

	names, kept map[string]*node // now, and at the last fsync
	pending     []*dirChange     // between the two
}

// mark is a change of a file's bytes.
type mark struct {
	from int // the first that was changed
	upTo int // where content ended, zeros written ahead left out
	size int // of the file
}

// dirChange adds a name, or removes one, or both.
type dirChange struct {
	add, remove string
	to          *node
	needs       *dirChange // the other half of a rename, which comes first
	survives    bool
}

func newDisk(base string, rnd *rand.Rand) *disk {
	return &disk{base: filepath.Clean(base), root: newDirNode(), space: -1, rnd: rnd}
}

func newDirNode() *node { return &node{names: map[string]*node{}, kept: map[string]*node{}} }

func (n *node) change(c *dirChange) {
	n.pending = append(n.pending, c)
	c.apply(n.names)
}

func (c *dirChange) apply(names map[string]*node) {
	if c.remove != "" {
		delete(names, c.remove)
	}
	if c.add != "" {
		names[c.add] = c.to
	}
}

func (d *disk) find(name string) *node {
	rel, err := filepath.Rel(d.base, name)
	if err != nil || strings.HasPrefix(rel, "..") {
		return nil
	}
	n := d.root
	if rel == "." {
		return n
	}
	for part := range strings.SplitSeq(rel, string(filepath.Separator)) {
		if n == nil || n.names == nil {
			return nil
		}
		n = n.names[part]
	}
	return n
}

func pathErr(op, name string, err error) error { return &os.PathError{Op: op, Path: name, Err: err} }

// begin counts an operation and asks whether it fails. Callers hold mu.
func (d *disk) begin(op, name string) error {
	if d.dead {
		return pathErr(op, name, syscall.EIO)
	}
	if op == "read" {
		return nil
	}
	d.ops++
	if d.fault != nil {
		if err := d.fault(op, name); err != nil {
			return pathErr(op, name, err)
		}
	}
	return nil
}

func (d *disk) OpenFile(name string, flag int) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	op := "read"
	if flag&os.O_CREATE != 0 {
		op = "create"
	}
	if err := d.begin(op, name); err != nil {
		return nil, err
	}
	dir, n := d.find(filepath.Dir(name)), d.find(name)
	switch {
	case dir == nil || n == nil && flag&os.O_CREATE == 0:
		return nil, pathErr("open", name, syscall.ENOENT)
	case n != nil && flag&os.O_EXCL != 0:
		return nil, pathErr("open", name, syscall.EEXIST)
	case n == nil:
		n = &node{}
		dir.change(&dirChange{add: filepath.Base(name), to: n})
	case flag&os.O_TRUNC != 0:
		n.data, n.marks, n.stale = nil, append(n.marks, mark{}), nil
	}
	return &diskFile{disk: d, node: n, name: name}, nil
}

func (d *disk) ReadDir(name string) ([]os.DirEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("read", name); err != nil {
		return nil, err
	}
	n := d.find(name)
	if n == nil {
		return nil, pathErr("open", name, syscall.ENOENT)
	}
	var entries []os.DirEntry
	for _, base := range slices.Sorted(maps.Keys(n.names)) {
		entries = append(entries, diskEntry{base, n.names[base]})
	}
	return entries, nil
}

func (d *disk) MkdirAll(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.find(name) != nil {
		return nil
	}
	if err := d.begin("mkdir", name); err != nil {
		return err
	}
	parent := d.find(filepath.Dir(name))
	if parent == nil {
		return pathErr("mkdir", name, syscall.ENOENT) // the store makes one level at a time
	}
	parent.change(&dirChange{add: filepath.Base(name), to: newDirNode()})
	return nil
}

func (d *disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("rename", to); err != nil {
		return err
	}
	n, source, target := d.find(from), d.find(filepath.Dir(from)), d.find(filepath.Dir(to))
	if n == nil || target == nil {
		return pathErr("rename", from, syscall.ENOENT)
	}
	if source == target {
		source.change(&dirChange{add: filepath.Base(to), to: n, remove: filepath.Base(from)})
		return nil
	}
	add := &dirChange{add: filepath.Base(to), to: n}
	target.change(add)
	source.change(&dirChange{remove: filepath.Base(from), needs: add})
	return nil
}

func (d *disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.find(name)
	if n != nil && len(n.names) > 0 {
		return pathErr("remove", name, syscall.ENOTEMPTY)
	}
	if err := d.begin("remove", name); err != nil {
		return err
	}
	if n == nil {
		return pathErr("remove", name, syscall.ENOENT)
	}
	d.find(filepath.Dir(name)).change(&dirChange{remove: filepath.Base(name)})
	return nil
}

func (d *disk) SyncDir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.find(name)
	if n == nil && len(name) < len(d.base) {
		return nil // above the data directory everything is durable
	}
	if err := d.begin("syncdir", name); err != nil {
		return err
	}
	if n == nil {
		return pathErr("open", name, syscall.ENOENT)
	}
	for _, c := range n.pending {
		c.survives = true
	}
	n.kept, n.pending = maps.Clone(n.names), nil
	return nil
}

// diskEntry is a name in a directory.
type diskEntry struct {
	name string
	node *node
}

func (e diskEntry) Name() string                 { return e.name }
func (e diskEntry) IsDir() bool                  { return e.node.names != nil }
func (e diskEntry) Type() iofs.FileMode          { return e.Mode().Type() }
func (e diskEntry) Info() (iofs.FileInfo, error) { return e, nil }
func (e diskEntry) Size() int64                  { return int64(len(e.node.data)) }
func (e diskEntry) ModTime() time.Time           { return time.Time{} }
func (e diskEntry) Sys() any                     { return nil }
func (e diskEntry) Mode() iofs.FileMode {
	if e.IsDir() {
		return iofs.ModeDir | 0o700
	}
	return 0o600
}

const diskPage = 4096

// dirty says that bytes were written in some pages.
func (n *node) dirty(from, to int) {
	for p := from / diskPage; p*diskPage < to; p++ {
		delete(n.stale, p)
	}
}

// forget is what a failed fsync does.
func (n *node) forget() {
	from := len(n.synced)
	for _, m := range n.marks {
		from = min(from, m.from, m.size)
	}
	if n.stale == nil {
		n.stale = map[int]bool{}
	}
	for p := from / diskPage; p*diskPage < len(n.data); p++ {
		n.stale[p] = true
	}
}

// flush is an fsync. It writes no stale page.
func (n *node) flush() {
	synced := slices.Clone(n.data)
	for p := range n.stale {
		if from, to := p*diskPage, min((p+1)*diskPage, len(synced)); from < to {
			clear(synced[from:to])
			copy(synced[from:to], n.synced[min(from, len(n.synced)):])
		}
	}
	n.synced, n.marks, n.cutOff = synced, nil, nil
}

// files returns the paths of the files below a directory, in order.
func (d *disk) files(dir string) (paths []string) {
	n := d.find(dir)
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		if path := filepath.Join(dir, name); n.names[name].names != nil {
			paths = append(paths, d.files(path)...)
		} else {
			paths = append(paths, path)
		}
	}
	return paths
}
