package bunt

import (
	"fmt"

	"github.com/cubbykv/cubby/storage"
)

// Check recounts every loaded space: map against index, counters and expiry
// heap. It returns the first difference. Errors: storage.ErrClosed.
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
	if !sp.loaded || sp.dropped.Load() {
		return nil
	}
	var bytes int64
	tracked := 0
	for key, it := range sp.items {
		bytes += it.size()
		if it.row != sp.prefix+key {
			return fmt.Errorf("key %q has row %q", key, it.row)
		}
		if it.expiresAt != 0 && it.pos == 0 {
			return fmt.Errorf("key %q expires, but the heap does not know", key)
		}
		if it.pos != 0 {
			tracked++
			d := sp.heap[it.pos-1]
			if d.it != it || it.expiresAt != 0 && d.at > it.expiresAt {
				return fmt.Errorf("key %q ends at %d, the heap says %d", key, it.expiresAt, d.at)
			}
		}
	}
	if bytes != sp.bytes {
		return fmt.Errorf("%d bytes counted, %d kept", bytes, sp.bytes)
	}
	if err := sp.checkHeap(tracked); err != nil {
		return err
	}
	return sp.checkIndex()
}

func (sp *space) checkHeap(tracked int) error {
	if len(sp.heap) != tracked {
		return fmt.Errorf("%d items expire, the heap has %d", tracked, len(sp.heap))
	}
	for i := 1; i < len(sp.heap); i++ {
		if parent := (i - 1) / arity; sp.heap[parent].at > sp.heap[i].at {
			return fmt.Errorf("heap entry %d is before its parent", i)
		}
	}
	if len(sp.heap) > 0 && (sp.armedAt == 0 || sp.armedAt > sp.heap[0].at) {
		return fmt.Errorf("first expiry at %d, alarm at %d", sp.heap[0].at, sp.armedAt)
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
	Keys            int64       // live keys in them
	Bytes           int64       // bytes of live keys and their values
	JournalBytes    int64       // on disk
	JournalSegments int         // files
	LastSync        int64       // newest fsync of the journal, Unix ms; 0 is none yet
	Written         storage.Seq // newest record that the system has
	Durable         storage.Seq // newest record that was fsynced
	WriteError      error       // why the journal refuses writes, or nil
}

// Stats returns figures of the moment. It visits each loaded space.
func (s *Store) Stats() Stats {
	var st Stats
	for _, sp := range s.allSpaces() {
		sp.mu.RLock()
		if sp.loaded && !sp.dropped.Load() {
			st.Spaces++
			keys, bytes := sp.heap.expired(s.clock())
			st.Keys += int64(len(sp.items)) - keys
			st.Bytes += sp.bytes - bytes
		}
		sp.mu.RUnlock()
	}
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
