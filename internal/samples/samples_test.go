package samples

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func drawn(rng *rand.Rand, n int, mean float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = mean + 10*rng.NormFloat64()
	}
	return x
}

func TestCompare(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	same := Compare(drawn(rng, 5000, 100), drawn(rng, 5000, 100))
	require.Greater(t, same.WelchP, 0.01)
	require.Greater(t, same.RankP, 0.01)
	require.InDelta(t, 0.5, same.BSlower, 0.02)
	require.InDelta(t, 0, same.CohenD, 0.05)

	slower := Compare(drawn(rng, 5000, 100), drawn(rng, 5000, 105))
	require.Less(t, slower.WelchP, 1e-9)
	require.Less(t, slower.RankP, 1e-9)
	require.InDelta(t, 5, slower.Shift, 1)
	require.InDelta(t, 0.5, slower.CohenD, 0.06)
	require.InDelta(t, 0.638, slower.BSlower, 0.02) // of a normal distribution with d = 0.5

	faster := Compare(drawn(rng, 5000, 105), drawn(rng, 5000, 100))
	require.Negative(t, faster.WelchT)
	require.Less(t, faster.BSlower, 0.4)
}

func TestTies(t *testing.T) {
	d := Compare([]float64{1, 1, 2, 2}, []float64{1, 2, 2, 2})
	require.InDelta(t, 0.625, d.BSlower, 1e-9)
	d = Compare([]float64{1, 1}, []float64{1, 1})
	require.InDelta(t, 0.5, d.BSlower, 1e-9)
	require.InDelta(t, 1, d.RankP, 1e-9)
}
