package storetest

import (
	"sync/atomic"
	"time"
)

// Clock is a clock that moves only when told to. It is safe for concurrent use.
type Clock struct{ ms atomic.Int64 }

// NewClock returns a clock at some day in the past.
func NewClock() *Clock {
	c := new(Clock)
	c.Set(1_700_000_000_000)
	return c
}

// Now returns the time in Unix milliseconds.
func (c *Clock) Now() int64 { return c.ms.Load() }

// Set moves the clock to a time in Unix milliseconds, backwards too.
func (c *Clock) Set(ms int64) { c.ms.Store(ms) }

// Advance moves the clock by whole milliseconds.
func (c *Clock) Advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }
