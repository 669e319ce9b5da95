package commands

import (
	"encoding/binary"
	"errors"
	"hash/crc64"
	"math"
	"strconv"
)

// This file knows the form in which Redis's DUMP serializes a string: a type,
// the value as in an RDB file, the version of that format and a checksum.

const (
	rdbVersion    = 10 // of Redis 7.0
	rdbTypeString = 0
	rdbTypeNone   = 8     // means nothing
	rdbTypeLast   = 19    // of version 10
	rdbFooter     = 2 + 8 // version and checksum
)

// How an RDB file has a string that is not just its bytes.
const (
	rdbEncoded = 0xC0 // with one of:
	rdbInt8    = 0
	rdbInt16   = 1
	rdbInt32   = 2
	rdbLZF     = 3
)

var (
	errRDBFooter = errors.New("the version is unknown or the checksum wrong")
	errRDBData   = errors.New("the data is damaged")
	errRDBType   = errors.New("the payload holds no string")
	errRDBSize   = errors.New("the string is too large")
)

// rdbPolynomial is Jones's, with the lowest bit first.
var rdbPolynomial = crc64.MakeTable(0x95AC9329AC4BC9B5)

// rdbChecksum starts and ends without the inversions of hash/crc64.
func rdbChecksum(b []byte) uint64 {
	return ^crc64.Update(math.MaxUint64, rdbPolynomial, b)
}

// appendDump serializes value. Redis would compress many values of more than
// 20 bytes; it reads both.
func appendDump(dst, value []byte) []byte {
	start := len(dst)
	dst = append(dst, rdbTypeString)
	if n, ok := parseInt(value); ok && n >= math.MinInt32 && n <= math.MaxInt32 {
		dst = appendRDBInt(dst, int32(n))
	} else {
		dst = appendRDBLength(dst, len(value))
		dst = append(dst, value...)
	}
	dst = binary.LittleEndian.AppendUint16(dst, rdbVersion)
	return binary.LittleEndian.AppendUint64(dst, rdbChecksum(dst[start:]))
}

func appendRDBInt(dst []byte, n int32) []byte {
	switch {
	case n >= math.MinInt8 && n <= math.MaxInt8:
		return append(dst, rdbEncoded|rdbInt8, byte(n))
	case n >= math.MinInt16 && n <= math.MaxInt16:
		return binary.LittleEndian.AppendUint16(append(dst, rdbEncoded|rdbInt16), uint16(n))
	}
	return binary.LittleEndian.AppendUint32(append(dst, rdbEncoded|rdbInt32), uint32(n))
}

func appendRDBLength(dst []byte, n int) []byte {
	switch {
	case n < 1<<6:
		return append(dst, byte(n))
	case n < 1<<14:
		return append(dst, 0x40|byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0x80), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0x81), uint64(n))
}

// readDump returns the string of a payload. limit bounds what is built.
// Errors: errRDBFooter, errRDBType, errRDBData, errRDBSize.
func readDump(payload []byte, limit int) ([]byte, error) {
	body := len(payload) - rdbFooter
	if body < 0 || binary.LittleEndian.Uint16(payload[body:]) > rdbVersion ||
		binary.LittleEndian.Uint64(payload[body+2:]) != rdbChecksum(payload[:body+2]) {
		return nil, errRDBFooter
	}
	switch {
	case body == 0 || payload[0] == rdbTypeNone || payload[0] > rdbTypeLast:
		return nil, errRDBData
	case payload[0] != rdbTypeString:
		return nil, errRDBType
	}
	r := rdbReader{rest: payload[1:body]}
	value := r.string(limit)
	return value, r.err
}

// rdbReader reads from the front of rest. Its first error stays.
type rdbReader struct {
	rest []byte
	err  error
}

func (r *rdbReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

// take returns the next n bytes, or as many zeros after an error, if n is
// small.
func (r *rdbReader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail(errRDBData)
		return make([]byte, min(n, 8))
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// length reads a length, or which encoding takes its place.
func (r *rdbReader) length() (n uint64, encoded bool) {
	first := r.take(1)[0]
	switch {
	case first>>6 == 0:
		return uint64(first), false
	case first>>6 == 1:
		return uint64(first&0x3F)<<8 | uint64(r.take(1)[0]), false
	case first == 0x80:
		return uint64(binary.BigEndian.Uint32(r.take(4))), false
	case first == 0x81:
		return binary.BigEndian.Uint64(r.take(8)), false
	case first>>6 == 3:
		return uint64(first & 0x3F), true
	}
	r.fail(errRDBData)
	return 0, false
}

func (r *rdbReader) string(limit int) []byte {
	n, encoded := r.length()
	if !encoded {
		return r.take(n)
	}
	switch n {
	case rdbInt8:
		return strconv.AppendInt(nil, int64(int8(r.take(1)[0])), 10)
	case rdbInt16:
		return strconv.AppendInt(nil, int64(int16(binary.LittleEndian.Uint16(r.take(2)))), 10)
	case rdbInt32:
		return strconv.AppendInt(nil, int64(int32(binary.LittleEndian.Uint32(r.take(4)))), 10)
	case rdbLZF:
		return r.compressed(limit)
	}
	r.fail(errRDBData)
	return nil
}

// compressed reads a string in LZF. A few bytes may stand for very many, so
// the limit is judged before anything is built.
func (r *rdbReader) compressed(limit int) []byte {
	packed, _ := r.length()
	size, _ := r.length()
	from := r.take(packed)
	switch {
	case r.err != nil:
		return nil
	case size > uint64(limit):
		r.fail(errRDBSize)
		return nil
	}
	value, ok := unpackLZF(from, int(size))
	if !ok {
		r.fail(errRDBData)
	}
	return value
}
