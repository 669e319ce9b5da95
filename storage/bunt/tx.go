package bunt

import (
	"math/rand/v2"

	"github.com/cubbykv/cubby/storage"
)

// tx is a transaction on one space. Writes go straight into the space; undo
// remembers how to take them back. What the shard and the journal must know is
// collected and handed over once, by commit.
type tx struct {
	sp       *space
	now      int64
	writable bool

	undo    []undo
	changes []change // to the shard, in order
	ops     []byte   // the journal record's operations
	retired []string // prefixes of rows that a Clear left behind
	ended   []string // expired keys that made room, if the space has events

	rows      []string // spare buffer of Ascend
	ascending int      // how many Ascends are running
	// born numbers the keys that came to life during an Ascend. The Ascend must
	// not see them, although the shard may have a row for such a key: it was
	// deleted earlier in this transaction, or has expired.
	born   map[string]int
	births int
}

// undo restores one item, or a whole space after Clear.
type undo struct {
	kind undoKind
	it   *item
	old  item         // undoPut: what it held
	all  *clearedData // undoClear
}

type undoKind uint8

const (
	undoAdd undoKind = iota
	undoPut
	undoTake
	undoClear
)

// clearedData is what a Clear took away.
type clearedData struct {
	items  map[string]*item
	ends   calendar
	bytes  int64
	number uint32
	prefix string
}

// inlineClear is up to how many rows a Clear removes at once; more are removed
// in the background, under a number that is not used again.
const inlineClear = 1024

func (t *tx) begin(sp *space, writable bool) {
	t.sp, t.writable = sp, writable
	t.now = sp.store.clock()
	sp.touch(t.now)
}

// release empties the transaction and gives it back to the pool.
func (t *tx) release() {
	const keep = 4096 // elements or bytes that a pooled transaction may hold on to
	if t.writable {
		clear(t.undo)
		clear(t.changes)
		if cap(t.undo) > keep || cap(t.changes) > keep || cap(t.ops) > 16*keep {
			t.undo, t.changes, t.ops = nil, nil, nil
		}
		t.undo, t.changes, t.ops = t.undo[:0], t.changes[:0], t.ops[:0]
		t.retired, t.ended, t.born = nil, nil, nil
	}
	t.sp, t.ascending, t.births = nil, 0, 0
	txPool.Put(t)
}

func (t *tx) Now() int64 { return t.now }

func (t *tx) Get(key string) (storage.Entry, error) {
	it := t.sp.items[key]
	if it == nil || it.expired(t.now) {
		return storage.Entry{}, storage.ErrNotFound
	}
	return it.entry(), nil
}

func (t *tx) Set(key string, e storage.Entry) error {
	if !t.writable {
		return storage.ErrReadOnlyTx
	}
	sp, it := t.sp, t.sp.items[key]
	if e.Expired(t.now) {
		if it != nil && !it.expired(t.now) {
			t.remove(it)
		}
		return nil
	}
	version := sp.store.version.Add(1)
	sp.maxVersion = version
	value := string(e.Value)
	if it == nil {
		it = newItem(sp.prefix+key, value, t.now, e.ExpiresAt, version)
		sp.add(it)
		t.undo = append(t.undo, undo{kind: undoAdd, it: it})
		t.changes = append(t.changes, change{row: it.row()})
		t.noteBirth(it.key())
	} else {
		if it.expired(t.now) {
			t.noteBirth(it.key())
			t.noteEnd(it)
		}
		t.undo = append(t.undo, undo{kind: undoPut, it: it, old: *it})
		sp.put(it, value, t.now, e.ExpiresAt, version)
	}
	if sp.journaled() {
		t.ops = appendSet(t.ops, it)
	}
	return nil
}

func (t *tx) Delete(key string) error {
	if !t.writable {
		return storage.ErrReadOnlyTx
	}
	it := t.sp.items[key]
	if it == nil || it.expired(t.now) {
		return storage.ErrNotFound
	}
	t.remove(it)
	return nil
}

// remove deletes a live item, which the journal must know.
func (t *tx) remove(it *item) {
	t.evict(it)
	if t.sp.journaled() {
		t.ops = appendDelete(t.ops, it.key())
	}
}

