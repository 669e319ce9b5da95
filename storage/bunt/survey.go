package bunt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cubbykv/cubby/storage"
)

// survey is what a directory holds, found without trusting any byte of it: the
// readable records of the journal, in order, and the snapshots. It is made
// offline, under the directory's lock.
//
// Memory: one segment at a time, and some five bytes per journal record to find
// it again (tail.go). Contents are looked at one namespace at a time (contents.go).
type survey struct {
	dir      string
	segments []segment
	spaces   map[storage.ID]*surveyed

	first, last uint64 // of the journal's records; last is first-1 without any
	newest      uint64 // that any file knows of
	records     int
	bytes       int64  // of the journal
	version     uint64 // highest seen in a header
	salt        uint32
	salted      bool // salt is known

	damage  []Damage
	notes   []string
	journal bool // there is damage in the journal
	known   manifest
	step    func(done, total int64)
	done    int64
	total   int64
}

// Damage is a place where the files do not hold what was written.
type Damage struct {
	storage.DamageError
	// Namespace is whose data it is; empty where the damage hides that.
	Namespace string
}

// Error names file, offset, reason and namespace.
func (d *Damage) Error() string {
	if d.Namespace == "" {
		return d.DamageError.Error()
	}
	return d.DamageError.Error() + " (" + d.Namespace + ")"
}

// surveyed is what is known of one namespace.
type surveyed struct {
	id       storage.ID
	snapshot string // path, or empty
	records  tail
	lastOff  int64 // of the last piece of records
	damaged  bool  // the snapshot is not wholly readable
}

// errNotData tells that a directory is none of ours.
var errNotData = errors.New("it is not a data directory of Cubby: it has neither " + journalDir + " nor " + spacesDir)

// takeDir checks that dir is a data directory and locks it. Errors:
// storage.ErrLocked, the system's.
func takeDir(dir string) (*os.File, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	for _, sub := range []string{journalDir, spacesDir} {
		if info, err := os.Stat(filepath.Join(dir, sub)); err == nil && info.IsDir() {
			return lockDir(dir)
		}
	}
	return nil, fmt.Errorf("%s: %w", dir, errNotData)
}

// newSurvey reads the journal and lists the snapshots. Damage is no error.
func newSurvey(ctx context.Context, dir string, step func(done, total int64)) (*survey, error) {
	s := &survey{dir: dir, spaces: make(map[storage.ID]*surveyed), step: step}
	snapshots, err := listSnapshots(dir, func(path string) { s.note("%s is no file of Cubby's and was ignored", path) })
	if err != nil {
		return nil, err
	}
	for _, f := range snapshots {
		s.space(f.id).snapshot = f.path
		s.total += f.size
	}
	s.segments, err = listSegments(systemFS{}, filepath.Join(dir, journalDir), slog.New(slog.DiscardHandler))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := s.compareManifest(); err != nil {
		return nil, err
	}
	for _, seg := range s.segments {
		s.bytes += seg.size
	}
	s.total += 2 * s.bytes // once here, once namespace by namespace
	if err := s.findSalt(); err != nil {
		return nil, err
	}
	for i := range s.segments {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.segment(i); err != nil {
			return nil, err
		}
		s.advance(s.segments[i].size)
	}
	if s.last < s.known.durable {
		s.journalDamage("", filepath.Join(dir, journalDir), 0, "the journal ends at record %d, but record %d was durable", s.last, s.known.durable)
	}
	return s, nil
}

// compareManifest looks for segments that should be there, and leaves out
// those that do not count any more.
func (s *survey) compareManifest() error {
	m, found, err := readManifest(systemFS{}, s.dir)
	if err == nil {
		s.known = m
		_, _, err = m.judge(found, s.dir, s.segments)
	}
	if err != nil {
		if err := s.found("", err); err != nil {
			return err
		}
		s.journal = true
	}
	s.segments = slices.DeleteFunc(s.segments, func(seg segment) bool { return seg.first < s.known.oldest })
	return nil
}

// snapshotFile is a snapshot in its place.
type snapshotFile struct {
	id   storage.ID
	path string
	size int64
}

// listSnapshots finds the snapshots below dir, in the order of their names.
// stray, unless nil, hears of files that are none.
func listSnapshots(dir string, stray func(path string)) (list []snapshotFile, err error) {
	root := filepath.Join(dir, spacesDir)
	tenants, err := os.ReadDir(root)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if stray == nil {
		stray = func(string) {}
	}
	for _, tenant := range tenants {
		path := filepath.Join(root, tenant.Name())
		if !tenant.IsDir() {
			if !strings.HasSuffix(path, tempSuffix) { // the next start removes those
				stray(path)
			}
			continue
		}
		apps, err := os.ReadDir(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, app := range apps {
			name, ok := strings.CutSuffix(app.Name(), snapshotExt)
			info, err := app.Info()
			switch {
			case errors.Is(err, os.ErrNotExist): // dropped meanwhile
			case err != nil:
				return nil, err
			case !ok || !info.Mode().IsRegular():
				stray(filepath.Join(path, app.Name()))
			default:
				list = append(list, snapshotFile{storage.ID{Tenant: tenant.Name(), App: name}, filepath.Join(path, app.Name()), info.Size()})
			}
		}
	}
	return list, nil
}

// space returns what is known of a namespace, which may be nothing yet.
func (s *survey) space(id storage.ID) *surveyed {
	sp := s.spaces[id]
	if sp == nil {
		id = storage.ID{Tenant: strings.Clone(id.Tenant), App: strings.Clone(id.App)}
		sp = &surveyed{id: id}
		s.spaces[id] = sp
	}
	return sp
}

// ids returns the namespaces in order.
func (s *survey) ids() []storage.ID {
	ids := make([]storage.ID, 0, len(s.spaces))
	for id := range s.spaces {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b storage.ID) int { return strings.Compare(a.String(), b.String()) })
	return ids
}

