package main

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCollectorPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 800, 1 << 20: 800, 8 << 20: 400, 32 << 20: 100, 64 << 20: 50, 1 << 40: 50} {
		require.Equal(t, want, collectorPercent(live), live)
	}
}

func TestPaceFollowsTheHeap(t *testing.T) {
	current := func() int {
		percent := debug.SetGCPercent(100)
		debug.SetGCPercent(percent)
		return percent
	}
	old := current()
	t.Cleanup(func() { debug.SetGCPercent(old) })
	paceCollector()
	require.Greater(t, current(), gcPercent)
	data := make([]byte, 256<<20)
	for current() != gcPercent { // cleanups run soon after a collection
		runtime.GC()
		runtime.Gosched()
	}
	runtime.KeepAlive(data)
}
