package bunt

import "time"

// pacer slows a writer in the background down to a rate, so that the disk stays
// free for the journal. A nil pacer does nothing.
type pacer struct {
	rate  int64 // bytes per second
	began time.Time
	done  int64
}

func newPacer(rate int64) *pacer {
	if rate <= 0 {
		return nil
	}
	return &pacer{rate: rate}
}

// spend accounts for n bytes and waits until they were due, or until stop.
func (p *pacer) spend(n int, stop <-chan struct{}) {
	if p == nil {
		return
	}
	const worthIt = 5 * time.Millisecond
	now := time.Now()
	due := p.began.Add(time.Duration(float64(p.done) / float64(p.rate) * float64(time.Second)))
	if now.After(due) { // what was not used is gone
		p.began, p.done, due = now, 0, now
	}
	p.done += int64(n)
	if wait := due.Sub(now); wait > worthIt {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-stop:
		}
	}
}
