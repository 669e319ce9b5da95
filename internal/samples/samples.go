// Package samples tells whether two sets of measured times differ, and by how
// much: tests for timing differences use it.
package samples

import (
	"cmp"
	"math"
	"slices"
)

// Difference is what two sets of samples, A and B, have between them.
type Difference struct {
	Median  float64 // of A, in the unit of the samples
	Shift   float64 // the median of B less that of A
	WelchT  float64 // Welch's t of the means of B and A, without the most extreme hundredth of the samples
	WelchP  float64 // how likely such a t is without any difference
	CohenD  float64 // the difference of these means in standard deviations
	RankP   float64 // how likely their order is without any difference (Mann-Whitney U)
	BSlower float64 // how often a sample of B is greater than one of A; without any difference 0.5
}

// Compare compares two sets of at least 100 samples. The probabilities are those of
// the normal distribution, which for so many is close enough.
func Compare(a, b []float64) Difference {
	d := Difference{Median: median(a), Shift: median(b) - median(a)}
	ma, va, na := moments(trimmed(a))
	mb, vb, nb := moments(trimmed(b))
	if va+vb > 0 {
		d.WelchT = (mb - ma) / math.Sqrt(va/na+vb/nb)
		d.CohenD = (mb - ma) / math.Sqrt((va+vb)/2)
	}
	d.WelchP = twoSided(d.WelchT)
	d.RankP, d.BSlower = rank(a, b)
	return d
}

func twoSided(z float64) float64 { return math.Erfc(math.Abs(z) / math.Sqrt2) }

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// trimmed leaves the greatest hundredth out: a mean of times says more about the
// few in which the machine did something else than about the rest.
func trimmed(x []float64) []float64 {
	s := slices.Sorted(slices.Values(x))
	return s[:len(s)-len(s)/100]
}

func moments(x []float64) (mean, variance, n float64) {
	n = float64(len(x))
	for _, v := range x {
		mean += v / n
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / (n - 1)
	}
	return mean, variance, n
}

// rank is the Mann-Whitney U test, corrected for ties.
func rank(a, b []float64) (p, bGreater float64) {
	type sample struct {
		v     float64
		fromB bool
	}
	all := make([]sample, 0, len(a)+len(b))
	for _, v := range a {
		all = append(all, sample{v, false})
	}
	for _, v := range b {
		all = append(all, sample{v, true})
	}
	slices.SortFunc(all, func(x, y sample) int { return cmp.Compare(x.v, y.v) })
	var ranks, ties float64
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].v == all[i].v {
			j++
		}
		for _, s := range all[i:j] {
			if s.fromB {
				ranks += float64(i+j+1) / 2
			}
		}
		t := float64(j - i)
		ties += t*t*t - t
		i = j
	}
	na, nb := float64(len(a)), float64(len(b))
	n := na + nb
	u := ranks - nb*(nb+1)/2
	sigma := math.Sqrt(na * nb / 12 * (n + 1 - ties/(n*(n-1))))
	if sigma == 0 {
		return 1, 0.5
	}
	return twoSided((u - na*nb/2) / sigma), u / (na * nb)
}
