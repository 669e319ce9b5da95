package auth

import (
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/cubbykv/cubby/storage"
)

// App is one namespace that the platform opened. All sessions of the
// namespace share one App, so that a changed limit holds from the next
// command on.
type App struct {
	ID        storage.ID
	CreatedAt int64 // Unix milliseconds

	limits    atomic.Pointer[Limits]
	overrides atomic.Pointer[Overrides]
	limiter   atomic.Pointer[rate.Limiter]
	dropped   atomic.Bool

	meter       meter
	connections atomic.Int64
}

// NewApp returns an app that is not kept anywhere.
func NewApp(id storage.ID, limits Limits) *App {
	a := &App{ID: id}
	a.SetLimits(limits)
	return a
}

// Limits are the limits in force. The result must not be changed.
func (a *App) Limits() *Limits { return a.limits.Load() }

// Overrides are those of the limits that were set for this app; the others are
// the defaults. The result must not be changed.
func (a *App) Overrides() Overrides {
	if o := a.overrides.Load(); o != nil {
		return *o
	}
	return nil
}

// SetLimits puts limits in force for everyone who holds the App. A changed rate
// begins with a full burst.
func (a *App) SetLimits(limits Limits) {
	a.limits.Store(&limits)
	if limits.CommandsPerSecond == 0 {
		a.limiter.Store(nil)
		return
	}
	n, most := rate.Limit(limits.CommandsPerSecond), limits.burst()
	if old := a.limiter.Load(); old == nil || old.Limit() != n || old.Burst() != most {
		a.limiter.Store(rate.NewLimiter(n, most))
	}
}

// TakeCommand spends one command of the namespace's rate at now. When there
// is none left it spends nothing and returns how long to wait.
func (a *App) TakeCommand(now time.Time) (wait time.Duration) {
	l := a.limiter.Load()
	if l == nil {
		return 0
	}
	r := l.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// BurstLeft is how many commands may come at once at now; limited is false where
// the rate has no limit.
func (a *App) BurstLeft(now time.Time) (n int64, limited bool) {
	l := a.limiter.Load()
	if l == nil {
		return 0, false
	}
	return max(int64(l.TokensAt(now)), 0), true
}

// CountCommands notes that n commands of the namespace were taken in at now,
// whatever became of them.
func (a *App) CountCommands(now time.Time, n int) { a.meter.add(now, int64(n)) }

// CommandsLately is how many commands CountCommands counted in the second before
// now, about.
func (a *App) CommandsLately(now time.Time) int64 { return a.meter.lately(now) }

// AddConnections notes that n connections more, or fewer, are signed in to the
// namespace.
func (a *App) AddConnections(n int64) { a.connections.Add(n) }

// TakeConnection is AddConnections(1), unless the namespace has as many as it may
// have; then it returns false.
func (a *App) TakeConnection() bool {
	for {
		n, most := a.connections.Load(), int64(a.Limits().MaxConnections)
		if most != 0 && n >= most {
			return false
		}
		if a.connections.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Connections is how many connections are signed in to the namespace.
func (a *App) Connections() int64 { return a.connections.Load() }

// Dropped tells whether the app was erased.
func (a *App) Dropped() bool { return a.dropped.Load() }

// override puts o over the defaults in force. Errors: *InputError; nothing is
// changed then.
func (a *App) override(o Overrides, defaults Limits) error {
	limits, err := o.on(defaults)
	if err != nil {
		return err
	}
	a.overrides.Store(&o)
	a.SetLimits(limits)
	return nil
}
