package resp_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
)

func TestWriterInBothProtocols(t *testing.T) {
	tests := []struct {
		name   string
		write  func(*resp.Writer)
		v2, v3 string
	}{
		{"status", func(w *resp.Writer) { w.Status("OK") }, "+OK\r\n", "+OK\r\n"},
		{"error", func(w *resp.Writer) { w.Error("ERR a\r\nb") }, "-ERR a  b\r\n", "-ERR a  b\r\n"},
		{"int", func(w *resp.Writer) { w.Int(-7) }, ":-7\r\n", ":-7\r\n"},
		{"bool", func(w *resp.Writer) { w.Bool(true); w.Bool(false) }, ":1\r\n:0\r\n", ":1\r\n:0\r\n"},
		{"bulk", func(w *resp.Writer) { w.Bulk([]byte("a\r\nb")) }, "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n"},
		{"empty bulk", func(w *resp.Writer) { w.BulkString("") }, "$0\r\n\r\n", "$0\r\n\r\n"},
		{"bulk int", func(w *resp.Writer) { w.BulkInt(math.MinInt64) }, "$20\r\n-9223372036854775808\r\n", "$20\r\n-9223372036854775808\r\n"},
		{"verbatim", func(w *resp.Writer) { w.Verbatim("txt", "hi") }, "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"},
		{"null", func(w *resp.Writer) { w.Null() }, "$-1\r\n", "_\r\n"},
		{"null array", func(w *resp.Writer) { w.NullArray() }, "*-1\r\n", "_\r\n"},
		{"array", func(w *resp.Writer) { w.Array(2) }, "*2\r\n", "*2\r\n"},
		{"map", func(w *resp.Writer) { w.Map(2) }, "*4\r\n", "%2\r\n"},
		{"set", func(w *resp.Writer) { w.Set(2) }, "*2\r\n", "~2\r\n"},
		{"push", func(w *resp.Writer) { w.Push(3) }, "*3\r\n", ">3\r\n"},
		{"double", func(w *resp.Writer) { w.Double(1.5); w.Double(math.Inf(-1)) }, "$3\r\n1.5\r\n$4\r\n-inf\r\n", ",1.5\r\n,-inf\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var v2 resp.Writer
			tt.write(&v2)
			require.Equal(t, tt.v2, string(v2.Bytes()))
			v3 := resp.NewWriter(resp.V3)
			tt.write(v3)
			require.Equal(t, tt.v3, string(v3.Bytes()))
		})
	}
}

func TestRewindForgetsWhatFollowedTheMark(t *testing.T) {
	var w resp.Writer
	w.Status("OK")
	mark := w.Mark()
	w.BulkString("half a reply")
	w.Rewind(mark)
	w.Error("ERR no")
	require.Equal(t, "+OK\r\n-ERR no\r\n", string(w.Bytes()))
}

func TestResetGivesLargeBuffersBack(t *testing.T) {
	var w resp.Writer
	w.Bulk(make([]byte, 1<<20))
	w.Reset()
	require.Zero(t, w.Len())
	require.Zero(t, cap(w.Bytes()))
}

func TestLimitLeavesOutWhatWouldExceedIt(t *testing.T) {
	var w resp.Writer
	w.SetLimit(100)
	w.Bulk(make([]byte, 80))
	require.False(t, w.Overflowed())
	w.Bulk(make([]byte, 80))
	require.True(t, w.Overflowed())
	require.Less(t, w.Len(), 100)
	w.Reset()
	require.False(t, w.Overflowed())
}

func TestPushesInsertedAmongRepliesAreKept(t *testing.T) {
	var w resp.Writer
	w.Status("first")
	mark := w.Mark()
	w.Int(1)
	at := w.Mark()
	w.Int(2)
	w.RawPush([]byte("+c\r\n"))
	w.InsertPush(at, []byte("+b\r\n"))
	w.InsertPush(at, []byte("+a\r\n"))
	require.Equal(t, "+first\r\n:1\r\n+a\r\n+b\r\n:2\r\n+c\r\n", string(w.Bytes()))
	w.DropReplies(mark)
	require.Equal(t, "+first\r\n+a\r\n+b\r\n+c\r\n", string(w.Bytes()))
}
