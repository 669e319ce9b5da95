package commands

import (
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"time"
)

// How failed sign-ins from one address are slowed. What can be guessed is the
// admin's password, when a person chose it; tokens have 256 random bits, and there
// the point is that a client with a wrong one makes less noise.
const (
	// freeFailures are answered at once: somebody mistypes.
	freeFailures = 3
	// firstDelay is that of the next failure; it doubles with each one after it.
	firstDelay = 50 * time.Millisecond
	// longestDelay is less than the two seconds after which the least patient
	// clients give up: they should read WRONGPASS and not report a dead server.
	longestDelay = 1600 * time.Millisecond
	// forgottenAfter is how long one failure counts.
	forgottenAfter = 10 * time.Second
	// mostFailures bounds what is remembered, and so how long it lasts: after
	// an attack of any length an address has all of its free failures again in
	// two minutes.
	mostFailures = 12
	// maxFailures in a row close a connection.
	maxFailures = 10
	// slowdownCells bounds the memory, a quarter of a megabyte. Addresses that
	// share a cell share their delay, and nobody can choose whose cell he is in.
	slowdownCells = 1 << 14
)

// slowdown remembers which addresses have failed to sign in lately. An address
// belongs to one of a fixed number of cells, so there is nothing to evict: with
// many addresses one can only slow down more failures, and not forget any.
type slowdown struct {
	seed  maphash.Seed
	mu    sync.Mutex
	cells []failureCount // made at the first failure
}

type failureCount struct {
	n  float64 // failures that still count
	at int64   // Unix milliseconds when n was right
}

// fail notes a failure and returns how long its answer has to wait.
func (w *slowdown) fail(from netip.Addr, now time.Time) time.Duration {
	return w.next(from, now, true)
}

// guess returns how long the answer to a failure would have to wait now.
func (w *slowdown) guess(from netip.Addr, now time.Time) time.Duration {
	return w.next(from, now, false)
}

func (w *slowdown) next(from netip.Addr, now time.Time, failed bool) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cells == nil {
		if !failed {
			return 0
		}
		w.seed, w.cells = maphash.MakeSeed(), make([]failureCount, slowdownCells)
	}
	address := from.As16()
	cell := &w.cells[maphash.Bytes(w.seed, address[:])%slowdownCells]
	ms := now.UnixMilli()
	passed := max(ms-cell.at, 0) // the clock may have been set back
	n := max(cell.n-float64(passed)/float64(forgottenAfter.Milliseconds()), 0)
	n = min(n+1, mostFailures)
	if failed {
		cell.n, cell.at = n, ms
	}
	return delayOf(n)
}

// delayOf is how long the nth failure waits.
func delayOf(n float64) time.Duration {
	slowed := int(math.Ceil(n)) - freeFailures
	if slowed <= 0 {
		return 0
	}
	return min(firstDelay<<(slowed-1), longestDelay)
}
