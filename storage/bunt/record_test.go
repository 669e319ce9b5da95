package bunt

import (
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

const testSalt = 0x5a17

func testRecord(kind recordKind, ops []byte) []byte {
	head := appendName([]byte{byte(kind)}, storage.ID{Tenant: "t", App: "a"})
	crc := crc32.Update(crc32.Update(testSalt, castagnoli, head), castagnoli, ops)
	return appendRecord(nil, 7, 5, head, ops, crc)
}

func testOps() []byte {
	it := &item{key: "key", value: "value", updatedAt: 1_700_000_000_000, expiresAt: 1_700_000_060_000, version: 1 << 50}
	return appendDelete(appendSet(appendClear(nil), it), "\x00\xff")
}

func TestRecordRoundTrip(t *testing.T) {
	b := append(testRecord(kindBatch, testOps()), "behind"...)
	r, n, err := decodeRecord(b, testSalt)
	require.NoError(t, err)
	require.Equal(t, len(b)-len("behind"), n)
	require.EqualValues(t, 7, r.seq)
	require.EqualValues(t, 5, r.durable)
	require.Equal(t, storage.ID{Tenant: "t", App: "a"}, r.name)
	var ops []op
	for rest := r.ops; len(rest) > 0; {
		var o op
		o, rest, err = readOp(rest)
		require.NoError(t, err)
		ops = append(ops, o)
	}
	require.Equal(t, []op{
		{code: opClear},
		{code: opSet, key: []byte("key"), value: []byte("value"), updatedAt: 1_700_000_000_000, expiresAt: 1_700_000_060_000, version: 1 << 50},
		{code: opDelete, key: []byte("\x00\xff")},
	}, ops)

	_, _, err = decodeRecord(b, testSalt+1)
	require.ErrorIs(t, err, errChecksum, "a record of another journal")
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(testRecord(kindBatch, testOps()), false)
	f.Add(testRecord(kindDrop, nil), false)
	f.Add(testRecord(kindBatch, testOps()[:9]), false)
	f.Add([]byte{}, false)
	f.Add(make([]byte, recordHeader), true)
	f.Add(append([]byte{1, 1, 't', 1, 'a'}, testOps()...), true)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal { // get past the checksum with any body
			b = appendRecord(nil, 1, 0, b, nil, crc32.Update(testSalt, castagnoli, b))
		}
		r, n, err := decodeRecord(b, testSalt)
		if err != nil {
			require.Zero(t, n)
			return
		}
		require.LessOrEqual(t, n, len(b))
		require.GreaterOrEqual(t, n, recordHeader)
		for rest := r.ops; len(rest) > 0; {
			var o op
			o, rest, err = readOp(rest)
			require.NoError(t, err, "decodeRecord has checked the operations")
			require.NotZero(t, o.code)
		}
	})
}
