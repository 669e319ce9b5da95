package bunt

import (
	"slices"
	"strings"

	"github.com/cubbykv/cubby/storage"
)

// Ascend walks the pages and merges in the keys that this transaction added: the
// pages learn of them at commit. A key that is deleted and added again has
// another slot, which an Ascend that began before does not know.
func (t *tx) Ascend(from string, yield func(key string, e storage.Entry) bool) error {
	ks := t.sp.ks
	own := t.ownSlots(from)
	visit := func(slot uint32) bool {
		if t.sp.ks != ks { // yield has cleared everything
			return false
		}
		if !ks.alive(slot) {
			return true
		}
		it := ks.item(slot)
		return it.expired(t.now) || yield(it.key, it.entry())
	}
	spare := t.rows
	t.rows = nil // a nested Ascend needs its own
	if spare == nil {
		spare = make([]pageRow, 0, morePages)
	}
	stopped := false
	err := t.sp.walk(from, spare, func(slot uint32) bool {
		for len(own) > 0 && ks.key(own[0]) < ks.key(slot) {
			if stopped = !visit(own[0]); stopped {
				return false
			}
			own = own[1:]
		}
		stopped = !visit(slot)
		return !stopped
	})
	t.rows = spare
	for _, slot := range own {
		if err != nil || stopped || !visit(slot) {
			break
		}
	}
	return err
}

// ownSlots returns, in order of their keys, the slots from a key on that this
// transaction added and the pages do not know yet.
func (t *tx) ownSlots(from string) []uint32 {
	ks := t.sp.ks
	var own []uint32
	for _, u := range t.undo[t.since:] {
		if u.kind == undoAdd && ks.alive(u.slot) && ks.key(u.slot) >= from {
			own = append(own, u.slot)
		}
	}
	slices.SortFunc(own, func(a, b uint32) int { return strings.Compare(ks.key(a), ks.key(b)) })
	return own
}
