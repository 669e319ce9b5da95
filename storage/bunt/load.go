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

// applyOp repeats an operation of the journal. The shard is told later.
func (sp *space) applyOp(o op, now int64) {
	switch o.code {
	case opClear:
		sp.reset()
	case opDelete:
		if it := sp.items[string(o.key)]; it != nil {
			sp.take(it)
		}
	case opSet:
		sp.store.raiseVersion(o.version)
		sp.maxVersion = max(sp.maxVersion, o.version)
		it := sp.items[string(o.key)]
		switch ended := o.expiresAt != 0 && now >= o.expiresAt; {
		case ended && it == nil:
		case ended:
			sp.take(it)
		case it == nil:
			sp.add(newItem(sp.prefix+string(o.key), string(o.value), o.updatedAt, o.expiresAt, o.version))
		default:
			sp.put(it, string(o.value), o.updatedAt, o.expiresAt, o.version)
		}
	}
}

// indexAll tells the shard about all keys, in bounded steps.
func (sp *space) indexAll() error {
	const step = 512 // about a millisecond of the shard's lock
	changes := make([]change, 0, min(step, len(sp.items)))
	for _, it := range sp.items {
		if changes = append(changes, change{row: it.row()}); len(changes) == step {
			if err := sp.shard.apply(changes, alarm{}); err != nil {
				return err
			}
			changes = changes[:0]
		}
	}
	return sp.shard.apply(changes, sp.wantAlarm(sp.store.clock()))
}
