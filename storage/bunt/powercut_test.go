package bunt

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

// envNumber reads how a random test is to be repeated or prolonged.
func envNumber(t testing.TB, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, name)
	return n
}

// Random operations on several namespaces, on a disk that fills up, fails, or
// loses power, and processes that are killed. Each end must leave a state that
// the store had, no older than the mode promises.
//
// CUBBY_TEST_SEED repeats a run, CUBBY_TEST_STEPS is the number of ends.
func TestPowerCuts(t *testing.T) {
	steps := 4000
	if raceEnabled || testing.Short() {
		steps = 600
	}
	steps = int(envNumber(t, "CUBBY_TEST_STEPS", uint64(steps)))
	seed := envNumber(t, "CUBBY_TEST_SEED", rand.Uint64()>>1)
	modes := []SyncMode{SyncAlways, SyncEverySecond, SyncNo}
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			var total tally
			for run := uint64(0); total.cuts+total.kills < steps/len(modes); run++ {
				c := newCrashRun(t, mode, seed+run)
				for range 8 {
					c.round()
				}
				c.close()
				total.add(c.tally)
			}
			t.Logf("CUBBY_TEST_SEED=%d: %+v", seed, total)
		})
	}
}

// tally says what a test has gone through.
type tally struct{ cuts, kills, closes, inside, acked, full, healed, final, filled int }

func (a *tally) add(b tally) {
	a.cuts, a.kills, a.closes, a.inside = a.cuts+b.cuts, a.kills+b.kills, a.closes+b.closes, a.inside+b.inside
	a.acked, a.full, a.healed, a.final, a.filled = a.acked+b.acked, a.full+b.full, a.healed+b.healed, a.final+b.final, a.filled+b.filled
}

// crashRun is one directory through many lives of a store.
type crashRun struct {
	t     *testing.T
	seed  uint64
	rnd   *rand.Rand
	opts  Options
	disk  *disk
	clock *storetest.Clock
	s     *Store
	model history
	tally tally
	torn  bool     // what a failed write left could not be cut off
	lives []string // what was done before the last opening
	steps []string // since the last opening, for the message of a failure
}

var crashSpaces = []storage.ID{{Tenant: "a", App: "x"}, {Tenant: "a", App: "y"}, {Tenant: "b", App: "x"}}

func newCrashRun(t *testing.T, mode SyncMode, seed uint64) *crashRun {
	c := &crashRun{t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, uint64(mode))), clock: storetest.NewClock()}
	dir := t.TempDir()
	c.disk = newDisk(dir, c.rnd)
	c.opts = Options{
		Dir: dir, Sync: mode, Clock: c.clock.Now, Log: quiet, IndexShards: 1,
		SegmentBytes: int64(200 + c.rnd.IntN(6000)), fs: c.disk, manual: true,
	}
	c.model.latest = c.clock.Now()
	c.open(0, 0)
	return c
}

func (c *crashRun) close() {
	c.disk.fault, c.disk.space = nil, -1
	require.NoError(c.t, c.s.Close(), c.where())
}

func (c *crashRun) where() string {
	return fmt.Sprintf("CUBBY_TEST_SEED=%d, %s, after:\n%s", c.seed, c.opts.Sync, strings.Join(append(c.lives[max(0, len(c.lives)-60):], c.steps...), "\n"))
}

func (c *crashRun) note(format string, args ...any) {
	c.steps = append(c.steps, fmt.Sprintf(format, args...))
}

// open starts a store on what is left, which must be a state between two
// records.
func (c *crashRun) open(oldest, newest uint64) {
	c.opts.fs = c.disk
	s, err := Open(c.opts)
	require.NoError(c.t, err, c.where())
	c.s = s
	s.journal.ahead.piece = int64(1 + c.rnd.IntN(3000))
	s.journal.ahead.most = int64(1 + c.rnd.IntN(20_000))
	found := make(map[storage.ID]state)
	for _, id := range crashSpaces {
		found[id] = c.read(id)
	}
	require.NoError(c.t, s.Check(), c.where())
	at, ok := c.model.find(found, oldest, newest)
	if !ok {
		c.t.Fatalf("found %v\nwhich the store did not have from record %d to %d:\n%s\n%s", found, oldest, newest, c.model.String(), c.where())
	}
	c.model.restart(at, s.journal.newest())
	c.lives, c.steps, c.torn = append(c.lives, c.steps...), nil, false
}

