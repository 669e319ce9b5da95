package commands

import (
	"crypto/rand"
	"encoding/hex"
	"sync/atomic"
)

// stats count what became of a command's calls.
type stats struct {
	calls    atomic.Int64 // ran, failures included
	failed   atomic.Int64 // ran and answered an error
	rejected atomic.Int64 // turned away by admission
}

// totals count over all commands and connections since the start.
type totals struct {
	connections atomic.Int64
	commands    atomic.Int64
	errors      atomic.Int64
}

// newRunID returns 40 random hex digits, the shape of Redis's run id.
func newRunID() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}
