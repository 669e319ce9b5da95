package wallclock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMillisIsTheTime(t *testing.T) {
	for range 1000 {
		before := time.Now().UnixMilli()
		got := Millis()
		after := time.Now().UnixMilli()
		// The two clocks are read one after the other, and may be slewed apart
		// until the next reading.
		require.GreaterOrEqual(t, got, before-1)
		require.LessOrEqual(t, got, after+1)
	}
}

func TestOldReadingsAreReplaced(t *testing.T) {
	old := time.Now().Add(-time.Second)
	last.Store(&reading{old, 0}) // as if the system's time had been 1970 then
	now := time.Now().UnixMilli()
	require.GreaterOrEqual(t, Millis(), now)
}

func BenchmarkMillis(b *testing.B) {
	for range b.N {
		Millis()
	}
}
