package bunt

import (
	"cmp"
	"slices"
	"sort"
)

// calendar orders a space's items by expiry. It answers how many have ended at
// an instant, and their bytes, without visiting them one by one: a million may
// end in the same millisecond, and each insertion asks.
//
// It is a list of blocks, each with sums. All entries of a block are filed
// under times no later than those of the blocks behind it; within a block they
// are in no order until the block is purged.
//
// An expiry that moves later (each SET EX of a busy key) leaves the entry where
// it is: it is deferred, out of the sums, and filed anew when its old time comes.
// One that moved by little may end before the sweeper gets to it. Those are
// counted apart; blocks that are due and have some are looked through, and the
// sweeper comes lead before their time, so that there should be none.
type calendar struct {
	blocks []*dueBlock
	count  int // entries
}

// due is the entry of an item, filed under at: the item's expiry, or earlier.
type due struct {
	at int64 // Unix ms
	it *item
}

type dueBlock struct {
	entries  []due
	min, max int64 // bounds of all entries' at; they may be too wide
	exact    int   // entries whose at is the expiry; the others are deferred
	bytes    int64 // of the items of those
	short    int   // deferred entries whose expiry is less than lead after at
	ordered  bool  // latest first
}

const (
	// blockEntries bounds how many entries one question may have to visit.
	blockEntries = 1024
	// lead is how many ms the sweeper takes at most, one hopes, to file anew what
	// is deferred.
	lead = 4000
)

// counts adds an entry to the sums of its block, or takes it out.
func (b *dueBlock) counts(e due, by int) {
	switch end := e.it.expiresAt; {
	case end == e.at:
		b.exact += by
		b.bytes += int64(by) * e.it.size()
	case end < e.at+lead:
		b.short += by
	}
}

// leave takes an item out of the sums, before it changes.
func (c *calendar) leave(it *item) {
	if it.block != nil {
		it.block.counts(it.block.entries[it.pos], -1)
	}
}

// enter puts an item that has changed, or is new, in its place.
func (c *calendar) enter(it *item) {
	b := it.block
	if b == nil {
		if it.expiresAt != 0 {
			c.insert(it)
		}
		return
	}
	e := b.entries[it.pos]
	later := it.expiresAt >= e.at+lead || it.expiresAt > e.at && e.at >= it.updatedAt+2*lead
	if it.expiresAt == e.at || later {
		b.counts(e, 1)
		return
	}
	c.unlink(it)
	if it.expiresAt != 0 {
		c.insert(it)
	}
}

// forget takes an item out.
func (c *calendar) forget(it *item) {
	if it.block != nil {
		c.leave(it)
		c.unlink(it)
	}
}

// unlink removes an item's entry, which is out of the sums.
func (c *calendar) unlink(it *item) {
	b, last := it.block, len(it.block.entries)-1
	if p := int(it.pos); p != last {
		moved := b.entries[last]
		b.entries[p] = moved
		moved.it.pos = it.pos
		b.ordered = false
	}
	b.entries[last] = due{}
	b.entries = b.entries[:last]
	if n := cap(b.entries); n > 64 && 4*last < n {
		b.entries = append(make([]due, 0, 2*last), b.entries...)
	}
	it.block, it.pos = nil, 0
	c.count--
}

// insert files an item under its expiry.
func (c *calendar) insert(it *item) {
	at := it.expiresAt
	b := c.blockFor(at)
	if len(b.entries) == 0 {
		b.min = at
	}
	b.min, b.max = min(b.min, at), max(b.max, at)
	b.ordered = false
	it.block, it.pos = b, uint32(len(b.entries))
	b.entries = append(b.entries, due{at, it})
	b.counts(b.entries[it.pos], 1)
	c.count++
}

// blockFor returns a block with room for a time.
func (c *calendar) blockFor(at int64) *dueBlock {
	i := sort.Search(len(c.blocks), func(i int) bool { return c.blocks[i].max > at })
	before := i > 0 && len(c.blocks[i-1].entries) < blockEntries
	switch {
	case before && (i == len(c.blocks) || c.blocks[i-1].max == at):
		return c.blocks[i-1]
	case i == len(c.blocks) || i > 0 && c.blocks[i-1].max == at:
		b := &dueBlock{min: at, max: at}
		c.blocks = slices.Insert(c.blocks, i, b)
		return b
	case len(c.blocks[i].entries) < blockEntries:
		return c.blocks[i]
	}
	c.split(i)
	return c.blockFor(at)
}

