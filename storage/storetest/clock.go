// Package storetest is the suite that every storage backend passes, with the
// in-memory double that backends are compared with and a clock that tests
// move.
package storetest

import (
	"sync/atomic"
	"time"
)

// Clock is a fake clock. It moves only when told to. Its methods are safe for
// concurrent use.
type Clock struct{ ms atomic.Int64 }

// NewClock returns a Clock set to some moment of 2026.
func NewClock() *Clock {
	c := new(Clock)
	c.Set(1_780_000_000_000)
	return c
}

// Now is the time in Unix milliseconds.
func (c *Clock) Now() int64 { return c.ms.Load() }

// Set moves the clock to ms, in Unix milliseconds; back, too.
func (c *Clock) Set(ms int64) { c.ms.Store(ms) }

// Advance moves the clock by d.
func (c *Clock) Advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }
