// Package storetest is the suite that every backend of package storage passes,
// with what a test of one needs: a clock, a simple double, random runs.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// Run runs the suite. open returns an empty store that judges expiry by the
// clock; open sees to it that the store is closed in the end, which the test
// may already have done.
func Run(t *testing.T, open func(t *testing.T, clock *Clock) storage.Store) {
	groups := []struct {
		name  string
		cases []testCase
	}{
		{"entries", entryCases},
		{"atomic", atomicCases},
		{"expiry", expiryCases},
		{"order", orderCases},
		{"lifecycle", lifecycleCases},
		{"concurrency", concurrencyCases},
	}
	for _, group := range groups {
		for _, c := range group.cases {
			t.Run(group.name+"/"+c.name, func(t *testing.T) {
				clock := NewClock()
				h := &harness{T: t, clock: clock, store: open(t, clock)}
				c.run(h)
				h.recountAll()
			})
		}
	}
}

type testCase struct {
	name string
	run  func(h *harness)
}

// Namespaces that the cases use.
var (
	acme  = storage.ID{Tenant: "acme", App: "notes"}
	other = storage.ID{Tenant: "acme", App: "other"}
)

// harness is a store under test with short words for what cases do to it.
type harness struct {
	*testing.T
	clock  *Clock
	store  storage.Store
	opened []storage.Namespace
}

func (h *harness) open(db int, id storage.ID) *space {
	h.Helper()
	ns, err := h.store.Namespace(context.Background(), db, id)
	require.NoError(h, err)
	h.opened = append(h.opened, ns)
	return &space{h, ns}
}

func (h *harness) notes() *space { h.Helper(); return h.open(storage.Durable, acme) }

func (h *harness) in(d time.Duration) int64 { return h.clock.Now() + d.Milliseconds() }

func (h *harness) recountAll() {
	h.Helper()
	for _, ns := range h.opened {
		Recount(h.T, ns)
	}
}

// Recount compares what a namespace says it holds with what it lists. A
// namespace that was dropped or closed is left alone.
func Recount(t testing.TB, ns storage.Namespace) {
	t.Helper()
	var listed, said storage.Usage
	last, first := "", true
	_, err := ns.View(context.Background(), nil, func(tx storage.Tx) error {
		listed, said, last, first = storage.Usage{}, tx.Usage(), "", true
		var fault error
		err := tx.Ascend("", func(key string, e storage.Entry) bool {
			got, err := tx.Get(key)
			switch {
			case err != nil || got.Version != e.Version:
				fault = fmt.Errorf("key %q is listed with version %d, Get says %d, %w", key, e.Version, got.Version, err)
			case e.Expired(tx.Now()):
				fault = fmt.Errorf("key %q is listed although it has expired", key)
			case !first && key <= last:
				fault = fmt.Errorf("key %q is listed after %q", key, last)
			}
			last, first = key, false
			listed.Keys++
			listed.Bytes += int64(len(key) + len(e.Value))
			return fault == nil
		})
		return errors.Join(err, fault)
	})
	if errors.Is(err, storage.ErrClosed) || errors.Is(err, storage.ErrDropped) {
		return
	}
	require.NoError(t, err)
	require.Equal(t, listed, said, "listed against Usage")
}

// space is a namespace's database in a test.
type space struct {
	h  *harness
	ns storage.Namespace
}

func (s *space) update(fn func(tx storage.Tx) error) error {
	s.h.Helper()
	seq, err := s.ns.Update(context.Background(), nil, fn)
	if err == nil {
		require.Less(s.h, seq, storage.NeverSeq)
		require.NoError(s.h, s.h.store.Wait(context.Background(), seq))
	}
	return err
}

func (s *space) view(fn func(tx storage.Tx) error) error {
	s.h.Helper()
	seq, err := s.ns.View(context.Background(), nil, fn)
	if err == nil {
		require.NoError(s.h, s.h.store.Wait(context.Background(), seq))
	}
	return err
}

// set writes key-value pairs in one Update.
func (s *space) set(pairs ...string) {
	s.h.Helper()
	require.NoError(s.h, s.update(func(tx storage.Tx) error {
		for i := 0; i < len(pairs); i += 2 {
			if err := tx.Set(pairs[i], storage.Entry{Value: []byte(pairs[i+1])}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// setUntil writes a key that ends at a time.
func (s *space) setUntil(key, value string, at int64) {
	s.h.Helper()
	require.NoError(s.h, s.update(func(tx storage.Tx) error {
		return tx.Set(key, storage.Entry{Value: []byte(value), ExpiresAt: at})
	}))
}

func (s *space) delete(key string) error {
	s.h.Helper()
	return s.update(func(tx storage.Tx) error { return tx.Delete(key) })
}

func (s *space) get(key string) (e storage.Entry, err error) {
	s.h.Helper()
	err = s.view(func(tx storage.Tx) error {
		var err error
		e, err = tx.Get(key)
		e.Value = append([]byte(nil), e.Value...)
		return err
	})
	return e, err
}

// holds checks a key's value.
func (s *space) holds(key, value string) storage.Entry {
	s.h.Helper()
	e, err := s.get(key)
	require.NoError(s.h, err, "key %q", key)
	require.Equal(s.h, value, string(e.Value), "key %q", key)
	return e
}

func (s *space) lacks(key string) {
	s.h.Helper()
	_, err := s.get(key)
	require.ErrorIs(s.h, err, storage.ErrNotFound, "key %q", key)
}

func (s *space) usage() (u storage.Usage) {
	s.h.Helper()
	require.NoError(s.h, s.view(func(tx storage.Tx) error { u = tx.Usage(); return nil }))
	return u
}

// keys lists everything from a key on.
func (s *space) keys(from string) []string {
	s.h.Helper()
	var keys []string
	require.NoError(s.h, s.view(func(tx storage.Tx) error {
		keys = nil
		return tx.Ascend(from, func(key string, _ storage.Entry) bool {
			keys = append(keys, strings.Clone(key))
			return true
		})
	}))
	return keys
}

func (s *space) purge(limit int) (n int) {
	s.h.Helper()
	require.NoError(s.h, s.update(func(tx storage.Tx) error {
		var err error
		n, err = tx.Purge(limit)
		return err
	}))
	return n
}
