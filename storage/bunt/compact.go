package bunt

import (
	"context"
	"errors"
	iofs "io/fs"
	"math"
	"path/filepath"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// A closed segment can go once every space has a snapshot that includes its
// records. Compaction in the background therefore works from the oldest end,
// and only while the journal is larger than its budget: a space that is written
// to all the time gets one snapshot for each time the journal goes round, not
// one for each segment.

// A compaction that failed is tried again after a while, and then less and less
// often.
const (
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
)

// leastSegments is how many full segments the journal may always hold.
const leastSegments = 4

// journalBudget is how many bytes the journal may hold before snapshots are
// written for its sake: half of what all snapshots take. In the worst case, when
// every space is written to all the time, a byte is then written three times in
// all, and a start checks half as much journal as there is data.
func (s *Store) journalBudget() int64 {
	return max(leastSegments*s.opts.SegmentBytes, s.snapshotBytes.Load()/2)
}

// compactSoon asks for a compaction in the background.
func (s *Store) compactSoon() {
	select {
	case s.compact <- struct{}{}:
	default: // one is asked for already
	}
}

func (s *Store) compactor() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.spawn(func() { <-s.stop; cancel() })
	s.countSnapshots()
	var retry <-chan time.Time
	var pause time.Duration
	for {
		select {
		case <-s.stop:
			return
		case <-s.compact:
		case <-retry:
		}
		retry = nil
		if err := s.compactOver(ctx); err != nil && !errors.Is(err, storage.ErrClosed) && ctx.Err() == nil {
			// The journal is only longer than it need be.
			pause = min(max(2*pause, firstRetry), lastRetry)
			retry = time.After(pause)
			s.log.Error("snapshots could not be written; the journal keeps growing", "error", err, "again in", pause)
		} else {
			pause = 0
		}
	}
}

// Compact snapshots every space that has changed since its last snapshot and
// deletes the journal segments that are not needed any more. Errors:
// storage.ErrWriteFailed, storage.ErrClosed, the system's, the context's.
func (s *Store) Compact(ctx context.Context) error {
	if s.closed.Load() {
		return storage.ErrClosed
	}
	if s.journal == nil {
		return nil
	}
	if err := s.journal.rotate(ctx); err != nil {
		return err
	}
	return s.compactClosed(ctx)
}

// compactClosed makes all closed segments superfluous and deletes them.
func (s *Store) compactClosed(ctx context.Context) error {
	segments, last := s.journal.closedSegments()
	if len(segments) == 0 {
		return nil
	}
	if err := s.snapshotUpTo(ctx, last, nil); err != nil {
		return err
	}
	return s.deleteCovered()
}

// compactOver brings the journal back under its budget.
func (s *Store) compactOver(ctx context.Context) error {
	pace := newPacer(s.opts.SnapshotRate)
	for {
		segments, last := s.journal.closedSegments()
		budget, size := s.journalBudget(), s.journal.bytes()
		if len(segments) == 0 || size <= budget {
			return nil
		}
		if len(segments) > 1 {
			last = segments[1].first - 1
		}
		if size > 2*budget {
			pace = nil // writers are faster
		}
		if err := s.snapshotUpTo(ctx, last, pace); err != nil {
			return err
		}
		if err := s.deleteCovered(); err != nil {
			return err
		}
		if left, _ := s.journal.closedSegments(); len(left) == len(segments) {
			return nil // a backup needs them
		}
	}
}

// snapshotUpTo snapshots the spaces that lack a record up to last. Those that
// somebody keeps come last, in rounds of more and more patience: whatever needs
// Store.compacting gets its turn in between.
func (s *Store) snapshotUpTo(ctx context.Context, last uint64, pace *pacer) error {
	var damaged error
	patience := noPatience
	for spaces := s.dirty.upTo(last); len(spaces) > 0; patience = max(firstPatience, 2*patience) {
		var busy []*space
		for _, sp := range spaces {
			if err := ctx.Err(); err != nil {
				return err
			}
			if s.closed.Load() {
				return storage.ErrClosed
			}
			switch err := s.snapshotSpace(ctx, sp, last, pace, patience); {
			case errors.Is(err, errBusy):
				busy = append(busy, sp)
			case errors.Is(err, storage.ErrDamaged): // the others need not suffer
				damaged = err
			case err != nil:
				return err
			}
		}
		spaces = busy
	}
	return damaged
}

