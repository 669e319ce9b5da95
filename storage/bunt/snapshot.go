package bunt

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// A snapshot file is a prefix (segment.go) and frames, integers little endian:
//
//	kind    1  'H' first, then 'B' blocks, 'F' last
//	length  4  of the payload
//	crc     4  CRC-32C of kind, length and payload
//	payload    H: sequence 8, name. B: entries in key order. F: entries 8,
//	           newest version 8
//
// The count stands in the footer because writers go on while the file is made.
const (
	frameHeader = 9
	frameHead   = 'H'
	frameBlock  = 'B'
	frameFoot   = 'F'

	blockBytes = 64 << 10
	tempSuffix = ".tmp"
	tempFlags  = os.O_CREATE | os.O_TRUNC | os.O_WRONLY
)

var (
	errGone      = errors.New("the namespace was dropped meanwhile")
	errNotLoaded = errors.New("the namespace is not in memory")
)

// snapshot writes the space's file, unless it is up to date. Callers hold
// Store.compacting. Errors: errBusy when it had to wait for longer than patience.
//
// The file is fuzzy: the space is read in chunks and writers go on. That is
// sound because records are absolute. Whatever a later record touched may be
// in the file in any state; replaying all records behind the sequence in the
// header, Clear included, brings each key to the same end. So those records
// have to be durable before the file gets its name.
func (s *Store) snapshot(ctx context.Context, sp *space, pace *pacer, patience time.Duration) (err error) {
	if !sp.rlockFor(patience) {
		return errBusy
	}
	if !sp.loaded && !sp.dropped.Load() {
		sp.mu.RUnlock()
		return errNotLoaded
	}
	start := s.journal.newest() // this space appends under mu: it has nothing later
	since := s.dirty.clean(sp)
	dropped := sp.dropped.Load()
	empty := !dropped && sp.ks.count == 0
	rollbacks := sp.rollbacks.Load()
	sp.mu.RUnlock()
	if since == 0 || dropped {
		return nil
	}
	defer func() {
		if err != nil {
			sp.mu.RLock()
			if !sp.dropped.Load() {
				s.dirty.restore(sp, since)
			}
			sp.mu.RUnlock()
		}
	}()
	if empty {
		// No file says the same. Records that a restart finds end in nothing too.
		if err := s.journal.sync(ctx, start); err != nil {
			return err
		}
		if sp.dropped.Load() { // the drop removes the file itself
			return nil
		}
		if err = s.removeSnapshot(sp.name); err == nil {
			s.resize(sp, 0)
		}
		return err
	}

	temp := filepath.Join(s.dir, spacesDir, fmt.Sprintf(".%d%s", sp.id, tempSuffix))
	size, err := s.writeSnapshot(temp, sp, start, pace, patience)
	if err != nil {
		_ = s.fs.Remove(temp)
		if errors.Is(err, errGone) {
			return nil
		}
		if errors.Is(err, errBusy) {
			return err
		}
		return fmt.Errorf("snapshot of %s: %w", sp.name, err)
	}
	err = s.journal.sync(ctx, max(start, sp.lastSeq.Load()))
	if err == nil && sp.rollbacks.Load() != rollbacks {
		err = errRolledBack // the file may hold what was taken back
	}
	if err == nil {
		err = s.publish(temp, sp)
	}
	if err != nil {
		_ = s.fs.Remove(temp)
		return err
	}
	s.resize(sp, size)
	return nil
}

// resize notes how large the space's file is now.
func (s *Store) resize(sp *space, size int64) {
	s.snapshotBytes.Add(size - sp.fileBytes.Swap(size))
}

// publish gives a finished snapshot its name.
func (s *Store) publish(temp string, sp *space) error {
	s.files.Lock()
	defer s.files.Unlock()
	if sp.dropped.Load() {
		return s.fs.Remove(temp)
	}
	path := s.snapshotPath(sp.name)
	dir := filepath.Dir(path)
	if err := s.fs.MkdirAll(dir); err != nil {
		return err
	}
	if err := s.fs.Rename(temp, path); err != nil {
		return err
	}
	delete(s.undead, sp.name) // the file of the dropped one has gone with this
	if err := s.fs.SyncDir(dir); err != nil {
		return err
	}
	return s.fs.SyncDir(filepath.Dir(dir))
}

// snapshotWriter collects entries into blocks.
type snapshotWriter struct {
	w     *bufio.Writer
	block []byte
	count uint64

	patience time.Duration // for waits, all together
	waited   time.Duration
}

