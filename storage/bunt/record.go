package bunt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/cubbykv/cubby/storage"
)

// A journal record, integers little endian:
//
//	crc      4  CRC-32C of body, then of length, sequence and durable; it starts
//	            from the journal's salt
//	length   4  of the body
//	sequence 8  one more than the record before
//	durable  8  every record up to this one was durable when this was made
//	body        kind 1, len(tenant) 1, tenant, len(app) 1, app, operations
//
// The salt keeps a value that holds a forged record from passing for one when
// a torn record is searched for survivors.
const recordHeader = 24

type recordKind byte

const (
	kindBatch recordKind = 1 // the writes of one Update
	kindDrop  recordKind = 2 // the namespace was erased
)

const (
	opSet    = 1 // key, value, updatedAt, expiresAt, version
	opDelete = 2 // key
	opClear  = 3
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type record struct {
	seq     uint64
	durable uint64
	kind    recordKind
	name    storage.ID
	ops     []byte // checked: readOp succeeds until it is empty
}

type op struct {
	code                 byte
	key, value           []byte
	updatedAt, expiresAt int64
	version              uint64
}

var (
	errShortRecord = errors.New("record ends too early")
	errChecksum    = errors.New("checksum does not match")
	errMalformed   = errors.New("record is malformed")
)

func appendSet(b []byte, it *item) []byte {
	b = append(b, opSet)
	return appendEntry(b, it)
}

// appendEntry is shared with the blocks of a snapshot.
func appendEntry(b []byte, it *item) []byte {
	b = appendBytes(b, it.key)
	b = appendBytes(b, it.value)
	b = binary.AppendVarint(b, it.updatedAt)
	b = binary.AppendVarint(b, it.expiresAt)
	return binary.AppendUvarint(b, it.version)
}

func appendDelete(b []byte, key string) []byte { return appendBytes(append(b, opDelete), key) }
func appendClear(b []byte) []byte              { return append(b, opClear) }

func appendBytes(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendName(b []byte, name storage.ID) []byte {
	b = append(append(b, byte(len(name.Tenant))), name.Tenant...)
	return append(append(b, byte(len(name.App))), name.App...)
}

// appendRecord seals a body that comes in two parts. bodyCRC is its checksum,
// which the caller computed outside the journal's lock.
func appendRecord(b []byte, seq, durable uint64, body1, body2 []byte, bodyCRC uint32) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body1)+len(body2)))
	b = binary.LittleEndian.AppendUint64(b, seq)
	b = binary.LittleEndian.AppendUint64(b, durable)
	binary.LittleEndian.PutUint32(b[start:], crc32.Update(bodyCRC, castagnoli, b[start+4:]))
	b = append(b, body1...)
	return append(b, body2...)
}

// decodeRecord reads the record at the start of b and returns its size. What it
// returns points into b.
func decodeRecord(b []byte, salt uint32) (record, int, error) {
	return decodeRecordIf(b, salt, func(uint64) bool { return true })
}

// decodeRecordIf looks at the sequence first: a search tries each byte of a
// file, and checksums are not free.
func decodeRecordIf(b []byte, salt uint32, plausible func(seq uint64) bool) (record, int, error) {
	if len(b) >= recordHeader && !plausible(binary.LittleEndian.Uint64(b[8:])) {
		return record{}, 0, errChecksum
	}
	r, body, err := openRecord(b, salt)
	if err == nil {
		err = r.decodeBody(body)
	}
	if err != nil {
		return record{}, 0, err
	}
	return r, recordHeader + len(body), nil
}

// openRecord checks the checksum of the record at the start of b and returns
// its body, unread.
func openRecord(b []byte, salt uint32) (r record, body []byte, err error) {
	if len(b) < recordHeader {
		return record{}, nil, errShortRecord
	}
	length := int64(binary.LittleEndian.Uint32(b[4:]))
	if length > int64(len(b)-recordHeader) {
		return record{}, nil, errShortRecord
	}
	body = b[recordHeader : recordHeader+int(length)]
	crc := crc32.Update(crc32.Update(salt, castagnoli, body), castagnoli, b[4:recordHeader])
	if crc != binary.LittleEndian.Uint32(b) {
		return record{}, nil, errChecksum
	}
	r.seq = binary.LittleEndian.Uint64(b[8:])
	r.durable = binary.LittleEndian.Uint64(b[16:])
	return r, body, nil
}

func (r *record) decodeBody(b []byte) error {
	name, _, err := r.checkBody(b)
	if err == nil {
		r.name, _, _ = readName(name)
	}
	return err
}

// checkBody reads all but the name, which it returns as it is stored, with the
// newest version in the operations.
func (r *record) checkBody(b []byte) (name []byte, version uint64, err error) {
	name, ok := []byte(nil), false
	if len(b) > 0 {
		r.kind = recordKind(b[0])
		name, b, ok = splitName(b[1:])
	}
	if !ok {
		return nil, 0, errMalformed
	}
	switch r.kind {
	case kindBatch:
		r.ops = b
		for len(b) > 0 {
			var o op
			if o, b, err = readOp(b); err != nil {
				return nil, 0, err
			}
			version = max(version, o.version)
		}
	case kindDrop:
		if len(b) > 0 {
			return nil, 0, errMalformed
		}
	default:
		return nil, 0, fmt.Errorf("%w: unknown kind %d", errMalformed, r.kind)
	}
	return name, version, nil
}

// splitName returns the stored form of a name.
func splitName(b []byte) (name, rest []byte, ok bool) {
	end := 0
	for range 2 {
		if len(b) <= end || b[end] == 0 || len(b)-end-1 < int(b[end]) {
			return nil, nil, false
		}
		end += 1 + int(b[end])
	}
	return b[:end], b[end:], true
}

func readOp(b []byte) (o op, rest []byte, err error) {
	if len(b) == 0 {
		return op{}, nil, errMalformed
	}
	o.code, b = b[0], b[1:]
	ok := true
	switch o.code {
	case opSet:
		b, ok = o.readEntry(b)
	case opDelete:
		o.key, b, ok = readBytes(b)
	case opClear:
	default:
		return op{}, nil, fmt.Errorf("%w: unknown operation %d", errMalformed, o.code)
	}
	if !ok {
		return op{}, nil, errMalformed
	}
	return o, b, nil
}

func (o *op) readEntry(b []byte) (rest []byte, ok bool) {
	if o.key, b, ok = readBytes(b); !ok {
		return nil, false
	}
	if o.value, b, ok = readBytes(b); !ok {
		return nil, false
	}
	var n int
	if o.updatedAt, n = binary.Varint(b); n <= 0 {
		return nil, false
	}
	b = b[n:]
	if o.expiresAt, n = binary.Varint(b); n <= 0 {
		return nil, false
	}
	b = b[n:]
	if o.version, n = binary.Uvarint(b); n <= 0 {
		return nil, false
	}
	return b[n:], true
}

func readBytes(b []byte) (s, rest []byte, ok bool) {
	length, n := binary.Uvarint(b)
	if n <= 0 || length > uint64(len(b)-n) {
		return nil, nil, false
	}
	return b[n : n+int(length)], b[n+int(length):], true
}

func readName(b []byte) (name storage.ID, rest []byte, ok bool) {
	var part [2]string
	for i := range part {
		if len(b) < 1 || len(b)-1 < int(b[0]) {
			return storage.ID{}, nil, false
		}
		part[i], b = string(b[1:1+int(b[0])]), b[1+int(b[0]):]
	}
	return storage.ID{Tenant: part[0], App: part[1]}, b, part[0] != "" && part[1] != ""
}
