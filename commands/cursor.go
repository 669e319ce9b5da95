package commands

import (
	"strings"
	"sync"

	"github.com/cubbykv/cubby/storage"
)

// SCAN's cursor is a number, its position a key. The number is the
// fingerprint of the next key: it means the same on every connection and
// after a restart, since it can be found again by walking. The cursorTable
// only spares that walk, so it may forget.

// fingerprintBits keeps cursors exact in clients that hold numbers as
// doubles.
const fingerprintBits = 53

// fingerprint is the 64-bit FNV-1a hash of key, folded to 53 bits; never 0.
func fingerprint(key string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(key) {
		h ^= uint64(key[i])
		h *= 1099511628211
	}
	return max((h^h>>fingerprintBits)&(1<<fingerprintBits-1), 1)
}

// Bounds of the table: positions per namespace and database, and how many of
// those are kept.
const (
	cursorsPerOwner = 64
	cursorOwners    = 4096
)

// cursorOwner has cursors of its own: a cursor that somebody else got, or made
// up from the name of a key, must not tell anything.
type cursorOwner struct {
	id     storage.ID
	db     int
	prefix string // of the keys that the token opens
}

func (c *Call) cursorOwner() cursorOwner {
	p := c.Session.principal
	return cursorOwner{p.App.ID, c.db, p.Prefix()}
}

type cursorTable struct {
	mu     sync.Mutex
	owners map[cursorOwner]*cursorRing
}

// cursorRing holds the latest positions of one owner.
type cursorRing struct {
	keys [cursorsPerOwner]string
	next int
}

func (t *cursorTable) remember(owner cursorOwner, key string) uint64 {
	cursor := fingerprint(key)
	t.mu.Lock()
	defer t.mu.Unlock()
	ring := t.owners[owner]
	if ring == nil {
		if t.owners == nil {
			t.owners = make(map[cursorOwner]*cursorRing)
		}
		if len(t.owners) >= cursorOwners {
			for other := range t.owners { // any one: forgetting costs only a walk
				delete(t.owners, other)
				break
			}
		}
		ring = new(cursorRing)
		t.owners[owner] = ring
	}
	ring.keys[ring.next] = strings.Clone(key)
	ring.next = (ring.next + 1) % cursorsPerOwner
	return cursor
}

func (t *cursorTable) recall(owner cursorOwner, cursor uint64) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ring := t.owners[owner]
	if ring == nil {
		return "", false
	}
	for _, key := range ring.keys {
		if key != "" && fingerprint(key) == cursor {
			return key, true
		}
	}
	return "", false
}
