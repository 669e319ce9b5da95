package bunt

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// healEvery is how often a store whose disk is full looks for space.
const healEvery = time.Second

// mendSoon asks for a rollback in the background.
func (s *Store) mendSoon() {
	select {
	case s.broke <- struct{}{}:
	default: // one is asked for already
	}
}

// mender runs while the store is open.
func (s *Store) mender() {
	tick := time.NewTicker(healEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-s.broke:
			_, _ = s.rollBack() // logged; tried again at the next tick
		case <-tick.C:
			s.mend()
		}
	}
}

// mend brings a store whose journal has failed back to what was promised, and
// lets the journal go on if that can be.
func (s *Store) mend() {
	if !s.journal.failed.Load() {
		return
	}
	if upTo, err := s.rollBack(); err == nil {
		_ = s.journal.heal(upTo) // the failure was logged when it began
	}
}

// rollBack takes what the journal lost out of memory, so that nothing that was
// answered with an error is seen later: the spaces concerned are loaded again
// from what a restart would find. Until a space's turn, who reads it waits for a
// lost record and gets an error. Only then, and because upTo was the newest
// number before the first space was looked at, the journal may go on.
func (s *Store) rollBack() (upTo uint64, err error) {
	j := s.journal
	if !j.failed.Load() {
		return 0, nil
	}
	promised := j.promised()
	upTo = j.newest()
	lost := make(map[storage.ID]*space)
	for _, sp := range s.allSpaces() {
		if !sp.journaled() {
			continue
		}
		sp.mu.RLock() // a commit on its way has passed
		if sp.lastSeq.Load() > promised && !sp.dropped.Load() {
			lost[sp.name] = sp
		}
		sp.mu.RUnlock()
	}
	if len(lost) == 0 {
		return upTo, nil
	}
	kept, err := j.history(lost, promised)
	for errors.Is(err, iofs.ErrNotExist) && !s.closed.Load() { // a compaction deleted a segment meanwhile
		listed := j.oldest()
		if kept, err = j.history(lost, promised); j.oldest() == listed {
			break
		}
	}
	for id, sp := range lost {
		if rerr := sp.rollBack(promised, kept[id], err); rerr != nil {
			s.log.Error("a namespace cannot be read back to where it was before a write failed; it is not served", "namespace", id.String(), "error", rerr)
			err = rerr
		}
	}
	return upTo, err
}

// oldest returns the first number of the oldest segment.
func (j *journal) oldest() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.segments[0].first
}

// history reads the records of some spaces up to a number.
func (j *journal) history(of map[storage.ID]*space, upTo uint64) (map[storage.ID][]record, error) {
	j.mu.Lock()
	segments := append([]segment(nil), j.segments...)
	j.mu.Unlock()
	found := make(map[storage.ID][]record)
	for i, seg := range segments {
		b, err := readAll(j.fs, seg.path)
		if err != nil {
			return nil, err
		}
		info, err := decodeSegmentHeader(seg.path, b)
		if err != nil {
			return nil, err
		}
		end := upTo // of this segment
		if i+1 < len(segments) {
			end = segments[i+1].follows
		}
		for last, off := info.first-1, segmentHeader; last < end; {
			rec, n, err := decodeRecord(b[off:], info.salt)
			if err != nil {
				return nil, &storage.DamageError{File: seg.path, Offset: int64(off), Reason: err.Error()}
			}
			if of[rec.name] != nil {
				rec.ops = append([]byte(nil), rec.ops...)
				found[rec.name] = append(found[rec.name], rec)
			}
			last, off = rec.seq, off+n
		}
	}
	return found, nil
}

// rollBack loads the space again: its snapshot, and its records up to promised.
// With a cause, those could not be read. After an error the space refuses
// everything until it is tried again.
func (sp *space) rollBack(promised uint64, records []record, cause error) error {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	newest := sp.lastSeq.Load()
	if newest <= promised || sp.dropped.Load() {
		return nil
	}
	sp.rollbacks.Add(1)
	s := sp.store
	if sp.ks != nil {
		sp.dropRows()
	}
	sp.reset()
	err := cause
	var since uint64
	if err == nil {
		sp.lastSeq.Store(0)
		err = sp.loadSnapshot()
	}
	if err == nil {
		since = sp.replay(records)
		err = sp.indexAll()
	}
	if err != nil {
		sp.dropRows()
		sp.reset()
		sp.lastSeq.Store(newest) // it is still lost
		sp.unread = fmt.Errorf("%w: what was there before cannot be read: %w", storage.ErrWriteFailed, err)
		return err
	}
	sp.unread = nil
	s.dirty.restore(sp, since)
	sp.account()
	return nil
}

// replay applies records to a space that has loaded its snapshot, and returns
// the first that the snapshot did not include, or 0.
func (sp *space) replay(records []record) (since uint64) {
	now := sp.store.clock()
	for _, rec := range records {
		if rec.seq <= sp.lastSeq.Load() {
			continue
		}
		if rec.kind == kindDrop {
			sp.reset()
		}
		sp.repeat(rec, now)
		if since == 0 {
			since = rec.seq
		}
	}
	return since
}

var errRolledBack = errors.New("the namespace was brought back to an earlier state meanwhile")
