package storetest

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/cubbykv/cubby/storage"
)

// Memory is a storage.Store that is slow and obviously right: a map per
// database, copied by each Update, under its own lock (one transaction may be
// opened inside another one's function, on another database). Other stores are
// measured against it.
//
// What a transaction hands out is a copy, which is overwritten when it ends:
// whoever keeps a value or a key longer than the contract allows finds rubbish.
type Memory struct {
	clock *Clock

	closed  atomic.Bool
	version atomic.Uint64
	lives   atomic.Uint64

	mu     sync.Mutex // guards spaces; taken before a space's
	spaces map[memoryName]*memorySpace
}

type memoryName struct {
	id storage.ID
	db int
}

type memorySpace struct {
	store   *Memory
	mu      sync.RWMutex
	dropped bool
	entries map[string]memoryEntry
}

// memoryEntry has a number that stays the same while its key stays alive.
type memoryEntry struct {
	storage.Entry
	life uint64
}

var _ storage.Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory(clock *Clock) *Memory {
	return &Memory{clock: clock, spaces: make(map[memoryName]*memorySpace)}
}

// Namespace returns a database of a namespace. Errors: storage.ErrClosed.
func (m *Memory) Namespace(_ context.Context, db int, id storage.ID) (storage.Namespace, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed.Load() {
		return nil, storage.ErrClosed
	}
	name := memoryName{id, db}
	if m.spaces[name] == nil {
		m.spaces[name] = &memorySpace{store: m, entries: make(map[string]memoryEntry)}
	}
	return m.spaces[name], nil
}

// Wait has nothing to wait for. Errors: storage.ErrClosed.
func (m *Memory) Wait(context.Context, storage.Seq) error {
	if m.closed.Load() {
		return storage.ErrClosed
	}
	return nil
}

// Drop erases both databases of a namespace. Errors: storage.ErrClosed.
func (m *Memory) Drop(_ context.Context, id storage.ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed.Load() {
		return storage.ErrClosed
	}
	for db := range storage.Databases {
		name := memoryName{id, db}
		if sp := m.spaces[name]; sp != nil {
			sp.mu.Lock()
			sp.dropped = true
			sp.mu.Unlock()
		}
		delete(m.spaces, name)
	}
	return nil
}

// Close ends the store.
func (m *Memory) Close() error {
	m.closed.Store(true)
	return nil
}

// Restart does to the data what a restart does: database 1 is empty.
func (m *Memory) Restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.spaces {
		if name.db == storage.Ephemeral {
			delete(m.spaces, name)
		}
	}
}

func (sp *memorySpace) usable() error {
	switch {
	case sp.store.closed.Load():
		return storage.ErrClosed
	case sp.dropped:
		return storage.ErrDropped
	}
	return nil
}

func (sp *memorySpace) View(ctx context.Context, _ []string, fn func(storage.Tx) error) (storage.Seq, error) {
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	if err := sp.usable(); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	tx := &memoryTx{store: sp.store, now: sp.store.clock.Now(), entries: sp.entries}
	defer tx.spoil()
	return 0, fn(tx)
}

func (sp *memorySpace) Update(ctx context.Context, _ []string, fn func(storage.Tx) error) (storage.Seq, error) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if err := sp.usable(); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	tx := &memoryTx{store: sp.store, now: sp.store.clock.Now(), entries: maps.Clone(sp.entries), writable: true}
	defer tx.spoil()
	if err := fn(tx); err != nil {
		return 0, err
	}
	sp.entries = tx.entries
	return 0, nil
}

type memoryTx struct {
	store    *Memory
	now      int64
	writable bool
	entries  map[string]memoryEntry
	lent     [][]byte
}

// lend returns a copy that is good until the transaction ends.
func (t *memoryTx) lend(b []byte) []byte {
	b = append([]byte{}, b...)
	t.lent = append(t.lent, b)
	return b
}

func (t *memoryTx) lendKey(key string) string {
	b := t.lend([]byte(key))
	return unsafe.String(unsafe.SliceData(b), len(b))
}

func (t *memoryTx) lendEntry(e storage.Entry) storage.Entry {
	e.Value = t.lend(e.Value)
	return e
}

// spoil overwrites everything that was lent.
func (t *memoryTx) spoil() {
	for _, b := range t.lent {
		for i := range b {
			b[i] = '#'
		}
	}
}

func (t *memoryTx) Now() int64 { return t.now }

func (t *memoryTx) live(key string) (memoryEntry, bool) {
	e, ok := t.entries[key]
	return e, ok && !e.Expired(t.now)
}

func (t *memoryTx) liveKeys() []string {
	var keys []string
	for key := range t.entries {
		if _, ok := t.live(key); ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (t *memoryTx) Get(key string) (storage.Entry, error) {
	e, ok := t.live(key)
	if !ok {
		return storage.Entry{}, storage.ErrNotFound
	}
	return t.lendEntry(e.Entry), nil
}

func (t *memoryTx) Set(key string, e storage.Entry) error {
	if !t.writable {
		return storage.ErrReadOnlyTx
	}
	old, alive := t.live(key)
	if e.Expired(t.now) {
		if alive {
			delete(t.entries, key)
		}
		return nil
	}
	if !alive {
		old.life = t.store.lives.Add(1)
	}
	t.entries[string([]byte(key))] = memoryEntry{life: old.life, Entry: storage.Entry{
		Value: append([]byte{}, e.Value...), UpdatedAt: t.now, ExpiresAt: e.ExpiresAt, Version: t.store.version.Add(1),
	}}
	return nil
}

func (t *memoryTx) Delete(key string) error {
	if !t.writable {
		return storage.ErrReadOnlyTx
	}
	if _, ok := t.live(key); !ok {
		return storage.ErrNotFound
	}
	delete(t.entries, key)
	return nil
}

func (t *memoryTx) Clear() error {
	if !t.writable {
		return storage.ErrReadOnlyTx
	}
	clear(t.entries)
	return nil
}

func (t *memoryTx) Ascend(from string, yield func(string, storage.Entry) bool) error {
	keys := t.liveKeys()
	lives := make([]uint64, len(keys))
	for i, key := range keys {
		lives[i] = t.entries[key].life
	}
	for i, key := range keys {
		e, ok := t.live(key)
		if key < from || !ok || e.life != lives[i] {
			continue
		}
		if !yield(t.lendKey(key), t.lendEntry(e.Entry)) {
			break
		}
	}
	return nil
}

func (t *memoryTx) Random() (string, error) {
	keys := t.liveKeys()
	if len(keys) == 0 {
		return "", storage.ErrNotFound
	}
	return t.lendKey(keys[rand.IntN(len(keys))]), nil
}

func (t *memoryTx) Usage() storage.Usage {
	var u storage.Usage
	for _, key := range t.liveKeys() {
		u.Keys++
		u.Bytes += int64(len(key) + len(t.entries[key].Value))
	}
	return u
}

func (t *memoryTx) Purge(limit int) (int, error) {
	if !t.writable {
		return 0, storage.ErrReadOnlyTx
	}
	var ended []string
	for key, e := range t.entries {
		if e.Expired(t.now) {
			ended = append(ended, key)
		}
	}
	slices.SortFunc(ended, func(a, b string) int { return int(t.entries[a].ExpiresAt - t.entries[b].ExpiresAt) })
	n := max(0, min(limit, len(ended)))
	for _, key := range ended[:n] {
		delete(t.entries, key)
	}
	return n, nil
}
