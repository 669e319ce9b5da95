package commands

import (
	"sync"
	"sync/atomic"
	"time"
)

// What INFO calls instantaneous is, as in Redis, the mean of the last samples.
// They are taken as long as something happens: an idle server has no timer.
const (
	rateSamples = 16
	sampleEvery = 100 * time.Millisecond
)

// rates samples how fast some counters grow.
type rates struct {
	running atomic.Bool // a timer is set

	mu      sync.Mutex
	at      time.Time // of the last sample
	counts  [rateKinds]int64
	samples [rateSamples][rateKinds]float64 // per second
	next    int                             // the oldest sample
	quiet   int                             // samples in a row in which nothing happened
}

// The counters, in the order of rates.counts.
const (
	rateCommands = iota
	rateRead
	rateWritten
	rateKinds
)

// noteActivity is called before each batch: somebody has to measure.
func (e *Engine) noteActivity() {
	r := &e.totals.rates
	if r.running.Load() || e.fake != nil || !r.running.CompareAndSwap(false, true) {
		return
	}
	r.start(time.Now())
	time.AfterFunc(sampleEvery, e.sampleRates)
}

// sampleRates takes a sample, and goes on as long as there are any to forget.
func (e *Engine) sampleRates() {
	t := e.traffic()
	if e.totals.rates.sample(time.Now(), [rateKinds]int64{e.commandsRun(), t.Read, t.Written}) {
		time.AfterFunc(sampleEvery, e.sampleRates)
		return
	}
	e.totals.rates.running.Store(false)
}

// start begins to measure again, from what the counters were when it ended.
func (r *rates) start(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.quiet = now, 0
}

// sample notes how far the counters are, and tells whether to go on.
func (r *rates) sample(now time.Time, counts [rateKinds]int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	seconds := now.Sub(r.at).Seconds()
	if seconds <= 0 {
		return true
	}
	if r.quiet++; counts != r.counts {
		r.quiet = 0
	}
	for kind, n := range counts {
		r.samples[r.next][kind] = float64(max(0, n-r.counts[kind])) / seconds
	}
	r.at, r.counts, r.next = now, counts, (r.next+1)%rateSamples
	return r.quiet < rateSamples
}

// perSecond is how fast the counters grow at the moment.
func (r *rates) perSecond() (mean [rateKinds]float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.samples {
		for kind, v := range r.samples[i] {
			mean[kind] += v / rateSamples
		}
	}
	return mean
}

// reset begins anew with the counts that were reset; bytes go on.
func (r *rates) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples, r.counts[rateCommands] = [rateSamples][rateKinds]float64{}, 0
}
