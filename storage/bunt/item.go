package bunt

import (
	"unsafe"

	"github.com/cubbykv/cubby/storage"
)

// item is what a space holds under one key. It is overwritten in place, under
// the space's lock; the bytes of its value are not.
//
// It fills a size class of Go's allocator (64 bytes) exactly, which is why the
// two strings are kept as pointers and 32-bit lengths.
type item struct {
	rowData   *byte
	valueData *byte
	rowLen    uint32
	valueLen  uint32
	updatedAt int64
	expiresAt int64
	version   uint64
	block     *dueBlock // where the calendar has it; nil when it never ends
	pos       uint32    // its place in block
}

func newItem(row, value string, updatedAt, expiresAt int64, version uint64) *item {
	it := &item{
		rowData: unsafe.StringData(row), rowLen: uint32(len(row)),
		updatedAt: updatedAt, expiresAt: expiresAt, version: version,
	}
	it.setValue(value)
	return it
}

// row is the item's row in the shard; the key is its end. The space's map uses
// the same memory, so a key is stored once.
func (it *item) row() string   { return unsafe.String(it.rowData, it.rowLen) }
func (it *item) key() string   { return it.row()[prefixLen:] }
func (it *item) value() string { return unsafe.String(it.valueData, it.valueLen) }
func (it *item) size() int64   { return int64(it.rowLen) - prefixLen + int64(it.valueLen) }

func (it *item) setValue(value string) {
	it.valueData, it.valueLen = unsafe.StringData(value), uint32(len(value))
}

func (it *item) expired(now int64) bool { return it.expiresAt != 0 && now >= it.expiresAt }

// entry hands the value out without a copy: the contract calls it immutable.
func (it *item) entry() storage.Entry {
	value := []byte{}
	if it.valueLen > 0 {
		value = unsafe.Slice(it.valueData, it.valueLen)
	}
	return storage.Entry{Value: value, UpdatedAt: it.updatedAt, ExpiresAt: it.expiresAt, Version: it.version}
}
