package commands

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage/bunt"
	"github.com/cubbykv/cubby/storage/storetest"
)

// The replays cannot wait for a key to end; these tests move the clock.

func TestKeysEndToTheMillisecond(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	for _, line := range []string{"SET k v PX 1000", "SET k v EX 1", "PSETEX k 1000 v", "SETEX k 1 v", "GETEX k PX 1000", "PEXPIRE k 1000", "EXPIRE k 1"} {
		c.run("SET k v", line)
		h.clock.Advance(999 * time.Millisecond)
		require.Equal(t, "$1\r\nv", c.run("GET k"), line)
		require.Equal(t, ":1", c.run("PTTL k"), line)
		h.clock.Advance(time.Millisecond)
		require.Equal(t, "$-1", c.run("GET k"), line)
		require.Equal(t, ":-2", c.run("PTTL k"), line)
	}
}

func TestTTLIsRoundedToTheNearestSecond(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	c.run("SET k v PX 2500")
	for _, want := range []struct {
		left int64
		ttl  string
	}{{2500, ":3"}, {2499, ":2"}, {1500, ":2"}, {1499, ":1"}, {500, ":1"}, {499, ":0"}, {1, ":0"}} {
		h.clock.Set(h.clock.Now() + mustInt(t, c.run("PTTL k")) - want.left)
		require.Equal(t, want.ttl, c.run("TTL k"), "%d ms left", want.left)
	}
}

func mustInt(t *testing.T, reply string) int64 {
	t.Helper()
	n, ok := parseInt([]byte(strings.TrimPrefix(reply, ":")))
	require.True(t, ok, reply)
	return n
}

// TestEndedKeysAreMissing asks every way to look at a key that has ended but
// that nobody has swept yet.
func TestEndedKeysAreMissing(t *testing.T) {
	for _, tc := range []struct{ line, want, then string }{
		{"GET k", "$-1", ""}, {"EXISTS k k", ":0", ""}, {"TYPE k", "+none", ""}, {"TTL k", ":-2", ""}, {"EXPIRETIME k", ":-2", ""}, {"STRLEN k", ":0", ""},
		{"MGET k k", "*2\r\n$-1\r\n$-1", ""}, {"GETRANGE k 0 -1", "$0\r\n", ""}, {"DBSIZE", ":0", ""}, {"RANDOMKEY", "$-1", ""}, {"KEYS *", "*0", ""},
		{"SCAN 0", "*2\r\n$1\r\n0\r\n*0", ""}, {"DEL k", ":0", ""}, {"TOUCH k", ":0", ""}, {"PERSIST k", ":0", ""}, {"EXPIRE k 100", ":0", ""},
		{"GETDEL k", "$-1", ""}, {"GETEX k PERSIST", "$-1", ""}, {"RENAME k l", "-ERR no such key", ""}, {"COPY k l", ":0", ""}, {"SET k v XX", "$-1", ""},
		{"SETNX k 2", ":1", ":-1"}, {"SET k 2 NX", "+OK", ":-1"}, {"SET k 2 GET", "$-1", ":-1"}, {"SET k 2 KEEPTTL", "+OK", ":-1"}, {"GETSET k 2", "$-1", ":-1"},
		{"INCR k", ":1", ":-1"}, {"INCRBYFLOAT k 1", "$1\r\n1", ":-1"}, {"APPEND k 2", ":1", ":-1"}, {"SETRANGE k 1 x", ":2", ":-1"}, {"MSETNX k 1 l 2", ":1", ":-1"},
		{"RENAMENX other k", ":1", ":-1"}, {"COPY other k", ":1", ":-1"},
	} {
		t.Run(tc.line, func(t *testing.T) {
			h := newHarness(t)
			c := h.open()
			c.run("SET k 41 EX 10")
			if strings.Contains(tc.line, "other") {
				c.run("SET other o")
			}
			h.clock.Advance(10 * time.Second)
			require.Equal(t, tc.want, c.run(tc.line))
			if tc.then != "" {
				require.Equal(t, tc.then, c.run("TTL k"))
			} else {
				require.Equal(t, "$-1", c.run("GET k"))
			}
		})
	}
}

func TestATransactionHasOneTime(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	c.run("SET k v PX 5", "MULTI", "PTTL k", "SET l v PX 5", "PTTL l")
	h.clock.Advance(4 * time.Millisecond)
	require.Equal(t, "*3\r\n:1\r\n+OK\r\n:5", c.run("EXEC"))
}

// A key that was to end with time itself ends when it is told to.
func TestAnEndMovesBackFromTheEndOfTime(t *testing.T) {
	clock := storetest.NewClock()
	store, err := bunt.Open(bunt.Options{Dir: t.TempDir(), Clock: clock.Now, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	c := newHarnessOn(t, store, clock).open()
	c.do("SET", "k", "v")
	c.do("PEXPIREAT", "k", "9223372036854775807")
	c.do("SET", "k", "v", "PX", "5")
	require.Equal(t, ":1\r\n", c.do("DBSIZE"))
	clock.Set(clock.Now() + 10)
	require.Equal(t, ":0\r\n", c.do("DBSIZE"))
}
