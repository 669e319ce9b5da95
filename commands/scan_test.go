package commands

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"

	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

// page runs one SCAN and returns the next cursor and the keys.
func (c *client) page(cursor string, options ...string) (next string, keys []string) {
	c.t.Helper()
	reply := elements(c.t, c.do(append([]string{"SCAN", cursor}, options...)...))
	require.Len(c.t, reply, 2)
	for _, key := range elements(c.t, reply[1]) {
		keys = append(keys, bulk(c.t, key))
	}
	return bulk(c.t, reply[0]), keys
}

// TestScanMissesNothing is SCAN's promise: keys that are there from the first
// call to the last are returned, whatever happens to others meanwhile, and
// wherever each call is made: other connections, restarted servers.
func TestScanMissesNothing(t *testing.T) {
	rnd := seeded(t)
	for round := range 30 {
		clock := storetest.NewClock()
		store := storetest.NewMemory(clock)
		c := newHarnessOn(t, store, clock).open()
		stays := make(map[string]bool)
		for range 20 + rnd.IntN(200) {
			key := "stay:" + randomWord(rnd, 2)
			stays[key] = true
			c.run("SET " + key + " v")
		}
		var others []string
		disturb := func() {
			for range rnd.IntN(6) {
				if len(others) == 0 || rnd.IntN(2) == 0 {
					others = append(others, "stay:"+randomWord(rnd, 2)+"x")
					c.run("SET " + others[len(others)-1] + " v")
					continue
				}
				i := rnd.IntN(len(others))
				c.run("DEL " + others[i])
				others = slices.Delete(others, i, i+1)
			}
		}
		returned := make(map[string]bool)
		cursor, calls := "0", 0
		for {
			var keys []string
			cursor, keys = c.page(cursor, "COUNT", strconv.Itoa(1+rnd.IntN(20)))
			for _, key := range keys {
				returned[key] = true
			}
			if cursor == "0" {
				break
			}
			calls++
			require.Less(t, calls, 2000, "round %d does not end", round)
			disturb()
			switch rnd.IntN(12) {
			case 0:
				c = newHarnessOn(t, store, clock).open()
			case 1, 2:
				s := c.e.NewSession(SessionOptions{})
				s.become(c.s.principal)
				c = &client{t: t, e: c.e, s: s}
			}
		}
		for key := range stays {
			require.True(t, returned[key], "round %d missed %s", round, key)
		}
	}
}

func fill(c *client, n int, format string) {
	c.t.Helper()
	var batch [][]string
	for i := range n {
		batch = append(batch, []string{"SET", fmt.Sprintf(format, i), "v"})
	}
	c.pipeline(batch...)
}

func TestScanGoesInOrder(t *testing.T) {
	c := newHarness(t).open()
	fill(c, 25, "k%02d")
	cursor, all := "0", []string(nil)
	for _, size := range []int{10, 10, 5} {
		var keys []string
		cursor, keys = c.page(cursor)
		require.Len(t, keys, size)
		all = append(all, keys...)
	}
	require.Equal(t, "0", cursor)
	require.True(t, slices.IsSorted(all))
	require.Len(t, slices.Compact(all), 25)
}

// TestScanWalksOnlyItsRange looks at COUNT keys of the pattern's range alone.
func TestScanWalksOnlyItsRange(t *testing.T) {
	c := newHarness(t).open()
	fill(c, 100, "a%d")
	fill(c, 3, "b%d")
	fill(c, 100, "c%d")
	for _, pattern := range []string{"b*", "b?", "b[0-2]", `\b*`} {
		next, keys := c.page("0", "MATCH", pattern, "COUNT", "10")
		require.Equal(t, "0", next, pattern)
		require.Equal(t, []string{"b0", "b1", "b2"}, keys, pattern)
	}
	next, keys := c.page("0", "MATCH", "b*", "COUNT", "2")
	require.Equal(t, []string{"b0", "b1"}, keys)
	next, keys = c.page(next, "MATCH", "b*", "COUNT", "2")
	require.Equal(t, []string{"b2"}, keys)
	require.Equal(t, "0", next)
	next, keys = c.page("0", "MATCH", "*1", "COUNT", "50")
	require.NotEqual(t, "0", next)
	require.Equal(t, []string{"a1", "a11", "a21", "a31", "a41", "a51"}, keys)
}

// TestCursorsAreNumbers that clients may hold as doubles, and mean nothing to
// another namespace.
func TestCursorsAreNumbers(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	fill(c, 300, "k%03d")
	cursors := []string{"0"}
	for cursor := "0"; ; {
		if cursor, _ = c.page(cursor, "COUNT", "1"); cursor == "0" {
			break
		}
		n, err := strconv.ParseUint(cursor, 10, 64)
		require.NoError(t, err)
		require.Less(t, n, uint64(1)<<53)
		cursors = append(cursors, cursor)
	}
	// More of them than are remembered, and in any order: each means the same.
	require.Len(t, cursors, 300)
	rand.Shuffle(len(cursors), func(i, j int) { cursors[i], cursors[j] = cursors[j], cursors[i] })
	seen := make(map[string]bool)
	for _, cursor := range cursors {
		_, keys := c.page(cursor, "COUNT", "1")
		require.Len(t, keys, 1)
		seen[keys[0]] = true
	}
	require.Len(t, seen, 300)

	b := h.session(storage.ID{Tenant: "t", App: "b"}, wideOpen())
	fill(b, 5, "other%d")
	_, keys := b.page(cursors[1], "COUNT", "10")
	require.Equal(t, []string{"other0", "other1", "other2", "other3", "other4"}, keys)
	c.run("SELECT 1", "SET one 1")
	_, keys = c.page(cursors[1])
	require.Equal(t, []string{"one"}, keys)
}

// TestACursorOutlivesItsKey on the server that gave it; a restarted one starts
// the range over.
func TestACursorOutlivesItsKey(t *testing.T) {
	clock := storetest.NewClock()
	store := storetest.NewMemory(clock)
	c := newHarnessOn(t, store, clock).open()
	fill(c, 9, "k%d")
	cursor, _ := c.page("0", "COUNT", "4")
	_, keys := newHarnessOn(t, store, clock).open().page(cursor)
	require.Equal(t, []string{"k4", "k5", "k6", "k7", "k8"}, keys)
	c.run("DEL k4")
	_, keys = c.page(cursor)
	require.Equal(t, []string{"k5", "k6", "k7", "k8"}, keys)
	_, keys = newHarnessOn(t, store, clock).open().page(cursor)
	require.Equal(t, []string{"k0", "k1", "k2", "k3", "k5", "k6", "k7", "k8"}, keys)
}

func TestAWalkEndsWithItsConnection(t *testing.T) {
	c := newHarness(t).open()
	args := []string{"MSET"}
	for i := range 3000 {
		args = append(args, "k"+strconv.Itoa(i), "v")
	}
	require.Equal(t, "+OK\r\n", c.do(args...))
	ctx, cancel := context.WithCancel(context.Background())
	out := resp.NewWriter(resp.V2)
	cancel()
	c.e.Do(ctx, c.s, []Request{{Argv: [][]byte{[]byte("KEYS"), []byte("*")}}}, out)
	require.Equal(t, byte('-'), out.Bytes()[0])
}
