package bunt

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

const benchKeys = 1000 // in each namespace

// benchSpaces opens a store on disk with some filled namespaces.
func benchSpaces(b *testing.B, namespaces int) (*Store, []storage.Namespace) {
	b.Helper()
	s, err := Open(Options{Dir: b.TempDir(), Log: quiet})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	value := make([]byte, 64)
	var all []storage.Namespace
	for i := range namespaces {
		ns := namespace(b, s, storage.ID{Tenant: "t", App: fmt.Sprint(i)})
		all = append(all, ns)
		_, err := ns.Update(context.Background(), nil, func(tx storage.Tx) error {
			for k := range benchKeys {
				if err := tx.Set(benchKey(k), storage.Entry{Value: value}); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(b, err)
	}
	return s, all
}

func benchKey(i int) string { return fmt.Sprintf("user:%08d", i) }

var benchNames = func() (names [benchKeys]string) {
	for i := range names {
		names[i] = benchKey(i * 7919 % benchKeys)
	}
	return names
}()

func BenchmarkGet(b *testing.B) {
	_, spaces := benchSpaces(b, 100)
	ctx := context.Background()
	var key string
	get := func(tx storage.Tx) error { _, err := tx.Get(key); return err }
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		key = benchNames[i%benchKeys]
		if _, err := spaces[i%len(spaces)].View(ctx, nil, get); err != nil {
			b.Fatal(err)
		}
	}
}

// benchUpdate writes batches of one, waited for every 16: a pipeline.
func benchUpdate(b *testing.B, set func(tx storage.Tx, i int) error) {
	s, spaces := benchSpaces(b, 100)
	ctx := context.Background()
	var i int
	fn := func(tx storage.Tx) error { return set(tx, i) }
	b.ReportAllocs()
	b.ResetTimer()
	for i = range b.N {
		seq, err := spaces[i%len(spaces)].Update(ctx, nil, fn)
		if err == nil && i%16 == 15 {
			err = s.Wait(ctx, seq)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSetOverwrite(b *testing.B) {
	value := make([]byte, 64)
	benchUpdate(b, func(tx storage.Tx, i int) error {
		return tx.Set(benchNames[i%benchKeys], storage.Entry{Value: value})
	})
}

func BenchmarkSetEX(b *testing.B) {
	value := make([]byte, 64)
	benchUpdate(b, func(tx storage.Tx, i int) error {
		return tx.Set(benchNames[i%benchKeys], storage.Entry{Value: value, ExpiresAt: tx.Now() + 3_600_000})
	})
}

func BenchmarkInsert(b *testing.B) {
	value := make([]byte, 64)
	key := []byte("user:00000000new")
	benchUpdate(b, func(tx storage.Tx, i int) error {
		for d, n := 12, i; d >= 5; d, n = d-1, n/10 {
			key[d] = byte('0' + n%10)
		}
		return tx.Set(string(key), storage.Entry{Value: value})
	})
}

func BenchmarkInsert16(b *testing.B) {
	value := make([]byte, 64)
	benchUpdate(b, func(tx storage.Tx, i int) error {
		for j := range 16 {
			if err := tx.Set(fmt.Sprintf("new:%d", i*16+j), storage.Entry{Value: value}); err != nil {
				return err
			}
		}
		return nil
	})
}

func BenchmarkAscend100(b *testing.B) {
	_, spaces := benchSpaces(b, 100)
	ctx := context.Background()
	var n int
	var from string
	yield := func(string, storage.Entry) bool { n++; return n < 100 }
	list := func(tx storage.Tx) error { n = 0; return tx.Ascend(from, yield) }
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		from = benchNames[i%benchKeys]
		if _, err := spaces[i%len(spaces)].View(ctx, nil, list); err != nil {
			b.Fatal(err)
		}
	}
}

// TestHotPathAllocations guards the hot path.
func TestHotPathAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	s := openTest(t, Options{Dir: t.TempDir(), Sync: SyncNo})
	set(t, s, notes, "a", "1")
	ns := namespace(t, s, notes)
	ctx := t.Context()
	get := func(tx storage.Tx) error { _, err := tx.Get("a"); return err }
	require.Zero(t, testing.AllocsPerRun(1000, func() { _, _ = ns.View(ctx, nil, get) }))
	value := make([]byte, 64)
	overwrite := func(tx storage.Tx) error { return tx.Set("a", storage.Entry{Value: value}) }
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
		seq, _ := ns.Update(ctx, nil, overwrite)
		_ = s.Wait(ctx, seq)
	}), 1.0, "the copy of the value")
}