func (s *survey) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

func (s *survey) advance(n int64) {
	s.done += n
	if s.step != nil {
		s.step(min(s.done, s.total), s.total)
	}
}

// found keeps damage that err describes, and returns any other error.
func (s *survey) found(namespace string, err error) error {
	var d *storage.DamageError
	if !errors.As(err, &d) {
		return err
	}
	s.damage = append(s.damage, Damage{*d, namespace})
	return nil
}

// journalDamage keeps damage of the journal.
func (s *survey) journalDamage(namespace, file string, off int, format string, args ...any) {
	s.journal = true
	s.damage = append(s.damage, Damage{storage.DamageError{File: file, Offset: int64(off), Reason: fmt.Sprintf(format, args...)}, namespace})
}

// segment reads one file of the journal.
func (s *survey) segment(i int) error {
	seg := s.segments[i]
	isLast := i == len(s.segments)-1
	b, err := readAll(systemFS{}, seg.path)
	if err != nil {
		return err
	}
	if i == 0 {
		s.first, s.last = seg.first, seg.first-1
	}
	if isLast && seg.first > s.known.newest && tornHeader(b) {
		s.note("%s was being created when the server died; the next start removes it", seg.path)
		return nil
	}
	info, err := decodeSegmentHeader(seg.path, b)
	if err != nil {
		if err := s.found("", err); err != nil {
			return err
		}
		s.journal = true
		// It is read all the same: all segments share the salt.
		info = segmentInfo{first: seg.first, follows: seg.first - 1, salt: s.salt}
	} else {
		s.version = max(s.version, info.version)
	}
	if i > 0 && info.follows != s.last {
		s.journalDamage("", seg.path, prefixSize, "it follows journal record %d, but what is before it ends at %d: records are missing", info.follows, s.last)
	}
	if seg.first <= s.last {
		return nil // the same numbers twice: which is true cannot be known
	}
	s.last = seg.first - 1
	if s.salted {
		s.readRecords(i, b, info.salt, isLast)
	}
	return nil
}

// readRecords walks a segment, over damage to the next record that is intact.
func (s *survey) readRecords(i int, b []byte, salt uint32, isLast bool) {
	path := s.segments[i].path
	in := &tailSegment{path: path, salt: salt, size: int64(len(b))}
	for off := min(segmentHeader, len(b)); off < len(b); {
		rec, n, err := decodeRecord(b[off:], salt)
		if err == nil && rec.seq == s.last+1 {
			s.keep(in, off, rec)
			off += n
			continue
		}
		if err != nil && blankEnd(b[off:]) {
			return // written ahead; whether records are missing is seen elsewhere
		}
		if err == nil {
			err = fmt.Errorf("record %d follows record %d", rec.seq, s.last)
		} else if isLast && !errors.Is(err, errMalformed) && s.last >= s.known.durable && mayCut(b, off, s.last, salt) {
			s.note("%s ends in an unfinished record at byte %d; the next start cuts it off", path, off)
			return
		}
		next, ok := findRecord(b, off, s.last, salt)
		if !ok {
			s.journalDamage(s.hint(b[off:]), path, off, "%v; no later record in the file is intact", err)
			return
		}
		rec, n, _ = decodeRecord(b[next:], salt)
		s.journalDamage(s.hint(b[off:]), path, off, "%v; %s lost", err, lostRecords(s.last+1, rec.seq-1))
		s.last = rec.seq - 1
		s.keep(in, next, rec)
		off = next + n
	}
}

func lostRecords(from, to uint64) string {
	switch {
	case to < from:
		return "no record is"
	case from == to:
		return fmt.Sprintf("record %d is", from)
	}
	return fmt.Sprintf("records %d to %d are", from, to)
}

func (s *survey) keep(in *tailSegment, off int, rec record) {
	sp := s.space(rec.name)
	if n := len(sp.records.pieces); n == 0 || sp.records.pieces[n-1].segment != in {
		sp.records.pieces = append(sp.records.pieces, tailPiece{segment: in})
		sp.lastOff = 0
	}
	sp.records.pieces[len(sp.records.pieces)-1].note(rec.seq, int64(off), &sp.lastOff)
	s.last = rec.seq
	s.records++
}

// hint names the namespace that a damaged record seems to be of: its name is
// still readable, and one that exists. Nothing but the report relies on it.
func (s *survey) hint(b []byte) string {
	if len(b) <= recordHeader {
		return ""
	}
	id, _, ok := readName(b[recordHeader+1:])
	if !ok || s.spaces[id] == nil {
		return ""
	}
	return id.String()
}

// findSalt takes the salt, which all segments share, from the first header
// that is intact: a segment whose own is damaged can then be read all the same.
func (s *survey) findSalt() error {
	for _, seg := range s.segments {
		f, err := os.Open(seg.path)
		if err != nil {
			return err
		}
		b := make([]byte, segmentHeader)
		n, err := io.ReadFull(f, b)
		_ = f.Close()
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if info, err := decodeSegmentHeader(seg.path, b[:n]); err == nil {
			s.salt, s.salted = info.salt, true
			return nil
		}
	}
	return nil
}
