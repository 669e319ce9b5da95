package bunt

import (
	"strings"

	"github.com/cubbykv/cubby/storage"
)

// tx is a transaction on one space. Writes go straight into the space; undo
// remembers how to take them back. What the pages and the journal must know is
// collected and handed over once, by commit.
type tx struct {
	sp       *space
	now      int64
	writable bool

	undo    []undo
	since   int      // undo behind the last Clear
	ops     []byte   // the journal record's operations
	written int64    // bytes of keys and values
	retired []string // prefixes of rows that a Clear left behind
	ended   []string // expired keys that made room, if the space has events
	expired int64    // how many expired keys made room

	rows []pageRow // spare buffer of Ascend
}

// undo restores one key, or a whole space after Clear.
type undo struct {
	kind undoKind
	slot uint32
	old  ref          // undoPut: the record before
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
	ks     *keyspace
	number uint32
	prefix string
}

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
		if cap(t.undo) > keep || cap(t.ops) > 16*keep {
			t.undo, t.ops = nil, nil
		}
		t.undo, t.since, t.ops = t.undo[:0], 0, t.ops[:0]
		t.retired, t.ended, t.expired, t.written = nil, nil, 0, 0
	}
	clear(t.rows[:cap(t.rows)])
	t.sp = nil
	txPool.Put(t)
}

func (t *tx) Now() int64 { return t.now }

func (t *tx) Get(key string) (storage.Entry, error) {
	ks := t.sp.ks
	slot, ok := ks.find(ks.hash(key), key)
	if !ok {
		return storage.Entry{}, storage.ErrNotFound
	}
	it := ks.item(slot)
	if it.expired(t.now) {
		return storage.Entry{}, storage.ErrNotFound
	}
	return it.entry(), nil
}

func (t *tx) Set(key string, e storage.Entry) error {
	if !t.writable {
		return storage.ErrReadOnlyTx
	}
	sp, ks := t.sp, t.sp.ks
	hash := ks.hash(key)
	slot, found := ks.find(hash, key)
	ended := found && expiredAt(ks.expiry(slot), t.now)
	if e.Expired(t.now) {
		if found && !ended {
			t.remove(slot)
		}
		return nil
	}
	size := int64(len(key) + len(e.Value))
	if t.written > 0 && t.written+size > sp.store.opts.txBytes {
		return storage.ErrTooLarge
	}
	t.written += size
	if ended { // another life begins: an Ascend under way must not see it
		t.noteEnd(slot)
		t.evict(slot)
	}
	version := sp.store.version.Add(1)
	sp.maxVersion = version
	value := stringOf(e.Value)
	r := ks.record(key, value, t.now, e.ExpiresAt, version)
	if found && !ended {
		t.undo = append(t.undo, undo{kind: undoPut, slot: slot, old: ks.replace(slot, r)})
	} else {
		t.undo = append(t.undo, undo{kind: undoAdd, slot: ks.add(hash, r)})
	}
	if sp.journaled() {
		it := item{key: key, value: value, updatedAt: t.now, expiresAt: e.ExpiresAt, version: version}
		t.ops = appendSet(t.ops, &it)
	}
	return nil
}

func (t *tx) Delete(key string) error {
	if !t.writable {
		return storage.ErrReadOnlyTx
	}
	ks := t.sp.ks
	slot, ok := ks.find(ks.hash(key), key)
	if !ok || expiredAt(ks.expiry(slot), t.now) {
		return storage.ErrNotFound
	}
	t.remove(slot)
	return nil
}

// remove deletes a live key, which the journal must know.
func (t *tx) remove(slot uint32) {
	if t.sp.journaled() {
		t.ops = appendDelete(t.ops, t.sp.ks.key(slot))
	}
	t.evict(slot)
}

// evict takes a key out of memory.
func (t *tx) evict(slot uint32) {
	t.sp.ks.kill(slot)
	t.undo = append(t.undo, undo{kind: undoTake, slot: slot})
}

func (t *tx) Clear() error {
	if !t.writable {
		return storage.ErrReadOnlyTx
	}
	sp := t.sp
	if sp.ks.count == 0 {
		return nil
	}
	t.undo = append(t.undo, undo{kind: undoClear, all: &clearedData{sp.ks, sp.number, sp.prefix}})
	t.since = len(t.undo)
	if sp.ks.pages.rows > 0 {
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
	slot, ok := t.sp.ks.random(t.now)
	if !ok {
		return "", storage.ErrNotFound
	}
	return t.sp.ks.key(slot), nil
}

func (t *tx) Usage() storage.Usage {
	ks := t.sp.ks
	if t.writable {
		ks.ends.catchUp(ks, t.now)
	}
	keys, bytes := ks.ends.expired(ks, t.now)
	return storage.Usage{Keys: int64(ks.count) - keys, Bytes: ks.bytes - bytes}
}

func (t *tx) Purge(limit int) (int, error) {
	if !t.writable {
		return 0, storage.ErrReadOnlyTx
	}
	ks, n := t.sp.ks, 0
	for n < limit {
		slot, ok, again := ks.ends.oldest(ks, t.now)
		if again {
			continue
		}
		if !ok {
			break
		}
		t.noteEnd(slot)
		t.evict(slot)
		n++
	}
	return n, nil
}

// noteEnd remembers an expired key that this transaction found first.
func (t *tx) noteEnd(slot uint32) {
	t.expired++
	if t.sp.events.Load() {
		t.ended = append(t.ended, strings.Clone(t.sp.ks.key(slot)))
	}
}

// commit hands the writes to pages, alarm and journal. After an error the caller
// rolls back.
func (t *tx) commit() error {
	if len(t.undo) == 0 {
		return nil
	}
	sp := t.sp
	record := sp.journaled() && len(t.ops) > 0
	if record && sp.store.journal.failed.Load() {
		return sp.store.journal.failure()
	}
	for _, u := range t.undo[t.since:] {
		if u.kind == undoAdd && sp.ks.alive(u.slot) {
			if err := sp.order(u.slot); err != nil {
				return err
			}
		}
	}
	if err := sp.shard.apply(nil, sp.wantAlarm(t.now)); err != nil {
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
	t.settle()
	sp.account()
	if t.expired > 0 {
		sp.store.expired.Add(t.expired)
	}
	return nil
}

// settle gives back what the transaction replaced and deleted: from here on
// nobody can have it.
func (t *tx) settle() {
	freed := false
	for _, u := range t.undo[t.since:] {
		switch u.kind {
		case undoPut:
			t.sp.ks.discard(u.old)
			freed = true
		case undoTake:
			t.sp.bury(u.slot)
			freed = true
		}
	}
	if !freed {
		return
	}
	ks := t.sp.ks
	if ks.tidy(); ks.untidy() || ks.sparse() { // a lot was deleted
		t.sp.store.sweeper.purge([]*space{t.sp})
	}
}

// rollback takes everything back.
func (t *tx) rollback() {
	sp := t.sp
	if len(t.undo) == 0 {
		return
	}
	for i := len(t.undo) - 1; i >= 0; i-- {
		u := &t.undo[i]
		switch u.kind {
		case undoAdd:
			sp.ks.kill(u.slot)
			sp.bury(u.slot)
		case undoPut:
			sp.ks.discard(sp.ks.replace(u.slot, u.old))
		case undoTake:
			sp.ks.revive(u.slot)
		case undoClear:
			sp.restoreCleared(u.all)
		}
	}
	sp.account() // what it took before stays
	if sp.ks.untidy() || sp.ks.sparse() {
		sp.store.sweeper.purge([]*space{sp})
	}
}
