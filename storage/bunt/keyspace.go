package bunt

import (
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"
	"slices"
)

// keyspace is the contents of one space: records in an arena, found by a table
// and put in order by pages. A Clear begins a new one. It has no lock: its
// space's guards it.
type keyspace struct {
	seed  maphash.Seed
	table table
	slots slots
	arena arena
	pages pages
	ends  calendar

	far   *farTable // nil until a record needs it
	count int       // keys, expired ones included until they are purged
	bytes int64     // of keys and values
	// stuck tells that the index has a row which could not be removed. Records
	// stay where they are from then on.
	stuck bool
}

func newKeyspace(seed maphash.Seed) *keyspace {
	ks := &keyspace{seed: seed}
	ks.arena.open = -1
	ks.pages.all = make([][]uint32, 1)
	return ks
}

func (ks *keyspace) word(slot uint32) slotWord { return *ks.slots.word(slot) }
func (ks *keyspace) item(slot uint32) item     { return ks.open(ks.word(slot).ref()) }
func (ks *keyspace) key(slot uint32) string    { return ks.keyOf(ks.word(slot).ref()) }
func (ks *keyspace) expiry(slot uint32) int64  { return ks.expiryOf(ks.word(slot).ref()) }
func (ks *keyspace) alive(slot uint32) bool    { return ks.word(slot)&(slotDead|slotFree) == 0 }
func (ks *keyspace) size(slot uint32) int64    { it := ks.item(slot); return it.size() }
func (ks *keyspace) updated(slot uint32) int64 { it := ks.item(slot); return it.updatedAt }
func (ks *keyspace) ordered(slot uint32) bool  { return ks.word(slot)&slotOrdered != 0 }

// add takes a record under a key that is not there.
func (ks *keyspace) add(hash uint64, r ref) uint32 {
	slot := ks.slots.take(r)
	ks.enter(hash, slot)
	ks.counted(slot, 1)
	ks.ends.enter(ks, slot)
	return slot
}

func (ks *keyspace) counted(slot uint32, by int) {
	ks.count += by
	ks.bytes += int64(by) * ks.size(slot)
}

// kill removes a key. Its record and its number stay until bury.
func (ks *keyspace) kill(slot uint32) {
	ks.leave(ks.hash(ks.key(slot)), slot)
	ks.counted(slot, -1)
	ks.ends.forget(ks, slot)
	*ks.slots.word(slot) |= slotDead
}

// revive takes kill back.
func (ks *keyspace) revive(slot uint32) {
	*ks.slots.word(slot) &^= slotDead
	ks.enter(ks.hash(ks.key(slot)), slot)
	ks.counted(slot, 1)
	ks.ends.enter(ks, slot)
}

// bury gives back what a killed key that is in no page takes.
func (ks *keyspace) bury(slot uint32) {
	ks.discard(ks.word(slot).ref())
	ks.slots.release(slot)
}

// replace gives a key another record and returns the one before.
func (ks *keyspace) replace(slot uint32, r ref) (old ref) {
	w := ks.slots.word(slot)
	old = w.ref()
	ks.ends.leave(ks, slot)
	ks.bytes -= ks.size(slot)
	*w = *w&slotState | slotWord(r)
	ks.bytes += ks.size(slot)
	ks.ends.enter(ks, slot)
	return old
}

// each calls yield for each key, in no order, until it returns false.
func (ks *keyspace) each(yield func(slot uint32) bool) {
	for slot := range ks.slots.given {
		if ks.alive(slot) && !yield(slot) {
			return
		}
	}
}

// random returns some key that has not expired, each with about the same chance.
func (ks *keyspace) random(now int64) (slot uint32, ok bool) {
	if ks.count == 0 {
		return 0, false
	}
	lives := func(slot uint32) bool {
		if !ks.alive(slot) {
			return false
		}
		end := ks.expiry(slot)
		return end == 0 || now < end
	}
	// As many attempts as find one nearly always; then one by one.
	given := int(ks.slots.given)
	for range 16 * min(64, given/ks.count+1) {
		if slot = rand.Uint32N(ks.slots.given); lives(slot) {
			return slot, true
		}
	}
	if ended, _ := ks.ends.expired(ks, now); ended == int64(ks.count) {
		return 0, false
	}
	// There are far fewer pages than numbers, and few empty ones.
	pages := ks.pages.all
	first := rand.IntN(len(pages))
	for i := range pages {
		page := pages[(first+i)%len(pages)]
		for j := range page {
			if slot = page[(first+i+j)%len(page)]; lives(slot) {
				return slot, true
			}
		}
	}
	first = rand.IntN(given) // those that this transaction added are in no page
	for i := range given {
		if slot = uint32((first + i) % given); lives(slot) {
			return slot, true
		}
	}
	return 0, false
}

