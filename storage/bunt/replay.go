package bunt

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// openJournal applies the journal's records to the spaces that they touch, and
// opens the journal behind its last record.
func (s *Store) openJournal() error {
	dir := filepath.Join(s.dir, journalDir)
	r := replay{store: s, began: time.Now()}
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
	for _, seg := range segments {
		r.total += seg.size
	}
	var kept []segment
	for i, seg := range segments {
		ok, err := r.segment(&seg, i == 0, i == len(segments)-1)
		if err != nil {
			return err
		}
		if ok {
			kept = append(kept, seg)
		}
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
	for _, sp := range s.allSpaces() {
		if !sp.loaded {
			continue
		}
		if err := sp.checkAge(r.last); err != nil {
			return err
		}
		if err := sp.indexAll(); err != nil {
			return err
		}
	}
	j := &journal{
		fs: s.fs, dir: dir, mode: s.opts.Sync, segmentBytes: s.opts.SegmentBytes, salt: r.salt,
		log: s.log, clock: s.clock, version: &s.version, rotated: s.compactSoon,
		broken: s.mendSoon, last: r.last, segments: kept, rotateAt: s.opts.SegmentBytes,
	}
	j.epoch.Store(firstEpoch)
	if len(kept) == 0 {
		j.salt = rand.Uint32()
		f, seg, err := createSegment(s.fs, dir, segmentInfo{first: r.last + 1, follows: r.last, version: s.version.Load(), salt: j.salt})
		if err != nil {
			return fmt.Errorf("data directory %s cannot be written: %w", s.dir, err)
		}
		j.file, j.size, j.segments = f, seg.size, []segment{seg}
	} else {
		tail := kept[len(kept)-1]
		if err := r.rewriteTail(tail); err != nil {
			return fmt.Errorf("data directory %s cannot be written: %w", s.dir, err)
		}
		f, err := s.fs.OpenFile(tail.path, appendFlags)
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
		j.file, j.size = f, tail.size
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
	store *Store
	known manifest
	last  uint64 // newest sequence read
	salt  uint32
	sure  uint64 // newest sequence that some record or the manifest calls durable

	total, done int64 // bytes
	began, told time.Time
}

// segment applies one file. It corrects the segment's size when a torn tail is
// cut off, and returns false when nothing of it is left.
func (r *replay) segment(seg *segment, isFirst, isLast bool) (ok bool, err error) {
	b, err := readAll(r.store.fs, seg.path)
	if err != nil {
		return false, err
	}
	if isLast && seg.first > r.known.newest && tornHeader(b) {
		r.store.log.Warn("journal: a segment that was being created is removed", "file", seg.path, "bytes", len(b))
		if err := r.store.fs.Remove(seg.path); err != nil {
			return false, err
		}
		return false, r.store.fs.SyncDir(filepath.Dir(seg.path))
	}
	info, err := decodeSegmentHeader(seg.path, b)
	if err != nil {
		return false, err
	}
	if !isFirst && info.follows != r.last {
		return false, &storage.DamageError{File: seg.path, Offset: prefixSize, Reason: fmt.Sprintf("it follows journal record %d, but what is before it ends at %d: records are missing", info.follows, r.last)}
	}
	seg.follows = info.follows
	r.last = info.first - 1
	r.salt = info.salt
	r.store.raiseVersion(info.version)

	off := segmentHeader
	for off < len(b) {
		rec, n, err := decodeRecord(b[off:], info.salt)
		if err == nil && rec.seq != r.last+1 {
			err = fmt.Errorf("%w: record %d follows record %d", errMalformed, rec.seq, r.last)
		}
		if err != nil {
			if !isLast || errors.Is(err, errMalformed) || r.last < r.known.durable || !mayCut(b, off, r.last, info.salt) {
				return false, &storage.DamageError{File: seg.path, Offset: int64(off), Reason: err.Error()}
			}
			r.store.log.Warn("journal: an unfinished record at its end is cut off",
				"file", seg.path, "offset", off, "bytes", len(b)-off, "reason", err)
			break
		}
		if err := r.apply(rec); err != nil {
			return false, err
		}
		r.last, r.sure = rec.seq, max(r.sure, rec.durable)
		off += n
		r.progress(seg.path, r.done+int64(off))
	}
	r.done += int64(len(b))
	seg.size = int64(off)
	return true, nil
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

// apply brings a record into its space, unless the snapshot includes it.
func (r *replay) apply(rec record) error {
	s := r.store
	s.unsettled[rec.name.Tenant] = struct{}{}
	sp := s.spaceFor(storage.Durable, rec.name)
	if !sp.loaded {
		if rec.kind == kindDrop {
			// The snapshot may be from before the drop and need not be readable.
			seq, err := s.snapshotSeq(rec.name)
			if err == nil && seq >= rec.seq {
				return nil
			}
			var damage *storage.DamageError
			if err != nil && !errors.As(err, &damage) {
				return err
			}
		} else if err := sp.loadSnapshot(); err != nil {
			return err
		}
	}
	if rec.seq <= sp.lastSeq.Load() {
		return nil
	}
	if rec.kind == kindDrop {
		if err := s.removeSnapshot(rec.name); err != nil {
			return err
		}
		sp.reset()
		sp.loaded = true
	}
	now := s.clock()
	for ops := rec.ops; len(ops) > 0; {
		o, rest, err := readOp(ops)
		if err != nil {
			return err
		}
		sp.applyOp(o, now)
		ops = rest
	}
	sp.lastSeq.Store(rec.seq)
	sp.dirtySince.CompareAndSwap(0, rec.seq)
	return nil
}

// applyOp repeats an operation of the journal. The shard is told later.
func (sp *space) applyOp(o op, now int64) {
	switch o.code {
	case opClear:
		sp.reset()
	case opDelete:
		if it := sp.items[string(o.key)]; it != nil {
			sp.take(it)
		}
	case opSet:
		sp.store.raiseVersion(o.version)
		sp.maxVersion = max(sp.maxVersion, o.version)
		it := sp.items[string(o.key)]
		switch ended := o.expiresAt != 0 && now >= o.expiresAt; {
		case ended && it == nil:
		case ended:
			sp.take(it)
		case it == nil:
			sp.add(newItem(sp.prefix+string(o.key), string(o.value), o.updatedAt, o.expiresAt, o.version))
		default:
			sp.put(it, string(o.value), o.updatedAt, o.expiresAt, o.version)
		}
	}
}

// indexAll tells the shard about all keys, in bounded steps.
func (sp *space) indexAll() error {
	const step = 512 // about a millisecond of the shard's lock
	changes := make([]change, 0, min(step, len(sp.items)))
	for _, it := range sp.items {
		if changes = append(changes, change{row: it.row()}); len(changes) == step {
			if err := sp.shard.apply(changes, alarm{}); err != nil {
				return err
			}
			changes = changes[:0]
		}
	}
	return sp.shard.apply(changes, sp.wantAlarm(sp.store.clock()))
}

// progress tells an operator who waits for a long start.
func (r *replay) progress(path string, done int64) {
	if now := time.Now(); now.Sub(r.began) > time.Second && now.Sub(r.told) > time.Second {
		r.told = now
		r.store.log.Info("journal: replaying", "file", path, "bytes", done, "of", r.total)
	}
}
