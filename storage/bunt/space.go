package bunt

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// space is one database of one namespace.
type space struct {
	store *Store
	db    int
	id    uint32 // names its alarm
	name  storage.ID
	shard *shard
	head  []byte // what a journal record of a batch starts with: kind and name

	dropped   atomic.Bool   // set under mu
	rollbacks atomic.Uint32 // how often it was rolled back; changed under mu
	events    atomic.Bool   // Options.OnExpired hears of the space's keys

	mu     sync.RWMutex
	loaded bool
	unread error // why it cannot be used since a rollback failed

	ks     *keyspace // nil while it is not loaded
	number uint32    // of its rows in the shard; a Clear that leaves some takes a new one
	prefix string    // spacePrefix(number)
	// armedAt is when the alarm in the shard rings, in Unix ms; 0 is never.
	armedAt    int64
	maxVersion uint64

	known   bool  // it was loaded before
	tail    *tail // where the journal has records of a space that is not in memory
	counted int64 // its part of Store.memory
	// fileBytes is the size of the snapshot file, once it was read or written.
	fileBytes atomic.Int64
	// used is when the space was used last, in Unix ms, give or take touchEvery.
	used atomic.Int64
	// lastSeq is the newest journal record of the space.
	lastSeq atomic.Uint64
	// dirtySince is no later than the oldest record that the snapshot file does
	// not include; 0 when it includes all. See dirtyList.
	dirtySince atomic.Uint64
	dirtyPos   int // place in dirtyList plus one; guarded by its lock

	// What the last look found, if there was one.
	seen                atomic.Bool
	seenKeys, seenBytes atomic.Int64
}

func (sp *space) journaled() bool { return sp.db == storage.Durable && sp.store.journal != nil }

// usable tells why a transaction cannot run. Callers hold mu.
func (sp *space) usable() error {
	switch {
	case sp.store.closed.Load():
		return storage.ErrClosed
	case sp.dropped.Load():
		return storage.ErrDropped
	}
	return sp.unread
}

// seq is what a reader of the space has to wait for. Callers hold mu.
func (sp *space) seq() storage.Seq {
	if sp.store.journal == nil {
		return 0
	}
	return sp.store.journal.ticket(sp.lastSeq.Load())
}

var txPool = sync.Pool{New: func() any { return new(tx) }}

// View runs fn under the space's read lock. Errors: storage.ErrClosed,
// storage.ErrDropped, storage.ErrDamaged, the context's and fn's.
func (sp *space) View(ctx context.Context, _ []string, fn func(storage.Tx) error) (storage.Seq, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	for {
		sp.mu.RLock()
		err := sp.usable()
		if err == nil && sp.loaded {
			break
		}
		sp.mu.RUnlock()
		if err == nil {
			err = sp.load(true)
		}
		if err != nil {
			return 0, err
		}
	}
	return sp.view(fn)
}

// view runs fn and gives the read lock back that its caller took.
func (sp *space) view(fn func(storage.Tx) error) (storage.Seq, error) {
	defer sp.mu.RUnlock()
	t := txPool.Get().(*tx)
	t.begin(sp, false)
	defer t.release()
	err := fn(t)
	return sp.seq(), err
}

// Update runs fn under the space's write lock. Errors: storage.ErrClosed,
// storage.ErrDropped, storage.ErrWriteFailed, storage.ErrDamaged, the context's
// and fn's.
func (sp *space) Update(ctx context.Context, _ []string, fn func(storage.Tx) error) (storage.Seq, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	sp.mu.Lock()
	return sp.updated(sp.update(fn))
}

// updated does what comes after an update, without the lock.
func (sp *space) updated(seq storage.Seq, ended []string, err error) (storage.Seq, error) {
	sp.raise(ended)
	if sp.journaled() {
		// Nobody may ever wait for these writes, so memory needs a bound here.
		sp.store.journal.relieve()
	}
	return seq, err
}

// update runs fn and gives the lock back that its caller took. It returns the
// expired keys that it came across and removed, if anybody wants to know.
func (sp *space) update(fn func(storage.Tx) error) (seq storage.Seq, ended []string, err error) {
	defer sp.mu.Unlock()
	if err := sp.usable(); err != nil {
		return 0, nil, err
	}
	if !sp.loaded {
		if err := sp.loadLocked(); err != nil {
			return 0, nil, err
		}
	}
	t := txPool.Get().(*tx)
	t.begin(sp, true)
	committed := false
	defer func() { // also when fn panics or ends the goroutine
		if !committed {
			t.rollback()
		}
		t.release()
	}()
	if err := fn(t); err != nil {
		return sp.seq(), nil, err
	}
	if err := t.commit(); err != nil {
		return sp.seq(), nil, err
	}
	committed = true
	return sp.seq(), t.ended, nil
}

// wantAlarm returns the change that makes the shard's alarm ring no later than
// the first expiry. An alarm that rings too early costs a look at the calendar, so
// it stays until it has rung.
func (sp *space) wantAlarm(now int64) alarm {
	at := sp.ks.ends.next()
	if at == 0 {
		return alarm{}
	}
	if sp.armedAt != 0 && sp.armedAt <= at {
		return alarm{}
	}
	after := maxAlarm
	if at < now+maxAlarm.Milliseconds() {
		after = max(0, time.Duration(at-now)*time.Millisecond)
	}
	sp.armedAt = min(at, now+maxAlarm.Milliseconds())
	return alarm{space: sp, after: after}
}

// renumber gives the space a new range of rows.
func (sp *space) renumber() {
	sp.number = sp.store.numbers.Add(1)
	sp.prefix = spacePrefix(sp.number)
}

// reset empties a space whose rows somebody else removes.
func (sp *space) reset() { sp.ks = newKeyspace(sp.store.seed) }
