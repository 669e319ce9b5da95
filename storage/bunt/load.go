package bunt

import (
	"fmt"

	"github.com/cubbykv/cubby/storage"
)

// load brings a space into memory, unless it is there. Nobody else waits for it
// but those who want this space. It is tried again after an error. used tells
// that it is for somebody who uses it.
func (sp *space) load(used bool) error {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.loaded || sp.dropped.Load() || sp.store.closed.Load() {
		return nil // a dropped space says so at its first use
	}
	if used {
		sp.touch(sp.store.clock())
	}
	return sp.loadLocked()
}

// loadLocked is load for those who hold the lock.
func (sp *space) loadLocked() error {
	sp.reset()
	if sp.journaled() {
		if err := sp.restore(); err != nil {
			sp.discard()
			return err
		}
	}
	sp.loaded = true
	sp.store.residents.add(sp)
	sp.account()
	return nil
}

// restore fills an empty space from its snapshot, the records of the journal's
// tail behind it, and tells the shard.
func (sp *space) restore() (err error) {
	newest := sp.lastSeq.Load()
	defer func() { sp.lastSeq.Store(max(newest, sp.lastSeq.Load())) }()
	sp.lastSeq.Store(0)
	if err := sp.loadSnapshot(); err != nil {
		return err
	}
	if err := sp.checkAge(); err != nil {
		return err
	}
	if sp.tail != nil {
		now := sp.store.clock()
		err := sp.tail.read(sp.store.fs, sp.lastSeq.Load(), func(rec record) { sp.repeat(rec, now) })
		if err != nil {
			return err
		}
	}
	if err := sp.indexAll(); err != nil {
		return err
	}
	sp.tail, sp.known = nil, true
	return nil
}

// checkAge refuses a snapshot that includes records which the journal did not
// have at the start: its files were removed, and new records would be taken for
// old ones.
func (sp *space) checkAge() error {
	if seq := sp.lastSeq.Load(); !sp.known && seq > sp.store.replayed {
		return &storage.DamageError{File: sp.store.snapshotPath(sp.name), Reason: fmt.Sprintf("it includes journal record %d, but the journal ends at %d: journal files are missing", seq, sp.store.replayed)}
	}
	return nil
}

// repeat applies a record.
func (sp *space) repeat(rec record, now int64) {
	for ops := rec.ops; len(ops) > 0; {
		o, rest, err := readOp(ops)
		if err != nil {
			break // decodeRecord has read them all
		}
		sp.applyOp(o, now)
		ops = rest
	}
	sp.lastSeq.Store(rec.seq)
}

// applyOp repeats an operation of the journal. The pages are made later.
func (sp *space) applyOp(o op, now int64) {
	switch o.code {
	case opClear:
		sp.reset()
	case opDelete:
		sp.deleteOp(o)
	case opSet:
		sp.store.raiseVersion(o.version)
		sp.maxVersion = max(sp.maxVersion, o.version)
		if expiredAt(o.expiresAt, now) {
			sp.deleteOp(o)
		} else {
			sp.setOp(o)
		}
	}
}

func (sp *space) setOp(o op) {
	ks, key := sp.ks, stringOf(o.key)
	r := ks.record(key, stringOf(o.value), o.updatedAt, o.expiresAt, o.version)
	hash := ks.hash(key)
	if slot, ok := ks.find(hash, key); ok {
		ks.discard(ks.replace(slot, r))
		ks.tidy()
	} else {
		ks.add(hash, r)
	}
}

func (sp *space) deleteOp(o op) {
	ks, key := sp.ks, stringOf(o.key)
	if slot, ok := ks.find(ks.hash(key), key); ok {
		ks.kill(slot)
		ks.bury(slot)
		ks.tidy()
	}
}

// indexAll puts all keys in order and sets the alarm.
func (sp *space) indexAll() error {
	if err := sp.orderAll(); err != nil {
		return err
	}
	return sp.shard.apply(nil, sp.wantAlarm(sp.store.clock()))
}
