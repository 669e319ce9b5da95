package kvtest

import (
	"sync/atomic"
	"time"
)

// clock stands still until it is told to move.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.ms.Store(time.Now().UnixMilli())
	return c
}

func (c *clock) millis() int64           { return c.ms.Load() }
func (c *clock) now() time.Time          { return time.UnixMilli(c.millis()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }
