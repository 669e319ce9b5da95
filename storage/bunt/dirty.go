package bunt

import (
	"cmp"
	"container/heap"
	"slices"
	"sync"
)

// dirtyList holds the spaces whose snapshot lacks a record, the one that has
// waited longest first. The journal must keep everything from that one's
// dirtySince on.
type dirtyList struct {
	mu     sync.Mutex
	spaces dirtyHeap
}

// dirtyHeap is ordered by dirtySince. A space knows its place in it.
type dirtyHeap []*space

func (h dirtyHeap) Len() int           { return len(h) }
func (h dirtyHeap) Less(i, j int) bool { return h[i].dirtySince.Load() < h[j].dirtySince.Load() }

func (h dirtyHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].dirtyPos, h[j].dirtyPos = i+1, j+1
}

// Push is for container/heap.
func (h *dirtyHeap) Push(x any) {
	sp := x.(*space)
	*h = append(*h, sp)
	sp.dirtyPos = len(*h)
}

// Pop is for container/heap.
func (h *dirtyHeap) Pop() any {
	last := len(*h) - 1
	sp := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	sp.dirtyPos = 0
	return sp
}

// mark puts a clean space in before its next record is appended: who looks at
// the list after a segment was closed finds every space with a record in it.
// Callers hold the space's lock for writing.
func (d *dirtyList) mark(sp *space) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sp.dirtySince.Store(sp.store.journal.newest() + 1)
	heap.Push(&d.spaces, sp)
}

// restore sets the first record that a space's snapshot lacks; 0 is none.
// Callers hold the space's lock, or compacting and the space's lock for reading.
func (d *dirtyList) restore(sp *space, since uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(sp)
	sp.dirtySince.Store(since)
	if since != 0 {
		heap.Push(&d.spaces, sp)
	}
}

// clean takes a space out and returns its dirtySince. Locks: as for restore.
func (d *dirtyList) clean(sp *space) (since uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(sp)
	return sp.dirtySince.Swap(0)
}

func (d *dirtyList) remove(sp *space) {
	if sp.dirtyPos > 0 {
		heap.Remove(&d.spaces, sp.dirtyPos-1)
	}
}

// oldest returns the smallest dirtySince, or 0 when all spaces are clean.
func (d *dirtyList) oldest() (since uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.spaces) == 0 {
		return 0
	}
	return d.spaces[0].dirtySince.Load()
}

// upTo returns the spaces that lack a record up to last, the oldest first.
func (d *dirtyList) upTo(last uint64) (spaces []*space) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var visit func(i int)
	visit = func(i int) {
		if i < len(d.spaces) && d.spaces[i].dirtySince.Load() <= last {
			spaces = append(spaces, d.spaces[i])
			visit(2*i + 1)
			visit(2*i + 2)
		}
	}
	visit(0)
	slices.SortFunc(spaces, func(a, b *space) int {
		return cmp.Or(cmp.Compare(a.dirtySince.Load(), b.dirtySince.Load()), cmp.Compare(a.id, b.id))
	})
	return spaces
}
