package bunt

import (
	"runtime"
	"sync"
)

// sweeper removes in the background what nobody can see any more: expired
// items, and the rows of cleared or dropped spaces. It works in small steps,
// one space after the other, so that neither a lock nor a neighbour waits long.
type sweeper struct {
	mu     sync.Mutex
	queue  []sweep
	queued map[*space]bool
	wake   chan struct{}
}

// sweep is a job: a space to purge, or rows to remove.
type sweep struct {
	space  *space
	shard  *shard
	prefix string
}

// sweepStep bounds how many rows go under one hold of a lock: about half a
// millisecond.
const sweepStep = 256

func newSweeper() *sweeper {
	return &sweeper{queued: make(map[*space]bool), wake: make(chan struct{}, 1)}
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
		return false
	}
	job := w.queue[0]
	w.queue[0] = sweep{}
	w.queue = w.queue[1:]
	delete(w.queued, job.space)
	w.mu.Unlock()

	if job.space != nil {
		if job.space.sweep(sweepStep) {
			w.purge([]*space{job.space})
		}
	} else if more, err := job.shard.deletePrefix(job.prefix, sweepStep); more && err == nil {
		w.removeRows(job.shard, job.prefix)
	}
	return true
}

// sweep removes up to limit expired items, and tells whether more may be due.
// When none is, it sets the alarm anew.
func (sp *space) sweep(limit int) (more bool) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.usable() != nil {
		return false
	}
	now := sp.store.clock()
	changes := make([]change, 0, min(limit, sp.ends.count))
	for len(changes) < limit {
		it := sp.ends.oldest(now)
		if it == nil {
			break
		}
		sp.take(it)
		changes = append(changes, change{it.row(), true})
	}
	var a alarm
	if more = len(changes) == limit; !more {
		sp.armedAt = 0 // it has rung
		if a = sp.wantAlarm(now); a.space == nil {
			a = alarm{space: sp, off: true}
		}
	}
	if len(sp.items) == 0 {
		sp.reset() // Go's maps never shrink
	}
	if err := sp.shard.apply(changes, a); err != nil {
		sp.store.log.Error("index: expired rows could not be removed", "namespace", sp.name.String(), "error", err)
		return false
	}
	return more
}
