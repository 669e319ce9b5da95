package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// Subject is a store in a metamorphic run.
type Subject struct {
	Name  string
	Store storage.Store
	// Reopen closes the store and opens it again, or does to a store in memory
	// what that does: empties database 1. Nil: the run has no reopening.
	Reopen func() (storage.Store, error)
	// Unload, if set, makes the store let go of what it can load again.
	Unload func(storage.Store) error
	// Check, if set, is called now and then and at the end.
	Check func(storage.Store) error
}

// Metamorphic makes a list of n random operations and has every subject do it;
// they must answer alike. All judge expiry by the clock. The seed is printed
// when they do not.
func Metamorphic(t *testing.T, clock *Clock, seed uint64, n int, subjects ...Subject) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	reopens := true
	for _, s := range subjects {
		reopens = reopens && s.Reopen != nil
	}
	runs := make([]*run, len(subjects))
	for i := range subjects {
		runs[i] = &run{Subject: &subjects[i], written: make(map[uint64]string)}
	}
	for i := range n {
		o := randomOperation(rnd, reopens)
		switch o.kind {
		case advanceClock:
			clock.Advance(o.wait)
		case reopen: // a restart takes time
			clock.Advance(time.Second)
		}
		want := ""
		for j, r := range runs {
			got := r.do(o)
			if j == 0 {
				want = got
			}
			require.Equal(t, want, got, "seed %d, operation %d (%+v): %s against %s", seed, i, o, subjects[0].Name, r.Name)
			require.NoError(t, r.fault, "seed %d, operation %d (%+v): %s", seed, i, o, r.Name)
			if r.Check != nil && (i == n-1 || i%50 == 0) {
				require.NoError(t, r.Check(r.Store), "seed %d, operation %d (%+v): %s", seed, i, o, r.Name)
			}
		}
	}
}

type operationKind int

const (
	update operationKind = iota
	view
	advanceClock
	drop
	reopen
	unload
)

// operation is one call of a store; steps are what its transaction does.
type operation struct {
	kind  operationKind
	id    storage.ID
	db    int
	steps []step
	end   string // of an update: "", "error" or "panic"
	wait  time.Duration
}

type stepKind int

const (
	get stepKind = iota
	set
	del
	ascend
	usage
	random
	purge
	clearAll
)

type step struct {
	kind  stepKind
	key   string
	value string
	ttl   int64 // ms; 0 is none
	limit int
	inner []step // of ascend: done at its third key
}

// randomKey comes from a small set, so that operations meet.
func randomKey(rnd *rand.Rand) string {
	odd := []string{"", "\x00", "a", "a\x00", "ab", "a\xff", "\xff", "\xff\xff"}
	if n := rnd.IntN(60); n < len(odd) {
		return odd[n]
	}
	return fmt.Sprintf("k%02d", rnd.IntN(50))
}

func randomStep(rnd *rand.Rand, depth int) step {
	s := step{key: randomKey(rnd), limit: 1 + rnd.IntN(80)}
	switch n := rnd.IntN(100); {
	case n < 20:
		s.kind = get
	case n < 60:
		s.kind = set
		s.value = strings.Repeat("v", rnd.IntN(40))
		if rnd.IntN(2) == 0 {
			s.ttl = int64(rnd.IntN(100_000)) - 1000
		}
	case n < 73:
		s.kind = del
	case n < 85:
		s.kind = ascend
		for depth < 2 && rnd.IntN(2) == 0 {
			s.inner = append(s.inner, randomStep(rnd, depth+1))
		}
	case n < 91:
		s.kind = usage
	case n < 95:
		s.kind = random
	case n < 98:
		s.kind = purge
	default:
		s.kind = clearAll
	}
	return s
}

