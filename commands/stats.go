package commands

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/storage"
)

// stats count what became of a command's calls and how long they took.
type stats struct {
	nanos    atomic.Int64               // of all calls together
	calls    [latencyCells]atomic.Int64 // that ran, failures included, by how long they took
	failed   atomic.Int64               // ran and answered an error
	rejected atomic.Int64               // turned away by admission
}

// A command's calls are counted in cells that are a quarter of a power of two
// wide: exact enough for percentiles, and the number of calls is their sum, so
// that counting costs no more than without.
const (
	latencyCells  = 4 * latencyPowers
	latencyPowers = 36 // up to a minute; what took longer counts as that
)

// cellOf returns the cell of a time in nanoseconds.
func cellOf(nanos int64) int {
	if nanos < 4 {
		return int(max(0, nanos)) // cells 0 to 3 hold one value each
	}
	power := bits.Len64(uint64(nanos)) - 1
	quarter := int(nanos>>(power-2)) & 3
	return min(4*(power-1)+quarter, latencyCells-1)
}

// cellEnd is the first time in nanoseconds that is too long for a cell.
func cellEnd(cell int) int64 {
	if cell < 4 {
		return int64(cell) + 1
	}
	power, quarter := cell/4+1, cell%4
	return int64(5+quarter) << (power - 2)
}

// took counts n calls of a command that took nanos each.
func (s *stats) took(n, nanos int64) {
	s.calls[cellOf(nanos)].Add(n)
	s.nanos.Add(n * nanos)
}

// cells returns how many calls there were, and how many in each cell.
func (s *stats) cells() (total int64, cells [latencyCells]int64) {
	for i := range s.calls {
		cells[i] = s.calls[i].Load()
		total += cells[i]
	}
	return total, cells
}

func (s *stats) ran() int64 {
	total, _ := s.cells()
	return total
}

func (s *stats) reset() {
	for i := range s.calls {
		s.calls[i].Store(0)
	}
	s.nanos.Store(0)
	s.failed.Store(0)
	s.rejected.Store(0)
}

// totals count over all commands and connections since the start, or since
// CONFIG RESETSTAT.
type totals struct {
	connections atomic.Int64
	errors      errorCounts
	rates       rates
}

// maxErrorCodes bounds how many codes are told apart; scripts can invent some.
const maxErrorCodes = 128

// errorCounts count error replies by their first word.
type errorCounts struct {
	mu     sync.Mutex
	total  int64
	byCode map[string]int64
}

func (c *errorCounts) add(text string) {
	code := firstWord(text)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total++
	if _, known := c.byCode[code]; !known {
		if len(c.byCode) >= maxErrorCodes {
			return
		}
		if c.byCode == nil {
			c.byCode = make(map[string]int64)
		}
	}
	c.byCode[code]++
}

// snapshot returns the counts so far.
func (c *errorCounts) snapshot() (total int64, byCode map[string]int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total, maps.Clone(c.byCode)
}

func (c *errorCounts) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total, c.byCode = 0, nil
}

// firstWord is the code of an error's text.
func firstWord(text string) string {
	for i := range len(text) {
		if text[i] == ' ' {
			return text[:i]
		}
	}
	return text
}

// lookups count what reads found in one namespace.
type lookups struct{ hits, misses atomic.Int64 }

// lookupTable has those of the namespaces that were used.
type lookupTable struct {
	mu    sync.Mutex
	byApp map[storage.ID]*lookups
}

// of returns the counts of the principal's namespace, or nil when it has none.
func (t *lookupTable) of(p *auth.Principal) *lookups {
	if p == nil || p.App == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.byApp[p.App.ID]
	if l == nil {
		if t.byApp == nil {
			t.byApp = make(map[storage.ID]*lookups)
		}
		l = new(lookups)
		t.byApp[p.App.ID] = l
	}
	return l
}

// sum adds up all namespaces.
func (t *lookupTable) sum() (hits, misses int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.byApp {
		hits += l.hits.Load()
		misses += l.misses.Load()
	}
	return hits, misses
}

// forget drops what gone says of.
func (t *lookupTable) forget(gone func(storage.ID) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.byApp, func(id storage.ID, _ *lookups) bool { return gone(id) })
}

// reset starts counting anew, for all sessions.
func (t *lookupTable) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.byApp {
		l.hits.Store(0)
		l.misses.Store(0)
	}
}

// countLookups hands what the session found to its namespace.
func (s *Session) countLookups() {
	if s.hits > 0 {
		s.reads.hits.Add(s.hits)
	}
	if s.misses > 0 {
		s.reads.misses.Add(s.misses)
	}
	s.hits, s.misses = 0, 0
}

// newRunID returns 40 random hex digits, the shape of Redis's run id.
func newRunID() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

// commandsRun counts the calls of all commands.
func (e *Engine) commandsRun() int64 {
	n := int64(0)
	e.table.walk(func(cmd *Command) { n += cmd.hits.ran() })
	return n
}
