package auth

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"unsafe"

	"github.com/cubbykv/cubby/storage"
)

// fakeStore keeps database 0 of every namespace in maps. Its faults are set by
// tests. It is for one goroutine.
type fakeStore struct {
	spaces map[storage.ID]map[string]string
	seq    storage.Seq
	waited storage.Seq
	// waitErr and dropErr are what Wait and Drop fail with.
	waitErr, dropErr error
	dropped          []storage.ID
}

func newFakeStore() *fakeStore {
	return &fakeStore{spaces: make(map[storage.ID]map[string]string)}
}

func (f *fakeStore) Namespace(_ context.Context, db int, id storage.ID) (storage.Namespace, error) {
	return &fakeSpace{f, db, id}, nil
}

func (f *fakeStore) Wait(_ context.Context, s storage.Seq) error {
	f.waited = max(f.waited, s)
	return f.waitErr
}

func (f *fakeStore) Drop(_ context.Context, id storage.ID) error {
	if f.dropErr != nil {
		return f.dropErr
	}
	f.dropped = append(f.dropped, id)
	delete(f.spaces, id)
	return nil
}

func (f *fakeStore) Close() error { return nil }

// keys lists what the directory holds.
func (f *fakeStore) keys() []string { return slices.Sorted(maps.Keys(f.spaces[directoryID])) }

type fakeSpace struct {
	store *fakeStore
	db    int
	id    storage.ID
}

func (s *fakeSpace) View(_ context.Context, _ []string, fn func(storage.Tx) error) (storage.Seq, error) {
	return s.store.seq, fn(&fakeTx{values: maps.Clone(s.values())})
}

func (s *fakeSpace) Update(_ context.Context, _ []string, fn func(storage.Tx) error) (storage.Seq, error) {
	tx := &fakeTx{values: maps.Clone(s.values())}
	if err := fn(tx); err != nil {
		return 0, err
	}
	// Twice, as the contract allows.
	tx = &fakeTx{values: maps.Clone(s.values())}
	if err := fn(tx); err != nil {
		return 0, err
	}
	s.store.spaces[s.id] = tx.values
	s.store.seq++
	return s.store.seq, nil
}

func (s *fakeSpace) values() map[string]string {
	if v := s.store.spaces[s.id]; v != nil && s.db == storage.Durable {
		return v
	}
	return map[string]string{}
}

// fakeTx implements the part of storage.Tx that a Directory uses.
type fakeTx struct {
	storage.Tx
	values map[string]string
}

func (t *fakeTx) Set(key string, e storage.Entry) error {
	t.values[key] = string(e.Value)
	return nil
}

func (t *fakeTx) Delete(key string) error {
	if _, ok := t.values[key]; !ok {
		return storage.ErrNotFound
	}
	delete(t.values, key)
	return nil
}

func (t *fakeTx) Ascend(_ string, yield func(string, storage.Entry) bool) error {
	for _, key := range slices.Sorted(maps.Keys(t.values)) {
		// Both are borrowed: they are rubbish as soon as yield has returned.
		name, value := []byte(key), []byte(t.values[key])
		more := yield(unsafe.String(unsafe.SliceData(name), len(name)), storage.Entry{Value: value})
		copy(name, bytes.Repeat([]byte("#"), len(name)))
		copy(value, bytes.Repeat([]byte("#"), len(value)))
		if !more {
			return nil
		}
	}
	return nil
}

func (t *fakeTx) Usage() storage.Usage { return storage.Usage{Keys: int64(len(t.values))} }
