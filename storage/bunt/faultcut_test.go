package bunt

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// killed returns the disk as it is for the next process, all of it, and makes
// this one useless. What was not fsynced is still not.
func (d *disk) killed() *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	return &disk{base: d.base, root: d.root, space: -1, rnd: d.rnd}
}

// cut returns what a power cut leaves, and makes this disk useless.
func (d *disk) cut() *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	c := cutter{rnd: d.rnd, done: map[*node]*node{}}
	c.choose(d.root)
	return &disk{base: d.base, root: c.node(d.root), space: -1, rnd: d.rnd}
}

// cutter decides what survives. mood is how much of it, at most, so that there
// are cuts that keep everything and cuts that keep nothing.
type cutter struct {
	rnd  *rand.Rand
	mood int
	done map[*node]*node
}

func (c *cutter) keeps() bool { return c.rnd.IntN(4) < c.mood }

// choose decides about all directory changes first, since half a rename depends
// on the other.
func (c *cutter) choose(n *node) {
	c.mood = c.rnd.IntN(5)
	for _, ch := range n.pending {
		ch.survives = c.keeps()
	}
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		c.choose(n.names[name])
	}
}

func (c *cutter) node(n *node) *node {
	if to := c.done[n]; to != nil {
		return to
	}
	if n.names == nil {
		to := &node{}
		c.mood = c.rnd.IntN(5)
		to.data = c.content(n)
		to.synced = to.data
		c.done[n] = to
		return to
	}
	to := newDirNode()
	c.done[n] = to
	left := maps.Clone(n.kept)
	for _, ch := range n.pending {
		if ch.survives && (ch.needs == nil || ch.needs.survives) {
			ch.apply(left)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		to.names[name] = c.node(left[name])
	}
	to.kept = maps.Clone(to.names)
	return to
}

// content decides which sectors of a file survive, and in which version.
func (c *cutter) content(n *node) []byte {
	if len(n.marks) == 0 {
		return slices.Clone(n.synced)
	}
	if n.cutOff != nil && c.keeps() {
		old := *n
		old.data, old.cutOff = n.cutOff, nil
		return c.content(&old)
	}
	sizes, ends := []int{len(n.synced), len(n.data)}, []int{len(n.data)}
	for _, m := range n.marks {
		sizes, ends = append(sizes, m.size), append(ends, m.from, m.upTo)
	}
	size := sizes[c.rnd.IntN(len(sizes))]
	if other := sizes[c.rnd.IntN(len(sizes))]; other > size && c.rnd.IntN(4) == 0 {
		size += c.rnd.IntN(other - size)
	}
	switch c.mood {
	case 0:
		size = len(n.synced)
	case 4:
		size = len(n.data)
	}
	out := make([]byte, size)
	copy(out, n.synced)
	unit := 4096
	if c.rnd.IntN(4) == 0 {
		unit = 512 // torn pages
	}
	for from := 0; from < size; from += unit {
		if !c.keeps() {
			continue
		}
		to := min(from+unit, size, len(n.data))
		if c.rnd.IntN(2) == 0 { // an older version of the page
			to = min(to, max(ends[c.rnd.IntN(len(ends))], from))
		}
		if to > from {
			clear(out[from:min(from+unit, size)])
			copy(out[from:to], n.data[from:to])
			if to < len(n.synced) && to < from+unit { // never older than the last fsync
				copy(out[to:min(from+unit, size)], n.synced[min(to, len(n.synced)):])
			}
		}
	}
	return out
}
