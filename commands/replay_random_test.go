package commands

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage/bunt"
	"github.com/cubbykv/cubby/storage/storetest"
)

// TestReplayRandomly sends a random sequence of commands over several
// connections: one by one to Redis, in batches to the engine. CUBBY_TEST_SEED
// repeats a sequence, CUBBY_TEST_STEPS lengthens it.
func TestReplayRandomly(t *testing.T) {
	steps := 4000
	if text := os.Getenv("CUBBY_TEST_STEPS"); text != "" {
		var err error
		steps, err = strconv.Atoi(text)
		require.NoError(t, err, "CUBBY_TEST_STEPS")
	}
	t.Run("double", func(t *testing.T) { replayRandomly(t, newTwins(t), steps) })
	t.Run("bunt", func(t *testing.T) {
		clock := storetest.NewClock()
		store, err := bunt.Open(bunt.Options{Dir: t.TempDir(), Clock: clock.Now, Log: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		replayRandomly(t, newTwinsWith(t, newHarnessOn(t, store, clock)), steps)
	})
}

func replayRandomly(t *testing.T, w *twins, steps int) {
	t.Helper()
	rnd := seeded(t)
	conns := []*twin{w.dial(t, resp.V2), w.dial(t, resp.V2), w.dial(t, resp.V3)}
	g := generator{rnd: rnd, used: make(map[int]bool)}
	var last []string
	for step := 0; step < steps; {
		n := rnd.IntN(len(conns))
		batch := g.batch()
		for _, args := range batch {
			last = append(last, fmt.Sprintf("%d: %d| %q", step, n, args))
			step++
		}
		last = last[max(0, len(last)-20):]
		if !conns[n].batch(batch) {
			t.Fatalf("at step %d, the last commands being\n%s", step, strings.Join(last, "\n"))
		}
	}
}

// batch sends commands one by one to Redis and as a pipeline to the engine.
func (c *twin) batch(cmds [][]string) bool {
	c.t.Helper()
	theirs := make([]string, len(cmds))
	for i, args := range cmds {
		theirs[i] = c.theirs.Do(args...)
	}
	c.w.now()
	ours := c.ours.pipeline(cmds...)
	require.Len(c.t, ours, len(theirs))
	equal := true
	for i := range cmds {
		equal = c.compare(false, cmds[i], ours[i], theirs[i]) && equal
	}
	return equal
}

// generator makes commands that are likely to meet each other's effects.
type generator struct {
	rnd  *rand.Rand
	used map[int]bool // TTLs that were given already
}

func pick[T any](g *generator, list ...T) T { return list[g.rnd.IntN(len(list))] }

var randomKeys = []string{"a", "a", "b", "n", "key:1", "k y", "\x00\xff"}

func (g *generator) key() string { return pick(g, randomKeys...) }

func (g *generator) value() string {
	return pick(g, "", "0", "1", "-1", "10", "007", "+5", " 1", "1 ", "abc", "1.5", "-0", "3.0e3", "0x10", "inf", "nan", "1e400", "0.1",
		"9223372036854775807", "-9223372036854775808", "9223372036854775808", "\x00\xff\r\n", strings.Repeat("v", 5000))
}

func (g *generator) integer() string {
	return pick(g, "0", "1", "-1", "2", "5", "-3", "100", "9223372036854775807", "-9223372036854775808", "-9223372036854775807", "01", "x", "")
}

// ttl returns seconds that are minutes apart from all others, so that GT and
// LT do not depend on how quick the test is.
func (g *generator) ttl() int {
	for {
		if n := 1000 + 300*g.rnd.IntN(1_000_000); !g.used[n] {
			g.used[n] = true
			return n
		}
	}
}

// noTTL never lets a key end during the test: the two would not see that at
// the same moment.
func (g *generator) noTTL() string {
	return pick(g, "0", "-1", "9223372036854775807", "-9223372036854775808", "9223372036854775", "x", "")
}

func (g *generator) end() []string {
	return pick(g, []string{"EX", strconv.Itoa(g.ttl())}, []string{"PX", strconv.Itoa(1000 * g.ttl())},
		[]string{"EXAT", strconv.Itoa(4_000_000_000 + g.rnd.IntN(5))}, []string{"PXAT", strconv.Itoa(4_000_000_000_000 + g.rnd.IntN(5))},
		[]string{"EXAT", "1"}, []string{"PXAT", "1"}, []string{"EX", g.noTTL()})
}

func (g *generator) batch() [][]string {
	size := 1
	if g.rnd.IntN(3) == 0 {
		size += g.rnd.IntN(12)
	}
	var cmds [][]string
	for len(cmds) < size {
		cmds = append(cmds, g.commands()...)
	}
	return cmds
}

// commands returns a command, or several that belong together.
func (g *generator) commands() [][]string {
	one := func(args ...string) [][]string { return [][]string{args} }
	switch g.rnd.IntN(20) {
	case 0:
		return one(pick(g, "MULTI", "MULTI", "DISCARD"))
	case 1, 2:
		return one("EXEC")
	case 3:
		// The key exists: see deliberate for what WATCH makes of missing ones.
		key := g.key()
		return append(one("SET", key, g.value()), []string{"WATCH", key})
	case 4:
		return one(g.connection()...)
	case 5:
		return one(g.whole()...)
	case 6:
		// EXISTS makes Redis forget the ended keys that its DBSIZE would count.
		return append(one(append([]string{"EXISTS"}, randomKeys...)...), []string{"DBSIZE"})
	case 7, 8, 9:
		return one(g.expiry()...)
	case 10, 11, 12, 13:
		return one(g.write()...)
	case 14, 15:
		return one(g.move()...)
	default:
		return one(g.read()...)
	}
}

func (g *generator) connection() []string {
	return pick(g, []string{"SELECT", pick(g, "0", "0", "1", "2", "x")}, []string{"PING"}, []string{"PING", g.value()}, []string{"ECHO", g.value()},
		[]string{"UNWATCH"}, []string{"NOSUCH", g.value()}, []string{"GET"}, []string{"EXEC", "x"}, []string{"DISCARD"})
}

func (g *generator) whole() []string {
	return pick(g, []string{"RANDOMKEY"}, []string{"KEYS", pick(g, "*", "a*", "[a-k]", "?", "k*", "\x00*", "[^a]*", "k y")},
		[]string{"SCAN", "0", "COUNT", "1000"}, []string{"SCAN", "0", "MATCH", pick(g, "*", "k*", "a"), "COUNT", "100"},
		[]string{"EXISTS", g.key(), g.key()}, []string{"MGET", g.key(), g.key(), g.key()},
		[]string{pick(g, "FLUSHDB", "FLUSHALL"), pick(g, "x", "ASYNC")}, []string{pick(g, "FLUSHDB", "FLUSHALL")})
}

func (g *generator) expiry() []string {
	key, option := g.key(), pick(g, "NX", "XX", "GT", "LT", "lt", "FOO")
	args := pick(g, []string{"EXPIRE", key, strconv.Itoa(g.ttl())}, []string{"PEXPIRE", key, strconv.Itoa(1000 * g.ttl())},
		[]string{"EXPIREAT", key, strconv.Itoa(4_000_000_000 + g.rnd.IntN(5))}, []string{"PEXPIREAT", key, strconv.Itoa(4_000_000_000_000 + g.rnd.IntN(5))},
		[]string{"EXPIRE", key, g.noTTL()}, []string{"PEXPIREAT", key, "1"})
	switch g.rnd.IntN(6) {
	case 0:
		return []string{pick(g, "TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"), key}
	case 1:
		return []string{"PERSIST", key}
	case 2:
		return append(append([]string{"GETEX", key}, g.end()...), pick(g, []string{}, []string{}, []string{"PERSIST"})...)
	case 3:
		return append(args, option)
	}
	return args
}

func (g *generator) write() []string {
	key, value := g.key(), g.value()
	switch g.rnd.IntN(18) {
	case 0, 1, 2, 3:
		args := []string{"SET", key, value}
		for g.rnd.IntN(2) == 0 {
			args = append(args, pick(g, []string{"NX"}, []string{"XX"}, []string{"GET"}, []string{"KEEPTTL"}, g.end())...)
		}
		return args
	case 4:
		return []string{"SETNX", key, value}
	case 5:
		return []string{"GETSET", key, value}
	case 6:
		return []string{"GETDEL", key}
	case 7:
		return []string{"MSET", key, value, g.key(), g.value()}
	case 8:
		return []string{"MSETNX", key, value, g.key(), g.value()}
	case 9, 10:
		return []string{"APPEND", key, pick(g, value, "1")}
	case 11:
		return []string{"SETRANGE", key, pick(g, "0", "1", "7", "-1", "x"), value}
	case 12:
		return []string{pick(g, "INCR", "DECR"), key}
	case 13, 14:
		return []string{pick(g, "INCRBY", "DECRBY"), key, g.integer()}
	case 15:
		return []string{"INCRBYFLOAT", key, value}
	case 16:
		return []string{"SETEX", key, pick(g, strconv.Itoa(g.ttl()), g.noTTL()), value}
	default:
		return []string{"PSETEX", key, strconv.Itoa(1000 * g.ttl()), value}
	}
}

func (g *generator) move() []string {
	from, to := g.key(), g.key()
	return pick(g, []string{"RENAME", from, to}, []string{"RENAMENX", from, to}, []string{"COPY", from, to}, []string{"COPY", from, to, "REPLACE"},
		[]string{"COPY", from, to, "DB", g.integer(), "REPLACE"}, []string{"MOVE", from, pick(g, "1", "1", "0", "x")},
		[]string{"BITOP", pick(g, "AND", "XOR"), from, to, g.key()}, []string{"DEL", from}, []string{"DEL", from, to}, []string{"UNLINK", from, to, from})
}

func (g *generator) read() []string {
	key := g.key()
	return pick(g, []string{"GET", key}, []string{"GET", key}, []string{"STRLEN", key}, []string{"GETRANGE", key, g.integer(), g.integer()},
		[]string{"SUBSTR", key, "0", "-1"}, []string{"BITCOUNT", key}, []string{"LCS", key, "n", "LEN"}, []string{"TYPE", key}, []string{"TOUCH", key, key}, []string{"EXISTS", key}, []string{"TTL", key})
}
