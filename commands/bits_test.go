package commands

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
)

// TestBitsKeepWithinTheLimit judges growth before anything large is built.
func TestBitsKeepWithinTheLimit(t *testing.T) {
	c := newHarness(t).limited(func(l *auth.Limits) { l.ValueBytes = 4 })
	const refused = "-SIZE_EXCEEDED bit 32 would make a larger value than the 4 bytes allowed\r\n"
	c.converse(
		exchange{"SETBIT k 32 1", refused}, exchange{"SETBIT k 32 0", refused},
		exchange{"SETBIT k 4294967295 1", strings.Replace(refused, "32", "4294967295", 1)},
		exchange{"BITFIELD k SET u8 25 1", refused}, exchange{"BITFIELD k GET u8 0 INCRBY i1 #32 0", refused},
		exchange{"BITFIELD k SET i64 4294967232 1", strings.Replace(refused, "32", "4294967295", 1)},
		exchange{"EXISTS k", ":0\r\n"},
		exchange{"SETBIT k 31 1", ":0\r\n"}, exchange{"BITFIELD k SET u8 24 255 GET u8 4294967295", "*2\r\n:1\r\n:0\r\n"}, exchange{"STRLEN k", ":4\r\n"},
	)
	c.alter(func(l *auth.Limits) { l.ValueBytes = 3 })
	c.converse(
		exchange{"SETBIT k 0 1", "-SIZE_EXCEEDED bit 0 would make a larger value than the 3 bytes allowed\r\n"},
		exchange{"SETBIT k 0 0", ":0\r\n"}, // as it is
		exchange{"BITOP OR d k", "-SIZE_EXCEEDED the value is 4 bytes; at most 3 are allowed\r\n"},
		exchange{"BITCOUNT k", ":8\r\n"}, exchange{"BITPOS k 1", ":24\r\n"},
	)
}

// TestNothingIsWrittenWhereNoBitChanges looks at the version that WATCH goes
// by.
func TestNothingIsWrittenWhereNoBitChanges(t *testing.T) {
	c := newHarness(t).open()
	c.converse(exchange{"SET k 1", replyOK})
	version := func() string { return readKVRow(t, parseReply(t, c.do("KV.META", "k"))).version }
	before := version()
	c.run("SETBIT k 7 1", "BITFIELD k SET u8 0 49", "BITFIELD k OVERFLOW FAIL INCRBY u8 0 1000", "BITFIELD k GET u8 100")
	require.Equal(t, before, version())
	c.run("SETBIT k 7 0")
	require.NotEqual(t, before, version())
}

// TestReadOnlyTokensReadBits has BITFIELD_RO do what BITFIELD may not.
func TestReadOnlyTokensReadBits(t *testing.T) {
	c := newHarness(t).scoped(auth.Scope{ReadOnly: true})
	c.converse(
		exchange{"BITFIELD k GET u8 0", "-NOPERM this token is read-only and may not run the 'bitfield' command\r\n"},
		exchange{"BITFIELD_RO k GET u8 0", "*1\r\n:0\r\n"},
		exchange{"BITCOUNT k", ":0\r\n"},
	)
}

func BenchmarkBitCount(b *testing.B) {
	value := []byte(strings.Repeat("\x5a", 1<<16))
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		countBits(value, bitRange{3, int64(len(value))*8 - 4})
	}
}

func BenchmarkBitField(b *testing.B) {
	value := make([]byte, 16)
	f := bitField{signed: true, width: 37, offset: 11}
	b.ReportAllocs()
	for b.Loop() {
		f.write(value, f.read(value)+1)
	}
}

// BenchmarkLCS is the largest that LCS accepts.
func BenchmarkLCS(b *testing.B) {
	one, other := []byte(strings.Repeat("abcde", 2300)), []byte(strings.Repeat("badce", 2300))
	b.ReportAllocs()
	for b.Loop() {
		newLCSTable(one, other, true).subsequence()
	}
}
