package bunt

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

// openTest opens a store that is recounted and closed when the test ends.
func openTest(t *testing.T, opts Options) *Store {
	t.Helper()
	s, err := Open(opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := s.Check(); !errors.Is(err, storage.ErrClosed) {
			require.NoError(t, err)
		}
		require.NoError(t, s.Close())
	})
	return s
}

// quiet drops the log of a test that provokes warnings.
var quiet = slog.New(slog.DiscardHandler)

func TestSuite(t *testing.T) {
	modes := []struct {
		name string
		opts Options
		disk bool
	}{
		{"memory", Options{}, false},
		{"memory, one shard", Options{IndexShards: 1}, false},
		{"everysec", Options{Sync: SyncEverySecond}, true},
		{"always", Options{Sync: SyncAlways}, true},
		{"no, tiny segments", Options{Sync: SyncNo, SegmentBytes: 256}, true},
	}
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T, clock *storetest.Clock) storage.Store {
				opts := mode.opts
				opts.Clock = clock.Now
				if mode.disk {
					opts.Dir = t.TempDir()
				}
				return openTest(t, opts)
			})
		})
	}
}

func TestMetamorphic(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 300
	}
	for range 4 {
		seed := rand.Uint64()
		clock := storetest.NewClock()
		subject := func(name string, opts Options) storetest.Subject {
			opts.Dir, opts.Clock, opts.Log = t.TempDir(), clock.Now, quiet
			s, err := Open(opts)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			return storetest.Subject{
				Name: name, Store: s,
				Reopen: func() (storage.Store, error) {
					if err := s.Close(); err != nil {
						return nil, err
					}
					var err error
					s, err = Open(opts)
					return s, err
				},
				Unload: func(s storage.Store) error {
					_, err := s.(*Store).unloadColdest(t.Context(), clock.Now(), nil, func() bool { return true })
					return err
				},
				Check: func(s storage.Store) error { return s.(*Store).Check() },
			}
		}
		memory := storetest.NewMemory(clock)
		double := storetest.Subject{Name: "double", Store: memory, Reopen: func() (storage.Store, error) {
			memory.Restart()
			return memory, nil
		}}
		storetest.Metamorphic(t, clock, seed, n, double,
			subject("one segment", Options{Sync: SyncNo}),
			subject("tiny segments", Options{Sync: SyncEverySecond, SegmentBytes: 4000, IndexShards: 1}))

		double.Reopen = nil
		clock2 := storetest.NewClock()
		double.Store = storetest.NewMemory(clock2)
		storetest.Metamorphic(t, clock2, seed, n, double,
			storetest.Subject{Name: "in memory", Store: openTest(t, Options{Clock: clock2.Now})})
	}
}
