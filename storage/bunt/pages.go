package bunt

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
)

// pages hold a keyspace's slots in the order of their keys. A page is a sorted
// run of up to pageSlots; its row in the shard, the space's prefix and a bound,
// says where it begins. Page 0 begins before all keys and needs no row, so a
// small space has none. Pages change only when a transaction commits.
//
// One row for each key, which came first, cost buntdb three times what the
// entries' own places in memory cost, and made each new key an index write.
type pages struct {
	all   [][]uint32 // by number
	spare []uint32   // numbers that are free
	rows  int        // in the shard
}

const (
	pageSlots = 128
	// loadedSlots leaves room in the pages of a space that was loaded.
	loadedSlots = 112
)

func pageValue(page uint32) string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], page)
	return string(b[:])
}

func pageNumber(value string) uint32 {
	if len(value) != 4 { // an alarm's row
		return 0
	}
	return binary.BigEndian.Uint32([]byte(value))
}

// put adds a slot at a place of a page.
func (p *pages) put(page uint32, at int, slot uint32) {
	slots := p.all[page]
	if n := len(slots); n == cap(slots) {
		slots = append(make([]uint32, 0, n+max(4, n/4)), slots...)
	}
	p.all[page] = slices.Insert(slots, at, slot)
}

// cut removes a place of a page.
func (p *pages) cut(page uint32, at int) {
	slots := slices.Delete(p.all[page], at, at+1)
	if n := len(slots); n > 8 && cap(slots) > 2*n {
		slots = append(make([]uint32, 0, n+n/4), slots...)
	}
	p.all[page] = slots
}

// take returns the number of a new page.
func (p *pages) take(slots []uint32) uint32 {
	if n := len(p.spare); n > 0 {
		page := p.spare[n-1]
		p.spare = p.spare[:n-1]
		p.all[page] = slots
		return page
	}
	p.all = append(p.all, slots)
	return uint32(len(p.all) - 1)
}

func (p *pages) release(page uint32) {
	p.all[page] = nil
	p.spare = append(p.spare, page)
}

// place returns where in a page the first key is that is not less than key.
func (ks *keyspace) place(page uint32, key string) int {
	slots := ks.pages.all[page]
	return sort.Search(len(slots), func(i int) bool { return ks.key(slots[i]) >= key })
}

// pageOf returns the page that a key belongs to.
func (sp *space) pageOf(key string) (pageRow, error) {
	if sp.ks.pages.rows == 0 {
		return pageRow{}, nil
	}
	return sp.shard.floor(sp.prefix, sp.prefix+key)
}

// order adds a slot to the page where its key belongs.
func (sp *space) order(slot uint32) error {
	ks := sp.ks
	key := ks.key(slot)
	row, err := sp.pageOf(key)
	if err != nil {
		return err
	}
	at := ks.place(row.page, key)
	ks.pages.put(row.page, at, slot)
	*ks.slots.word(slot) |= slotOrdered
	if n := len(ks.pages.all[row.page]); n >= pageSlots {
		return sp.splitPage(row.page, at == n-1)
	}
	return nil
}

// splitPage makes two pages of a full one. Where keys come in order the first
// stays nearly full.
func (sp *space) splitPage(page uint32, atEnd bool) error {
	p := &sp.ks.pages
	slots := p.all[page]
	half := len(slots) / 2
	if atEnd {
		half = len(slots) * 7 / 8
	}
	// A key that was deleted and written again is there twice until the
	// transaction ends; both have to be in one page.
	for half > 0 && sp.ks.key(slots[half-1]) == sp.ks.key(slots[half]) {
		half--
	}
	if half == 0 {
		return nil
	}
	bound := separator(sp.ks.key(slots[half-1]), sp.ks.key(slots[half]))
	number := p.take(nil)
	if err := sp.shard.apply([]change{{row: sp.prefix + bound, value: pageValue(number)}}, alarm{}); err != nil {
		p.release(number)
		return err
	}
	p.rows++
	high := slots[half:]
	p.all[number] = append(make([]uint32, 0, len(high)+max(4, len(high)/4)), high...)
	p.all[page] = append(make([]uint32, 0, half+half/8), slots[:half]...)
	return nil
}