// split makes two blocks of a full one.
func (c *calendar) split(i int) {
	low := c.blocks[i]
	slices.SortFunc(low.entries, func(a, b due) int { return cmp.Compare(a.at, b.at) })
	half := len(low.entries) / 2
	high := &dueBlock{entries: append(make([]due, 0, blockEntries), low.entries[half:]...), max: low.max}
	clear(low.entries[half:])
	low.entries = low.entries[:half]
	low.max, high.min = low.entries[half-1].at, high.entries[0].at
	low.recount()
	high.recount()
	c.blocks = slices.Insert(c.blocks, i+1, high)
}

// recount makes sums and places anew.
func (b *dueBlock) recount() {
	b.exact, b.bytes, b.short, b.ordered = 0, 0, 0, false
	for p, e := range b.entries {
		e.it.block, e.it.pos = b, uint32(p)
		b.counts(e, 1)
	}
}

// prepare files anew, of one block, what would soon have to be looked at by each
// count. It tells whether it found something to do.
func (c *calendar) prepare(now int64) bool {
	for _, b := range c.blocks {
		if b.min-lead > now && len(b.entries) > 0 {
			return false
		}
		if b.short > 0 && c.refile(b, now) {
			return true
		}
	}
	return false
}

// oldest returns the expired item that ended first, still in the calendar, or
// nil when nothing has expired at now. It first files anew what was deferred, a
// block at a time: after each it returns nil and again.
func (c *calendar) oldest(now int64) (it *item, again bool) {
	first := c.first()
	if first == nil || first.min > now {
		return nil, false
	}
	if first.exact < len(first.entries) && c.refile(first, now) {
		return nil, true
	}
	first.order()
	e := first.entries[len(first.entries)-1]
	first.min = e.at
	if e.at > now {
		return nil, false
	}
	return e.it, false
}

// order sorts the entries, so that the one to purge next is the last.
func (b *dueBlock) order() {
	if b.ordered {
		return
	}
	slices.SortFunc(b.entries, func(x, y due) int { return cmp.Compare(y.at, x.at) })
	for p, e := range b.entries {
		e.it.pos = uint32(p)
	}
	b.ordered = true
}

// refile moves the deferred entries of a block whose time has come, or comes
// soon for the short ones. All together: one by one, the block would have to be
// ordered for each.
func (c *calendar) refile(b *dueBlock, now int64) bool {
	var late []*item
	for _, e := range b.entries {
		if end := e.it.expiresAt; end != e.at && (e.at <= now || end < e.at+lead && e.at <= now+lead) {
			late = append(late, e.it)
		}
	}
	for _, it := range late {
		c.forget(it)
	}
	for _, it := range late {
		c.insert(it)
	}
	return len(late) > 0
}

// first returns the first block that has entries.
func (c *calendar) first() *dueBlock {
	for len(c.blocks) > 0 {
		if b := c.blocks[0]; len(b.entries) > 0 {
			return b
		}
		c.blocks[0] = nil
		c.blocks = c.blocks[1:]
	}
	c.blocks = nil
	return nil
}

// next returns when prepare or oldest has something to do, 0 when nothing ever ends.
func (c *calendar) next() int64 {
	b := c.first()
	switch {
	case b == nil:
		return 0
	case b.short > 0:
		return b.min - lead
	}
	return b.min
}

// expired counts the items that have ended at now and the bytes they hold. It
// changes nothing.
func (c *calendar) expired(now int64) (keys, bytes int64) {
	for _, b := range c.blocks {
		if b.min > now && len(b.entries) > 0 {
			break
		}
		if b.max > now { // some are due: look at each
			for _, e := range b.entries {
				if e.at <= now && e.it.expired(now) {
					keys++
					bytes += e.it.size()
				}
			}
			break
		}
		keys += int64(b.exact)
		bytes += b.bytes
		if b.short > 0 || b.exact < len(b.entries) && b.min+lead <= now {
			for _, e := range b.entries { // the sweeper is late
				if e.at != e.it.expiresAt && e.it.expired(now) {
					keys++
					bytes += e.it.size()
				}
			}
		}
	}
	return keys, bytes
}
