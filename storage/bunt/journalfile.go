package bunt

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// The journal's files: the leader writes them, see journal.go.

// write puts a batch whose first record is first into the file, or into the
// next one. held tells why the next one was not begun although it was asked for;
// the batch is written all the same.
func (j *journal) write(batch []byte, first uint64, rotate bool) (held, err error) {
	j.good = j.size
	if j.size > segmentHeader && (rotate || len(batch) > 0 && j.size >= j.rotateAt.Load()) {
		err = j.nextSegment(segmentInfo{first: first, follows: first - 1, version: j.version.Load(), salt: j.salt})
		switch {
		case errors.Is(err, errNotCreated):
			// Too many open files, say. The present segment will do.
			held = err
			j.rotateAt.Store(j.size + j.segmentBytes)
			j.log.Warn("journal: the present segment grows on", "error", held)
		case err != nil:
			return nil, err
		default:
			j.rotated()
		}
	}
	if len(batch) == 0 {
		return held, nil
	}
	j.good = j.size // of the new segment, if there is one
	began := j.observer.begin()
	n, err := j.writeAt(batch, j.size)
	j.observer.end(storage.TookJournalWrite, began)
	j.size += int64(n)
	return held, err
}

// retract takes back what the last write may have left in the file: nobody was
// told that it succeeded, so a restart should not bring it back. It tells
// whether the journal can go on once the disk has space again.
func (j *journal) retract(err error) (heals bool) {
	if terr := j.truncate(j.good); terr != nil {
		j.log.Error("journal: a failed write could not be taken back", "error", terr)
		return false
	}
	j.size = j.good
	if !canHeal(err) {
		return false
	}
	if serr := j.file.Sync(); serr != nil { // or a power cut might bring it back
		j.log.Error("journal: a failed write could not be taken back", "error", serr)
		return false
	}
	return true
}

// nextSegment closes the file, durable, and begins another.
func (j *journal) nextSegment(info segmentInfo) error {
	j.fileMu.Lock()
	defer j.fileMu.Unlock()
	if j.final.Load() {
		return j.failure()
	}
	j.ahead.mu.Lock()
	defer j.ahead.mu.Unlock()
	j.trim()
	if err := j.file.Sync(); err != nil {
		return &syncError{err}
	}
	f, seg, err := createSegment(j.fs, j.dir, info)
	if err != nil {
		if !errors.Is(err, errNotCreated) {
			j.litter = filepath.Join(j.dir, segmentName(info.first))
		}
		return err
	}
	_ = j.file.Close() // it is durable: nothing is lost by an error here
	j.begin(f, seg.size)
	j.rotateAt.Store(j.segmentBytes)
	j.mu.Lock()
	j.segments = append(j.segments, seg)
	j.durable.Store(j.written.Load())
	j.wake()
	j.mu.Unlock()
	j.lastSync.Store(j.clock())
	return nil
}

// syncFile makes seq, which is written, durable.
func (j *journal) syncFile(seq uint64) error {
	j.fileMu.Lock()
	defer j.fileMu.Unlock()
	if seq <= j.durable.Load() {
		return nil
	}
	if j.final.Load() {
		return j.failure() // a second fsync may succeed without having written
	}
	target := j.written.Load() // older segments were fsynced when they were closed
	var began time.Time
	if j.mode == SyncAlways { // otherwise nobody waits for it
		began = j.observer.begin()
	}
	err := j.file.Sync()
	j.observer.end(storage.TookJournalSync, began)
	if err != nil {
		err = &syncError{err}
		j.mu.Lock()
		defer j.mu.Unlock()
		j.poison(err, false) // before another fsync can pretend
		return j.err
	}
	j.lastSync.Store(j.clock())
	j.mu.Lock()
	j.durable.Store(max(target, j.durable.Load()))
	j.wake()
	j.mu.Unlock()
	return nil
}

// finish cuts the zeros ahead of the records off, at an orderly end. Errors:
// storage.ErrWriteFailed.
func (j *journal) finish() error {
	j.fileMu.Lock()
	defer j.fileMu.Unlock()
	j.ahead.mu.Lock()
	defer j.ahead.mu.Unlock()
	if j.ahead.filled.Load() <= j.size {
		return nil
	}
	j.trim()
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("%w: %w", storage.ErrWriteFailed, &syncError{err})
	}
	return nil
}

// closedSegments returns the files that are no longer written to and the
// sequence of the last record in them.
func (j *journal) closedSegments() (segments []segment, last uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := len(j.segments) - 1
	return append([]segment(nil), j.segments[:n]...), j.segments[n].first - 1
}

// deleteSegments removes the oldest segments. Once the manifest says so they do
// not count any more, whether their files are gone or not: an older one that
// comes back after a power cut would bring dropped data back.
func (j *journal) deleteSegments(segments []segment) error {
	j.mu.Lock()
	oldest := j.segments[len(segments)].first
	j.mu.Unlock()
	if err := j.writeManifest(oldest); err != nil {
		return err
	}
	j.mu.Lock()
	j.segments = j.segments[len(segments):]
	j.mu.Unlock()
	for _, seg := range segments {
		if err := j.fs.Remove(seg.path); err != nil {
			return err // the next start removes the rest
		}
	}
	return j.fs.SyncDir(j.dir)
}

// writeManifest records what the journal holds now.
func (j *journal) writeManifest(oldest uint64) error {
	j.mu.Lock()
	m := manifest{oldest: oldest, newest: j.segments[len(j.segments)-1].first, durable: j.durable.Load()}
	j.mu.Unlock()
	return writeManifest(j.fs, filepath.Dir(j.dir), m)
}
