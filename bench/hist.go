package main

import (
	"math/bits"
	"time"
)

// subBits is the precision of a histogram: each power of two is cut into
// 1<<subBits buckets, so that a value is off by at most 3 %.
const subBits = 5

// histogram counts durations in buckets whose width grows with the value, as
// HDR histograms do. The zero value is ready to use.
type histogram struct {
	counts [(64 - subBits + 1) << subBits]uint32
	total  uint64
	worst  time.Duration
}

func bucketOf(ns uint64) int {
	if ns < 1<<subBits {
		return int(ns)
	}
	shift := bits.Len64(ns) - 1 - subBits
	return (shift+1)<<subBits + int(ns>>shift) - 1<<subBits
}

// bucketTop is the largest value of a bucket.
func bucketTop(i int) uint64 {
	if i < 1<<subBits {
		return uint64(i)
	}
	shift := i>>subBits - 1
	return (uint64(i&(1<<subBits-1))+1<<subBits+1)<<shift - 1
}

func (h *histogram) record(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(uint64(d))]++
	h.total++
	h.worst = max(h.worst, d)
}

// recordPaced records a request that was to be sent every interval: while it
// took longer, the next ones would have waited too, and they count.
func (h *histogram) recordPaced(d, interval time.Duration) {
	for ; d > 0; d -= interval {
		h.record(d)
	}
}

func (h *histogram) add(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.worst = max(h.worst, other.worst)
}

// quantile returns the duration that a share q of all is not above.
func (h *histogram) quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := max(uint64(q*float64(h.total)+0.5), 1)
	var seen uint64
	for i, n := range h.counts {
		if seen += uint64(n); seen >= rank {
			return min(time.Duration(bucketTop(i)), h.worst)
		}
	}
	return h.worst
}
