package bunt

import (
	"cmp"
	"context"
	"errors"
	iofs "io/fs"
	"path/filepath"
	"slices"

	"github.com/cubbykv/cubby/storage"
)

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
	for {
		select {
		case <-s.stop:
			return
		case <-s.compact:
		}
		if err := s.compactClosed(ctx); err != nil && !errors.Is(err, storage.ErrClosed) {
			// The journal is only longer than it need be. The next one tries again.
			s.log.Error("snapshots could not be written; the journal keeps growing", "error", err)
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

// compactClosed makes the closed segments superfluous and deletes them.
func (s *Store) compactClosed(ctx context.Context) error {
	s.compacting.Lock()
	defer s.compacting.Unlock()
	segments, last := s.journal.closedSegments()
	if len(segments) == 0 {
		return nil
	}
	spaces := s.allSpaces()
	slices.SortFunc(spaces, func(a, b *space) int { return cmp.Compare(a.id, b.id) }) // tests repeat it
	for _, sp := range spaces {
		if s.closed.Load() {
			return storage.ErrClosed
		}
		if since := sp.dirtySince.Load(); since == 0 || since > last {
			continue
		}
		if err := s.snapshot(ctx, sp); err != nil {
			return err
		}
	}
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
	return s.journal.deleteSegments(segments)
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
