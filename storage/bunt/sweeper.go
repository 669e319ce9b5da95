package bunt

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// sweeper removes in the background what nobody can see any more: expired
// items, memory that a large deletion has left, and the rows of cleared or dropped
// spaces. It works in small steps,
// one space after the other, so that neither a lock nor a neighbour waits long.
type sweeper struct {
	observer *observer

	mu     sync.Mutex
	queue  []sweep
	queued map[*space]bool
	wake   chan struct{}

	limit   int            // rows that the next step may remove; guarded by mu
	aside   sync.WaitGroup // steps that wait for a lock
	longest atomic.Int64   // ns that a step has held locks
	lag     atomic.Int64   // ms since the expiry of what was removed last
}

// sweep is a job: a space to purge, or rows to remove.
type sweep struct {
	space  *space
	shard  *shard
	prefix string
}

// A step is as large as fits into sweepHold: how long it takes depends on the
// machine, on how large the index is and on who else is running.
const (
	sweepHold = time.Millisecond
	leastStep = 16
	firstStep = 256
	largeStep = 1024
	fewRows   = 64 // between looks at the clock
)

func newSweeper(o *observer) *sweeper {
	return &sweeper{observer: o, queued: make(map[*space]bool), wake: make(chan struct{}, 1), limit: firstStep}
}

func (w *sweeper) purge(spaces []*space) {
	w.mu.Lock()
	for _, sp := range spaces {
		if !w.queued[sp] {
			w.queued[sp] = true
			w.queue = append(w.queue, sweep{space: sp})
		}
	}
	w.mu.Unlock()
	w.poke()
}

func (w *sweeper) removeRows(sh *shard, prefix string) {
	w.mu.Lock()
	w.queue = append(w.queue, sweep{shard: sh, prefix: prefix})
	w.mu.Unlock()
	w.poke()
}

func (w *sweeper) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *sweeper) run(stop <-chan struct{}) {
	defer w.aside.Wait()
	for {
		select {
		case <-stop:
			return
		default:
		}
		if w.step() {
			runtime.Gosched() // whoever waits for the lock goes first
			continue
		}
		select {
		case <-stop:
			return
		case <-w.wake:
		}
	}
}

// step does a bit of the first job and puts the rest behind all others.
func (w *sweeper) step() bool {
	w.mu.Lock()
	if len(w.queue) == 0 {
		w.queue = nil
		w.mu.Unlock()
		w.lag.Store(0)
		return false
	}
	job := w.queue[0]
	w.queue[0] = sweep{}
	w.queue = w.queue[1:]
	limit := w.limit
	w.mu.Unlock()

	if sp := job.space; sp != nil {
		if try(sp.mu.TryLock) {
			w.sweep(sp, limit)
			return true
		}
		// A script or a walk may keep the space for seconds, which is no reason
		// for the others to wait. It stays queued: there is one of these for each
		// space at most, and none for a space that nobody is inside.
		w.aside.Go(func() {
			sp.mu.Lock()
			w.sweep(sp, limit)
		})
		return true
	}
	began := time.Now()
	more, err := job.shard.deletePrefix(job.prefix, limit)
	w.adapt(time.Since(began), more)
	if more && err == nil {
		w.removeRows(job.shard, job.prefix)
	}
	return true
}

// sweep does a step in a space whose lock it takes over.
func (w *sweeper) sweep(sp *space, limit int) {
	w.mu.Lock()
	delete(w.queued, sp) // what ends from here on is a new job
	w.mu.Unlock()
	done := sp.sweep(limit)
	w.adapt(done.held, done.more)
	if done.removed > 0 {
		w.observer.took(storage.TookExpiry, done.held)
	}
	if done.removed > 0 {
		w.lag.Store(done.lag)
	}
	if done.more || done.untidy {
		w.purge([]*space{sp})
	}
	sp.raise(done.keys)
}

// adapt makes the next step fit. A step that was not full says little.
func (w *sweeper) adapt(held time.Duration, full bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.longest.Store(max(w.longest.Load(), int64(held)))
	switch {
	case held > sweepHold:
		w.limit = max(leastStep, w.limit/2)
	case full && held < sweepHold/2:
		w.limit = min(largeStep, w.limit+w.limit/2)
	}
}

// swept is what a step did to a space.
type swept struct {
	removed int
	more    bool          // may be due
	untidy  bool          // the arena has more to give back
	keys    []string      // that expired, if the space has events
	lag     int64         // ms since the expiry of the last of them
	held    time.Duration // of the space's lock
}

// sweep removes up to limit expired items. When no more are due, it sets the
// alarm anew. It gives the lock back that its caller took.
func (sp *space) sweep(limit int) (done swept) {
	defer sp.mu.Unlock()
	if sp.usable() != nil || !sp.loaded {
		return swept{}
	}
	began := time.Now()
	defer func() {
		done.held = time.Since(began)
		sp.store.expired.Add(int64(done.removed))
	}()
	now := sp.store.clock()
	events := sp.events.Load()
	ks := sp.ks
	done.more = true
	for ks.ends.prepare(ks, now) && time.Since(began) < sweepHold/2 {
	}
	for done.removed < limit {
		slot, ok, again := ks.ends.oldest(ks, now)
		if (again || done.removed%fewRows == fewRows-1) && time.Since(began) > sweepHold {
			break
		}
		if again {
			continue
		}
		if !ok {
			done.more = false
			break
		}
		done.lag = now - ks.expiry(slot)
		if events {
			done.keys = append(done.keys, strings.Clone(ks.key(slot)))
		}
		ks.kill(slot)
		sp.bury(slot)
		done.removed++
	}
	var a alarm
	if !done.more {
		sp.armedAt = 0 // it has rung
		if a = sp.wantAlarm(now); a.space == nil {
			a = alarm{space: sp, off: true}
		}
	}
	if ks.count == 0 && !ks.stuck {
		sp.dropRows()
		sp.reset() // the table never shrinks
	} else if ks.sparse() {
		sp.remake()
	} else {
		ks.tidy()
		done.untidy = ks.untidy()
	}
	sp.account()
	if err := sp.shard.apply(nil, a); err != nil {
		sp.store.log.Error("index: an alarm could not be set", "namespace", sp.name.String(), "error", err)
		done.more = false
	}
	return done
}

// remake gives a space whose keys are nearly all gone a smaller keyspace.
func (sp *space) remake() {
	old := clearedData{sp.ks, sp.number, sp.prefix}
	if old.ks.pages.rows > 0 {
		sp.renumber()
	}
	sp.ks = old.ks.remade()
	if err := sp.orderAll(); err != nil {
		sp.store.log.Error("index: a namespace could not be made smaller", "namespace", sp.name.String(), "error", err)
		sp.restoreCleared(&old)
		sp.ks.stuck = true // or it would be tried again and again
		return
	}
	if old.ks.pages.rows > 0 {
		sp.store.sweeper.removeRows(sp.shard, old.prefix)
	}
}

// restoreCleared puts back what was taken away.
func (sp *space) restoreCleared(old *clearedData) {
	sp.dropRows()
	sp.ks = old.ks
	if sp.ks.pages.rows > 0 { // else it had no number of its own to go back to
		sp.number, sp.prefix = old.number, old.prefix
	}
}
