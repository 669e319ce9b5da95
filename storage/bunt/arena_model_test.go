package bunt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// deriveValue fills a value with bytes that follow from its key and a number,
// which it starts with: a single wrong byte is seen, and so is a value that
// stands under another key.
func deriveValue(key string, number uint64, size int) []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 8+size), number)
	rnd := rand.New(rand.NewPCG(number, uint64(crc32.ChecksumIEEE([]byte(key)))))
	for len(b) < 8+size {
		b = binary.LittleEndian.AppendUint64(b, rnd.Uint64())
	}
	return b[:8+size]
}

func checkDerived(key string, value []byte) error {
	if len(value) < 8 || !slices.Equal(value, deriveValue(key, binary.LittleEndian.Uint64(value), len(value)-8)) {
		return fmt.Errorf("the value of %q, %d bytes, is not what was written", key, len(value))
	}
	return nil
}

// skewedKeys are keys that press on the order: prefixes of others, zero bytes and
// 0xff, long ones, and many alike.
func skewedKeys(rnd *rand.Rand) []string {
	keys := []string{"\x00", "\x00\x00", "\xff", "\xff\xff\xff\xff\xff", "a", "a\x00", "a\x00\x00", "a\xff", "b"}
	for i := range 40 {
		keys = append(keys, strings.Repeat("p", i+1), strings.Repeat("\x00", i+3), strings.Repeat("\xff", i+6), "a\x00"+string(rune('0'+i)))
	}
	for i := range 1500 {
		keys = append(keys, fmt.Sprintf("user:%05d", i*37), fmt.Sprintf("user:%05d:\xff%c", i*37, byte(i)))
	}
	for range 300 {
		b := make([]byte, 1+rnd.IntN(8))
		for i := range b {
			b[i] = "\x00\x01a\xfe\xff"[rnd.IntN(5)]
		}
		keys = append(keys, string(b))
	}
	keys = append(keys, strings.Repeat("k", farBytes-8), strings.Repeat("k", farBytes+1), strings.Repeat("k", 3*farBytes))
	slices.Sort(keys)
	return slices.Compact(keys)
}

var errTakenBack = errors.New("taken back")

// A space against a map, with values of all sizes, transactions that read, write,
// delete, clear, walk and fail, a clock that ends keys, and readers that look at
// each byte meanwhile. What a transaction has read stays what it was until the
// transaction ends, whatever it writes.
func TestRecordsStayWhole(t *testing.T) {
	rnd := seeded(t)
	var clock atomic.Int64
	clock.Store(1_000_000)
	s := openTest(t, Options{IndexShards: 1, Clock: clock.Load})
	sp := namespace(t, s, notes).(*space)
	keys := skewedKeys(rnd)

	stop := make(chan struct{})
	var readers sync.WaitGroup
	failed := make(chan error, 2)
	for range 2 {
		seed := rnd.Uint64()
		readers.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, 0))
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, err := sp.View(context.Background(), nil, func(tx storage.Tx) error { return readSome(tx, rnd, keys) })
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	m := &spaceModel{rnd: rnd, keys: keys, held: map[string]modelEntry{}, numbers: new(uint64)}
	for round := range 600 {
		m.growing = round/60%2 == 0
		m.hot = rnd.IntN(3) == 0
		next := m.copy()
		fails := rnd.IntN(8) == 0
		_, err := sp.Update(t.Context(), nil, func(tx storage.Tx) error {
			if err := next.transaction(tx); err != nil {
				return err
			}
			if fails {
				return errTakenBack
			}
			return nil
		})
		if fails {
			require.ErrorIs(t, err, errTakenBack)
		} else {
			require.NoError(t, err)
			m = next
		}
		if rnd.IntN(5) == 0 {
			clock.Add(int64(rnd.IntN(3000)))
			s.sweeper.purge([]*space{sp})
		}
		if round%20 == 0 {
			require.NoError(t, s.Check())
			_, err := sp.View(t.Context(), nil, m.compare)
			require.NoError(t, err)
		}
		select {
		case err := <-failed:
			require.NoError(t, err)
		default:
		}
	}
	close(stop)
	readers.Wait()
	require.Empty(t, failed)
	require.NoError(t, s.Check())
}

// readSome reads keys and a stretch of the listing.
func readSome(tx storage.Tx, rnd *rand.Rand, keys []string) (err error) {
	for range 20 {
		key := keys[rnd.IntN(len(keys))]
		if e, gerr := tx.Get(key); gerr == nil {
			if err = checkDerived(key, e.Value); err != nil {
				return err
			}
		}
	}
	left, last, first := 100, "", true
	aerr := tx.Ascend(keys[rnd.IntN(len(keys))], func(key string, e storage.Entry) bool {
		if !first && key <= last {
			err = fmt.Errorf("%q behind %q", key, last)
		} else if left%10 == 0 {
			err = checkDerived(key, e.Value)
		}
		left--
		last, first = key, false
		return err == nil && left > 0
	})
	return errors.Join(err, aerr)
}

type modelEntry struct {
	number    uint64
	size      int
	expiresAt int64
}

// spaceModel is what the space should hold.
type spaceModel struct {
	rnd     *rand.Rand
	keys    []string
	held    map[string]modelEntry
	numbers *uint64 // also those of transactions that failed
	growing bool    // else it shrinks
	hot     bool    // the same few keys
}

