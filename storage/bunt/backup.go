package bunt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"path"
	"path/filepath"

	"github.com/cubbykv/cubby/storage"
)

var (
	_ storage.Syncer    = (*Store)(nil)
	_ storage.Compactor = (*Store)(nil)
	_ storage.Backuper  = (*Store)(nil)
)

// Backup writes all snapshots, and then the journal up to where it is at that
// moment: the position that the backup shows.
//
// No snapshot is made for it and nobody waits for it. While it runs, snapshots
// are replaced and namespaces dropped as always; no segment of the journal is
// deleted. That is enough: whatever a copied snapshot holds happened before the
// position, and every record behind the snapshot's own sequence, drops
// included, is in the segments that are kept. Everything is checked while it is
// copied, so damage ends the backup. Errors: see storage.Backuper.
func (s *Store) Backup(ctx context.Context, w io.Writer, progress func(done, total int64)) (storage.BackupInfo, error) {
	var info storage.BackupInfo
	switch {
	case s.closed.Load():
		return info, storage.ErrClosed
	case s.journal == nil:
		return info, storage.ErrNoBackup
	}
	s.holdSegments()
	defer s.letSegmentsGo()

	snapshots, err := listSnapshots(s.dir, nil)
	if err != nil {
		return info, err
	}
	b := backup{fs: s.fs, progress: progress}
	s.journal.mu.Lock()
	for _, seg := range s.journal.segments {
		b.total += seg.size
	}
	s.journal.mu.Unlock()
	if err := b.begin(w, snapshots); err != nil {
		return info, err
	}
	for _, f := range snapshots {
		if s.closed.Load() {
			return info, storage.ErrClosed
		}
		if err := b.snapshot(ctx, f); err != nil {
			return info, err
		}
	}
	info.CreatedAt = s.clock()
	cut := s.journal.newest()
	if err := s.journal.sync(ctx, cut); err != nil {
		return info, err
	}
	s.journal.mu.Lock()
	segments := append([]segment(nil), s.journal.segments...)
	s.journal.mu.Unlock()
	info.Seq = storage.Seq(cut)
	err = b.journal(ctx, segments, cut, info.CreatedAt)
	info.Files, info.Bytes = int(b.files), int64(b.bytes)
	return info, err
}

// holdSegments keeps the journal's files until letSegmentsGo.
func (s *Store) holdSegments() {
	s.drops.Lock() // no deletion is under way
	s.holds++
	s.drops.Unlock()
}

func (s *Store) letSegmentsGo() {
	s.drops.Lock()
	s.holds--
	last := s.holds == 0
	s.drops.Unlock()
	if last {
		s.compactSoon()
	}
}

// BackupDir is Backup for a directory that no server uses. Errors:
// storage.ErrLocked, storage.ErrDamaged, the system's, the context's, w's.
func BackupDir(ctx context.Context, dir string, w io.Writer, o VerifyOptions) (storage.BackupInfo, error) {
	info := storage.BackupInfo{CreatedAt: o.now()}
	lock, err := takeDir(dir)
	if err != nil {
		return info, err
	}
	defer lock.Close()
	s, report, err := verify(ctx, dir, VerifyOptions{Now: o.Now})
	if err != nil {
		return info, err
	}
	if len(report.Damage) > 0 {
		return info, &report.Damage[0]
	}
	snapshots, err := listSnapshots(dir, nil)
	if err != nil {
		return info, err
	}
	b := backup{fs: systemFS{}, progress: o.Progress, total: s.bytes}
	if err := b.begin(w, snapshots); err != nil {
		return info, err
	}
	for _, f := range snapshots {
		if err := b.snapshot(ctx, f); err != nil {
			return info, err
		}
	}
	info.Seq = storage.Seq(s.last)
	err = b.journal(ctx, s.segments, s.last, info.CreatedAt)
	info.Files, info.Bytes = int(b.files), int64(b.bytes)
	return info, err
}

// backup is one under way.
type backup struct {
	*archiveWriter
	fs          fileSystem
	progress    func(done, total int64)
	done, total int64
}

func (b *backup) begin(w io.Writer, snapshots []snapshotFile) (err error) {
	for _, f := range snapshots {
		b.total += f.size
	}
	b.archiveWriter, err = newArchiveWriter(w)
	return err
}

func (b *backup) step(n int64) {
	b.done += n
	if b.progress != nil {
		b.progress(min(b.done, b.total), b.total)
	}
}

// snapshot copies a snapshot while it is read and checked.
func (b *backup) snapshot(ctx context.Context, f snapshotFile) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	in, err := b.fs.OpenFile(f.path, readFlags)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil // dropped or emptied: the journal says so
	}
	if err != nil {
		return err
	}
	defer in.Close()
	if err := b.archiveWriter.begin(path.Join(spacesDir, f.id.Tenant, f.id.App+snapshotExt)); err != nil {
		return err
	}
	r := &snapshotReader{path: f.path, r: bufio.NewReaderSize(io.TeeReader(in, b), blockBytes)}
	if _, err := r.header(f.id); err != nil {
		return err
	}
	if _, err := r.entries(func(op) {}, nil); err != nil {
		return err
	}
	b.step(r.off)
	return nil
}

// journal copies the records up to a sequence, and ends the backup with the
// manifest of what is in it.
func (b *backup) journal(ctx context.Context, segments []segment, cut uint64, at int64) error {
	m := manifest{durable: cut}
	var end uint64 // the last record so far
	var ends string
	for _, seg := range segments {
		if err := ctx.Err(); err != nil {
			return err
		}
		if seg.first > cut+1 {
			break
		}
		content, err := readAll(b.fs, seg.path)
		if err != nil {
			return err
		}
		if m.newest > 0 && tornHeader(content) {
			break // it was being created, offline
		}
		if content, end, err = upTo(seg, content, cut); err != nil {
			return err
		}
		ends = seg.path
		if m.oldest == 0 {
			m.oldest = seg.first
		}
		m.newest = seg.first
		if err := b.file(path.Join(journalDir, filepath.Base(seg.path)), content); err != nil {
			return err
		}
		b.step(int64(len(content)))
	}
	if end < cut && ends != "" {
		return &storage.DamageError{File: ends, Reason: fmt.Sprintf("it ends at record %d, but record %d was written", end, cut)}
	}
	if err := b.file(manifestName, m.encode()); err != nil {
		return err
	}
	return b.end(at)
}

// upTo returns the part of a segment up to a record, and its last record.
func upTo(seg segment, b []byte, cut uint64) (part []byte, last uint64, err error) {
	info, err := decodeSegmentHeader(seg.path, b)
	if err != nil {
		return nil, 0, err
	}
	last, off := info.first-1, segmentHeader
	for off < len(b) && last < cut {
		rec, n, err := decodeRecord(b[off:], info.salt)
		if err != nil && blankEnd(b[off:]) {
			break // written ahead, when the last process was killed
		}
		if err == nil && rec.seq != last+1 {
			err = fmt.Errorf("record %d follows record %d", rec.seq, last)
		}
		if err != nil {
			return nil, 0, &storage.DamageError{File: seg.path, Offset: int64(off), Reason: err.Error()}
		}
		last = rec.seq
		off += n
	}
	return b[:off], last, nil
}

func (b *backup) file(name string, content []byte) error {
	if err := b.archiveWriter.begin(name); err != nil {
		return err
	}
	_, err := b.Write(content)
	return err
}