// snapshotSpace snapshots one space. One that was not in memory leaves it again,
// unless somebody has come to use it meanwhile.
func (s *Store) snapshotSpace(ctx context.Context, sp *space, last uint64, pace *pacer, patience time.Duration) error {
	s.compacting.Lock()
	defer s.compacting.Unlock()
	resident, err := sp.trimTail(patience)
	if err != nil {
		return err
	}
	if since := sp.dirtySince.Load(); since == 0 || since > last {
		return nil
	}
	used := sp.used.Load()
	if !resident {
		if err := sp.load(false); err != nil {
			return err
		}
	}
	if err := s.snapshot(ctx, sp, pace, patience); err != nil {
		return err
	}
	if !resident {
		sp.closeIf(func() bool { return sp.used.Load() == used })
	}
	return nil
}

// deleteCovered deletes the closed segments that no snapshot needs any more.
func (s *Store) deleteCovered() error {
	before, _ := s.History()
	err := s.deleteSegments()
	if after, _ := s.History(); s.opts.OnForgotten != nil && after > before {
		s.opts.OnForgotten()
	}
	return err
}

// History implements storage.Forgetter. A journal's records are numbered.
func (s *Store) History() (oldest, newest uint64) {
	if s.journal == nil {
		return math.MaxUint64, 0
	}
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return s.journal.segments[0].first, s.journal.last
}

func (s *Store) deleteSegments() error {
	s.compacting.Lock() // a snapshot under way has taken its space off the list
	defer s.compacting.Unlock()
	s.drops.Lock()
	defer s.drops.Unlock()
	if s.holds > 0 {
		return nil // a backup asks for the next compaction when it is done
	}
	if err := s.removeUndead(); err != nil {
		return err
	}
	if err := s.settle(); err != nil {
		return err
	}
	// In this order: a space that becomes dirty later has no record in them.
	segments, last := s.journal.closedSegments()
	since := s.dirty.oldest()
	covered := 0
	for i := range segments {
		end := last
		if i+1 < len(segments) {
			end = segments[i+1].first - 1
		}
		if since != 0 && end >= since {
			break
		}
		covered++
	}
	if covered == 0 {
		return nil
	}
	return s.journal.deleteSegments(segments[:covered])
}

// settle makes the names of snapshots durable that an earlier process gave and
// that the replay relied on.
func (s *Store) settle() error {
	if len(s.unsettled) == 0 {
		return nil
	}
	spaces := filepath.Join(s.dir, spacesDir)
	for tenant := range s.unsettled {
		if err := s.fs.SyncDir(filepath.Join(spaces, tenant)); err != nil && !errors.Is(err, iofs.ErrNotExist) {
			return err
		}
	}
	if err := s.fs.SyncDir(spaces); err != nil {
		return err
	}
	clear(s.unsettled)
	return nil
}

// countSnapshots measures the snapshots that the start found.
func (s *Store) countSnapshots() {
	spaces := filepath.Join(s.dir, spacesDir)
	tenants, err := s.fs.ReadDir(spaces)
	for _, tenant := range tenants {
		if s.closed.Load() {
			return
		}
		if !tenant.IsDir() {
			continue
		}
		apps, terr := s.fs.ReadDir(filepath.Join(spaces, tenant.Name()))
		if terr != nil && !errors.Is(terr, iofs.ErrNotExist) {
			err = terr
		}
		for _, app := range apps {
			if info, err := app.Info(); err == nil {
				s.snapshotBytes.Add(info.Size())
			}
		}
	}
	if err != nil {
		s.log.Warn("the snapshots could not be measured; the journal may be deleted sooner than it need be", "error", err)
	}
}

// bytes returns the size of all segments.
func (j *journal) bytes() (n int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, seg := range j.segments {
		n += seg.size
	}
	return n
}
