package bunt

import (
	"errors"
	"fmt"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// Check recounts every loaded space: records against table, pages, counters and
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
		if sp.ks != nil || sp.counted != 0 || sp.armedAt != 0 {
			return errors.New("it is not loaded, and not empty")
		}
		return nil
	case sp.tail != nil:
		return errors.New("it is loaded, and has a tail")
	}
	ks := sp.ks
	if err := ks.check(); err != nil {
		return err
	}
	for _, b := range ks.ends.blocks {
		for _, e := range b.entries {
			if end := ks.expiry(e.slot); sp.armedAt == 0 || sp.armedAt > end {
				return fmt.Errorf("expiry at %d, alarm at %d", end, sp.armedAt)
			}
		}
	}
	if counted := sp.counted; counted != ks.memory() {
		return fmt.Errorf("%d bytes of memory counted, not %d", counted, ks.memory())
	}
	return sp.checkPages()
}

// check recounts everything but the pages.
func (ks *keyspace) check() error {
	keys, bytes, tracked, records := 0, int64(0), 0, int64(0)
	var wrong error
	ks.each(func(slot uint32) bool {
		it := ks.item(slot)
		keys++
		bytes += it.size()
		records += int64(ks.arena.sizeAt(ks.word(slot).ref()))
		if found, ok := ks.find(ks.hash(it.key), it.key); !ok || found != slot {
			wrong = fmt.Errorf("key %q has slot %d, the table says %d, %t", it.key, slot, found, ok)
		}
		b, pos := ks.ends.find(ks, slot)
		if (it.expiresAt != 0) != (b != nil) {
			wrong = fmt.Errorf("key %q ends at %d, and the calendar disagrees", it.key, it.expiresAt)
		}
		if b != nil {
			tracked++
			if e := b.entries[pos]; e.slot != slot || e.at > it.expiresAt {
				wrong = fmt.Errorf("key %q ends at %d, the calendar says %d", it.key, it.expiresAt, e.at)
			}
		}
		return wrong == nil
	})
	switch {
	case wrong != nil:
		return wrong
	case keys != ks.count || bytes != ks.bytes:
		return fmt.Errorf("%d keys and %d bytes counted, %d and %d kept", keys, bytes, ks.count, ks.bytes)
	case tracked != ks.ends.count:
		return fmt.Errorf("%d keys expire, the calendar has %d", tracked, ks.ends.count)
	}
	if err := ks.checkTable(); err != nil {
		return err
	}
	if err := ks.arena.check(records, ks.stuck); err != nil {
		return err
	}
	return ks.ends.check(ks)
}

// checkTable recounts the segments.
func (ks *keyspace) checkTable() error {
	all := 0
	var before *tableSegment
	for _, s := range ks.table.dir {
		if s == before {
			continue
		}
		before = s
		taken := 0
		s.each(func(uint32) { taken++ })
		if taken != s.taken || s.used < taken || s.used >= s.slots() {
			return fmt.Errorf("a segment of the table counts %d taken and %d used of %d, and has %d", s.taken, s.used, s.slots(), taken)
		}
		all += taken
	}
	if all != ks.count {
		return fmt.Errorf("the table has %d keys, %d counted", all, ks.count)
	}
	return nil
}

// check recounts the blocks; records is how many bytes they should be.
func (a *arena) check(records int64, stuck bool) error {
	var size, unused, taken int64
	for n, c := range a.chunks {
		free := 0
		for off := 0; off < int(c.used); {
			r := makeRef(n, off)
			bytes := a.sizeAt(r)
			if a.isFree(r) {
				free += bytes
			} else {
				taken += int64(bytes)
			}
			off += bytes
		}
		if free != int(c.free) {
			return fmt.Errorf("chunk %d has %d free bytes, %d counted", n, free, c.free)
		}
		size += int64(len(c.mem))
		unused += int64(free)
	}
	if size != a.size || unused != a.unused {
		return fmt.Errorf("the arena has %d bytes, %d unused; counted %d and %d", size, unused, a.size, a.unused)
	}
	if taken != records && !stuck {
		return fmt.Errorf("blocks of %d bytes are in use, records have %d", taken, records)
	}
	for i, l := range a.free {
		if i > 0 && a.free[i-1].size >= l.size || l.head == noRef || a.sizeAt(l.head) != l.size || !a.isFree(l.head) {
			return fmt.Errorf("the list of free blocks of %d bytes is wrong", l.size)
		}
	}
	return nil
}

