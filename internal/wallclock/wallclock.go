// Package wallclock tells the time of day at half the price of time.Now, for
// code that asks with every command. It reads the monotonic clock only, and the
// wall clock once in a while.
package wallclock

import (
	"sync/atomic"
	"time"
)

// Resync is how long a change of the system's time may go unnoticed.
const Resync = 100 * time.Millisecond

type reading struct {
	at    time.Time
	nanos int64 // at, since 1970
}

var last atomic.Pointer[reading]

func init() { last.Store(take()) }

func take() *reading {
	now := time.Now()
	return &reading{now, now.UnixNano()}
}

// Millis returns the time in Unix milliseconds.
func Millis() int64 {
	r := last.Load()
	since := time.Since(r.at)
	if since > Resync {
		r, since = take(), 0
		last.Store(r)
	}
	return (r.nanos + int64(since)) / int64(time.Millisecond)
}