// untidy tells whether tidy has something to do.
func (ks *keyspace) untidy() bool { return !ks.stuck && ks.arena.wasteful() }

// tidy empties a chunk or two of the arena while too much of it is unused. It
// runs between transactions: nobody holds a slice of a record. Where records are
// half as large as chunks, as much may be lost where they go: then it gives up.
func (ks *keyspace) tidy() {
	a := &ks.arena
	for range 2 {
		if !ks.untidy() {
			return
		}
		number := a.emptiest()
		before, hoped := a.spent(), int64(a.chunks[number].free)
		a.seal(number)
		c := a.chunks[number]
		for off := 0; off < int(c.used); {
			from := makeRef(number, off)
			off += a.sizeAt(from)
			if a.isFree(from) {
				continue
			}
			key := ks.keyOf(from)
			slot, ok := ks.find(ks.hash(key), key)
			if !ok || ks.word(slot).ref() != from {
				continue
			}
			b := c.mem[from.offset():off]
			to := a.alloc(len(b))
			copy(a.at(to), b)
			w := ks.slots.word(slot)
			*w = *w&slotState | slotWord(to)
		}
		a.drop(number)
		if a.futile = 0; before-a.spent() < hoped/8 {
			a.futile = a.unused
		}
	}
}

// A keyspace whose keys are nearly all gone is made anew, if that is done in
// about a millisecond: table, numbers and pages do not shrink.
const (
	sparseSlots = 4096 // fewer are not worth it
	sparseKeys  = 1024 // more take too long
)

func (ks *keyspace) sparse() bool {
	return ks.slots.given >= sparseSlots && ks.count <= min(sparseKeys, int(ks.slots.given)/16) && !ks.stuck
}

// remade returns a keyspace with the same records, which are all in pages here and
// in none there. Long values are shared, not copied.
func (ks *keyspace) remade() *keyspace {
	fresh := newKeyspace(ks.seed)
	for _, page := range ks.pages.all {
		for _, slot := range page {
			b := ks.arena.at(ks.word(slot).ref())
			b = b[:recordSize(b)]
			to := fresh.arena.alloc(len(b))
			copied := fresh.arena.at(to)[:len(b)]
			copy(copied, b)
			if binary.LittleEndian.Uint16(b[recordKeyLen:])&flagFar != 0 {
				place := len(b) - 4
				far := ks.far.all[binary.LittleEndian.Uint32(b[place:])]
				binary.LittleEndian.PutUint32(copied[place:], fresh.addFar(far))
			}
			fresh.add(ks.hash(ks.key(slot)), to)
		}
	}
	return fresh
}

// sorted returns all keys' slots in order of the keys. Most of them are in
// order already: that is how a snapshot has them.
func (ks *keyspace) sorted() []uint32 {
	type row struct {
		key  string
		slot uint32
	}
	rows := make([]row, 0, ks.count)
	run := 0 // how many at the start are in order
	ks.each(func(slot uint32) bool {
		key := ks.key(slot)
		if run == len(rows) && (run == 0 || rows[run-1].key < key) {
			run++
		}
		rows = append(rows, row{key, slot})
		return true
	})
	compare := func(a, b row) int {
		switch {
		case a.key < b.key:
			return -1
		case a.key > b.key:
			return 1
		}
		return 0
	}
	rest := rows[run:]
	slices.SortFunc(rest, compare)
	head := rows[:run]
	slots := make([]uint32, 0, len(rows))
	for len(head)+len(rest) > 0 {
		if len(rest) == 0 || len(head) > 0 && head[0].key < rest[0].key {
			slots, head = append(slots, head[0].slot), head[1:]
		} else {
			slots, rest = append(slots, rest[0].slot), rest[1:]
		}
	}
	return slots
}
