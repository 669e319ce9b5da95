package auth

import (
	"sync"
	"sync/atomic"
	"time"
)

// meter counts events per second. It keeps the current second and the one
// before, of which a reading takes the part that still belongs to its second.
type meter struct {
	second  atomic.Int64 // Unix time of current
	current atomic.Int64
	mu      sync.Mutex // guards changes of second, and before
	before  int64      // of the second before
}

func (m *meter) add(now time.Time, n int64) {
	if second := now.Unix(); second != m.second.Load() {
		m.turn(second)
	}
	m.current.Add(n)
}

// turn begins a second, unless somebody else did. A clock that was set back
// begins one as well.
func (m *meter) turn(second int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.second.Load()
	if was == second {
		return
	}
	n := m.current.Swap(0)
	if m.before = 0; was == second-1 {
		m.before = n
	}
	m.second.Store(second)
}

func (m *meter) lately(now time.Time) int64 {
	m.turn(now.Unix())
	m.mu.Lock()
	defer m.mu.Unlock()
	left := time.Second - time.Duration(now.Nanosecond())
	return m.current.Load() + m.before*left.Milliseconds()/1000
}
