package commands

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
)

// alter changes the limits in force.
func (c *client) alter(change func(*auth.Limits)) {
	limits := *c.s.principal.App.Limits()
	change(&limits)
	c.s.principal.App.SetLimits(limits)
}

// run does lines of words and returns the last reply without its line break.
func (c *client) run(lines ...string) string {
	c.t.Helper()
	var reply string
	for _, line := range lines {
		reply = c.do(strings.Fields(line)...)
	}
	return strings.TrimSuffix(reply, "\r\n")
}

// contents shows every key with its value and end.
func (c *client) contents() map[string]string {
	c.t.Helper()
	found := make(map[string]string)
	for _, key := range elements(c.t, c.do("KEYS", "*")) {
		key = bulk(c.t, key)
		found[key] = bulk(c.t, c.do("GET", key)) + " until " + c.run("PEXPIRETIME "+key)
	}
	return found
}

func TestValuesAreBounded(t *testing.T) {
	c := newHarness(t).limited(func(l *auth.Limits) { l.ValueBytes = 10 })
	c.run("MSET full 0123456789 part 01234 number 9999999999", "SETEX ends 60 v")
	const tooLong = "-SIZE_EXCEEDED the value is 11 bytes; at most 10 are allowed"
	before := c.contents()
	for _, tc := range []struct{ line, want string }{
		{"SET full 0123456789a", tooLong},
		{"SET new 0123456789a", tooLong},
		{"SET new 0123456789a NX", tooLong},
		{"SET full 0123456789a XX GET", tooLong},
		{"SET ends 0123456789a KEEPTTL", tooLong},
		{"SETNX new 0123456789a", tooLong},
		{"SETEX new 60 0123456789a", tooLong},
		{"PSETEX new 60000 0123456789a", tooLong},
		{"GETSET full 0123456789a", tooLong},
		{"MSET new 1 full 0123456789a other 2", tooLong},
		{"MSETNX new 1 other 0123456789a", tooLong},
		{"APPEND full a", tooLong},
		{"APPEND new 0123456789a", tooLong},
		{"SETRANGE full 10 a", tooLong},
		{"SETRANGE new 9 ab", tooLong},
		{"SETRANGE new 11 a", "-SIZE_EXCEEDED offset 11 and 1 bytes would make a larger value than the 10 bytes allowed"},
		{"SETRANGE new 9223372036854775807 a", "-SIZE_EXCEEDED offset 9223372036854775807 and 1 bytes would make a larger value than the 10 bytes allowed"},
		{"INCR number", tooLong},
		{"INCRBY number 1", tooLong},
		{"DECRBY number -1", tooLong},
		{"INCRBYFLOAT number 1", tooLong},
		// Within the limit, or no value is written at all.
		{"SETNX full 0123456789a", ":0"},
		{"SET full 0123456789a NX", "$-1"},
		{"SET new 0123456789a XX", "$-1"},
		{"MSETNX full 0123456789a", ":0"},
		{"SETRANGE full 100 ", "-ERR wrong number of arguments for 'setrange' command"},
	} {
		require.Equal(t, tc.want, c.run(tc.line), tc.line)
		require.Equal(t, before, c.contents(), tc.line)
	}
	require.Equal(t, "+OK", c.run("SET full 9876543210"))
	require.Equal(t, ":10", c.run("APPEND part 56789"))
	require.Equal(t, ":10", c.run("SETRANGE new 9 a"))
}

func TestTheDefaultBoundIsInclusive(t *testing.T) {
	c := newHarness(t).strict()
	require.Equal(t, "+OK\r\n", c.do("SET", "k", strings.Repeat("v", 65_536)))
	require.Equal(t, "-SIZE_EXCEEDED the value is 65537 bytes; at most 65536 are allowed\r\n", c.do("SET", "k", strings.Repeat("v", 65_537)))
	require.Equal(t, ":65536", c.run("STRLEN k"))
}

