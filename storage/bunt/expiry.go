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
// An expiry that moves much later (each SET EX of a busy key) leaves the entry
// where it is: it is deferred, out of the sums, and filed anew when its old
// time comes.
type calendar struct {
	blocks []*dueBlock
	count  int // entries
}

// due is the entry of an item, filed under at. at is the item's expiry, or
// earlier by at least deferral.
type due struct {
	at int64 // Unix ms
	it *item
}

type dueBlock struct {
	entries  []due
	min, max int64 // bounds of all entries' at; they may be too wide
	exact    int   // entries whose at is the expiry; the others are deferred
	bytes    int64 // of the items of those
	ordered  bool  // latest first
}

const (
	// blockEntries bounds how many entries one question may have to visit.
	blockEntries = 1024
	// deferral is by how many ms an expiry must move before its entry may stay:
	// the time that the sweeper has to file it anew before a count has to look.
	deferral = 4000
)

// leave takes an item's contribution out of the sums, before it changes.
func (c *calendar) leave(it *item) {
	if b := it.block; b != nil && b.entries[it.pos].at == it.expiresAt {
		b.exact--
		b.bytes -= it.size()
	}
}

// enter puts an item that has changed, or is new, in its place.
func (c *calendar) enter(it *item) {
	b := it.block
	switch {
	case it.expiresAt == 0:
		if b != nil {
			c.unlink(it)
		}
		return
	case b == nil:
	case b.entries[it.pos].at == it.expiresAt:
		b.exact++
		b.bytes += it.size()
		return
	case it.expiresAt >= b.entries[it.pos].at+deferral:
		return
	default:
		c.unlink(it)
	}
	c.insert(it)
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
	b.exact++
	b.bytes += it.size()
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
	b.exact, b.bytes, b.ordered = 0, 0, false
	for p, e := range b.entries {
		e.it.block, e.it.pos = b, uint32(p)
		if e.at == e.it.expiresAt {
			b.exact++
			b.bytes += e.it.size()
		}
	}
}

// oldest returns the expired item that ended first, still in the calendar, or
// nil when nothing has expired at now. It files anew what was deferred.
func (c *calendar) oldest(now int64) *item {
	for {
		b := c.first()
		if b == nil || b.min > now {
			return nil
		}
		if b.exact < len(b.entries) {
			c.refile(b, now)
			if len(b.entries) == 0 {
				continue
			}
		}
		if !b.ordered {
			slices.SortFunc(b.entries, func(x, y due) int { return cmp.Compare(y.at, x.at) })
			for p, e := range b.entries {
				e.it.pos = uint32(p)
			}
			b.ordered = true
		}
		e := b.entries[len(b.entries)-1]
		b.min = e.at
		if e.at > now {
			return nil
		}
		return e.it
	}
}

// refile moves the deferred entries of a block whose time has come. Together:
// one by one, the block would have to be ordered for each.
func (c *calendar) refile(b *dueBlock, now int64) {
	var late []*item
	for _, e := range b.entries {
		if e.at <= now && e.at != e.it.expiresAt {
			late = append(late, e.it)
		}
	}
	for _, it := range late {
		c.unlink(it)
	}
	for _, it := range late {
		c.insert(it)
	}
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

// next returns a time that is no later than the first expiry, 0 when nothing
// ever ends.
func (c *calendar) next() int64 {
	if b := c.first(); b != nil {
		return b.min
	}
	return 0
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
		if b.exact < len(b.entries) && b.min+deferral <= now {
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
