package bunt

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// arena is memory of one keyspace, cut into blocks. It holds no pointers, so
// Go's collector looks into none of it, and it belongs to nobody else: whoever
// reads a block too late reads bytes of the same namespace.
//
// A block that is given back goes into a list of its size. Blocks of a size that
// nobody asks for again would stay for ever; keyspace.tidy empties chunks that
// hold many of them.
type arena struct {
	chunks []chunk
	spare  []uint32   // numbers of chunks that were emptied
	open   int        // the chunk that new blocks are cut from; -1 is none
	free   []freeList // by size, none empty
	size   int64      // bytes of all chunks
	unused int64      // bytes of all free blocks
	// futile is how much lies unused although emptying a chunk gained nothing. More
	// than that has to come before the next attempt.
	futile int64
}

type chunk struct {
	mem  []byte
	used uint32 // bytes that are blocks, free ones included
	free uint32 // bytes of its free blocks
}

// ref is where a block is: chunk number and offset, 32 bits each. The number
// leaves the three highest bits to slotWord.
type ref uint64

func makeRef(chunk, off int) ref   { return ref(chunk)<<32 | ref(off) }
func (r ref) chunk() int           { return int(r >> 32) }
func (r ref) offset() int          { return int(uint32(r)) }
func (r ref) plus(bytes int) ref   { return r + ref(bytes) }
func blockSize(bytes int) int      { return max(leastBlock, (bytes+7)&^7) }
func (a *arena) at(r ref) []byte   { return a.chunks[r.chunk()].mem[r.offset():] }
func (a *arena) isFree(r ref) bool { return a.at(r)[freeMark]&(flagFree>>8) != 0 }

const (
	leastBlock = 24
	firstBytes = 128      // of a keyspace's first chunk
	smallBytes = 4 << 10  // until then each chunk adds a half, then an eighth
	chunkBytes = 64 << 10 // of a large keyspace's
)

// A free block: next and previous one of its size 8 each, flags 2, unused 2,
// size 4. The flags stand where a record has them (item.go).
const (
	freeNext = 0
	freePrev = 8
	freeMark = recordKeyLen + 1 // the byte of the flags
	freeSize = 20
)

// noRef ends a list.
const noRef = ^ref(0)

// freeList begins the free blocks of a size.
type freeList struct {
	size int
	head ref
}

func (a *arena) list(size int) (int, bool) {
	return slices.BinarySearchFunc(a.free, size, func(l freeList, size int) int { return cmp.Compare(l.size, size) })
}

// sizeAt returns the size of a block.
func (a *arena) sizeAt(r ref) int {
	if a.isFree(r) {
		return int(binary.LittleEndian.Uint32(a.at(r)[freeSize:]))
	}
	return blockSize(recordSize(a.at(r)))
}

// alloc returns a block. Its bytes are anything.
func (a *arena) alloc(bytes int) ref {
	size := blockSize(bytes)
	i, exact := a.list(size)
	if exact {
		r := a.free[i].head
		a.unlist(r)
		return r
	}
	// A larger one, if what is left of it can be a block.
	if j, _ := a.list(size + leastBlock); j < len(a.free) {
		r, whole := a.free[j].head, a.free[j].size
		a.unlist(r)
		a.enlist(r.plus(size), whole-size)
		return r
	}
	if len(a.chunks) == 0 {
		a.open = -1
	}
	if a.open < 0 || len(a.chunks[a.open].mem)-int(a.chunks[a.open].used) < size {
		a.grow(size)
	}
	c := &a.chunks[a.open]
	r := makeRef(a.open, int(c.used))
	c.used += uint32(size)
	return r
}

