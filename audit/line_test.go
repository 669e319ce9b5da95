package audit

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 5, 6, 12, 0, 0, 7_000, time.UTC)

func TestLine(t *testing.T) {
	equal := func(want, got string) {
		t.Helper()
		require.Equal(t, want, got) // in this order
	}
	who := AppendWho(nil, &Who{Tenant: "acme", App: "shop", As: "token", Token: "abc", Door: "resp", Remote: "127.0.0.1:5", Client: 7})
	l := Line{Time: noon, Event: Write, Who: who, DB: 1, Command: "mset", Via: "exec", Argv: [][]byte{[]byte("MSET"), []byte("a"), []byte("VALUE"), []byte("b"), []byte("VALUE")},
		First: 1, Last: 4, Step: 2, Code: OK, Micros: 12}
	var clock Clock
	equal(`{"time":"2026-05-06T12:00:00.000007Z","event":"write","tenant":"acme","app":"shop","as":"token","token":"abc","door":"resp",`+
		`"remote":"127.0.0.1:5","client":7,"db":1,"command":"mset","via":"exec","keys":["a","b"],"code":"OK","us":12}`+"\n", string(l.Append(nil, &clock)))
	l = Line{Time: noon.Add(time.Minute), Event: Refused, DB: -1, Command: "é\x00\xff", Unknown: true, Code: "ERR", Micros: -1}
	equal(`{"time":"2026-05-06T12:01:00.000007Z","event":"refused","command":"é\u0000\\xff","unknown":true,"code":"ERR"}`+"\n", string(l.Append(nil, &clock)))
	l = Line{Time: noon, Event: Admin, DB: -1, Command: "config|set", User: "admin", Args: [][]byte{[]byte("timeout"), []byte("5")},
		Detail: AppendDetail(AppendDetail(nil, "killed", int64(3)), "created", "x"), Code: OK, Micros: 0}
	equal(`{"time":"2026-05-06T12:00:00.000007Z","event":"admin","command":"config|set","user":"admin","args":["timeout","5"],"killed":3,"created":"x","code":"OK","us":0}`+"\n",
		string(l.Append(nil, &clock)))
}

func TestLineIsBounded(t *testing.T) {
	long := []byte(strings.Repeat("k", 100_000))
	argv := [][]byte{[]byte("DEL")}
	for range 1000 {
		argv = append(argv, long)
	}
	l := Line{Time: noon, Event: Write, DB: 0, Command: string(long), User: string(long), Argv: argv, First: 1, Last: 1000, Step: 1, Args: argv, Code: OK}
	b := l.Append(nil, new(Clock))
	require.Less(t, len(b), 20_000)
	var e Entry
	require.NoError(t, json.Unmarshal(b, &e))
	require.Len(t, e.Keys, maxKeys)
	require.EqualValues(t, 1000-maxKeys, e.MoreKeys)
	require.Len(t, e.Args, maxArgs)
	require.Equal(t, strings.Repeat("k", maxKeyBytes)+`\...100000 bytes, sha256 `, e.Keys[0][:len(e.Keys[0])-16])
	other := appendText(nil, append(append([]byte(nil), long[:99_999]...), 'x'), maxKeyBytes)
	require.NotContains(t, string(b), string(other), "long keys with the same beginning differ")
}

// TestTextIsUnambiguous holds that keys which differ look different, and that
// lines stay JSON, whatever the bytes.
func TestTextIsUnambiguous(t *testing.T) {
	bytesLike := rapid.OneOf(
		rapid.SliceOf(rapid.Byte()),
		rapid.Custom(func(t *rapid.T) []byte {
			return []byte(strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{`\`, `\x`, "ff", "\xff", "ÿ", `"`, "\n", "é", "\xc3", "\xa9", "\u2028", "\ufffd", "\xef\xbf\xbd", "a", "..."})).Draw(t, "parts"), ""))
		}))
	rapid.Check(t, func(t *rapid.T) {
		a, b := bytesLike.Draw(t, "a"), bytesLike.Draw(t, "b")
		ja, jb := appendText(nil, a, 64), appendText(nil, string(b), 64)
		var sa, sb string
		require.NoError(t, json.Unmarshal(ja, &sa), "%s", ja)
		require.NoError(t, json.Unmarshal(jb, &sb), "%s", jb)
		require.Equal(t, string(a) == string(b), sa == sb, "%q %q", sa, sb)
		require.NotContains(t, string(ja), "\n")
	})
}

func TestLineAllocatesNothing(t *testing.T) {
	argv := [][]byte{[]byte("SET"), []byte("some:key:\xff"), []byte("v")}
	who := AppendWho(nil, &Who{Tenant: "acme", App: "shop"})
	var clock Clock
	b := make([]byte, 0, 1024)
	now := noon
	require.Zero(t, testing.AllocsPerRun(100, func() {
		now = now.Add(time.Second)
		l := Line{Time: now, Event: Write, Who: who, Command: "set", Argv: argv, First: 1, Last: 1, Step: 1, Code: OK}
		b = l.Append(b[:0], &clock)
	}))
}

func BenchmarkLine(b *testing.B) {
	argv := [][]byte{[]byte("SET"), []byte("key:000123"), []byte("v")}
	who := AppendWho(nil, &Who{Tenant: "acme", App: "shop", As: "token", Token: "3nnsqpkvykv5evca", Door: "resp", Remote: "127.0.0.1:54476", Client: 3})
	var clock Clock
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		l := Line{Time: noon, Event: Write, Who: who, Command: "set", Argv: argv, First: 1, Last: 1, Step: 1, Code: OK, Micros: 3}
		buf = l.Append(buf[:0], &clock)
	}
}
