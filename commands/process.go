package commands

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"sync/atomic"
)

// platform is INFO's os field.
const platform = runtime.GOOS + " " + runtime.GOARCH

var processID = os.Getpid()

// memory is what the process occupies, in bytes.
type memory struct {
	used     int64 // by live and not yet collected objects
	resident int64 // of physical memory; 0 where the system does not tell
	system   int64 // physical memory of the machine; 0 where the system does not tell
}

func readMemory() memory {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	m := memory{}
	if sample[0].Value.Kind() == metrics.KindUint64 {
		m.used = int64(sample[0].Value.Uint64()) // no heap has 2^63 bytes
	}
	if raw, err := os.ReadFile("/proc/self/statm"); err == nil {
		if f := bytes.Fields(raw); len(f) > 1 {
			pages, _ := strconv.ParseInt(string(f[1]), 10, 64)
			m.resident = pages * int64(os.Getpagesize())
		}
	}
	if raw, err := os.ReadFile("/proc/meminfo"); err == nil {
		if f := bytes.Fields(raw); len(f) > 2 && string(f[0]) == "MemTotal:" {
			kb, _ := strconv.ParseInt(string(f[1]), 10, 64)
			m.system = kb << 10
		}
	}
	return m
}

// highest is the greatest number seen.
type highest struct{ atomic.Int64 }

// raise takes n into account and returns the greatest so far.
func (h *highest) raise(n int64) int64 {
	for {
		old := h.Load()
		if old >= n {
			return old
		}
		if h.CompareAndSwap(old, n) {
			return n
		}
	}
}

// ticksPerSecond is USER_HZ, which Linux promises to programs.
const ticksPerSecond = 100

// readCPU returns the seconds of processor time that the process took; ok is
// false where the system does not tell.
func readCPU() (user, sys float64, ok bool) {
	raw, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, 0, false
	}
	// The second field, the name in parentheses, may contain blanks: count from
	// its end. utime and stime are fields 14 and 15.
	f := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
	if len(f) < 13 {
		return 0, 0, false
	}
	u, err1 := strconv.ParseFloat(string(f[11]), 64)
	s, err2 := strconv.ParseFloat(string(f[12]), 64)
	return u / ticksPerSecond, s / ticksPerSecond, err1 == nil && err2 == nil
}

// humanBytes writes n as Redis does: 512B, 1.50K, 2.00G.
func humanBytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	v, unit := float64(n), 0
	for v >= 1024 && unit < len("KMGTPE") {
		v /= 1024
		unit++
	}
	return fmt.Sprintf("%.2f%c", v, "KMGTPE"[unit-1])
}