// separator returns the shortest string that is greater than low and not
// greater than high.
func separator(low, high string) string {
	n := 0
	for n < len(low) && low[n] == high[n] {
		n++
	}
	return high[:n+1]
}

// disorder takes a slot out of its page.
func (sp *space) disorder(slot uint32) error {
	ks := sp.ks
	row, err := sp.pageOf(ks.key(slot))
	if err != nil {
		return err
	}
	at := slices.Index(ks.pages.all[row.page], slot)
	if at < 0 {
		return fmt.Errorf("a key is not in its page %d", row.page)
	}
	ks.pages.cut(row.page, at)
	*ks.slots.word(slot) &^= slotOrdered
	if row.page != 0 && len(ks.pages.all[row.page]) == 0 {
		if err := sp.shard.apply([]change{{row: row.row, remove: true}}, alarm{}); err != nil {
			return nil //nolint:nilerr // an empty page does no harm
		}
		ks.pages.rows--
		ks.pages.release(row.page)
	}
	return nil
}

// bury removes a killed slot for good.
func (sp *space) bury(slot uint32) {
	if sp.ks.ordered(slot) {
		if err := sp.disorder(slot); err != nil {
			sp.ks.stuck = true // it stays, dead, where it is
			sp.store.log.Error("index: a key could not be removed", "namespace", sp.name.String(), "error", err)
			return
		}
	}
	sp.ks.bury(slot)
}

// orderAll makes the pages of a space that has none, in bounded steps.
func (sp *space) orderAll() error {
	const step = 64 // rows, a fraction of a millisecond of the shard's lock
	ks := sp.ks
	slots := ks.sorted()
	var changes []change
	for first := true; len(slots) > 0; first = false {
		n := min(loadedSlots, len(slots))
		if len(slots) > n && len(slots) < 2*n { // no crumbs at the end
			n = len(slots) / 2
		}
		page := append(make([]uint32, 0, n+n/8), slots[:n]...)
		if first {
			ks.pages.all[0] = page
		} else {
			before := ks.pages.all[len(ks.pages.all)-1]
			bound := separator(ks.key(before[len(before)-1]), ks.key(page[0]))
			changes = append(changes, change{row: sp.prefix + bound, value: pageValue(ks.pages.take(page))})
		}
		for _, slot := range page {
			*ks.slots.word(slot) |= slotOrdered
		}
		slots = slots[n:]
		if len(changes) == step {
			if err := sp.applyRows(changes); err != nil {
				return err
			}
			changes = changes[:0]
		}
	}
	return sp.applyRows(changes)
}

func (sp *space) applyRows(changes []change) error {
	if err := sp.shard.apply(changes, alarm{}); err != nil {
		return err
	}
	sp.ks.pages.rows += len(changes)
	return nil
}

// walk calls yield for each slot of the pages whose key is not less than from,
// in order, until it returns false. Dead ones are left out. It ends when a Clear
// by yield has taken the keyspace away. spare is a buffer that it may use.
func (sp *space) walk(from string, spare []pageRow, yield func(slot uint32) bool) error {
	ks, prefix := sp.ks, sp.prefix
	row, err := sp.pageOf(from)
	if err != nil {
		return err
	}
	rows := spare[:0]
	place := ks.place(row.page, from)
	for limit := firstPages; ; {
		for _, slot := range ks.pages.all[row.page][place:] {
			if !ks.alive(slot) {
				continue
			}
			if !yield(slot) || sp.ks != ks {
				return nil
			}
		}
		place = 0
		if len(rows) == 0 {
			if ks.pages.rows == 0 {
				return nil
			}
			last := row.row
			if last == "" {
				last = prefix
			}
			if rows, err = sp.shard.after(spare[:0], prefix, last, limit); err != nil || len(rows) == 0 {
				return err
			}
			limit = morePages
		}
		row, rows = rows[0], rows[1:]
	}
}

// How many rows a walk takes from the shard at a time: few at first, because
// most listings are short, then more.
const (
	firstPages = 2
	morePages  = 16
)

// dropRows has all rows of the space removed in the background.
func (sp *space) dropRows() {
	if sp.ks.pages.rows == 0 {
		return
	}
	sp.store.sweeper.removeRows(sp.shard, sp.prefix)
	sp.renumber()
}