// evict takes an item out of memory.
func (t *tx) evict(it *item) {
	t.sp.take(it)
	t.undo = append(t.undo, undo{kind: undoTake, it: it})
	t.changes = append(t.changes, change{it.row(), true})
}

func (t *tx) noteBirth(key string) {
	if t.ascending == 0 {
		return
	}
	if t.born == nil {
		t.born = make(map[string]int)
	}
	t.births++
	t.born[key] = t.births
}

func (t *tx) Clear() error {
	if !t.writable {
		return storage.ErrReadOnlyTx
	}
	sp := t.sp
	if len(sp.items) == 0 {
		return nil
	}
	t.undo = append(t.undo, undo{kind: undoClear, all: &clearedData{sp.items, sp.ends, sp.bytes, sp.number, sp.prefix}})
	if len(sp.items) <= inlineClear {
		for _, it := range sp.items {
			t.changes = append(t.changes, change{it.row(), true})
		}
	} else {
		// Rows that this transaction added or removed have the old number too.
		t.changes = t.changes[:0]
		t.retired = append(t.retired, sp.prefix)
		sp.renumber()
	}
	sp.reset()
	if sp.journaled() {
		t.ops = appendClear(t.ops[:0])
	}
	return nil
}

func (t *tx) Random() (string, error) {
	const few = 64
	sp := t.sp
	if len(sp.items) <= few {
		// Go starts a map's iteration at a random slot, not a random entry: in a
		// small map most slots are empty, and the entry behind them wins often.
		var live [few]string
		n := 0
		for key, it := range sp.items {
			if !it.expired(t.now) {
				live[n] = key
				n++
			}
		}
		if n == 0 {
			return "", storage.ErrNotFound
		}
		return live[rand.IntN(n)], nil
	}
	skip, found := rand.IntN(few), ""
	ok := false
	for key, it := range sp.items {
		if it.expired(t.now) {
			continue
		}
		found, ok = key, true
		if skip == 0 {
			break
		}
		skip--
	}
	if !ok {
		return "", storage.ErrNotFound
	}
	return found, nil
}

func (t *tx) Usage() storage.Usage {
	keys, bytes := t.sp.ends.expired(t.now)
	return storage.Usage{Keys: int64(len(t.sp.items)) - keys, Bytes: t.sp.bytes - bytes}
}

func (t *tx) Purge(limit int) (int, error) {
	if !t.writable {
		return 0, storage.ErrReadOnlyTx
	}
	n := 0
	for ; n < limit; n++ {
		it, again := t.sp.ends.oldest(t.now)
		for again {
			it, again = t.sp.ends.oldest(t.now)
		}
		if it == nil {
			break
		}
		t.evict(it)
		t.noteEnd(it)
	}
	return n, nil
}

// noteEnd remembers an expired key that this transaction found first.
func (t *tx) noteEnd(it *item) {
	if t.sp.events.Load() {
		t.ended = append(t.ended, it.key())
	}
}

// commit hands the writes to the shard and to the journal. After an error the
// caller rolls back.
func (t *tx) commit() error {
	if len(t.undo) == 0 {
		return nil
	}
	sp := t.sp
	record := sp.journaled() && len(t.ops) > 0
	if record && sp.store.journal.failed.Load() {
		return sp.store.journal.failure()
	}
	if err := sp.shard.apply(t.changes, sp.wantAlarm(t.now)); err != nil {
		return err
	}
	for _, prefix := range t.retired {
		sp.store.sweeper.removeRows(sp.shard, prefix)
	}
	if record {
		if sp.dirtySince.Load() == 0 {
			sp.store.dirty.mark(sp)
		}
		sp.lastSeq.Store(sp.store.journal.append(sp.head, t.ops))
	}
	sp.account()
	return nil
}

// rollback takes everything back. The shard was not told yet.
func (t *tx) rollback() {
	sp := t.sp
	for i := len(t.undo) - 1; i >= 0; i-- {
		u := &t.undo[i]
		switch u.kind {
		case undoAdd:
			sp.take(u.it)
		case undoPut:
			sp.put(u.it, u.old.value(), u.old.updatedAt, u.old.expiresAt, u.old.version)
		case undoTake:
			sp.add(u.it)
		case undoClear:
			sp.items, sp.ends, sp.bytes = u.all.items, u.all.ends, u.all.bytes
			sp.number, sp.prefix = u.all.number, u.all.prefix
		}
	}
}