// TestValuesFromBeforeALowerBound stay in use: only new ones are refused.
func TestValuesFromBeforeALowerBound(t *testing.T) {
	c := newHarness(t).strict()
	c.run("MSET a 0123456789 b 0123456789")
	c.alter(func(l *auth.Limits) { l.ValueBytes = 5 })
	require.Equal(t, "$10\r\n0123456789", c.run("GET a"))
	require.Equal(t, ":1", c.run("EXPIRE a 100"))
	require.Equal(t, ":1", c.run("PERSIST a"))
	require.Equal(t, "+OK", c.run("RENAME a c"))
	require.Equal(t, ":1", c.run("RENAMENX c d"))
	require.Equal(t, "-SIZE_EXCEEDED the value is 10 bytes; at most 5 are allowed", c.run("COPY d e"))
	require.Equal(t, "-SIZE_EXCEEDED the value is 11 bytes; at most 5 are allowed", c.run("APPEND d x"))
	require.Equal(t, ":2", c.run("DEL b d"))
}

func TestTTLsAreBounded(t *testing.T) {
	const ms, s = 1, 1000
	for db, bounds := range [][2]int64{{60 * s, 31_536_000 * s}, {1, 31_536_000 * s}} {
		for _, form := range []struct {
			line string
			unit int64
			from bool // an instant, not a span
		}{
			{"SET k v EX %d", s, false}, {"SET k v PX %d", ms, false}, {"SET k v EXAT %d", s, true}, {"SET k v PXAT %d", ms, true},
			{"SETEX k %d v", s, false}, {"PSETEX k %d v", ms, false},
			{"GETEX k EX %d", s, false}, {"GETEX k PX %d", ms, false}, {"GETEX k EXAT %d", s, true}, {"GETEX k PXAT %d", ms, true},
			{"EXPIRE k %d", s, false}, {"PEXPIRE k %d", ms, false}, {"EXPIREAT k %d", s, true}, {"PEXPIREAT k %d", ms, true},
			{"EXPIRE k %d NX", s, false}, {"SET k v GET EX %d", s, false},
		} {
			t.Run(fmt.Sprintf("%s in %d", form.line, db), func(t *testing.T) {
				h := newHarness(t)
				c := h.strict()
				c.run("SELECT "+strconv.Itoa(db), "SET k v")
				give := func(ttl int64) string {
					n := ttl
					if form.from {
						n += h.clock.Now()
					}
					return c.run(fmt.Sprintf(form.line, n/form.unit))
				}
				lo, hi := max(bounds[0], form.unit), bounds[1]
				for _, ttl := range []int64{lo - form.unit, hi + form.unit, 5000 * 365 * 24 * 3600 * s} {
					if ttl == 0 {
						continue // Redis's own rules
					}
					want := fmt.Sprintf("-BAD_INPUT the TTL of %s is out of bounds; allowed are %s to 31536000 s", formatMillis(ttl), formatMillis(bounds[0]))
					require.Equal(t, want, give(ttl))
					require.Equal(t, ":-1", c.run("TTL k"))
				}
				require.NotContains(t, give(lo), "-")
				require.Equal(t, fmt.Sprintf(":%d", lo), c.run("PTTL k"))
				c.run("SET k v")
				require.NotContains(t, give(hi), "-")
				require.Equal(t, fmt.Sprintf(":%d", hi), c.run("PTTL k"))
			})
		}
	}
}

func TestTTLsWithoutAnUpperBound(t *testing.T) {
	c := newHarness(t).limited(func(l *auth.Limits) { l.TTLMax[0] = 0; l.TTLMin[0] = 1500 * time.Millisecond })
	require.Equal(t, "+OK", c.run("SET k v PXAT 9223372036854775807"))
	require.Equal(t, "-BAD_INPUT the TTL of 1 s is too short; at least 1500 ms is allowed", c.run("SET k v EX 1"))
	require.Equal(t, "+OK", c.run("SET k v PX 1500"))
}

