package bunt

import (
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/storage"
)

var _ storage.Observed = (*Store)(nil)

// observer is told how long things took. While there is none, nobody looks at
// the clock.
type observer struct {
	told atomic.Pointer[func(event string, took time.Duration)]
}

// Observe implements storage.Observed.
func (s *Store) Observe(told func(event string, took time.Duration)) {
	if told == nil {
		s.observer.told.Store(nil)
		return
	}
	s.observer.told.Store(&told)
}

// begin returns the time, or zero when nobody wants to know.
func (o *observer) begin() (began time.Time) {
	if o.told.Load() != nil {
		began = time.Now()
	}
	return began
}

func (o *observer) end(event string, began time.Time) {
	if !began.IsZero() {
		o.took(event, time.Since(began))
	}
}

func (o *observer) took(event string, d time.Duration) {
	if told := o.told.Load(); told != nil {
		(*told)(event, d)
	}
}
