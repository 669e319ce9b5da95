package bunt

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// table finds slots by the hash of their keys. It is a directory of segments,
// chosen by the first bits of the hash; a full segment is split in two, so the
// table never grows by more than segmentSlots at a time. The hash is seeded:
// nobody outside can make keys collide.
type table struct {
	dir   []*tableSegment // 1<<depth of them; several may be the same
	depth uint8
}

// tableSegment is a hash table with open addressing, in groups of eight slots.
type tableSegment struct {
	groups []byte // groupBytes each
	used   int    // slots that are not empty: taken or deleted
	taken  int
	depth  uint8 // how many first bits of the hash its keys have in common
}

// A group is eight tags, then eight slots of 4 bytes.
const (
	groupSlots   = 8
	groupBytes   = groupSlots * 5
	segmentSlots = 1024

	tagEmpty   = 0
	tagDeleted = 1
	tagTaken   = 0x80 // or seven bits of the hash

	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

func tagOf(hash uint64) uint64 { return tagTaken | hash&0x7f }

// matches returns a word whose highest bits mark the bytes of tags that equal
// tag. It may mark one too many, whose key then differs.
func matches(tags, tag uint64) uint64 {
	x := tags ^ lowBits*tag
	return (x - lowBits) &^ x & highBits
}

func newTableSegment(slots int, depth uint8) *tableSegment {
	return &tableSegment{groups: make([]byte, slots/groupSlots*groupBytes), depth: depth}
}

func (s *tableSegment) slots() int { return len(s.groups) / 5 }

// first returns the group where the search for a hash begins. It goes on in
// those behind it, and after the last in the first.
func (s *tableSegment) first(hash uint64) int {
	return int(hash>>7&0xffffffff*uint64(len(s.groups)/groupBytes)>>32) * groupBytes
}

func (s *tableSegment) next(at int) int {
	if at += groupBytes; at < len(s.groups) {
		return at
	}
	return 0
}

func slotIn(group []byte, i int) uint32 {
	return binary.LittleEndian.Uint32(group[groupSlots+4*i:])
}

func (ks *keyspace) hash(key string) uint64 { return maphash.String(ks.seed, key) }

func (t *table) segment(hash uint64) *tableSegment { return t.dir[hash>>(64-t.depth)] }

// find returns the slot of a key.
func (ks *keyspace) find(hash uint64, key string) (slot uint32, ok bool) {
	if len(ks.table.dir) == 0 {
		return 0, false
	}
	s, tag := ks.table.segment(hash), tagOf(hash)
	for at := s.first(hash); ; at = s.next(at) {
		g := s.groups[at : at+groupBytes]
		tags := binary.LittleEndian.Uint64(g)
		for m := matches(tags, tag); m != 0; m &= m - 1 {
			slot := slotIn(g, bits.TrailingZeros64(m)/8)
			if ks.key(slot) == key {
				return slot, true
			}
		}
		if matches(tags, tagEmpty) != 0 {
			return 0, false
		}
	}
}

// enter adds a slot whose key is not in the table.
func (ks *keyspace) enter(hash uint64, slot uint32) {
	t := &ks.table
	if len(t.dir) == 0 {
		t.dir = []*tableSegment{newTableSegment(groupSlots, 0)}
	}
	s := t.segment(hash)
	for s.used >= s.slots()-s.slots()/8 {
		ks.makeRoom(hash, s)
		s = t.segment(hash)
	}
	s.put(hash, slot)
}

func (s *tableSegment) put(hash uint64, slot uint32) {
	for at := s.first(hash); ; at = s.next(at) {
		g := s.groups[at : at+groupBytes]
		m := ^binary.LittleEndian.Uint64(g) & highBits // neither empty nor deleted has the bit
		if m == 0 {
			continue
		}
		i := bits.TrailingZeros64(m) / 8
		if g[i] == tagEmpty {
			s.used++
		}
		s.taken++
		g[i] = byte(tagOf(hash))
		binary.LittleEndian.PutUint32(g[groupSlots+4*i:], slot)
		return
	}
}

// leave removes a slot from the table.
func (ks *keyspace) leave(hash uint64, slot uint32) {
	s, tag := ks.table.segment(hash), tagOf(hash)
	for at := s.first(hash); ; at = s.next(at) {
		g := s.groups[at : at+groupBytes]
		tags := binary.LittleEndian.Uint64(g)
		for m := matches(tags, tag); m != 0; m &= m - 1 {
			i := bits.TrailingZeros64(m) / 8
			if g[i] != byte(tag) || slotIn(g, i) != slot {
				continue
			}
			g[i] = tagDeleted
			if matches(tags, tagEmpty) != 0 { // no search passed this group by
				g[i] = tagEmpty
				s.used--
			}
			s.taken--
			return
		}
		if matches(tags, tagEmpty) != 0 {
			return // it is not there
		}
	}
}

// makeRoom makes the segment of a hash larger, or two of it.
func (ks *keyspace) makeRoom(hash uint64, s *tableSegment) {
	switch n := s.slots(); {
	case s.taken < n*5/8: // mostly deleted ones
		ks.rebuild(s, n)
	case n < segmentSlots:
		ks.rebuild(s, min(segmentSlots, max(2*groupSlots, n*3/2&^(groupSlots-1))))
	default:
		ks.split(hash, s)
	}
}

// each calls yield for each slot.
func (s *tableSegment) each(yield func(slot uint32)) {
	for g := s.groups; len(g) > 0; g = g[groupBytes:] {
		for i := range groupSlots {
			if g[i] >= tagTaken {
				yield(slotIn(g, i))
			}
		}
	}
}

// rebuild gives a segment another size.
func (ks *keyspace) rebuild(s *tableSegment, slots int) {
	bigger := newTableSegment(slots, s.depth)
	s.each(func(slot uint32) { bigger.put(ks.hash(ks.key(slot)), slot) })
	*s = *bigger
}

// split makes two segments of one, by the next bit of the hashes.
func (ks *keyspace) split(hash uint64, s *tableSegment) {
	t := &ks.table
	if s.depth == t.depth {
		dir := make([]*tableSegment, 2*len(t.dir))
		for i, each := range t.dir {
			dir[2*i], dir[2*i+1] = each, each
		}
		t.dir = dir
		t.depth++
	}
	const size = segmentSlots * 5 / 8 // there are half as many, give or take
	halves := [2]*tableSegment{newTableSegment(size, s.depth+1), newTableSegment(size, s.depth+1)}
	s.each(func(slot uint32) {
		h := ks.hash(ks.key(slot))
		half := halves[h>>(63-s.depth)&1]
		if half.used >= half.slots()-half.slots()/8 {
			ks.rebuild(half, segmentSlots)
		}
		half.put(h, slot)
	})
	// The segment's part of the directory: all that begin with its bits.
	width := 1 << (t.depth - s.depth)
	first := int(hash>>(64-t.depth)) &^ (width - 1)
	for i := range width {
		t.dir[first+i] = halves[i*2/width]
	}
}
