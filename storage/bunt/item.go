package bunt

import (
	"encoding/binary"
	"unsafe"

	"github.com/cubbykv/cubby/storage"
)

// A record is what a keyspace holds under one key, integers little endian:
//
//	version    8
//	updatedAt  8
//	keyLen     2  with flags in the highest bits
//	valueLen   2
//	expiresAt  8  if flagExpires
//	key, value    or, with flagFar, a place 4 in farTable.all
//
// A record does not change. An overwritten or deleted one stays until the
// transaction ends, since somebody in it may have read it, and a rollback
// takes it back.
const (
	recordVersion  = 0
	recordUpdated  = 8
	recordKeyLen   = 16
	recordValueLen = 18
	recordHead     = 20

	flagExpires = 1 << 15
	flagFar     = 1 << 14
	flagFree    = 1 << 13 // it is no record but a free block
	lengthMask  = flagFree - 1

	// farBytes is how long key and value may be to stand in the record. Longer
	// ones have memory of their own, which is not worth moving.
	farBytes = 4096
)

// item is a view of a record: its strings are the record's bytes, and so valid
// until the transaction ends.
type item struct {
	key, value           string
	updatedAt, expiresAt int64
	version              uint64
}

func (it *item) size() int64            { return int64(len(it.key) + len(it.value)) }
func (it *item) expired(now int64) bool { return expiredAt(it.expiresAt, now) }

func expiredAt(end, now int64) bool { return end != 0 && now >= end }

// entry hands the value out without a copy: the contract calls it immutable,
// and borrowed.
func (it *item) entry() storage.Entry {
	value := []byte{}
	if len(it.value) > 0 {
		value = unsafe.Slice(unsafe.StringData(it.value), len(it.value))
	}
	return storage.Entry{Value: value, UpdatedAt: it.updatedAt, ExpiresAt: it.expiresAt, Version: it.version}
}

// farTable holds long keys with their values.
type farTable struct {
	all   []far
	spare []uint32 // free places in all
}

type far struct {
	bytes  []byte
	keyLen int
}

// stringOf returns bytes as a string, without a copy.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// recordSize returns how many bytes the record at the start of b has.
func recordSize(b []byte) int {
	flags := binary.LittleEndian.Uint16(b[recordKeyLen:])
	size := recordHead
	if flags&flagExpires != 0 {
		size += 8
	}
	if flags&flagFar != 0 {
		return size + 4
	}
	return size + int(flags&lengthMask) + int(binary.LittleEndian.Uint16(b[recordValueLen:]))
}

// record writes a record and returns where it is. key and value are copied; they
// may be parts of other records.
func (ks *keyspace) record(key, value string, updatedAt, expiresAt int64, version uint64) ref {
	flags, size := uint16(0), recordHead
	if expiresAt != 0 {
		flags, size = flagExpires, size+8
	}
	n := len(key) + len(value)
	if n > farBytes {
		flags, size = flags|flagFar, size+4
	} else {
		flags, size = flags|uint16(len(key)), size+n
	}
	r := ks.arena.alloc(size)
	b := ks.arena.at(r)[:size]
	binary.LittleEndian.PutUint64(b[recordVersion:], version)
	binary.LittleEndian.PutUint64(b[recordUpdated:], uint64(updatedAt))
	binary.LittleEndian.PutUint16(b[recordKeyLen:], flags)
	binary.LittleEndian.PutUint16(b[recordValueLen:], 0)
	rest := b[recordHead:]
	if expiresAt != 0 {
		binary.LittleEndian.PutUint64(rest, uint64(expiresAt))
		rest = rest[8:]
	}
	if n > farBytes {
		bytes := append(append(make([]byte, 0, n), key...), value...)
		binary.LittleEndian.PutUint32(rest, ks.addFar(far{bytes: bytes, keyLen: len(key)}))
		return r
	}
	binary.LittleEndian.PutUint16(b[recordValueLen:], uint16(len(value)))
	copy(rest[copy(rest, key):], value)
	return r
}

// open returns the record at r.
func (ks *keyspace) open(r ref) (it item) {
	b := ks.arena.at(r)
	it.version = binary.LittleEndian.Uint64(b[recordVersion:])
	it.updatedAt = int64(binary.LittleEndian.Uint64(b[recordUpdated:]))
	flags := binary.LittleEndian.Uint16(b[recordKeyLen:])
	rest := b[recordHead:]
	if flags&flagExpires != 0 {
		it.expiresAt = int64(binary.LittleEndian.Uint64(rest))
		rest = rest[8:]
	}
	if flags&flagFar != 0 {
		f := &ks.far.all[binary.LittleEndian.Uint32(rest)]
		it.key, it.value = stringOf(f.bytes[:f.keyLen]), stringOf(f.bytes[f.keyLen:])
		return it
	}
	keyLen := int(flags & lengthMask)
	end := keyLen + int(binary.LittleEndian.Uint16(b[recordValueLen:]))
	it.key, it.value = stringOf(rest[:keyLen]), stringOf(rest[keyLen:end])
	return it
}

// keyOf returns the key of the record at r.
func (ks *keyspace) keyOf(r ref) string {
	b := ks.arena.at(r)
	flags := binary.LittleEndian.Uint16(b[recordKeyLen:])
	rest := b[recordHead:]
	if flags&flagExpires != 0 {
		rest = rest[8:]
	}
	if flags&flagFar != 0 {
		f := &ks.far.all[binary.LittleEndian.Uint32(rest)]
		return stringOf(f.bytes[:f.keyLen])
	}
	return stringOf(rest[:flags&lengthMask])
}

// expiryOf returns when the record at r ends.
func (ks *keyspace) expiryOf(r ref) int64 {
	b := ks.arena.at(r)
	if binary.LittleEndian.Uint16(b[recordKeyLen:])&flagExpires == 0 {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(b[recordHead:]))
}

// discard gives the memory of a record back.
func (ks *keyspace) discard(r ref) {
	b := ks.arena.at(r)
	size := recordSize(b)
	if binary.LittleEndian.Uint16(b[recordKeyLen:])&flagFar != 0 {
		ks.dropFar(binary.LittleEndian.Uint32(b[size-4:]))
	}
	ks.arena.enlist(r, blockSize(size))
}

func (ks *keyspace) addFar(f far) uint32 {
	if ks.far == nil {
		ks.far = new(farTable)
	}
	t := ks.far
	if n := len(t.spare); n > 0 {
		i := t.spare[n-1]
		t.spare = t.spare[:n-1]
		t.all[i] = f
		return i
	}
	t.all = append(t.all, f)
	return uint32(len(t.all) - 1)
}

func (ks *keyspace) dropFar(i uint32) {
	ks.far.all[i] = far{}
	ks.far.spare = append(ks.far.spare, i)
}
