package commands

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

// faulty is a store whose writes fail with err once it is set.
type faulty struct {
	storage.Store
	err error
}

type faultySpace struct {
	storage.Namespace
	store *faulty
}

func (f *faulty) Namespace(ctx context.Context, db int, id storage.ID) (storage.Namespace, error) {
	ns, err := f.Store.Namespace(ctx, db, id)
	return &faultySpace{ns, f}, err
}

// Update runs fn before it fails, as a store does whose disk refuses at the
// end: nothing that fn did may be left anywhere.
func (s *faultySpace) Update(ctx context.Context, keys []string, fn func(storage.Tx) error) (storage.Seq, error) {
	return s.Namespace.Update(ctx, keys, func(tx storage.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return s.store.err
	})
}

func newFaulty(t *testing.T) (*harness, *faulty) {
	t.Helper()
	clock := storetest.NewClock()
	store := &faulty{Store: storetest.NewMemory(clock)}
	return newHarnessOn(t, store, clock), store
}

func TestADiskThatRefusesWrites(t *testing.T) {
	h, store := newFaulty(t)
	c := h.open()
	c.run("MSET a 1 b 2")
	store.err = fmt.Errorf("%w: sda1 is full", storage.ErrWriteFailed)
	misconf := "-" + errDiskRefuses.Error() + "\r\n"
	require.Equal(t, []string{"$1\r\n1\r\n", misconf, "$1\r\n1\r\n", misconf, misconf, "*2\r\n$1\r\n1\r\n$1\r\n2\r\n", "+PONG\r\n"},
		c.pipeline([]string{"GET", "a"}, []string{"SET", "a", "x"}, []string{"GET", "a"}, []string{"INCR", "b"}, []string{"FLUSHALL"},
			[]string{"MGET", "a", "b"}, []string{"PING"}))
	require.NotContains(t, misconf, "sda1")
	require.Contains(t, h.log.String(), "sda1 is full")

	require.Equal(t, []string{"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n", misconf, "$1\r\n1\r\n"},
		c.pipeline([]string{"MULTI"}, []string{"GET", "a"}, []string{"SELECT", "1"}, []string{"SET", "a", "x"}, []string{"EXEC"}, []string{"GET", "a"}),
		"EXEC is one reply, and its SELECT did not happen")
	require.Equal(t, "*1\r\n$1\r\n1", c.run("MULTI", "GET a", "EXEC"), "transactions that only read go on")

	store.err = nil
	require.Equal(t, ":3", c.run("INCR b"), "writes go on when the disk does")
}

func TestAStoreThatFailsOtherwise(t *testing.T) {
	h, store := newFaulty(t)
	c := h.open()
	platformError := "-" + errPlatform.Error() + "\r\n"
	store.err = errors.New("a bug in the store")
	require.Equal(t, []string{platformError, platformError, "+PONG\r\n"}, c.pipeline([]string{"SET", "a", "x"}, []string{"SET", "b", "x"}, []string{"PING"}))
	require.Equal(t, "$-1", c.run("GET a"))
	require.Contains(t, h.log.String(), "a bug in the store")
}

// narrow is a store whose transactions may write twice.
type narrow struct{ storage.Store }

type narrowSpace struct{ storage.Namespace }

type narrowTx struct {
	storage.Tx
	sets int
}

func (s narrow) Namespace(ctx context.Context, db int, id storage.ID) (storage.Namespace, error) {
	ns, err := s.Store.Namespace(ctx, db, id)
	return narrowSpace{ns}, err
}

func (s narrowSpace) Update(ctx context.Context, keys []string, fn func(storage.Tx) error) (storage.Seq, error) {
	return s.Namespace.Update(ctx, keys, func(tx storage.Tx) error { return fn(&narrowTx{Tx: tx}) })
}

func (t *narrowTx) Set(key string, e storage.Entry) error {
	if t.sets++; t.sets > 2 {
		return storage.ErrTooLarge
	}
	return t.Tx.Set(key, e)
}

// Commands that came together are performed apart when they write too much
// together; a transaction of the client's is not taken apart.
func TestATransactionThatIsTooLarge(t *testing.T) {
	clock := storetest.NewClock()
	c := newHarnessOn(t, narrow{storetest.NewMemory(clock)}, clock).open()
	refusal := "-" + errTxTooLarge.Error() + "\r\n"
	require.Equal(t, []string{":1\r\n", ":2\r\n", ":3\r\n", refusal, "$1\r\n3\r\n"},
		c.pipeline([]string{"INCR", "a"}, []string{"INCR", "a"}, []string{"INCR", "a"}, []string{"MSET", "x", "1", "y", "1", "z", "1"}, []string{"GET", "a"}))
	require.Equal(t, []string{"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n", refusal, "$1\r\n3\r\n"},
		c.pipeline([]string{"MULTI"}, []string{"INCR", "a"}, []string{"INCR", "a"}, []string{"INCR", "a"}, []string{"EXEC"}, []string{"GET", "a"}))
}

// rerun is a store that runs every function twice, as the contract allows.
type rerun struct{ storage.Store }

type rerunSpace struct{ storage.Namespace }

func (s rerun) Namespace(ctx context.Context, db int, id storage.ID) (storage.Namespace, error) {
	ns, err := s.Store.Namespace(ctx, db, id)
	return rerunSpace{ns}, err
}

var errAgain = errors.New("again")

func (s rerunSpace) View(ctx context.Context, keys []string, fn func(storage.Tx) error) (storage.Seq, error) {
	if _, err := s.Namespace.View(ctx, keys, fn); err != nil {
		return 0, err
	}
	return s.Namespace.View(ctx, keys, fn)
}

func (s rerunSpace) Update(ctx context.Context, keys []string, fn func(storage.Tx) error) (storage.Seq, error) {
	_, err := s.Namespace.Update(ctx, keys, func(tx storage.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return errAgain
	})
	if !errors.Is(err, errAgain) {
		return 0, err
	}
	return s.Namespace.Update(ctx, keys, fn)
}

// TestFunctionsMayRunTwice replays random commands on a store that does so:
// nothing may show. Only commands of one database: the transaction on the other
// one, inside the first, keeps what it wrote.
func TestFunctionsMayRunTwice(t *testing.T) {
	rnd := seeded(t)
	clock := storetest.NewClock()
	once := newHarness(t).open()
	twice := newHarnessOn(t, rerun{storetest.NewMemory(clock)}, clock).open()
	g := generator{rnd: rnd, used: make(map[int]bool)}
	for range 2000 {
		var batch [][]string
		for _, args := range g.batch() {
			if cmd := once.e.table.lookup([]byte(args[0])); args[0] != "RANDOMKEY" && (cmd == nil || !cmd.has(CrossDB)) {
				batch = append(batch, args)
			}
		}
		require.Equal(t, once.pipeline(batch...), twice.pipeline(batch...), "%q", batch)
	}
}
