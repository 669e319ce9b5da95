package bunt

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// The calendar against counting one by one, with expiries that gather in few
// instants, are spread, move a little and move a lot.
func TestCalendarCounts(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, spread := range []int64{3, 1000, 100_000, 10_000_000} {
		var c calendar
		now := int64(1_000_000)
		var items []*item
		live := map[*item]bool{}
		expiry := func() int64 {
			if rnd.IntN(10) == 0 {
				return 0
			}
			return now + 1 + rnd.Int64N(spread)
		}
		for i := range 30_000 {
			switch n := rnd.IntN(100); {
			case n < 60 || len(items) == 0:
				it := newItem(fmt.Sprintf("\x00\x00\x00\x01k%d", i), "value"[:rnd.IntN(6)], now, expiry(), 1)
				c.enter(it)
				items = append(items, it)
				live[it] = true
			case n < 85:
				it := items[rnd.IntN(len(items))]
				if !live[it] {
					continue
				}
				c.leave(it)
				it.expiresAt, it.updatedAt = expiry(), now
				if rnd.IntN(3) == 0 && it.block != nil { // a busy key
					it.expiresAt = it.block.entries[it.pos].at + rnd.Int64N(20)
				}
				it.setValue("value"[:rnd.IntN(6)])
				c.enter(it)
			case n < 90:
				it := items[rnd.IntN(len(items))]
				c.forget(it)
				delete(live, it)
			case n < 95:
				now += rnd.Int64N(max(2, spread/50))
			case n < 97:
				c.prepare(now)
			default:
				var last int64
				for range rnd.IntN(50) {
					it, again := c.oldest(now)
					if again {
						continue
					}
					if it == nil {
						break
					}
					require.True(t, it.expired(now))
					require.GreaterOrEqual(t, it.expiresAt, last, "the oldest first")
					last = it.expiresAt
					c.forget(it)
					delete(live, it)
				}
			}
			if i%500 != 0 {
				continue
			}
			require.NoError(t, c.check())
			var keys, bytes, first int64
			for it := range live {
				if it.expired(now) {
					keys++
					bytes += it.size()
				}
				if it.expiresAt != 0 && (first == 0 || it.expiresAt < first) {
					first = it.expiresAt
				}
			}
			gotKeys, gotBytes := c.expired(now)
			require.Equal(t, [2]int64{keys, bytes}, [2]int64{gotKeys, gotBytes}, "spread %d, step %d", spread, i)
			require.LessOrEqual(t, c.next(), first)
		}
		end := now + 1_000_000_000
		for it, again := c.oldest(end); it != nil || again; it, again = c.oldest(end) {
			if it != nil {
				c.forget(it)
			}
		}
		require.Zero(t, c.count)
		require.NoError(t, c.check())
	}
}

// BenchmarkCalendarCount asks while a million items wait to be purged.
func BenchmarkCalendarCount(b *testing.B) {
	var c calendar
	for i := range int64(1_000_000) {
		c.enter(newItem("\x00\x00\x00\x01k", "v", 0, 1+i/333, 1))
	}
	b.ReportAllocs()
	for b.Loop() {
		c.expired(2999)
	}
}