// read returns what a namespace holds, and waits for it.
func (c *crashRun) read(id storage.ID) state {
	got, err := c.tryRead(id)
	require.NoError(c.t, err, c.where())
	return got
}

func (c *crashRun) tryRead(id storage.ID) (state, error) {
	ns, err := c.s.Namespace(c.t.Context(), storage.Durable, id)
	if err != nil {
		return nil, err
	}
	got := state{}
	seq, err := ns.View(c.t.Context(), nil, func(tx storage.Tx) error {
		return tx.Ascend("", func(key string, e storage.Entry) bool {
			require.LessOrEqual(c.t, e.Version, c.s.version.Load())
			require.False(c.t, e.Expired(tx.Now()))
			got[strings.Clone(key)] = value{string(e.Value), e.ExpiresAt}
			return true
		})
	})
	if err != nil {
		return nil, err
	}
	return got, c.s.Wait(c.t.Context(), seq)
}

// round works for a while and ends the store's life in some way.
func (c *crashRun) round() {
	if c.rnd.IntN(2) == 0 {
		c.dieInside(c.rnd.IntN(60))
	}
	for range 5 + c.rnd.IntN(40) {
		if c.disk.dead {
			break
		}
		c.step()
		c.settle()
	}
	c.disk.fault = nil
	if c.disk.dead {
		c.tally.inside++
	}
	durable := c.s.journal.durable.Load()
	if c.opts.Sync == SyncAlways {
		require.LessOrEqual(c.t, c.model.acked, durable, c.where())
	}
	switch end := c.rnd.IntN(10); {
	case end == 0 && !c.disk.dead:
		c.disk.space = -1
		c.note("close")
		if err := c.s.Close(); err != nil {
			require.ErrorIs(c.t, err, storage.ErrWriteFailed, c.where())
		}
		c.tally.closes++
		c.disk = c.disk.killed()
		oldest := c.model.newest()
		if c.torn {
			c.model.resurrect()
		}
		c.open(oldest, c.model.newest())
	case end < 4:
		c.note("kill")
		next := c.disk.killed()
		_ = c.s.Close()
		c.tally.kills++
		c.disk = next
		if c.torn {
			c.model.resurrect()
		}
		c.open(c.model.acked, c.model.newest())
	default:
		c.note("power cut; record %d was durable", durable)
		next := c.disk.cut()
		_ = c.s.Close()
		c.tally.cuts++
		c.disk = next
		c.model.resurrect()
		c.open(max(durable, c.model.synced), c.model.newest())
	}
}

// settle looks at the store after each step. Once the journal has failed,
// nothing but what was promised is seen, then or later.
func (c *crashRun) settle() {
	if c.disk.dead {
		return
	}
	j := c.s.journal
	if !j.failed.Load() && c.rnd.IntN(8) == 0 {
		c.compare() // this may be the first to write, and fail
	}
	if !j.failed.Load() || c.disk.dead {
		return
	}
	promised := j.promised()
	require.LessOrEqual(c.t, c.model.acked, promised, c.where())
	if c.model.newest() > promised {
		for _, id := range crashSpaces {
			got, err := c.tryRead(id) // before the rollback
			if err == nil {
				require.Equal(c.t, c.model.lasting(c.model.at(promised).spaces[id]), c.model.lasting(got), c.where())
			}
		}
		c.model.lose(promised, j.final.Load())
		if j.final.Load() {
			c.tally.final++
		} else {
			c.tally.full++
		}
	}
	inner := c.disk.fault
	c.disk.fault = nil // a rollback reads only; let what will fail fail elsewhere
	_, err := c.s.rollBack()
	c.disk.fault = inner
	require.NoError(c.t, err, c.where())
	c.compare()
}

// compare demands that the store holds exactly what the model says.
func (c *crashRun) compare() {
	failed := c.s.journal.failed.Load()
	for _, id := range crashSpaces {
		got, err := c.tryRead(id)
		if c.disk.dead || errors.Is(err, storage.ErrWriteFailed) && !failed {
			return
		}
		require.NoError(c.t, err, c.where())
		require.Equal(c.t, c.model.lasting(c.model.last(id)), c.model.lasting(got), "%s %s", id, c.where())
	}
	require.NoError(c.t, c.s.Check(), c.where())
}