// TestShortTTLsStayInDatabase1 copies over the border of two bounds.
func TestShortTTLsStayInDatabase1(t *testing.T) {
	h := newHarness(t)
	c := h.strict()
	c.run("SELECT 1", "SET k v PX 500")
	require.Equal(t, "-BAD_INPUT the TTL of 500 ms is out of bounds; allowed are 60 s to 31536000 s", c.run("COPY k k DB 0"))
	require.Equal(t, ":1", c.run("COPY k other"))
	require.Equal(t, "$1\r\nv", c.run("GETEX k EX 60"))
	require.Equal(t, ":1", c.run("COPY k k DB 0"))
	// Time that has passed since does not count against the bound.
	c.run("SELECT 0")
	h.clock.Advance(30 * time.Second)
	require.Equal(t, ":1", c.run("COPY k k2"))
	require.Equal(t, "+OK", c.run("RENAME k2 k3"))
	require.Equal(t, "+OK", c.run("SET k3 w KEEPTTL"))
	require.Equal(t, ":30", c.run("TTL k3"))
}

// TestTheEndOfATTLDeletes holds under every bound: the past is no short TTL.
func TestTheEndOfATTLDeletes(t *testing.T) {
	c := newHarness(t).strict()
	for _, line := range []string{"EXPIRE k 0", "EXPIRE k -1", "PEXPIRE k -5", "EXPIREAT k 1", "PEXPIREAT k 1", "GETEX k EXAT 1", "GETEX k PXAT 1", "SET k v EXAT 1", "SET k v PXAT 1"} {
		c.run("SET k v")
		require.NotContains(t, c.run(line), "-", line)
		require.Equal(t, ":0", c.run("EXISTS k"), line)
	}
	require.Equal(t, "-ERR invalid expire time in 'set' command", c.run("SET k v EX 0"))
	require.Equal(t, "-ERR invalid expire time in 'setex' command", c.run("SETEX k 0 v"))
	require.Equal(t, "-ERR invalid expire time in 'getex' command", c.run("SET k v", "GETEX k PX 0"))
}

func TestTheRateIsBounded(t *testing.T) {
	h := newHarness(t)
	c := h.limited(func(l *auth.Limits) { l.CommandsPerSecond = 2 })
	const refused = "-RATE_LIMITED the namespace may send 2 commands per second; wait 500 ms"
	require.Equal(t, []string{"+OK\r\n", "+PONG\r\n", refused + "\r\n", refused + "\r\n"},
		c.pipeline([]string{"SET", "k", "v"}, []string{"PING"}, []string{"SET", "k", "w"}, []string{"PING"}))
	other := h.connect()
	other.s.become(c.s.principal)
	require.Equal(t, refused, other.run("GET k"), "the rate is the namespace's, not the connection's")
	require.Equal(t, "-NOAUTH Authentication required.", h.connect().run("GET k"))
	h.clock.Advance(499 * time.Millisecond)
	require.Equal(t, "-RATE_LIMITED the namespace may send 2 commands per second; wait 1 ms", c.run("GET k"))
	h.clock.Advance(time.Millisecond)
	require.Equal(t, "$1\r\nv", c.run("GET k"))
	require.Contains(t, c.run("GET k"), "-RATE_LIMITED")
	require.Equal(t, "-ERR unknown command 'NOSUCH', with args beginning with: ", c.run("NOSUCH"), "what is refused earlier costs nothing")
	require.Equal(t, "+RESET", c.run("RESET"), "what works before sign-in costs nothing")
}

// TestARefusedExecLeavesNoTransaction open, or a pool would hand on a
// connection on which everything is queued.
func TestARefusedExecLeavesNoTransaction(t *testing.T) {
	h := newHarness(t)
	c := h.limited(func(l *auth.Limits) { l.CommandsPerSecond = 3 })
	require.Equal(t, "+QUEUED", c.run("WATCH k", "MULTI", "SET k v"))
	require.Equal(t, "-EXECABORT Transaction discarded because of: RATE_LIMITED the namespace may send 3 commands per second; wait 334 ms", c.run("EXEC"))
	h.clock.Advance(time.Minute)
	require.Equal(t, "$-1", c.run("GET k"))
	require.Equal(t, "-ERR EXEC without MULTI", c.run("EXEC"))
}
