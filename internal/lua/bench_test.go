package lua

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
)

func benchmark(b *testing.B, text string) {
	b.Helper()
	s, err := Compile(text)
	require.NoError(b, err)
	m, out := New(), resp.NewWriter(resp.V2)
	run := Run{
		Script: s, Host: &host{raw: "$1\r\nx\r\n"}, Out: out, Keys: [][]byte{[]byte("k")}, Args: [][]byte{[]byte("v")},
		Limits: Limits{Time: time.Minute, Memory: 64 << 20},
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		out.Reset()
		if err := m.Run(context.Background(), run); err != nil || !m.Reset() {
			b.Fatal(err)
		}
	}
}

func BenchmarkReturn(b *testing.B) { benchmark(b, "return 1") }

func BenchmarkTwoCalls(b *testing.B) {
	benchmark(b, "local v = redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], ARGV[1]) return v")
}

// BenchmarkInstructions runs a million rounds of a loop, some three million
// instructions.
func BenchmarkInstructions(b *testing.B) {
	benchmark(b, "local n = 0 for i = 1, 1000000 do n = n + i end return n")
}

func BenchmarkConcat(b *testing.B) {
	benchmark(b, "local s for i = 1, 1000 do s = 'key:' .. i .. ':' .. ARGV[1] end return s")
}

func BenchmarkNewMachine(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		New()
	}
}
