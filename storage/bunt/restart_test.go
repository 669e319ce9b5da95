package bunt

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// testSize is a number of keys that a test takes, or what the environment says.
func testSize(t testing.TB, name string, small int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return small
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, name)
	return n
}

// A start reads the journal's tail and no namespace, however many the tail
// touches. CUBBY_TEST_RESTART_KEYS=5000000 prints figures worth knowing.
func TestRestartLoadsNothing(t *testing.T) {
	keys := testSize(t, "CUBBY_TEST_RESTART_KEYS", 50_000)
	const perSpace = 1000
	spaces := keys / perSpace
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	opts := Options{Dir: t.TempDir(), Sync: SyncNo, SnapshotRate: -1, Log: quiet, SegmentBytes: max(1<<20, min(64<<20, int64(keys)*20))}
	id := func(i int) storage.ID { return storage.ID{Tenant: fmt.Sprintf("t%d", i%50), App: fmt.Sprint(i)} }
	value := make([]byte, 64)

	s, err := Open(opts)
	require.NoError(t, err)
	for i := range spaces {
		_, err := namespace(t, s, id(i)).Update(t.Context(), nil, func(tx storage.Tx) error {
			for k := range perSpace {
				if err := tx.Set(benchKey(k), storage.Entry{Value: value}); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, err)
	}
	began := time.Now()
	require.NoError(t, s.Compact(t.Context()))
	t.Logf("%d snapshots in %v", spaces, time.Since(began))
	// A tail up to the budget, over all of them.
	last := make(map[string]string)
	for i := 0; s.journal.bytes()+s.journal.backlog.Load() < s.journalBudget()*9/10; i++ {
		n, key, text := rnd.IntN(spaces), benchKey(rnd.IntN(perSpace)), fmt.Sprintf("%063d", i)
		_, err := namespace(t, s, id(n)).Update(t.Context(), nil, func(tx storage.Tx) error {
			return tx.Set(key, storage.Entry{Value: []byte(text)})
		})
		require.NoError(t, err)
		last[fmt.Sprint(n, key)] = text
	}
	require.NoError(t, s.Sync(t.Context()))
	snapshots, journal := s.snapshotBytes.Load(), s.journal.bytes()
	require.NoError(t, s.Close())

	began = time.Now()
	used := cpuTime()
	s = openTest(t, opts)
	opened := time.Since(began)
	require.Zero(t, s.Stats().Spaces)
	list(t, namespace(t, s, id(0)))
	first := time.Since(began)
	t.Logf("%d keys in %d namespaces: %d MB of snapshots, %d MB of journal; open %v, first answer %v (%v of CPU), %d kB of notes",
		keys, spaces, snapshots>>20, journal>>20, opened, first, cpuTime()-used, tailBytes(s)>>10)
	for n := range min(spaces, 20) {
		_, err := namespace(t, s, id(n)).View(t.Context(), nil, func(tx storage.Tx) error {
			require.EqualValues(t, perSpace, tx.Usage().Keys)
			for k := range perSpace {
				if want, ok := last[fmt.Sprint(n, benchKey(k))]; ok {
					e, err := tx.Get(benchKey(k))
					require.NoError(t, err)
					require.Equal(t, want, string(e.Value))
				}
			}
			return nil
		})
		require.NoError(t, err)
	}
}

// tailBytes is what the notes on the journal's tail take.
func tailBytes(s *Store) (n int) {
	for _, sp := range s.allSpaces() {
		if sp.tail == nil {
			continue
		}
		for _, p := range sp.tail.pieces {
			n += cap(p.refs)
		}
	}
	return n
}
