package bunt

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// openJournal checks the whole journal, notes for each space where its records
// are, and opens the journal behind its last record. No space is loaded: the
// first answer does not wait for data that nobody has asked for.
func (s *Store) openJournal() error {
	dir := filepath.Join(s.dir, journalDir)
	r := replay{store: s}
	segments, err := listSegments(s.fs, dir, s.log)
	if err != nil {
		return err
	}
	m, found, err := readManifest(s.fs, s.dir)
	if err != nil {
		return err
	}
	segments, left, err := m.judge(found, s.dir, segments)
	if err != nil {
		return err
	}
	r.known, r.sure = m, m.durable
	kept, err := r.run(segments)
	if err != nil {
		return err
	}
	if r.last < m.durable {
		return &storage.DamageError{File: dir, Reason: fmt.Sprintf("the journal ends at record %d, but record %d was durable", r.last, m.durable)}
	}
	for _, seg := range left {
		if err := s.fs.Remove(seg.path); err != nil {
			return err
		}
	}
	// Whoever created or removed files last may have died before this.
	if err := s.fs.SyncDir(dir); err != nil {
		return err
	}
	if err := r.settle(); err != nil {
		return err
	}
	j := &journal{
		observer: &s.observer, fs: s.fs, dir: dir, mode: s.opts.Sync, segmentBytes: s.opts.SegmentBytes, salt: r.salt,
		log: s.log, clock: s.clock, version: &s.version, rotated: s.compactSoon,
		broken: s.mendSoon, last: r.last, segments: kept,
	}
	j.rotateAt.Store(s.opts.SegmentBytes)
	j.ahead.soon = make(chan struct{}, 1)
	j.ahead.most, j.ahead.piece = fillAhead, fillPiece
	j.epoch.Store(firstEpoch)
	if len(kept) == 0 {
		j.salt = rand.Uint32()
		f, seg, err := createSegment(s.fs, dir, segmentInfo{first: r.last + 1, follows: r.last, version: s.version.Load(), salt: j.salt})
		if err != nil {
			return err
		}
		j.begin(f, seg.size)
		j.segments = []segment{seg}
	} else {
		tail := kept[len(kept)-1]
		if err := r.rewriteTail(tail); err != nil {
			return err
		}
		f, err := s.fs.OpenFile(tail.path, patchFlags)
		if err != nil {
			return err
		}
		err = f.Truncate(tail.size)
		if err == nil {
			err = f.Sync()
		}
		if err != nil {
			f.Close()
			return err
		}
		j.begin(f, tail.size)
	}
	j.written.Store(r.last)
	j.durable.Store(r.last)
	if !found {
		if err := j.writeManifest(j.segments[0].first); err != nil {
			j.file.Close()
			return err
		}
	}
	s.journal = j
	return nil
}

