package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// How much garbage may lie about before Go collects it: half as much as there
// is live data, and gcRoom at least. Keys and values are memory that the
// collector does not look into, so a collection of a gigabyte of them takes
// milliseconds, and more room buys no throughput (ARCHITECTURE.md). GOGC in the
// environment wins.
const (
	gcPercent = 50
	gcRoom    = 32 << 20
)

// paceCollector sets GOGC after each collection.
func paceCollector() {
	last := 0
	var pace func()
	pace = func() {
		percent := collectorPercent(liveHeap())
		if d := percent - last; d*10 > last || -d*10 > last { // setting it stops the world for a moment
			debug.SetGCPercent(percent)
			last = percent
		}
		runtime.AddCleanup(new(sentinel), func(next func()) { next() }, pace)
	}
	pace()
}

// sentinel is garbage at once, so that its cleanup runs after the next collection.
// It has a pointer, so that it does not share an allocation with others.
type sentinel struct{ _ *sentinel }

// collectorPercent returns the GOGC for so many bytes of live data.
func collectorPercent(live uint64) int {
	const least = 4 << 20 // what Go takes for the live data of a small heap
	return max(gcPercent, int(gcRoom*100/max(live, least)))
}

// liveHeap returns the bytes that the last collection found alive.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
