package bunt

import (
	"slices"

	"github.com/cubbykv/cubby/storage"
)

// How many rows Ascend takes from the shard at a time: few at first, because
// most listings are short, then more.
const (
	firstChunk = 32
	lastChunk  = 256
)

// Ascend walks the shard in chunks, so that no shard lock is held while yield
// runs, and merges in the keys that this transaction added: the shard learns of
// them at commit.
func (t *tx) Ascend(from string, yield func(key string, e storage.Entry) bool) error {
	own := t.ownKeys(from)
	prefix := t.sp.prefix // a Clear by yield may change it
	rows := t.rows
	t.rows = nil // a nested Ascend needs its own
	t.ascending++
	start := t.births
	defer func() {
		clear(rows[:cap(rows)])
		t.rows = rows[:0]
		t.ascending--
	}()

	visit := func(key string) bool {
		it := t.sp.items[key]
		if it == nil || it.expired(t.now) {
			return true
		}
		if birth, ok := t.born[key]; ok && birth > start {
			return true
		}
		return yield(it.key(), it.entry())
	}
	next := prefix + from
	for limit := firstChunk; ; limit = lastChunk {
		var err error
		rows, err = t.sp.shard.scan(rows[:0], prefix, next, limit)
		if err != nil {
			return err
		}
		for _, row := range rows {
			key := row[prefixLen:]
			for len(own) > 0 && own[0] < key {
				if !visit(own[0]) {
					return nil
				}
				own = own[1:]
			}
			if len(own) > 0 && own[0] == key { // deleted and added again
				own = own[1:]
			}
			if !visit(key) {
				return nil
			}
		}
		if len(rows) < limit {
			break
		}
		next = rows[len(rows)-1] + "\x00"
	}
	for _, key := range own {
		if !visit(key) {
			return nil
		}
	}
	return nil
}

// ownKeys returns, in order, the keys from a point on that this transaction
// added and the shard does not know yet.
func (t *tx) ownKeys(from string) []string {
	var keys []string
	for _, c := range t.changes {
		if key := c.row[prefixLen:]; !c.remove && key >= from && t.sp.items[key] != nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