func (w *snapshotWriter) frame(kind byte, payload []byte) error {
	var h [frameHeader]byte
	h[0] = kind
	binary.LittleEndian.PutUint32(h[1:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(h[5:], crc32.Update(crc32.Checksum(h[:5], castagnoli), castagnoli, payload))
	if _, err := w.w.Write(h[:]); err != nil {
		return err
	}
	_, err := w.w.Write(payload)
	return err
}

// flush writes the block if it has at least size bytes.
func (w *snapshotWriter) flush(size int) error {
	if len(w.block) < size || len(w.block) == 0 {
		return nil
	}
	err := w.frame(frameBlock, w.block)
	w.block = w.block[:0]
	return err
}

// writeSnapshot writes and fsyncs the file under a temporary name, and returns
// its size.
func (s *Store) writeSnapshot(temp string, sp *space, start uint64, pace *pacer, patience time.Duration) (int64, error) {
	f, err := s.fs.OpenFile(temp, tempFlags)
	if err != nil {
		return 0, err
	}
	out := &steadyWriter{file: f, store: s, pace: pace}
	w := &snapshotWriter{w: bufio.NewWriterSize(out, blockBytes), patience: patience}
	err = w.writeSpace(sp, start)
	if err == nil {
		err = w.w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return out.size, err
}

// steadyWriter keeps to a pace and fsyncs now and then: one fsync of a large
// file would keep the journal's waiting behind it.
type steadyWriter struct {
	file
	store    *Store
	pace     *pacer
	size     int64
	unsynced int
}

func (w *steadyWriter) Write(b []byte) (int, error) {
	const syncBytes = 4 << 20
	n, err := w.file.Write(b)
	w.size += int64(n)
	if w.unsynced += n; err == nil && w.unsynced >= syncBytes {
		w.unsynced = 0
		err = w.Sync()
	}
	if !w.store.journal.failed.Load() { // a rollback waits for us
		w.pace.spend(n, w.store.stop)
	}
	return n, err
}

func (w *snapshotWriter) writeSpace(sp *space, start uint64) error {
	if err := w.begin(sp.name, start); err != nil {
		return err
	}
	var rows []pageRow
	from, more := "", true
	for more {
		var err error
		if rows, from, more, err = w.collect(sp, rows, from); err != nil {
			return err
		}
		if err := w.flush(blockBytes); err != nil {
			return err
		}
	}
	sp.mu.RLock()
	version := sp.maxVersion
	sp.mu.RUnlock()
	return w.end(version)
}

// begin writes what stands before the entries.
func (w *snapshotWriter) begin(id storage.ID, seq uint64) error {
	if _, err := w.w.Write(appendPrefix(nil, snapshotMagic)); err != nil {
		return err
	}
	return w.frame(frameHead, appendName(binary.LittleEndian.AppendUint64(nil, seq), id))
}

// end writes the last block and the footer.
func (w *snapshotWriter) end(version uint64) error {
	if err := w.flush(0); err != nil {
		return err
	}
	foot := binary.LittleEndian.AppendUint64(nil, w.count)
	return w.frame(frameFoot, binary.LittleEndian.AppendUint64(foot, version))
}

// snapshotStep is how many keys are read at a time. A space that somebody keeps
// for long each time is read in longer steps, or it would never be done; whoever
// kept it waits for a small part of what he made us wait.
const (
	snapshotStep   = 256
	stepWait       = time.Millisecond // waits that a usual step may take
	longestStep    = 64               // usual steps in one
	snapshotWaited = 50 * time.Millisecond
)

// enter takes the space's read lock, and tells how many steps may be made at once.
func (w *snapshotWriter) enter(sp *space) (steps int, err error) {
	if try(sp.mu.TryRLock) {
		return 1, nil
	}
	began := time.Now()
	sp.mu.RLock()
	wait := time.Since(began)
	if w.waited += wait; w.waited > max(w.patience, snapshotWaited) {
		sp.mu.RUnlock()
		return 0, errBusy
	}
	return int(min(1+wait/stepWait, longestStep)), nil
}

// collect adds the next entries to the block, under the space's read lock.
func (w *snapshotWriter) collect(sp *space, rows []pageRow, from string) (_ []pageRow, next string, more bool, err error) {
	steps, err := w.enter(sp)
	if err != nil {
		return rows, "", false, err
	}
	defer sp.mu.RUnlock()
	switch {
	case sp.store.closed.Load():
		return rows, "", false, storage.ErrClosed
	case sp.dropped.Load():
		return rows, "", false, errGone
	}
	if rows == nil {
		rows = make([]pageRow, 0, morePages)
	}
	now, n := sp.store.clock(), 0
	err = sp.walk(from, rows, func(slot uint32) bool {
		it := sp.ks.item(slot)
		if n == steps*snapshotStep || len(w.block) >= steps*blockBytes { // large values: give writers a turn
			next, more = strings.Clone(it.key), true
			return false
		}
		n++
		if !it.expired(now) {
			w.block = appendEntry(w.block, &it)
			w.count++
		}
		return true
	})
	return rows, next, more, err
}

// removeUnfinished deletes snapshots that never got their name.
func (s *Store) removeUnfinished() error {
	dir := filepath.Join(s.dir, spacesDir)
	entries, err := s.fs.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && strings.HasSuffix(e.Name(), tempSuffix) {
			if err := s.fs.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
