package commands

import (
	"sync"

	"github.com/cubbykv/cubby/storage"
)

// queuedBytes counts what the open transactions of each namespace hold.
type queuedBytes struct {
	mu    sync.Mutex
	byApp map[storage.ID]int64
}

// add counts bytes, unless the namespace would hold too many.
func (q *queuedBytes) add(id storage.ID, n int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.byApp[id]+n > maxQueuedAll {
		return false
	}
	if q.byApp == nil {
		q.byApp = make(map[storage.ID]int64)
	}
	q.byApp[id] += n
	return true
}

func (q *queuedBytes) remove(id storage.ID, n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.byApp[id] -= n; q.byApp[id] == 0 {
		delete(q.byApp, id)
	}
}

// forgetQueue drops what MULTI has collected.
func (s *Session) forgetQueue() {
	if s.multi != nil && s.multi.bytes > 0 && s.multi.app != (storage.ID{}) {
		s.engine.queued.remove(s.multi.app, int64(s.multi.bytes))
	}
	s.multi = nil
}
