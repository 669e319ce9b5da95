package bunt

import "github.com/cubbykv/cubby/storage"

// WantEvents turns the calls of Options.OnExpired for one database of a
// namespace on or off. While they are on, the space stays in memory: nobody
// would notice the expiry of a key on disk. Drop turns them off.
func (s *Store) WantEvents(db int, id storage.ID, want bool) {
	if db < 0 || db >= storage.Databases || s.opts.OnExpired == nil {
		return
	}
	for {
		s.mu.RLock()
		drop := s.dropping[id]
		s.mu.RUnlock()
		if drop != nil {
			<-drop
		}
		if sp := s.spaceFor(db, id); sp != nil {
			sp.events.Store(want)
			return
		}
	}
}

// raise reports keys that have expired. Callers hold no lock.
func (sp *space) raise(keys []string) {
	if len(keys) > 0 {
		sp.store.opts.OnExpired(sp.db, sp.name, keys)
	}
}
