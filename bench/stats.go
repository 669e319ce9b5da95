package main

import "slices"

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	switch {
	case n == 0:
		return 0
	case n%2 == 1:
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// spread is the median of several rounds, and how far the rounds lie apart.
type spread struct{ Median, Min, Max float64 }

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	return spread{median(values), slices.Min(values), slices.Max(values)}
}

// ratios divides round by round: what slows the machine for a while slows both.
func ratios(top, bottom []float64) []float64 {
	out := make([]float64, 0, len(top))
	for i := range min(len(top), len(bottom)) {
		if bottom[i] > 0 {
			out = append(out, top[i]/bottom[i])
		}
	}
	return out
}
