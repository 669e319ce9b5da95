package bunt

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"path/filepath"

	"github.com/cubbykv/cubby/storage"
)

// Drop erases both databases of a namespace. After an error it may be tried
// again. Errors: storage.ErrWriteFailed, storage.ErrClosed, the context's.
func (s *Store) Drop(ctx context.Context, id storage.ID) error {
	s.drops.RLock()
	defer s.drops.RUnlock()
	if s.closed.Load() {
		return storage.ErrClosed
	}
	spaces, done, err := s.beginDrop(ctx, id)
	if err != nil {
		return err
	}
	erased, err := s.dropSpaces(id, spaces)

	s.mu.Lock()
	if erased {
		for db := range s.spaces {
			delete(s.spaces[db], id)
		}
	}
	delete(s.dropping, id)
	s.mu.Unlock()
	close(done)
	return err
}

// beginDrop keeps everybody else from opening or dropping the namespace.
func (s *Store) beginDrop(ctx context.Context, id storage.ID) ([]*space, chan struct{}, error) {
	for {
		s.mu.Lock()
		other := s.dropping[id]
		if other == nil {
			done := make(chan struct{})
			s.dropping[id] = done
			var spaces []*space
			for db := len(s.spaces) - 1; db >= 0; db-- { // in lock order
				if sp := s.spaces[db][id]; sp != nil {
					spaces = append(spaces, sp)
				}
			}
			s.mu.Unlock()
			return spaces, done, nil
		}
		s.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// dropSpaces erases on disk first, then in memory. It holds the spaces' locks
// while it writes: nobody may see a namespace that a crash would bring back.
// When the record is written and its fsync fails, the namespace is erased, as it
// will be after a restart, and there is an error, because a power cut may bring
// it back.
func (s *Store) dropSpaces(id storage.ID, spaces []*space) (erased bool, err error) {
	for _, sp := range spaces {
		sp.mu.Lock()
		defer sp.mu.Unlock()
	}
	var seq uint64
	if s.journal != nil {
		if s.journal.failed.Load() {
			return false, s.journal.failure()
		}
		seq = s.journal.append(appendName([]byte{byte(kindDrop)}, id), nil)
		// Not the caller's context: half way through there is no way back.
		if err = s.journal.sync(context.Background(), seq); err != nil {
			if s.journal.written.Load() < seq {
				return false, err
			}
			err = fmt.Errorf("%w (the namespace is erased, but a power cut may bring it back)", err)
		}
	}
	for _, sp := range spaces {
		sp.dropped.Store(true)
		sp.lastSeq.Store(seq)
		if sp.ks != nil {
			sp.dropRows()
		}
		if err := sp.shard.apply(nil, alarm{space: sp, off: true}); err != nil {
			s.log.Error("drop: an alarm could not be removed", "namespace", id.String(), "error", err)
		}
		sp.reset()
		sp.tail = nil
		s.dirty.clean(sp)
		s.resize(sp, 0)
		s.residents.remove(sp)
		sp.account()
	}
	if s.journal == nil {
		return true, nil
	}
	if err == nil {
		err = s.removeSnapshot(id)
		if err == nil {
			return true, nil
		}
		s.log.Error("drop: a snapshot could not be removed; it is tried again", "namespace", id.String(), "error", err)
		err = nil
	}
	s.files.Lock()
	s.undead[id] = seq // the record stays in the journal as long as the file is there
	s.files.Unlock()
	return true, err
}

func (s *Store) snapshotPath(id storage.ID) string {
	return filepath.Join(s.dir, spacesDir, id.Tenant, id.App+snapshotExt)
}

// removeSnapshot removes a namespace's file, if there is one, and its tenant's
// directory when that is empty.
func (s *Store) removeSnapshot(id storage.ID) error {
	s.files.Lock()
	defer s.files.Unlock()
	return s.removeFile(id)
}

// removeFile is removeSnapshot for those who hold files.
func (s *Store) removeFile(id storage.ID) error {
	path := s.snapshotPath(id)
	if err := s.fs.Remove(path); err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return fmt.Errorf("remove snapshot: %w", err)
	}
	// Also when the file is gone: whoever removed it may have died before this.
	if err := s.fs.SyncDir(filepath.Dir(path)); err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return fmt.Errorf("remove snapshot: %w", err)
	}
	delete(s.undead, id)
	_ = s.fs.Remove(filepath.Dir(path)) // refused while other apps are in it
	return nil
}

// removeUndead tries again to remove the snapshots of dropped namespaces.
func (s *Store) removeUndead() error {
	s.files.Lock()
	defer s.files.Unlock()
	for id, seq := range s.undead {
		if seq > s.journal.durable.Load() {
			// A power cut may bring the namespace back, and then it must be whole.
			return fmt.Errorf("snapshot of the dropped namespace %s: %w", id, s.journal.failure())
		}
		if err := s.removeFile(id); err != nil {
			return fmt.Errorf("snapshot of the dropped namespace %s: %w", id, err)
		}
	}
	return nil
}
