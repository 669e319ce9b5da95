package bunt

import "github.com/cubbykv/cubby/storage"

// Peek tells what a database of a namespace holds: now, or when it was looked at
// last if somebody keeps it or it is not in memory.
func (s *Store) Peek(db int, id storage.ID) storage.Peek {
	s.mu.RLock()
	sp := s.spaces[db][id]
	s.mu.RUnlock()
	if sp == nil {
		// Nothing of it has been seen. Without a file there is nothing.
		return storage.Peek{Known: db != storage.Durable || !s.hasFile(id)}
	}
	p := storage.Peek{Known: sp.seen.Load(), InMemory: true}
	if try(sp.mu.TryRLock) {
		if p.InMemory = sp.loaded && !sp.dropped.Load(); p.InMemory {
			sp.look()
			p.Known = true
		}
		sp.mu.RUnlock()
	}
	if p.Known {
		p.Usage = storage.Usage{Keys: sp.seenKeys.Load(), Bytes: sp.seenBytes.Load()}
	}
	return p
}

// look notes what a loaded space holds. Callers hold its lock, for reading at
// least.
func (sp *space) look() {
	keys, bytes := sp.ks.ends.expired(sp.ks, sp.store.clock())
	sp.seenKeys.Store(int64(sp.ks.count) - keys)
	sp.seenBytes.Store(sp.ks.bytes - bytes)
	sp.seen.Store(true)
}

// hasFile tells whether there is a snapshot of a namespace.
func (s *Store) hasFile(id storage.ID) bool {
	if s.journal == nil {
		return false
	}
	f, err := s.fs.OpenFile(s.snapshotPath(id), readFlags)
	if err != nil {
		return false
	}
	_ = f.Close()
	return true
}
