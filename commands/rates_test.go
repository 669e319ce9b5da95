package commands

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRatesAreTheMeanOfTheLastSamples(t *testing.T) {
	var r rates
	now, counts := time.Unix(1, 0), [rateKinds]int64{}
	r.start(now)
	step := func(commands, read int64, after time.Duration) bool {
		now = now.Add(after)
		counts[rateCommands] += commands
		counts[rateRead] += read
		return r.sample(now, counts)
	}
	require.True(t, step(160, 1600, sampleEvery))
	require.InDelta(t, 100, r.perSecond()[rateCommands], 1e-6) // the others count as 0, as in Redis
	require.InDelta(t, 1000, r.perSecond()[rateRead], 1e-6)
	for range rateSamples {
		require.True(t, step(10, 0, sampleEvery))
	}
	require.InDelta(t, 100, r.perSecond()[rateCommands], 1e-6)
	require.Zero(t, r.perSecond()[rateRead])
	for range rateSamples { // a timer that was late
		require.True(t, step(10, 0, 2*sampleEvery))
	}
	require.InDelta(t, 50, r.perSecond()[rateCommands], 1e-6)
	require.True(t, step(1000, 0, 0)) // the clock did not go on

	r.reset()
	require.Zero(t, r.perSecond()[rateCommands])
	counts[rateCommands] = 0
	require.True(t, step(16, 0, sampleEvery))
	require.InDelta(t, 10, r.perSecond()[rateCommands], 1e-6)
}

func TestRatesEndWhenNothingHappens(t *testing.T) {
	var r rates
	now := time.Unix(1, 0)
	r.start(now)
	counts := [rateKinds]int64{5, 5, 5}
	for range rateSamples {
		now = now.Add(sampleEvery)
		require.True(t, r.sample(now, counts))
	}
	require.False(t, r.sample(now.Add(sampleEvery), counts))
	require.Zero(t, r.perSecond())

	// What came while nobody measured does not count for the time before.
	now = now.Add(time.Hour)
	r.start(now)
	counts[rateCommands] += 16
	require.True(t, r.sample(now.Add(sampleEvery), counts))
	require.InDelta(t, 10, r.perSecond()[rateCommands], 1e-6)
}
