package lua

import (
	"context"
	"errors"
	"fmt"
	"runtime/metrics"
	"time"

	vm "github.com/yuin/gopher-lua"
)

// Why a script was ended. What it did is then to be dropped by the caller.
var (
	// ErrTime is a script that ran longer than it may.
	ErrTime = errors.New("lua: the script ran for too long")
	// ErrMemory is a script that holds more than it may.
	ErrMemory = errors.New("lua: the script uses too much memory")
)

// Limits bound a run. The zero value has none.
type Limits struct {
	Time   time.Duration // how long it may run
	Memory int64         // bytes that it may hold at a time
	// Interrupt is asked from time to time, with the time since the start; an
	// error ends the script. May be nil.
	Interrupt func(elapsed time.Duration) error
	// Clock tells the time; default time.Now.
	Clock func() time.Time
}

const (
	// stride is how many instructions run between two looks at the clock. One
	// of them can take as long as filling an array of maxArray elements.
	stride = 64
	// memoryEvery is the time between two looks at memory. Go allocates about
	// 10 MB in it at most.
	memoryEvery = time.Millisecond
)

// meter watches a run. The interpreter asks a context whether it is done
// before every instruction; the meter is that context, so it costs no goroutine
// and no timer, and it counts in the script's own time.
type meter struct {
	machine *Machine
	parent  context.Context
	limits  Limits
	start   time.Time
	steps   int   // instructions until the next look
	cause   error // why the script is ended; it stays so
	looked  time.Duration
	live    int64 // bytes held at the last walk
	unseen  int64 // bytes charged since
	built   int64 // bytes of what a library function is building: no walk sees them
	allocs  uint64
	sample  [1]metrics.Sample
}

// done is a channel that is always ready.
var done = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (m *meter) reset(ctx context.Context, l Limits) {
	if l.Clock == nil {
		l.Clock = time.Now
	}
	m.parent, m.limits = ctx, l
	m.start = l.Clock()
	m.steps, m.cause = stride, nil
	m.looked, m.live, m.unseen, m.built, m.allocs = 0, 0, 0, 0, 0
}

// Done implements context.Context.
func (m *meter) Done() <-chan struct{} {
	if m.steps--; m.steps > 0 {
		return nil
	}
	return m.look()
}

func (m *meter) look() <-chan struct{} {
	m.check()
	if m.cause == nil {
		m.steps = stride
		return nil
	}
	m.steps = 0
	return done
}

// check judges time and memory, and keeps in cause what it found.
func (m *meter) check() {
	if m.cause != nil {
		return
	}
	elapsed := m.limits.Clock().Sub(m.start)
	switch {
	case m.limits.Time > 0 && elapsed > m.limits.Time:
		m.cause = ErrTime
		return
	case m.limits.Interrupt != nil:
		if m.cause = m.limits.Interrupt(elapsed); m.cause != nil {
			return
		}
	}
	if elapsed-m.looked >= memoryEvery {
		m.looked = elapsed
		if m.cause = m.parent.Err(); m.cause != nil {
			return
		}
		m.weigh()
	}
}

// weigh measures what the script holds when it may have become too much. The
// bytes that the process allocated are more than the script did, so as long as
// they are few there is nothing to measure; what others allocate makes for more
// measurements, never for a different result.
func (m *meter) weigh() {
	if m.limits.Memory == 0 {
		return
	}
	allocs := m.allocated()
	if m.allocs == 0 {
		m.allocs = allocs
		if m.unseen < m.limits.Memory/2 {
			return
		}
	}
	// Close to the limit a script may go a little beyond it, rather than be
	// measured all the time.
	if room := max((m.limits.Memory-m.live)/2, m.limits.Memory/8); int64(allocs-m.allocs) < room && m.unseen < room {
		return
	}
	m.walk()
	m.allocs = m.allocated() // the walk's own do not count
}

// walk measures what the script holds.
func (m *meter) walk() {
	m.live, m.unseen = m.machine.heapSize(m.limits.Memory), 0
	if m.live+m.built > m.limits.Memory {
		m.cause = ErrMemory
	}
}

// allocated is how many bytes the process has allocated since it started.
func (m *meter) allocated() uint64 {
	m.sample[0].Name = "/gc/heap/allocs:bytes"
	metrics.Read(m.sample[:])
	return m.sample[0].Value.Uint64()
}

// Err implements context.Context.
func (m *meter) Err() error { return m.cause }

// Deadline implements context.Context.
func (m *meter) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value implements context.Context.
func (m *meter) Value(any) any { return nil }

// work counts n steps of a library function, and does not return when the
// script is to end.
func (m *Machine) work(l *vm.LState, n int) {
	m.meter.steps -= n
	if m.meter.steps <= 0 && m.meter.look() != nil {
		m.end(l)
	}
}

// charge counts n bytes that a library function is about to allocate, and does
// not return when the script would hold too much.
func (m *Machine) charge(l *vm.LState, n int) {
	t := &m.meter
	t.unseen += int64(n)
	if t.limits.Memory > 0 && t.live+t.unseen+t.built > t.limits.Memory && t.cause == nil {
		t.walk()
		if t.unseen = int64(n); t.cause == nil && t.live+t.unseen+t.built > t.limits.Memory {
			t.cause = ErrMemory
		}
	}
	if t.cause != nil {
		m.end(l)
	}
}

// build is charge for memory that the script cannot reach yet; built tells when
// it can.
func (m *Machine) build(l *vm.LState, n int) {
	m.charge(l, n)
	m.meter.built += int64(n)
}

func (m *Machine) built() { m.meter.built = 0 }

// end raises what a script can catch, but not outlive: each further
// instruction raises it again.
func (m *Machine) end(l *vm.LState) {
	m.meter.steps = 0
	raise(l, fmt.Sprintf("%v", m.meter.cause))
}
