package commands

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/bunt"
)

// TestMemoryUsageIsHonest compares what MEMORY USAGE says with what the heap
// of the real store takes, within a factor of two.
func TestMemoryUsageIsHonest(t *testing.T) {
	for _, size := range []int{10, 1000} {
		store, err := bunt.Open(bunt.Options{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		const keys = 50_000
		before := heapInUse()
		ns, err := store.Namespace(context.Background(), storage.Ephemeral, storage.ID{Tenant: "t", App: "a"})
		require.NoError(t, err)
		value := []byte(strings.Repeat("v", size))
		_, err = ns.Update(context.Background(), nil, func(tx storage.Tx) error {
			for i := range keys {
				if err := tx.Set(fmt.Sprintf("key:%012d", i), storage.Entry{Value: value}); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, err)
		measured := float64(heapInUse()-before) / keys
		told := float64(len("key:000000000000") + size + entryOverhead)
		t.Logf("%d bytes: %.0f of heap, MEMORY USAGE says %.0f", size, measured, told)
		require.InDelta(t, 1, told/measured, 0.5)
		require.NoError(t, store.Close())
		runtime.KeepAlive(ns)
	}
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestMemoryUsage(t *testing.T) {
	c := newHarness(t).open()
	c.converse(
		exchange{"SET k 12345", replyOK},
		exchange{"MEMORY USAGE k", ":60\r\n"},
		exchange{"MEMORY USAGE k SAMPLES 5", ":60\r\n"},
		exchange{"OBJECT IDLETIME k", ":0\r\n"},
	)
	lines := parseReply(t, c.do("MEMORY", "HELP")).items
	require.Equal(t, "+USAGE <key> [SAMPLES <count>]", lines[1].text)
}

func TestIdleTimeCountsFromTheLastWrite(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	c.converse(exchange{"SET k v", replyOK})
	h.clock.Advance(12_345_000_000)
	c.converse(exchange{"GET k", bulks("v")}, exchange{"OBJECT IDLETIME k", ":12\r\n"}, exchange{"APPEND k w", ":2\r\n"}, exchange{"OBJECT IDLETIME k", ":0\r\n"})
}

func TestLOLWUT(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	first := parseReply(t, c.do("LOLWUT")).text
	require.Equal(t, first, parseReply(t, c.do("LOLWUT", "VERSION", "5", "1")).text)
	require.True(t, strings.HasSuffix(first, "(Redis ver. 7.0.15)\n"), first)
	require.True(t, strings.HasPrefix(first, "$+-----+"), first)
	h.clock.Advance(1_000_000_000)
	require.NotEqual(t, first, parseReply(t, c.do("LOLWUT")).text)
	require.Equal(t, byte('='), c.resp3().do("LOLWUT")[0])
	require.NotEqual(t, byte('-'), h.admin().do("LOLWUT")[0], "the admin needs no namespace for it")
}