func (m *spaceModel) copy() *spaceModel {
	c := *m
	c.held = maps.Clone(m.held)
	return &c
}

func (m *spaceModel) key() string {
	if m.hot {
		return m.keys[m.rnd.IntN(10)*len(m.keys)/10]
	}
	return m.keys[m.rnd.IntN(len(m.keys))]
}

func (m *spaceModel) size() int {
	switch m.rnd.IntN(30) {
	case 0:
		return m.rnd.IntN(100_000)
	case 1:
		return farBytes - 60 + m.rnd.IntN(60) // on both sides of the bound
	case 2, 3, 4:
		return m.rnd.IntN(farBytes)
	}
	return m.rnd.IntN(120)
}

func (m *spaceModel) live(key string, now int64) (modelEntry, bool) {
	e, ok := m.held[key]
	return e, ok && (e.expiresAt == 0 || now < e.expiresAt)
}

func (m *spaceModel) set(tx storage.Tx, key string) error {
	*m.numbers++
	e := modelEntry{number: *m.numbers, size: m.size()}
	if m.rnd.IntN(3) == 0 {
		e.expiresAt = tx.Now() + 1 + int64(m.rnd.IntN(20_000))
	}
	m.held[key] = e
	value := deriveValue(key, e.number, e.size)
	err := tx.Set(key, storage.Entry{Value: value, ExpiresAt: e.expiresAt})
	clear(value) // the store has copied it
	return err
}

func (m *spaceModel) remove(tx storage.Tx, key string) error {
	_, there := m.live(key, tx.Now())
	delete(m.held, key)
	if err := tx.Delete(key); there != (err == nil) {
		return fmt.Errorf("Delete of %q: %w, expected %t", key, err, there)
	}
	return nil
}

// transaction does some dozens of things. What it was lent it looks at again in
// the end.
func (m *spaceModel) transaction(tx storage.Tx) error {
	type loan struct {
		key   string
		copy  string
		value []byte
		sum   uint32
	}
	var lent []loan
	lend := func(key string, e storage.Entry) {
		if len(lent) < 100 {
			lent = append(lent, loan{key, strings.Clone(key), e.Value, crc32.ChecksumIEEE(e.Value)})
		}
	}
	share := 25
	if m.growing {
		share = 75
	}
	for range 1 + m.rnd.IntN(60) {
		key := m.key()
		e, err := tx.Get(key)
		if want, ok := m.live(key, tx.Now()); ok != (err == nil) || ok && binary.LittleEndian.Uint64(e.Value) != want.number {
			return fmt.Errorf("Get of %q: %w, expected %t", key, err, ok)
		}
		if err == nil {
			lend(key, e)
		}
		switch n := m.rnd.IntN(1000); {
		case n < 2:
			clear(m.held)
			err = tx.Clear()
		case n < 10:
			_, err = tx.Purge(m.rnd.IntN(100))
		case n < 30:
			err = m.rewriteWhileWalking(tx, lend)
		case n < 60: // once more under the same key, and away, and again
			err = errors.Join(m.set(tx, key), m.set(tx, key), m.remove(tx, key), m.set(tx, key))
		case n%100 < share:
			err = m.set(tx, key)
		default:
			err = m.remove(tx, key)
		}
		if err != nil {
			return err
		}
	}
	for _, l := range lent {
		if l.key != l.copy || crc32.ChecksumIEEE(l.value) != l.sum {
			return fmt.Errorf("what was read of %q has changed within the transaction", l.copy)
		}
	}
	return nil
}

// rewriteWhileWalking overwrites and deletes what an Ascend yields.
func (m *spaceModel) rewriteWhileWalking(tx storage.Tx, lend func(string, storage.Entry)) error {
	var err error
	left := 50
	aerr := tx.Ascend(m.key(), func(key string, e storage.Entry) bool {
		lend(key, e)
		own := strings.Clone(key)
		if m.rnd.IntN(2) == 0 {
			err = m.set(tx, own)
		} else {
			err = m.remove(tx, own)
		}
		left--
		return err == nil && left > 0
	})
	return errors.Join(err, aerr)
}

// compare tells the first difference to what a transaction sees.
func (m *spaceModel) compare(tx storage.Tx) error {
	var want []string
	bytes := int64(0)
	for key := range m.held {
		if e, ok := m.live(key, tx.Now()); ok {
			want = append(want, key)
			bytes += int64(len(key) + 8 + e.size)
		}
	}
	slices.Sort(want)
	if u := tx.Usage(); u.Keys != int64(len(want)) || u.Bytes != bytes {
		return fmt.Errorf("Usage is %v, expected %d keys and %d bytes", u, len(want), bytes)
	}
	var err error
	aerr := tx.Ascend("", func(key string, e storage.Entry) bool {
		switch {
		case len(want) == 0 || key != want[0]:
			err = fmt.Errorf("Ascend yields %q out of place", key)
		case binary.LittleEndian.Uint64(e.Value) != m.held[key].number || len(e.Value) != 8+m.held[key].size || e.ExpiresAt != m.held[key].expiresAt:
			err = fmt.Errorf("%q has another value than the last one", key)
		default:
			err = checkDerived(key, e.Value)
			want = want[1:]
		}
		return err == nil
	})
	if err == nil && len(want) > 0 {
		err = fmt.Errorf("Ascend yields no %q", want[0])
	}
	return errors.Join(err, aerr)
}