// listSegments returns the journal's files, oldest first.
func listSegments(fs fileSystem, dir string, log *slog.Logger) ([]segment, error) {
	entries, err := fs.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var segments []segment
	for _, e := range entries {
		first, ok := parseSegmentName(e.Name())
		if !ok {
			log.Warn("journal: a file that is no segment is ignored", "file", filepath.Join(dir, e.Name()))
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		segments = append(segments, segment{path: filepath.Join(dir, e.Name()), first: first, size: info.Size()})
	}
	slices.SortFunc(segments, func(a, b segment) int { return cmp.Compare(a.first, b.first) })
	return segments, nil
}

// replay walks the journal at the start.
type replay struct {
	store   *Store
	known   manifest
	last    uint64 // newest sequence read
	salt    uint32
	sure    uint64            // newest sequence that some record or the manifest calls durable
	touched []*space          // spaces in the journal
	dropped map[*space]uint64 // the last drop of those that have one

	total   int64 // bytes
	done    atomic.Int64
	stopped chan struct{}
}

// run reads the segments and returns those that are left, the last one without
// its torn end.
func (r *replay) run(segments []segment) (kept []segment, err error) {
	r.dropped = make(map[*space]uint64)
	for _, seg := range segments {
		r.total += seg.size
	}
	r.stopped = make(chan struct{})
	defer close(r.stopped)
	go r.progress()
	i := 0
	err = scanSegments(r.store.fs, segments, &r.done, func(scan *segmentScan) error {
		ok, err := r.segment(scan, i == 0, i == len(segments)-1)
		if err == nil && ok {
			kept = append(kept, scan.seg)
		}
		i++
		return err
	})
	return kept, err
}

// segment judges what was read of one file. It corrects the segment's size when
// a torn tail is cut off, and returns false when nothing of it is left.
func (r *replay) segment(scan *segmentScan, isFirst, isLast bool) (ok bool, err error) {
	seg := &scan.seg
	if scan.headErr != nil {
		if isLast && seg.first > r.known.newest && errors.Is(scan.headErr, storage.ErrDamaged) {
			return false, r.removeTorn(*seg, scan.headErr)
		}
		return false, scan.headErr
	}
	info := scan.info
	if !isFirst && info.follows != r.last {
		return false, &storage.DamageError{File: seg.path, Offset: prefixSize, Reason: fmt.Sprintf("it follows journal record %d, but what is before it ends at %d: records are missing", info.follows, r.last)}
	}
	seg.follows = info.follows
	r.last, r.salt = scan.last, info.salt
	r.sure = max(r.sure, scan.sure)
	r.store.raiseVersion(scan.version)
	if scan.err != nil {
		if err := r.cut(scan, isLast); err != nil {
			return false, err
		}
	}
	seg.size = scan.end
	for _, name := range slices.Sorted(maps.Keys(scan.parts)) { // in the same order each time, for tests
		r.note(name, scan.parts[name])
	}
	return true, nil
}

// removeTorn removes a last segment whose creation was cut short.
func (r *replay) removeTorn(seg segment, cause error) error {
	b, err := readAll(r.store.fs, seg.path)
	if err != nil {
		return err
	}
	if !tornHeader(b) {
		return cause
	}
	r.store.log.Warn("journal: a segment that was being created is removed", "file", seg.path, "bytes", len(b))
	if err := r.store.fs.Remove(seg.path); err != nil {
		return err
	}
	return r.store.fs.SyncDir(filepath.Dir(seg.path))
}

// cut accepts a torn record at the end of the journal, and nothing else.
func (r *replay) cut(scan *segmentScan, isLast bool) error {
	if !isDamage(scan.err) {
		return scan.err
	}
	seg := scan.seg
	damage := &storage.DamageError{File: seg.path, Offset: scan.end, Reason: scan.err.Error()}
	if !isLast || errors.Is(scan.err, errMalformed) || r.last < r.known.durable {
		return damage
	}
	b, err := readAll(r.store.fs, seg.path)
	if err != nil {
		return err
	}
	if !mayCut(b, int(scan.end), r.last, scan.info.salt) {
		return damage
	}
	r.store.log.Warn("journal: an unfinished record at its end is cut off",
		"file", seg.path, "offset", scan.end, "bytes", int64(len(b))-scan.end, "reason", scan.err)
	return nil
}

// note adds what a segment holds of a space to the space's tail.
func (r *replay) note(stored string, part *scanPart) {
	s := r.store
	name, _, _ := readName([]byte(stored))
	s.unsettled[name.Tenant] = struct{}{}
	sp := s.spaceFor(storage.Durable, name)
	if sp.lastSeq.Swap(part.lastSeq) == 0 {
		r.touched = append(r.touched, sp)
	}
	if part.dropped != 0 {
		sp.tail = nil
		r.dropped[sp] = part.dropped
	}
	if len(part.piece.refs) > 0 {
		if sp.tail == nil {
			sp.tail = new(tail)
		}
		sp.tail.pieces = append(sp.tail.pieces, part.piece)
	}
}

// settle ends the replay: what drops did not get to remove goes, and the spaces
// with records wait for a snapshot.
func (r *replay) settle() error {
	s := r.store
	s.replayed = r.last
	for _, sp := range r.touched {
		if dropped := r.dropped[sp]; dropped != 0 {
			if err := s.finishDrop(sp.name, dropped); err != nil {
				return err
			}
		}
		if sp.tail != nil {
			s.dirty.restore(sp, sp.tail.since(0))
		}
	}
	return nil
}

// finishDrop removes a snapshot from before a drop. It need not be readable.
func (s *Store) finishDrop(name storage.ID, dropped uint64) error {
	seq, err := s.snapshotSeq(name)
	if err == nil && seq >= dropped {
		return nil
	}
	if err != nil && !errors.Is(err, storage.ErrDamaged) {
		return err
	}
	return s.removeSnapshot(name)
}

// rewriteTail writes those records of the last segment once more of which nobody
// knows that they are durable. The last process may have ended because an fsync
// failed: the system then has them in memory, takes them for written, and no
// fsync of ours would write them.
func (r *replay) rewriteTail(seg segment) error {
	header := seg.first > max(r.sure, r.known.newest) // is it durable?
	if r.last <= r.sure && !header {
		return nil
	}
	b, err := readAll(r.store.fs, seg.path)
	if err != nil {
		return err
	}
	off := segmentHeader
	for off < int(seg.size) && binary.LittleEndian.Uint64(b[off+8:]) <= r.sure {
		off += recordHeader + int(binary.LittleEndian.Uint32(b[off+4:]))
	}
	if header {
		off = 0
	}
	f, err := r.store.fs.OpenFile(seg.path, patchFlags)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b[off:seg.size], int64(off))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// tornHeader tells that a segment's creation was cut short: records are only
// written behind a durable header.
func tornHeader(b []byte) bool {
	return len(b) < segmentHeader || len(bytes.Trim(b, "\x00")) == 0
}

// mayCut judges the unreadable rest of the last segment. Records end torn when
// the process or the machine died while writing; that is always the last thing
// in the file. An intact record behind the damage therefore means damage,
// except where a power cut lost sectors of what was never fsynced and kept
// later ones: those are zero, and no later record says that the lost one was
// durable.
func mayCut(b []byte, off int, last uint64, salt uint32) bool {
	next, ok := findRecord(b, off+1, last, salt)
	if !ok {
		return true
	}
	if !lostSector(b[:next], off) {
		return false
	}
	for next < len(b) {
		rec, n, err := decodeRecord(b[next:], salt)
		if err != nil {
			break
		}
		if rec.durable > last {
			return false
		}
		next += n
	}
	return true
}

// findRecord returns the place of the first intact record at or after off that
// can follow record last.
func findRecord(b []byte, off int, last uint64, salt uint32) (int, bool) {
	limit := last + 1 + uint64(len(b)/recordHeader)
	for ; off+recordHeader <= len(b); off++ {
		rec, _, err := decodeRecordIf(b[off:], salt, func(seq uint64) bool { return seq > last && seq <= limit })
		if err == nil && rec.seq > last {
			return off, true
		}
	}
	return 0, false
}

// lostSector tells whether a sector of the file is zero from off on: all of it,
// or, where off stands in it, its rest.
func lostSector(b []byte, off int) bool {
	const sector = 512
	for from := off; from < len(b); {
		to := from/sector*sector + sector
		if to > len(b) {
			return false
		}
		if len(bytes.Trim(b[from:to], "\x00")) == 0 {
			return true
		}
		from = to
	}
	return false
}

// progress tells an operator who waits for a long start.
func (r *replay) progress() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-r.stopped:
			return
		case <-tick.C:
			r.store.log.Info("journal: replaying", "bytes", r.done.Load(), "of", r.total)
		}
	}
}
