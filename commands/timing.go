package commands

import (
	"math"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// How long commands take is read from the clock once before a run and once
// after it. The commands of a run share the time between them, which is what
// they did: one transaction, one lock. Only when a run took long enough for the
// slow log or the latency monitor does anybody look closer.

// resync is how old the wall clock's reading may be that the time of day is
// told from.
const resync = 100 * time.Millisecond

// stopwatch tells the time of day and measures runs with one reading of the
// monotonic clock for each, half as dear as time.Now. It belongs to a session.
type stopwatch struct {
	fake func() time.Time // in tests; nil is the system's clock
	base time.Time
	at   time.Duration // the last reading, since base
}

// now reads the clock.
func (w *stopwatch) now() time.Time {
	if w.fake != nil {
		w.base, w.at = w.fake(), 0
		return w.base
	}
	w.at = time.Since(w.base)
	if w.at > resync {
		w.base, w.at = time.Now(), 0
	}
	return w.base.Add(w.at)
}

// lap reads the clock and returns the time since the last reading.
func (w *stopwatch) lap() time.Duration {
	before := w.at
	w.at = w.read()
	return w.at - before
}

// since is lap for a part of what the next lap measures.
func (w *stopwatch) since(before time.Duration) time.Duration { return w.read() - before }

func (w *stopwatch) read() time.Duration {
	if w.fake != nil {
		return w.fake().Sub(w.base)
	}
	return time.Since(w.base)
}

// account notes that the items took d together.
func (e *Engine) account(s *Session, items []item, d time.Duration) {
	each := int64(d) / int64(len(items))
	for i := 0; i < len(items); {
		cmd, n := items[i].cmd, int64(1)
		for i++; i < len(items) && items[i].cmd == cmd; i++ {
			n++
		}
		cmd.hits.took(n, each)
	}
	if int64(d) >= e.attention.Load() {
		e.attend(s, items, d)
	}
}

// attention is the time of a run in nanoseconds from which on somebody wants
// to know more; -1 when a monitor wants to know everything.
func (e *Engine) payAttention() {
	least := int64(math.MaxInt64)
	if us := e.slow.threshold.Load(); us >= 0 {
		least = us * int64(time.Microsecond)
	}
	if ms := e.latency.threshold.Load(); ms > 0 {
		least = min(least, ms*int64(time.Millisecond))
	}
	if e.monitors.any() {
		least = -1
	}
	e.attention.Store(least)
}

// observeStore lets the latency monitor hear of what the store does, as long as
// it is on.
func (e *Engine) observeStore() {
	store, ok := e.store.(storage.Observed)
	switch {
	case !ok:
	case e.latency.threshold.Load() == 0:
		store.Observe(nil)
	default:
		store.Observe(func(event string, took time.Duration) {
			if ms := e.latency.threshold.Load(); ms > 0 && took.Milliseconds() >= ms {
				e.latency.add(event, e.clock(), took.Milliseconds())
			}
		})
	}
}

// attend hands a run to the slow log and the latency monitor.
func (e *Engine) attend(s *Session, items []item, d time.Duration) {
	if us := e.slow.threshold.Load(); us >= 0 && d.Microseconds() >= us {
		e.slow.add(s, items, d, e.config)
	}
	if ms := e.latency.threshold.Load(); ms > 0 && d.Milliseconds() >= ms {
		event := "command"
		if items[0].cmd.fast() {
			event = "fast-command"
		}
		e.latency.add(event, s.run.now, d.Milliseconds())
	}
}
