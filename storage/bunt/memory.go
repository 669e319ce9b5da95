package bunt

import (
	"sync"

	"github.com/cubbykv/cubby/storage"
)

// What memory the store's data takes is counted, not measured: the bytes of
// keys and values, and for each key what table, order, record and the allocator's
// rounding add, as TestMemoryPerKey measures it; then what deleted keys have left
// behind. It is the live data that the
// garbage collector finds; the process is larger, see GOGC and GOMEMLIMIT.
const (
	keyOverhead    = 54 // bytes for each key
	expiryOverhead = 29 // for each key that expires
	spaceOverhead  = 1000
	idleOverhead   = 20 // for each number that once had a key, see keyspace.sparse
)

var _ storage.Bounded = (*Store)(nil)

// account brings the space's part of the store's total up to date. Callers hold
// the space's lock for writing.
func (sp *space) account() {
	var n int64
	if sp.loaded && !sp.dropped.Load() {
		n = sp.ks.memory()
	}
	if n != sp.counted {
		sp.store.memory.Add(n - sp.counted)
		sp.counted = n
	}
}

// memory returns about how many bytes a keyspace takes.
func (ks *keyspace) memory() int64 {
	idle := int64(ks.slots.given) - int64(ks.count)
	return spaceOverhead + ks.bytes + int64(ks.count)*keyOverhead + int64(ks.ends.count)*expiryOverhead + idle*idleOverhead + ks.arena.unused
}

// MayGrow returns storage.ErrOutOfMemory while the spaces in use take more than
// Options.MaxMemory.
func (s *Store) MayGrow() error {
	limit := s.maxMemory.Load()
	if limit <= 0 {
		return nil
	}
	used := s.memory.Load()
	if used <= limit {
		return nil
	}
	s.unloadSoon()
	// Writers must not run away from the unloader.
	if used > limit+limit/8 || s.crowded.Load() {
		return storage.ErrOutOfMemory
	}
	return nil
}

// residents are the spaces in memory.
type residents struct {
	mu  sync.Mutex
	set map[*space]struct{}
}

func (r *residents) add(sp *space) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.set == nil {
		r.set = make(map[*space]struct{})
	}
	r.set[sp] = struct{}{}
}

func (r *residents) remove(sp *space) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.set, sp)
}

// all returns the spaces that are in memory now.
func (r *residents) all() []*space {
	r.mu.Lock()
	defer r.mu.Unlock()
	spaces := make([]*space, 0, len(r.set))
	for sp := range r.set {
		spaces = append(spaces, sp)
	}
	return spaces
}