func randomOperation(rnd *rand.Rand, reopens bool) operation {
	o := operation{
		id: storage.ID{Tenant: "t", App: []string{"a", "b", "c"}[rnd.IntN(3)]},
		db: min(1, rnd.IntN(4)/3), // three of four in database 0
	}
	switch n := rnd.IntN(100); {
	case n < 60:
		o.kind = update
		switch rnd.IntN(10) {
		case 0:
			o.end = "error"
		case 1:
			o.end = "panic"
		}
	case n < 80:
		o.kind = view
	case n < 83:
		o.kind = unload
	case n < 95 || !reopens && n < 99:
		o.kind = advanceClock
		o.wait = time.Duration(rnd.IntN(30_000)) * time.Millisecond
	case n < 99:
		o.kind = reopen
	default:
		o.kind = drop
	}
	for range 1 + rnd.IntN(8) {
		o.steps = append(o.steps, randomStep(rnd, 0))
	}
	return o
}

// run is one subject's way through the operations.
type run struct {
	*Subject
	written map[uint64]string // version: what was written with it
	fault   error
}

var errEnd = errors.New("the operation ends with an error")

// do returns what a client could see of an operation.
func (r *run) do(o operation) (answer string) {
	ctx := context.Background()
	switch o.kind {
	case drop:
		return fmt.Sprint(r.Store.Drop(ctx, o.id))
	case reopen:
		store, err := r.Reopen()
		if err == nil {
			r.Store = store
		}
		return fmt.Sprint(err)
	case advanceClock:
		return ""
	case unload:
		if r.Unload == nil {
			return fmt.Sprint(nil)
		}
		return fmt.Sprint(r.Unload(r.Store))
	}
	ns, err := r.Store.Namespace(ctx, o.db, o.id)
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	fn := func(tx storage.Tx) error {
		out.Reset()
		for _, s := range o.steps {
			r.step(&out, tx, s)
		}
		switch o.end {
		case "error":
			return errEnd
		case "panic":
			panic(errEnd)
		}
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			answer = fmt.Sprintf("%spanic %v", &out, p)
		}
	}()
	var seq storage.Seq
	if o.kind == view {
		seq, err = ns.View(ctx, nil, fn)
	} else {
		seq, err = ns.Update(ctx, nil, fn)
	}
	return fmt.Sprintf("%s%v %v", &out, err, r.Store.Wait(ctx, seq))
}

func (r *run) step(out *strings.Builder, tx storage.Tx, s step) {
	switch s.kind {
	case get:
		e, err := tx.Get(s.key)
		fmt.Fprintf(out, "get %q: %s %v\n", s.key, r.show(s.key, e), err)
	case set:
		e := storage.Entry{Value: []byte(s.value)}
		if s.ttl != 0 {
			e.ExpiresAt = tx.Now() + s.ttl
		}
		fmt.Fprintf(out, "set %q: %v\n", s.key, tx.Set(s.key, e))
	case del:
		fmt.Fprintf(out, "delete %q: %v\n", s.key, tx.Delete(s.key))
	case ascend:
		n := 0
		err := tx.Ascend(s.key, func(key string, e storage.Entry) bool {
			n++
			fmt.Fprintf(out, "  %q %s\n", key, r.show(key, e))
			if n == 3 {
				for _, inner := range s.inner {
					r.step(out, tx, inner)
				}
			}
			return n < s.limit
		})
		fmt.Fprintf(out, "ascend %q: %v\n", s.key, err)
	case usage:
		fmt.Fprintf(out, "usage: %+v\n", tx.Usage())
	case random:
		key, err := tx.Random()
		if err == nil { // which one is a matter of luck, but it must be there
			_, err = tx.Get(key)
		}
		fmt.Fprintf(out, "random: %v\n", err)
	case purge:
		// The number depends on what happened in the background before.
		n, err := tx.Purge(s.limit)
		fmt.Fprintf(out, "purge: %v %v\n", n <= s.limit, err)
	case clearAll:
		fmt.Fprintf(out, "clear: %v\n", tx.Clear())
	}
}

// show prints an entry without its version, which differs between stores, and
// checks that no version ever stands for two writes.
func (r *run) show(key string, e storage.Entry) string {
	text := fmt.Sprintf("%s@%d until %d", e.Value, e.UpdatedAt, e.ExpiresAt)
	if e.Version != 0 {
		write := key + "=" + text
		if old, ok := r.written[e.Version]; ok && old != write {
			r.fault = fmt.Errorf("version %d stands for %s and for %s", e.Version, old, write)
		}
		r.written[e.Version] = write
	}
	return text
}
