package bunt

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// Durable spaces leave memory when nobody has used them for a while, and the
// coldest ones when memory runs short: snapshot, then close. A closed space is
// an empty shell under the same address, so the Namespace that sessions hold
// stays good, and its next use loads it again.

const (
	// touchEvery is how exactly, in ms, a space knows when it was used last:
	// telling it each time would be a write to memory that all cores read.
	touchEvery = 1000
	// inUse is for how many ms after its last use a space is not closed for want
	// of memory: it would only be loaded again.
	inUse = 5000
	// unloadTick is how often the unloader looks around.
	unloadTick = time.Second
)

// touch notes that the space is used. Callers hold its lock, for reading at least.
func (sp *space) touch(now int64) {
	if d := now - sp.used.Load(); d > touchEvery || d < 0 {
		sp.used.Store(now)
	}
}

// SetMemory changes Options.MaxMemory and Options.IdleTimeout while the store is
// in use.
func (s *Store) SetMemory(maxMemory int64, idle time.Duration) {
	s.maxMemory.Store(maxMemory)
	s.idleAfter.Store(idle.Milliseconds())
	s.unloadSoon()
}

// unloadSoon asks the unloader to look around.
func (s *Store) unloadSoon() {
	select {
	case s.crowd <- struct{}{}:
	default:
	}
}

// unloader runs while the store is open.
func (s *Store) unloader() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.spawn(func() { <-s.stop; cancel() })
	tick := time.NewTicker(unloadTick)
	defer tick.Stop()
	var looked int64
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		case <-s.crowd:
		}
		err := s.relieve(ctx)
		idle := s.idleAfter.Load()
		if now := s.clock(); idle > 0 && (now-looked > idle/8 || now < looked) {
			looked = now
			err = errors.Join(err, s.unloadIdle(ctx))
		}
		if err != nil && !errors.Is(err, storage.ErrClosed) && ctx.Err() == nil {
			s.log.Error("namespaces could not be closed; they stay in memory", "error", err)
		}
		if s.crowded.Load() {
			// Nothing more can be done at once, however often writers ask.
			select {
			case <-s.stop:
				return
			case <-time.After(unloadTick / 4):
			}
		}
	}
}

// unloadIdle closes the spaces that nobody has used for Options.IdleTimeout.
func (s *Store) unloadIdle(ctx context.Context) error {
	_, err := s.unloadColdest(ctx, s.clock()-s.idleAfter.Load(), newPacer(s.opts.SnapshotRate), func() bool { return true })
	return err
}

// relieve closes the coldest spaces while the store is over Options.MaxMemory.
func (s *Store) relieve(ctx context.Context) error {
	limit := s.maxMemory.Load()
	if limit <= 0 {
		s.crowded.Store(false)
		return nil
	}
	if s.memory.Load() <= limit {
		s.crowded.Store(false)
		return nil
	}
	enough := limit - limit/16 // not one by one for each new key
	_, err := s.unloadColdest(ctx, s.clock()-inUse, nil, func() bool { return s.memory.Load() > enough })
	s.crowded.Store(s.memory.Load() > limit)
	return err
}

// unloadColdest closes spaces that were used last at or before a time, the
// coldest first, while more says so. It returns how many.
func (s *Store) unloadColdest(ctx context.Context, before int64, pace *pacer, more func() bool) (closed int, err error) {
	type candidate struct {
		sp   *space
		used int64
	}
	var cold []candidate
	for _, sp := range s.residents.all() {
		if used := sp.used.Load(); used <= before && sp.journaled() && !sp.events.Load() {
			cold = append(cold, candidate{sp, used})
		}
	}
	slices.SortFunc(cold, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.used, b.used), cmp.Compare(a.sp.id, b.sp.id)) })
	for _, c := range cold {
		if !more() {
			break
		}
		if cerr := ctx.Err(); cerr != nil {
			return closed, cerr
		}
		ok, cerr := s.unload(ctx, c.sp, before, pace)
		if cerr != nil {
			err = cerr // it stays, the others need not
			if s.journal.failed.Load() {
				break
			}
		}
		if ok {
			closed++
		}
	}
	return closed, err
}

// unload closes a space that was not used after a time.
func (s *Store) unload(ctx context.Context, sp *space, before int64, pace *pacer) (bool, error) {
	// A snapshot by anybody else must not be half done when closeIf looks.
	s.compacting.Lock()
	defer s.compacting.Unlock()
	unused := func() bool { return sp.used.Load() <= before }
	for range 2 { // a write that came without moving used deserves one more try
		if !unused() {
			return false, nil
		}
		if err := s.snapshot(ctx, sp, pace, noPatience); errors.Is(err, errBusy) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		if sp.closeIf(unused) {
			return true, nil
		}
	}
	return false, nil
}

// closeIf takes the space out of memory if its snapshot includes everything and
// ok agrees. Callers hold Store.compacting.
func (sp *space) closeIf(ok func() bool) bool {
	if !try(sp.mu.TryLock) {
		return false // who is inside uses it
	}
	defer sp.mu.Unlock()
	s := sp.store
	if !sp.loaded || sp.dirtySince.Load() != 0 || sp.events.Load() || sp.usable() != nil || s.journal.failed.Load() || !ok() {
		return false
	}
	if err := sp.shard.apply(nil, alarm{space: sp, off: true}); err != nil {
		return false
	}
	sp.look()
	sp.discard()
	return true
}

// discard empties the space in memory; what is left is a shell that load fills.
// Callers hold its lock.
func (sp *space) discard() {
	s := sp.store
	sp.dropRows()
	sp.ks, sp.armedAt, sp.loaded = nil, 0, false
	s.residents.remove(sp)
	sp.account()
}
