package bunt

import (
	"errors"
	"fmt"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// Check recounts every loaded space: map against index, counters and
// calendar. It returns the first difference. Errors: storage.ErrClosed.
func (s *Store) Check() error {
	if s.closed.Load() {
		return storage.ErrClosed
	}
	for _, sp := range s.allSpaces() {
		if err := sp.check(); err != nil {
			return fmt.Errorf("%s, database %d: %w", sp.name, sp.db, err)
		}
	}
	return nil
}

func (sp *space) check() error {
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	switch {
	case sp.dropped.Load():
		return nil
	case !sp.loaded:
		if len(sp.items) > 0 || sp.bytes != 0 || sp.counted != 0 || sp.armedAt != 0 {
			return errors.New("it is not loaded, and not empty")
		}
		return nil
	case sp.tail != nil:
		return errors.New("it is loaded, and has a tail")
	}
	var bytes int64
	tracked := 0
	for key, it := range sp.items {
		bytes += it.size()
		if it.row() != sp.prefix+key {
			return fmt.Errorf("key %q has row %q", key, it.row())
		}
		if (it.expiresAt != 0) != (it.block != nil) {
			return fmt.Errorf("key %q ends at %d, and the calendar disagrees", key, it.expiresAt)
		}
		if it.block != nil {
			tracked++
			if e := it.block.entries[it.pos]; e.it != it || e.at > it.expiresAt {
				return fmt.Errorf("key %q ends at %d, the calendar says %d", key, it.expiresAt, e.at)
			}
		}
	}
	if bytes != sp.bytes {
		return fmt.Errorf("%d bytes counted, %d kept", bytes, sp.bytes)
	}
	if counted := sp.counted; counted != spaceOverhead+bytes+int64(len(sp.items))*keyOverhead+int64(tracked)*expiryOverhead {
		return fmt.Errorf("%d bytes of memory counted", counted)
	}
	if err := sp.checkCalendar(tracked); err != nil {
		return err
	}
	return sp.checkIndex()
}

func (sp *space) checkCalendar(tracked int) error {
	if err := sp.ends.check(); err != nil {
		return err
	}
	if sp.ends.count != tracked {
		return fmt.Errorf("%d items expire, the calendar has %d", tracked, sp.ends.count)
	}
	for _, b := range sp.ends.blocks {
		for _, e := range b.entries {
			if sp.armedAt == 0 || sp.armedAt > e.it.expiresAt {
				return fmt.Errorf("expiry at %d, alarm at %d", e.it.expiresAt, sp.armedAt)
			}
		}
	}
	return nil
}

// check recounts the blocks and their order.
func (c *calendar) check() error {
	count := 0
	for i, b := range c.blocks {
		exact, short, bytes := 0, 0, int64(0)
		for p, e := range b.entries {
			switch {
			case e.it.block != b || int(e.it.pos) != p:
				return fmt.Errorf("calendar block %d: key %q is elsewhere", i, e.it.key())
			case e.at < b.min || e.at > b.max || i > 0 && e.at < c.blocks[i-1].max:
				return fmt.Errorf("calendar block %d: %d is not in %d to %d", i, e.at, b.min, b.max)
			}
			if e.at == e.it.expiresAt {
				exact++
				bytes += e.it.size()
			} else if e.it.expiresAt < e.at+lead {
				short++
			}
		}
		if exact != b.exact || short != b.short || bytes != b.bytes {
			return fmt.Errorf("calendar block %d: sums %d, %d, %d; counted %d, %d, %d", i, b.exact, b.short, b.bytes, exact, short, bytes)
		}
		count += len(b.entries)
	}
	if count != c.count {
		return fmt.Errorf("calendar: %d entries, %d counted", count, c.count)
	}
	return nil
}

func (sp *space) checkIndex() error {
	rows, err := sp.shard.scan(nil, sp.prefix, sp.prefix, -1)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if sp.items[row[prefixLen:]] == nil {
			return fmt.Errorf("the index has key %q, the map has not", row[prefixLen:])
		}
	}
	if len(rows) != len(sp.items) {
		return fmt.Errorf("%d rows in the index, %d keys in the map", len(rows), len(sp.items))
	}
	return nil
}

// Stats is what the store can say about itself.
type Stats struct {
	Spaces          int         // loaded, both databases
	Unloaded        int         // that were used or found in the journal, and are not in memory
	Memory          int64       // bytes that the loaded ones take, as counted
	Keys            int64       // live keys in them
	Bytes           int64       // bytes of live keys and their values
	JournalBytes    int64       // on disk
	JournalSegments int         // files
	LastSync        int64       // newest fsync of the journal, Unix ms; 0 is none yet
	Written         storage.Seq // newest record that the system has
	Durable         storage.Seq // newest record that was fsynced
	WriteError      error       // why the journal refuses writes, or nil

	PurgeLag  time.Duration // between expiry and removal of what was purged last
	PurgeHold time.Duration // the longest that the sweeper has held a lock
}

// Stats returns figures of the moment. It visits each loaded space.
func (s *Store) Stats() Stats {
	var st Stats
	for _, sp := range s.residents.all() {
		sp.mu.RLock()
		if sp.loaded && !sp.dropped.Load() {
			st.Spaces++
			keys, bytes := sp.ends.expired(s.clock())
			st.Keys += int64(len(sp.items)) - keys
			st.Bytes += sp.bytes - bytes
		}
		sp.mu.RUnlock()
	}
	s.mu.RLock()
	known := len(s.spaces[storage.Durable]) + len(s.spaces[storage.Ephemeral])
	s.mu.RUnlock()
	st.Unloaded = max(0, known-st.Spaces)
	st.Memory = s.memory.Load()
	st.PurgeLag = time.Duration(s.sweeper.lag.Load()) * time.Millisecond
	st.PurgeHold = time.Duration(s.sweeper.longest.Load())
	if j := s.journal; j != nil {
		j.mu.Lock()
		for _, seg := range j.segments {
			st.JournalBytes += seg.size
		}
		st.JournalSegments = len(j.segments)
		st.WriteError = j.err
		j.mu.Unlock()
		st.LastSync = j.lastSync.Load()
		st.Written = j.ticket(j.written.Load())
		st.Durable = j.ticket(j.durable.Load())
	}
	return st
}
