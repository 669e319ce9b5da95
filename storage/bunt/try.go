package bunt

import (
	"context"
	"errors"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// patience is how often a lock is asked for before the caller is told that it
// would have to wait: about as long as a short transaction takes.
const patience = 64

// TryView is View for callers that must not wait: for the lock while somebody
// walks through many keys, or for the disk while the space is not in memory.
// Errors: storage.ErrWouldWait and those of View.
func (sp *space) TryView(ctx context.Context, _ []string, fn func(storage.Tx) error) (storage.Seq, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if !try(sp.mu.TryRLock) {
		return 0, storage.ErrWouldWait
	}
	err := sp.usable()
	if err == nil && !sp.loaded {
		err = storage.ErrWouldWait
	}
	if err != nil {
		sp.mu.RUnlock()
		return 0, err
	}
	return sp.view(fn)
}

// TryUpdate is Update for callers that must not wait, like TryView.
func (sp *space) TryUpdate(ctx context.Context, _ []string, fn func(storage.Tx) error) (storage.Seq, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if !try(sp.mu.TryLock) {
		return 0, storage.ErrWouldWait
	}
	if !sp.loaded && sp.usable() == nil {
		sp.mu.Unlock()
		return 0, storage.ErrWouldWait
	}
	return sp.updated(sp.update(fn))
}

func try(lock func() bool) bool {
	for range patience {
		if lock() {
			return true
		}
	}
	return false
}

// How long work in the background waits for one space in all, about. A script
// may keep a space for seconds, again and again, and others have work to do too.
const (
	noPatience    = time.Duration(0)
	firstPatience = 100 * time.Millisecond
)

var errBusy = errors.New("somebody keeps the namespace")

// lockFor locks the space, if need be for those who have patience.
func (sp *space) lockFor(patience time.Duration) bool {
	if try(sp.mu.TryLock) {
		return true
	}
	if patience > 0 {
		sp.mu.Lock()
	}
	return patience > 0
}

// rlockFor is lockFor for reading.
func (sp *space) rlockFor(patience time.Duration) bool {
	if try(sp.mu.TryRLock) {
		return true
	}
	if patience > 0 {
		sp.mu.RLock()
	}
	return patience > 0
}
