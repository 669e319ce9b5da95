package bunt

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"strings"
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
		ks := newKeyspace(maphash.MakeSeed())
		now := int64(1_000_000)
		var items []uint32
		live := map[uint32]bool{}
		bury := func(slot uint32) {
			ks.kill(slot)
			ks.bury(slot)
			delete(live, slot)
		}
		expiry := func() int64 {
			if rnd.IntN(10) == 0 {
				return 0
			}
			return now + 1 + rnd.Int64N(spread)
		}
		for i := range 30_000 {
			switch n := rnd.IntN(100); {
			case n < 60 || len(items) == 0:
				key := fmt.Sprintf("k%d", i)
				slot := ks.add(ks.hash(key), ks.record(key, "value"[:rnd.IntN(6)], now, expiry(), 1))
				items = append(items, slot)
				live[slot] = true
			case n < 85:
				slot := items[rnd.IntN(len(items))]
				if !live[slot] {
					continue
				}
				end := expiry()
				if b, pos := ks.ends.find(ks, slot); b != nil && rnd.IntN(3) == 0 { // a busy key
					end = b.entries[pos].at + rnd.Int64N(20)
				}
				ks.discard(ks.replace(slot, ks.record(strings.Clone(ks.key(slot)), "value"[:rnd.IntN(6)], now, end, 1)))
			case n < 90:
				if slot := items[rnd.IntN(len(items))]; live[slot] {
					bury(slot)
				}
			case n < 95:
				now += rnd.Int64N(max(2, spread/50))
			case n < 97:
				ks.ends.prepare(ks, now)
			default:
				var last int64
				for range rnd.IntN(50) {
					slot, ok, again := ks.ends.oldest(ks, now)
					if again {
						continue
					}
					if !ok {
						break
					}
					require.LessOrEqual(t, ks.expiry(slot), now)
					require.GreaterOrEqual(t, ks.expiry(slot), last, "the oldest first")
					last = ks.expiry(slot)
					bury(slot)
				}
			}
			if i%500 != 0 {
				continue
			}
			require.NoError(t, ks.check())
			var keys, bytes, first int64
			for slot := range live {
				it := ks.item(slot)
				if it.expired(now) {
					keys++
					bytes += it.size()
				}
				if it.expiresAt != 0 && (first == 0 || it.expiresAt < first) {
					first = it.expiresAt
				}
			}
			gotKeys, gotBytes := ks.ends.expired(ks, now)
			require.Equal(t, [2]int64{keys, bytes}, [2]int64{gotKeys, gotBytes}, "spread %d, step %d", spread, i)
			require.LessOrEqual(t, ks.ends.next(), first)
		}
		end := now + 1_000_000_000
		for slot, ok, again := ks.ends.oldest(ks, end); ok || again; slot, ok, again = ks.ends.oldest(ks, end) {
			if ok {
				bury(slot)
			}
		}
		require.Zero(t, ks.ends.count)
		require.NoError(t, ks.check())
	}
}

// BenchmarkCalendarCount asks while a million items wait to be purged.
func BenchmarkCalendarCount(b *testing.B) {
	ks := newKeyspace(maphash.MakeSeed())
	for i := range int64(1_000_000) {
		key := fmt.Sprint(i)
		ks.add(ks.hash(key), ks.record(key, "v", 0, 1+i/333, 1))
	}
	b.ReportAllocs()
	for b.Loop() {
		ks.ends.expired(ks, 2999)
	}
}

// Keys whose end was moved past the time they are filed under, and a sweeper
// that does not come: counting stays exact and becomes cheap by itself.
func TestCalendarCatchesUp(t *testing.T) {
	const keys, hour = 50_000, 3_600_000
	ks := newKeyspace(maphash.MakeSeed())
	now := int64(1_000_000)
	slots := make([]uint32, keys)
	for i := range slots {
		key := fmt.Sprintf("k%d", i)
		slots[i] = ks.add(ks.hash(key), ks.record(key, "v", now, now+10_000+int64(i%3000), 1))
	}
	for i, slot := range slots {
		end := now + hour
		if i%10 == 0 {
			end = now + 20_000 // moved, and over as well
		}
		ks.discard(ks.replace(slot, ks.record(strings.Clone(ks.key(slot)), "v", now, end, 2)))
	}
	now += 60_000
	deferred := func() (n int) {
		for _, b := range ks.ends.blocks {
			if b.max <= now {
				n += len(b.entries) - b.exact
			}
		}
		return n
	}
	require.Greater(t, deferred(), keys/2, "or the test shows nothing")
	for calls := 0; deferred() > 0; calls++ {
		require.Less(t, calls, keys/blockEntries*4, "each call does its part")
		ended, _ := ks.ends.expired(ks, now)
		require.EqualValues(t, keys/10, ended)
		ks.ends.catchUp(ks, now)
	}
	ended, _ := ks.ends.expired(ks, now)
	require.EqualValues(t, keys/10, ended)
}
