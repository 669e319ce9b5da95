package storetest

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/cubbykv/cubby/storage"
)

// Memory is the in-memory double: one lock, plain maps, copies everywhere. It
// is slow and obviously right; backends are compared with it.
type Memory struct {
	clock *Clock

	mu      sync.RWMutex
	closed  bool
	version uint64
	seq     storage.Seq
	spaces  map[memoryKey]*memoryNamespace
}

type memoryKey struct {
	id storage.ID
	db int
}

// NewMemory returns an empty double that judges expiry by clock.
func NewMemory(clock *Clock) *Memory {
	return &Memory{clock: clock, spaces: make(map[memoryKey]*memoryNamespace)}
}

// Namespace implements storage.Store.
func (m *Memory) Namespace(_ context.Context, db int, id storage.ID) (storage.Namespace, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, storage.ErrClosed
	}
	key := memoryKey{id, db}
	ns := m.spaces[key]
	if ns == nil {
		ns = &memoryNamespace{store: m, entries: make(map[string]storage.Entry)}
		m.spaces[key] = ns
	}
	return ns, nil
}

// Wait implements storage.Store: memory is as durable as it gets at once.
func (m *Memory) Wait(ctx context.Context, _ storage.Seq) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return storage.ErrClosed
	}
	return ctx.Err()
}

// Drop implements storage.Store.
func (m *Memory) Drop(_ context.Context, id storage.ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return storage.ErrClosed
	}
	for db := range storage.Databases {
		if ns := m.spaces[memoryKey{id, db}]; ns != nil {
			ns.dropped = true
			delete(m.spaces, memoryKey{id, db})
		}
	}
	return nil
}

// Close implements storage.Store.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

type memoryNamespace struct {
	store   *Memory
	dropped bool
	entries map[string]storage.Entry // expired ones included
}

func (n *memoryNamespace) usable() error {
	switch {
	case n.store.closed:
		return storage.ErrClosed
	case n.dropped:
		return storage.ErrDropped
	}
	return nil
}

// View implements storage.Namespace.
func (n *memoryNamespace) View(ctx context.Context, _ []string, fn func(storage.Tx) error) (storage.Seq, error) {
	n.store.mu.RLock()
	defer n.store.mu.RUnlock()
	if err := firstOf(n.usable(), ctx.Err()); err != nil {
		return 0, err
	}
	return n.store.seq, fn(&memoryTx{store: n.store, entries: n.entries, now: n.store.clock.Now(), readOnly: true})
}

// Update implements storage.Namespace.
func (n *memoryNamespace) Update(ctx context.Context, _ []string, fn func(storage.Tx) error) (storage.Seq, error) {
	n.store.mu.Lock()
	defer n.store.mu.Unlock()
	if err := firstOf(n.usable(), ctx.Err()); err != nil {
		return 0, err
	}
	tx := &memoryTx{store: n.store, entries: maps.Clone(n.entries), now: n.store.clock.Now()}
	if err := fn(tx); err != nil {
		return n.store.seq, err
	}
	if tx.wrote {
		n.store.seq++
		n.entries = tx.entries
	}
	return n.store.seq, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

type memoryTx struct {
	store    *Memory
	entries  map[string]storage.Entry
	now      int64
	readOnly bool
	wrote    bool
}

func (t *memoryTx) Now() int64 { return t.now }

func (t *memoryTx) Get(key string) (storage.Entry, error) {
	e, ok := t.entries[key]
	if !ok || e.Expired(t.now) {
		return storage.Entry{}, storage.ErrNotFound
	}
	return e, nil
}

func (t *memoryTx) Set(key string, e storage.Entry) error {
	if t.readOnly {
		return storage.ErrReadOnlyTx
	}
	t.wrote = true
	if e.Expired(t.now) {
		delete(t.entries, key)
		return nil
	}
	t.store.version++
	t.entries[string([]byte(key))] = storage.Entry{
		Value:     slices.Clone(e.Value),
		UpdatedAt: t.now,
		ExpiresAt: e.ExpiresAt,
		Version:   t.store.version,
	}
	return nil
}

func (t *memoryTx) Delete(key string) error {
	if t.readOnly {
		return storage.ErrReadOnlyTx
	}
	if _, err := t.Get(key); err != nil {
		return err
	}
	t.wrote = true
	delete(t.entries, key)
	return nil
}

func (t *memoryTx) Clear() error {
	if t.readOnly {
		return storage.ErrReadOnlyTx
	}
	t.wrote = true
	t.entries = make(map[string]storage.Entry)
	return nil
}

func (t *memoryTx) Ascend(from string, yield func(string, storage.Entry) bool) error {
	for _, key := range slices.Sorted(maps.Keys(t.entries)) {
		if key < from {
			continue
		}
		e, err := t.Get(key) // yield may have deleted it
		if err == nil && !yield(key, e) {
			return nil
		}
	}
	return nil
}

func (t *memoryTx) Random() (string, error) {
	for key := range t.entries {
		if _, err := t.Get(key); err == nil {
			return key, nil
		}
	}
	return "", storage.ErrNotFound
}

func (t *memoryTx) Usage() storage.Usage {
	var u storage.Usage
	for key := range t.entries {
		if e, err := t.Get(key); err == nil {
			u.Keys++
			u.Bytes += int64(len(key) + len(e.Value))
		}
	}
	return u
}

func (t *memoryTx) Purge(limit int) (int, error) {
	if t.readOnly {
		return 0, storage.ErrReadOnlyTx
	}
	var due []string
	for key, e := range t.entries {
		if e.Expired(t.now) {
			due = append(due, key)
		}
	}
	slices.SortFunc(due, func(a, b string) int { return int(t.entries[a].ExpiresAt - t.entries[b].ExpiresAt) })
	due = due[:min(len(due), max(limit, 0))]
	for _, key := range due {
		t.wrote = true
		delete(t.entries, key)
	}
	return len(due), nil
}
