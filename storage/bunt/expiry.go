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
//
// The items are slots of a keyspace, which every method is given.
type calendar struct {
	blocks []*dueBlock
	byID   []*dueBlock // nil where an id is free; ids start at 1
	spare  []uint32    // free ids
	count  int         // entries
}

// due is the entry of an item, filed under at: the item's expiry, or earlier.
type due struct {
	at   int64 // Unix ms
	slot uint32
}

// link is where an item's entry is: in which block, and its place there. Zero is
// nowhere.
type link struct{ block, pos uint32 }

type dueBlock struct {
	id       uint32
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

// newBlock returns an empty block, not yet in its place.
func (c *calendar) newBlock(size int) *dueBlock {
	b := &dueBlock{}
	if size > 0 {
		b.entries = make([]due, 0, size)
	}
	if n := len(c.spare); n > 0 {
		b.id = c.spare[n-1]
		c.spare = c.spare[:n-1]
	} else {
		c.byID = append(c.byID, nil)
		b.id = uint32(len(c.byID))
	}
	c.byID[b.id-1] = b
	return b
}

// find returns the block and the place of an item's entry, or nil.
func (c *calendar) find(ks *keyspace, slot uint32) (*dueBlock, int) {
	l := ks.slots.link(slot)
	if l.block == 0 {
		return nil, 0
	}
	return c.byID[l.block-1], int(l.pos)
}

// counts adds an entry to the sums of its block, or takes it out.
func (b *dueBlock) counts(ks *keyspace, e due, by int) {
	switch end := ks.expiry(e.slot); {
	case end == e.at:
		b.exact += by
		b.bytes += int64(by) * ks.size(e.slot)
	case end-e.at < lead: // e.at+lead may be beyond the end of time
		b.short += by
	}
}

// leave takes an item out of the sums, before it changes.
func (c *calendar) leave(ks *keyspace, slot uint32) {
	if b, pos := c.find(ks, slot); b != nil {
		b.counts(ks, b.entries[pos], -1)
	}
}

// enter puts an item that has changed, or is new, in its place.
func (c *calendar) enter(ks *keyspace, slot uint32) {
	b, pos := c.find(ks, slot)
	end := ks.expiry(slot)
	if b == nil {
		if end != 0 {
			c.insert(ks, slot)
		}
		return
	}
	e := b.entries[pos]
	later := end-e.at >= lead || end > e.at && e.at >= ks.updated(slot)+2*lead
	if end == e.at || later {
		b.counts(ks, e, 1)
		return
	}
	c.unlink(ks, slot)
	if end != 0 {
		c.insert(ks, slot)
	}
}

// forget takes an item out.
func (c *calendar) forget(ks *keyspace, slot uint32) {
	if b, _ := c.find(ks, slot); b != nil {
		c.leave(ks, slot)
		c.unlink(ks, slot)
	}
}

// unlink removes an item's entry, which is out of the sums.
func (c *calendar) unlink(ks *keyspace, slot uint32) {
	b, pos := c.find(ks, slot)
	last := len(b.entries) - 1
	if pos != last {
		moved := b.entries[last]
		b.entries[pos] = moved
		ks.slots.setLink(moved.slot, link{b.id, uint32(pos)})
		b.ordered = false
	}
	b.entries = b.entries[:last]
	if n := cap(b.entries); n > 64 && 4*last < n {
		b.entries = append(make([]due, 0, 2*last), b.entries...)
	}
	ks.slots.setLink(slot, link{})
	c.count--
}

// insert files an item under its expiry.
func (c *calendar) insert(ks *keyspace, slot uint32) {
	at := ks.expiry(slot)
	b := c.blockFor(ks, at)
	if len(b.entries) == 0 {
		b.min = at
	}
	b.min, b.max = min(b.min, at), max(b.max, at)
	b.ordered = false
	pos := len(b.entries)
	ks.slots.setLink(slot, link{b.id, uint32(pos)})
	if pos == cap(b.entries) {
		b.entries = append(make([]due, 0, min(blockEntries, max(8, pos+pos/2))), b.entries...)
	}
	b.entries = append(b.entries, due{at, slot})
	b.counts(ks, b.entries[pos], 1)
	c.count++
}

// blockFor returns a block with room for a time.
func (c *calendar) blockFor(ks *keyspace, at int64) *dueBlock {
	i := sort.Search(len(c.blocks), func(i int) bool { return c.blocks[i].max > at })
	before := i > 0 && len(c.blocks[i-1].entries) < blockEntries
	switch {
	case before && (i == len(c.blocks) || c.blocks[i-1].max == at):
		return c.blocks[i-1]
	case i == len(c.blocks) || i > 0 && c.blocks[i-1].max == at:
		b := c.newBlock(0)
		b.min, b.max = at, at
		c.blocks = slices.Insert(c.blocks, i, b)
		return b
	case len(c.blocks[i].entries) < blockEntries:
		return c.blocks[i]
	}
	c.split(ks, i)
	return c.blockFor(ks, at)
}

// split makes two blocks of a full one.
func (c *calendar) split(ks *keyspace, i int) {
	low := c.blocks[i]
	slices.SortFunc(low.entries, func(a, b due) int { return cmp.Compare(a.at, b.at) })
	half := len(low.entries) / 2
	high := c.newBlock(blockEntries)
	high.entries, high.max = append(high.entries, low.entries[half:]...), low.max
	low.entries = low.entries[:half]
	low.max, high.min = low.entries[half-1].at, high.entries[0].at
	low.recount(ks)
	high.recount(ks)
	c.blocks = slices.Insert(c.blocks, i+1, high)
}

// recount makes sums and places anew.
func (b *dueBlock) recount(ks *keyspace) {
	b.exact, b.bytes, b.short, b.ordered = 0, 0, 0, false
	for p, e := range b.entries {
		ks.slots.setLink(e.slot, link{b.id, uint32(p)})
		b.counts(ks, e, 1)
	}
}

// prepare files anew, of one block, what would soon have to be looked at by each
// count. It tells whether it found something to do.
func (c *calendar) prepare(ks *keyspace, now int64) bool {
	for _, b := range c.blocks {
		if b.min-lead > now && len(b.entries) > 0 {
			return false
		}
		if b.short > 0 && c.refile(ks, b, now) {
			return true
		}
	}
	return false
}

// oldest returns the expired item that ended first, still in the calendar, or
// not ok when nothing has expired at now. It first files anew what was deferred,
// a block at a time: after each it returns not ok and again.
func (c *calendar) oldest(ks *keyspace, now int64) (slot uint32, ok, again bool) {
	first := c.first()
	if first == nil || first.min > now {
		return 0, false, false
	}
	if first.exact < len(first.entries) && c.refile(ks, first, now) {
		return 0, false, true
	}
	first.order(ks)
	e := first.entries[len(first.entries)-1]
	first.min = e.at
	if e.at > now {
		return 0, false, false
	}
	return e.slot, true, false
}

// order sorts the entries, so that the one to purge next is the last.
func (b *dueBlock) order(ks *keyspace) {
	if b.ordered {
		return
	}
	slices.SortFunc(b.entries, func(x, y due) int { return cmp.Compare(y.at, x.at) })
	for p, e := range b.entries {
		ks.slots.setLink(e.slot, link{b.id, uint32(p)})
	}
	b.ordered = true
}

// lateBlocks bounds how many blocks catchUp looks through.
const lateBlocks = 8

// catchUp does some of what a sweeper that is late has left: it files anew what
// is deferred in due blocks. Each count has to look through those, so a writer
// who keeps the lock from the sweeper would otherwise pay for it ever more.
func (c *calendar) catchUp(ks *keyspace, now int64) {
	var late [lateBlocks]*dueBlock
	n := 0
	for _, b := range c.blocks {
		if b.min > now-lead && len(b.entries) > 0 || n == lateBlocks {
			break
		}
		if b.max <= now && b.exact < len(b.entries) {
			late[n] = b
			n++
		}
	}
	for _, b := range late[:n] {
		c.refile(ks, b, now)
	}
}

// refile moves the deferred entries of a block whose time has come, or comes
// soon for the short ones. All together: one by one, the block would have to be
// ordered for each.
func (c *calendar) refile(ks *keyspace, b *dueBlock, now int64) bool {
	var late []uint32
	for _, e := range b.entries {
		if end := ks.expiry(e.slot); end != e.at && (e.at <= now || end-e.at < lead && e.at <= now+lead) {
			late = append(late, e.slot)
		}
	}
	for _, slot := range late {
		c.forget(ks, slot)
	}
	for _, slot := range late {
		c.insert(ks, slot)
	}
	return len(late) > 0
}

// first returns the first block that has entries.
func (c *calendar) first() *dueBlock {
	for len(c.blocks) > 0 {
		b := c.blocks[0]
		if len(b.entries) > 0 {
			return b
		}
		c.byID[b.id-1] = nil
		c.spare = append(c.spare, b.id)
		c.blocks[0] = nil
		c.blocks = c.blocks[1:]
	}
	c.blocks, c.byID, c.spare = nil, nil, nil
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
func (c *calendar) expired(ks *keyspace, now int64) (keys, bytes int64) {
	note := func(e due) {
		if it := ks.item(e.slot); it.expiresAt <= now {
			keys++
			bytes += it.size()
		}
	}
	for _, b := range c.blocks {
		if b.min > now && len(b.entries) > 0 {
			break
		}
		if b.max > now { // some are due: look at each
			for _, e := range b.entries {
				if e.at <= now {
					note(e)
				}
			}
			break
		}
		keys += int64(b.exact)
		bytes += b.bytes
		if b.short > 0 || b.exact < len(b.entries) && b.min <= now-lead {
			for _, e := range b.entries { // the sweeper is late
				if e.at != ks.expiry(e.slot) {
					note(e)
				}
			}
		}
	}
	return keys, bytes
}
