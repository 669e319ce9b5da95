package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBucketsAreInOrderAndNarrow(t *testing.T) {
	last := -1
	for ns := uint64(0); ns < 1<<40; ns += 1 + ns/7 {
		i := bucketOf(ns)
		require.GreaterOrEqual(t, i, last, "of %d ns", ns)
		last = i
		top := bucketTop(i)
		require.GreaterOrEqual(t, top, ns)
		require.LessOrEqual(t, float64(top-ns), float64(ns)/(1<<subBits), "of %d ns", ns)
		require.Equal(t, i, bucketOf(top), "the top of a bucket belongs to it")
		require.Equal(t, i+1, bucketOf(top+1))
	}
	require.Less(t, bucketOf(1<<63), len(histogram{}.counts))
}

func TestQuantilesAreThoseOfTheSortedValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h, other histogram
	var all []time.Duration
	for i := range 10_000 {
		d := time.Duration(rng.ExpFloat64() * 1e6)
		all = append(all, d)
		if i%2 == 0 {
			h.record(d)
		} else {
			other.record(d)
		}
	}
	h.add(&other)
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999} {
		want := float64(all[int(q*float64(len(all))+0.5)-1])
		require.InEpsilon(t, want, float64(h.quantile(q)), 0.04, "quantile %v", q)
	}
	require.Equal(t, all[len(all)-1], h.quantile(1))
	require.Equal(t, all[len(all)-1], h.worst)
	require.Zero(t, new(histogram).quantile(0.99))
}

func TestAStallCountsForThoseWhoWouldHaveWaited(t *testing.T) {
	var h histogram
	h.recordPaced(10*time.Millisecond, time.Millisecond)
	require.EqualValues(t, 10, h.total)
	require.Equal(t, 10*time.Millisecond, h.worst)
	require.InEpsilon(t, float64(5*time.Millisecond), float64(h.quantile(0.5)), 0.04)
}

func TestMedianAndRatios(t *testing.T) {
	require.Zero(t, median(nil))
	require.InDelta(t, 2, median([]float64{3, 1, 2}), 0)
	require.InDelta(t, 2.5, median([]float64{4, 3, 1, 2}), 0)
	require.Equal(t, spread{2, 1, 3}, spreadOf([]float64{3, 1, 2}))
	require.Equal(t, []float64{2, 0.5}, ratios([]float64{4, 1}, []float64{2, 2, 9}))
	require.Empty(t, ratios([]float64{1}, []float64{0}))
}
