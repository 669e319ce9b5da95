package commands

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// addCommand puts a command into this harness's table alone.
func (h *harness) addCommand(name string, flags Flag, run func(*Call) error) {
	h.engine.table.add(&Command{Name: name, Arity: -1, Flags: flags, Run: run})
}

// write puts keys around a fault that a test makes.
func write(c *Call, keys ...string) {
	for _, key := range keys {
		if err := c.Tx.Set(key, storage.Entry{Value: []byte("of the fault")}); err != nil {
			panic(err)
		}
	}
	c.Out.Array(3)
	c.Out.Int(1)
}

func TestPanicDropsOneCommand(t *testing.T) {
	h := newHarness(t)
	h.addCommand("test.panic", Writes, func(c *Call) error {
		write(c, "a", "b")
		panic("a secret of ours")
	})
	platformError := "-" + errPlatform.Error() + "\r\n"
	c := h.open()
	require.Equal(t, []string{"+OK\r\n", platformError, "+OK\r\n", "*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n3\r\n"},
		c.pipeline([]string{"SET", "a", "1"}, []string{"TEST.PANIC"}, []string{"SET", "c", "3"}, []string{"MGET", "a", "b", "c"}))
	require.NotContains(t, h.log.String(), "a secret of ours")
	require.Contains(t, h.log.String(), "TestPanicDropsOneCommand", "the stack names the place")

	require.Equal(t, []string{"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "*3\r\n:2\r\n" + platformError + "$1\r\n2\r\n"},
		c.pipeline([]string{"MULTI"}, []string{"INCR", "a"}, []string{"TEST.PANIC"}, []string{"GET", "a"}, []string{"EXEC"}))
	require.Equal(t, "+OK\r\n", c.do("SET", "b", "the session goes on"))
}

func TestPanicOutsideTheStore(t *testing.T) {
	h := newHarness(t)
	h.addCommand("test.panic", 0, func(*Call) error { panic(errors.New("boom")) })
	c := h.open()
	require.Equal(t, "-"+errPlatform.Error()+"\r\n", c.do("TEST.PANIC"))
	require.Equal(t, "+PONG\r\n", c.do("PING"))
}

func TestErrorDropsOneCommand(t *testing.T) {
	h := newHarness(t)
	h.addCommand("test.fail", Writes|CrossDB, func(c *Call) error {
		write(c, "a", "b")
		if err := c.txOf(storage.Ephemeral).Clear(); err != nil {
			return err
		}
		return errSyntax
	})
	c := h.open()
	require.Equal(t, []string{"+OK\r\n", "-ERR syntax error\r\n", ":2\r\n", "$-1\r\n"},
		c.pipeline([]string{"SET", "a", "1"}, []string{"TEST.FAIL"}, []string{"INCR", "a"}, []string{"GET", "b"}))
	require.Equal(t, []string{"+OK\r\n", "+OK\r\n", "-ERR syntax error\r\n", ":1\r\n"},
		c.pipeline([]string{"SELECT", "1"}, []string{"SET", "x", "1"}, []string{"TEST.FAIL"}, []string{"DBSIZE"}))
}

func TestUnforeseenErrorsStayInTheLog(t *testing.T) {
	h := newHarness(t)
	h.addCommand("test.fail", Reads, func(*Call) error { return errors.New("disk sda1 says no") })
	require.Equal(t, "-"+errPlatform.Error()+"\r\n", h.open().do("TEST.FAIL"))
	require.Contains(t, h.log.String(), "disk sda1 says no")
}

// TestAnySplitIntoBatchesIsTheSame runs one random list of commands in batches
// of one, in a single batch and in random ones.
func TestAnySplitIntoBatchesIsTheSame(t *testing.T) {
	rnd := seeded(t)
	for round := range 20 {
		g := generator{rnd: rnd, used: make(map[int]bool)}
		var cmds [][]string
		for len(cmds) < 600 {
			for _, args := range g.commands() {
				if args[0] != "RANDOMKEY" {
					cmds = append(cmds, args)
				}
			}
		}
		limits := wideOpen()
		limits.MaxKeys = [2]int64{5, 3}
		limits.ValueBytes = 100
		limits.MaxBytes[1] = 120
		var want []string
		for _, size := range []func() int{
			func() int { return 1 },
			func() int { return len(cmds) },
			func() int { return 1 + rnd.IntN(10) },
			func() int { return 1 + rnd.IntN(300) },
		} {
			c := newHarness(t).session(storage.ID{Tenant: "t", App: "a"}, limits)
			var got []string
			for rest := cmds; len(rest) > 0; {
				n := min(size(), len(rest))
				got = append(got, c.pipeline(rest[:n]...)...)
				rest = rest[n:]
			}
			require.Len(t, got, len(cmds))
			for i := range want {
				require.Equal(t, want[i], got[i], "round %d, command %d: %q", round, i, cmds[i])
			}
			want = got
		}
	}
}

func TestLongBatchesAreHandedBack(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	require.Equal(t, "+OK\r\n", c.do("SET", "k", strings.Repeat("v", 300_000)))
	var batch [][]string
	for i := range 20 {
		batch = append(batch, []string{"GET", "k"}, []string{"SET", fmt.Sprintf("n%d", i), "1"}, []string{"MGET", "k", "k"})
	}
	replies := c.pipeline(batch...) // which calls Do again until all is done
	require.Len(t, replies, len(batch))
	for i := range 20 {
		require.Len(t, replies[3*i], 300_000+11)
		require.Equal(t, "+OK\r\n", replies[3*i+1])
		require.Len(t, replies[3*i+2], 2*(300_000+11)+4)
	}
	require.Equal(t, ":21\r\n", c.do("DBSIZE"))
}

func TestNothingRunsAfterQuit(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	require.Equal(t, []string{"+OK\r\n", "+OK\r\n"}, c.pipeline([]string{"SET", "a", "1"}, []string{"QUIT"}, []string{"SET", "a", "2"}))
	require.True(t, c.s.Closing())
	require.Equal(t, "$1\r\n1\r\n", h.open().do("GET", "a"))
}

func TestNamespacesAreApart(t *testing.T) {
	h := newHarness(t)
	a, b := h.open(), h.session(storage.ID{Tenant: "t", App: "b"}, wideOpen())
	require.Equal(t, "+OK\r\n", a.do("SET", "k", "a"))
	require.Equal(t, "$-1\r\n", b.do("GET", "k"))
	require.Equal(t, "+OK\r\n", b.do("SET", "k", "b"))
	require.Equal(t, "+OK\r\n", a.do("FLUSHALL"))
	require.Equal(t, "$1\r\nb\r\n", b.do("GET", "k"))
	require.Equal(t, ":0\r\n", a.do("DBSIZE"))
	require.Equal(t, "*1\r\n$1\r\nk\r\n", b.do("KEYS", "*"))
}