// grow opens a new chunk, and lists what is left of the one before.
func (a *arena) grow(size int) {
	if a.open >= 0 {
		c := &a.chunks[a.open]
		if rest := (len(c.mem) - int(c.used)) &^ 7; rest >= leastBlock {
			r := makeRef(a.open, int(c.used))
			c.used += uint32(rest)
			a.enlist(r, rest)
		}
	}
	more := a.size / 8
	if a.size < smallBytes {
		more = max(firstBytes, a.size/2)
	}
	mem := slices.Grow([]byte(nil), max(size, int(min(chunkBytes, more))))
	mem = mem[:cap(mem)] // what the allocator gives anyway
	a.size += int64(len(mem))
	if n := len(a.spare); n > 0 {
		a.open = int(a.spare[n-1])
		a.spare = a.spare[:n-1]
		a.chunks[a.open] = chunk{mem: mem}
		return
	}
	a.open = len(a.chunks)
	if n := len(a.chunks); n == cap(a.chunks) {
		a.chunks = append(make([]chunk, 0, n+n/8+2), a.chunks...)
	}
	a.chunks = append(a.chunks, chunk{mem: mem})
}

// enlist puts a block of a size into its list.
func (a *arena) enlist(r ref, size int) {
	i, found := a.list(size)
	if !found {
		a.free = slices.Insert(a.free, i, freeList{size: size, head: noRef})
	}
	next := a.free[i].head
	b := a.at(r)
	binary.LittleEndian.PutUint64(b[freeNext:], uint64(next))
	binary.LittleEndian.PutUint64(b[freePrev:], uint64(noRef))
	binary.LittleEndian.PutUint16(b[recordKeyLen:], flagFree)
	binary.LittleEndian.PutUint32(b[freeSize:], uint32(size))
	if next != noRef {
		binary.LittleEndian.PutUint64(a.at(next)[freePrev:], uint64(r))
	}
	a.free[i].head = r
	a.chunks[r.chunk()].free += uint32(size)
	a.unused += int64(size)
}

// unlist takes a block out of its list.
func (a *arena) unlist(r ref) {
	b := a.at(r)
	next := ref(binary.LittleEndian.Uint64(b[freeNext:]))
	prev := ref(binary.LittleEndian.Uint64(b[freePrev:]))
	size := int(binary.LittleEndian.Uint32(b[freeSize:]))
	if next != noRef {
		binary.LittleEndian.PutUint64(a.at(next)[freePrev:], uint64(prev))
	}
	if prev != noRef {
		binary.LittleEndian.PutUint64(a.at(prev)[freeNext:], uint64(next))
	} else if i, _ := a.list(size); next != noRef {
		a.free[i].head = next
	} else {
		a.free = slices.Delete(a.free, i, i+1)
	}
	a.chunks[r.chunk()].free -= uint32(size)
	if a.unused -= int64(size); a.unused < a.futile/2 {
		a.futile = 0
	}
}

// wasteful tells whether so much lies unused that a chunk should be emptied.
func (a *arena) wasteful() bool {
	const little = 2 << 10
	return a.unused > little && a.unused > a.size/4 && a.unused > a.futile+a.futile/8
}

// spent returns the bytes of all chunks without what is left of the open one.
func (a *arena) spent() int64 {
	if a.open < 0 {
		return a.size
	}
	c := &a.chunks[a.open]
	return a.size - int64(len(c.mem)) + int64(c.used)
}

// emptiest returns the chunk with the most free bytes.
func (a *arena) emptiest() int {
	best := 0
	for i := range a.chunks {
		if a.chunks[i].free > a.chunks[best].free {
			best = i
		}
	}
	return best
}

// seal makes sure that no block of a chunk is handed out any more.
func (a *arena) seal(number int) {
	if a.open == number {
		a.open = -1
	}
	for off := 0; off < int(a.chunks[number].used); {
		r := makeRef(number, off)
		off += a.sizeAt(r)
		if a.isFree(r) {
			a.unlist(r)
		}
	}
}

// drop forgets a sealed chunk. Slices of it that somebody still holds keep its
// memory alive.
func (a *arena) drop(number int) {
	a.size -= int64(len(a.chunks[number].mem))
	a.chunks[number] = chunk{}
	a.spare = append(a.spare, uint32(number))
}