// check recounts the blocks and their order.
func (c *calendar) check(ks *keyspace) error {
	count := 0
	for i, b := range c.blocks {
		exact, short, bytes := 0, 0, int64(0)
		for p, e := range b.entries {
			at, pos := c.find(ks, e.slot)
			switch {
			case at != b || pos != p:
				return fmt.Errorf("calendar block %d: key %q is elsewhere", i, ks.key(e.slot))
			case e.at < b.min || e.at > b.max || i > 0 && e.at < c.blocks[i-1].max:
				return fmt.Errorf("calendar block %d: %d is not in %d to %d", i, e.at, b.min, b.max)
			}
			if end := ks.expiry(e.slot); e.at == end {
				exact++
				bytes += ks.size(e.slot)
			} else if end < e.at+lead {
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

// checkPages compares the pages with the rows in the shard and with the keys.
func (sp *space) checkPages() error {
	ks := sp.ks
	rows, err := sp.shard.after(nil, sp.prefix, sp.prefix, -1)
	if err != nil {
		return err
	}
	if len(rows) != ks.pages.rows || len(rows)+1+len(ks.pages.spare) != len(ks.pages.all) {
		return fmt.Errorf("%d rows in the index, %d counted for %d pages, %d of them spare", len(rows), ks.pages.rows, len(ks.pages.all), len(ks.pages.spare))
	}
	keys, last := 0, ""
	for i, row := range append([]pageRow{{row: sp.prefix}}, rows...) {
		bound := row.row[prefixLen:]
		for _, slot := range ks.pages.all[row.page] {
			if !ks.alive(slot) && ks.stuck {
				continue
			}
			key := ks.key(slot)
			switch {
			case !ks.alive(slot) || !ks.ordered(slot):
				return fmt.Errorf("page %d has slot %d, which is not in order", row.page, slot)
			case key < bound || keys > 0 && key <= last || i < len(rows) && key >= rows[i].row[prefixLen:]:
				return fmt.Errorf("page %d from %q has key %q behind %q", row.page, bound, key, last)
			}
			last = key
			keys++
		}
	}
	if keys != ks.count {
		return fmt.Errorf("%d keys in the pages, %d in the table", keys, ks.count)
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
	Expired   int64         // keys that have ended and were removed since Open
}

// Stats returns figures of the moment. It visits each loaded space; of one that
// somebody keeps it tells what the visit before found.
func (s *Store) Stats() Stats {
	var st Stats
	for _, sp := range s.residents.all() {
		if try(sp.mu.TryRLock) {
			present := sp.loaded && !sp.dropped.Load()
			if present {
				sp.look()
			}
			sp.mu.RUnlock()
			if !present {
				continue
			}
		}
		st.Spaces++
		st.Keys += sp.seenKeys.Load()
		st.Bytes += sp.seenBytes.Load()
	}
	s.mu.RLock()
	known := len(s.spaces[storage.Durable]) + len(s.spaces[storage.Ephemeral])
	s.mu.RUnlock()
	st.Unloaded = max(0, known-st.Spaces)
	st.Memory = s.memory.Load()
	st.PurgeLag = time.Duration(s.sweeper.lag.Load()) * time.Millisecond
	st.PurgeHold = time.Duration(s.sweeper.longest.Load())
	st.Expired = s.expired.Load()
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
