package commands

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
)

// member signs a new connection in to an app that the admin created.
func (h *harness) member(admin *client, id string) *client {
	h.t.Helper()
	reply := elements(h.t, admin.do("TOKEN.CREATE", id))
	c := h.connect()
	for i := 0; i < len(reply); i += 2 {
		if bulk(h.t, reply[i]) == "token" {
			require.Equal(h.t, "+OK\r\n", c.do("AUTH", bulk(h.t, reply[i+1])))
			return c
		}
	}
	require.FailNow(h.t, "no token in the reply")
	return nil
}

// TestLimitsChangeLive: each limit holds from the next command on, on
// connections that were open before, whoever set it.
func TestLimitsChangeLive(t *testing.T) {
	const day = 24 * time.Hour
	for _, tc := range []struct {
		limit, value    string
		change          func(*auth.Limits)
		before          []string // works in any case
		command, effect string   // works before the change, and answers effect after it
	}{
		{"key-bytes", "3", func(l *auth.Limits) { l.KeyBytes = 3 }, nil,
			"SET long v", "-BAD_INPUT the key is 4 bytes long; 1 to 3 are allowed"},
		{"value-bytes", "3", func(l *auth.Limits) { l.ValueBytes = 3 }, nil,
			"SET k long", "-SIZE_EXCEEDED the value is 4 bytes; at most 3 are allowed"},
		{"max-keys", "1", func(l *auth.Limits) { l.MaxKeys[0] = 1 }, []string{"MSET a 1 b 2 c 3"},
			"SETNX k v", "-CAP_REACHED database 0 of the namespace holds 3 of 1 keys; 1 more are refused (hint: delete unused keys or set a TTL)"},
		{"max-bytes", "5", func(l *auth.Limits) { l.MaxBytes[0] = 5 }, []string{"SET a 123456"},
			"SETNX k v", "-CAP_REACHED database 0 of the namespace holds 7 of 5 bytes; 2 more are refused (hint: delete unused keys or set a TTL)"},
		{"ttl-min", "2h", func(l *auth.Limits) { l.TTLMin[0] = 2 * time.Hour }, nil,
			"SET k v EX 3600", "-BAD_INPUT the TTL of 3600 s is out of bounds; allowed are 7200 s to 31536000 s"},
		{"ttl-max", "30m", func(l *auth.Limits) { l.TTLMax[0] = 30 * time.Minute }, nil,
			"SET k v EX 3600", "-BAD_INPUT the TTL of 3600 s is out of bounds; allowed are 60 s to 1800 s"},
		{"ephemeral-max-keys", "1", func(l *auth.Limits) { l.MaxKeys[1] = 1 }, []string{"SELECT 1", "MSET a 1 b 2"},
			"SETNX k v", "-CAP_REACHED database 1 of the namespace holds 2 of 1 keys; 1 more are refused (hint: delete unused keys or set a TTL)"},
		{"ephemeral-max-bytes", "5", func(l *auth.Limits) { l.MaxBytes[1] = 5 }, []string{"SELECT 1", "SET a 123456"},
			"SETNX k v", "-CAP_REACHED database 1 of the namespace holds 7 of 5 bytes; 2 more are refused (hint: delete unused keys or set a TTL)"},
		{"ephemeral-ttl-min", "2s", func(l *auth.Limits) { l.TTLMin[1] = 2 * time.Second }, []string{"SELECT 1"},
			"SET k v EX 1", "-BAD_INPUT the TTL of 1 s is out of bounds; allowed are 2 s to 31536000 s"},
		{"ephemeral-ttl-max", "1d", func(l *auth.Limits) { l.TTLMax[1] = day }, []string{"SELECT 1"},
			"SET k v EX 90000", "-BAD_INPUT the TTL of 90000 s is out of bounds; allowed are 1 ms to 86400 s"},
	} {
		t.Run(tc.limit, func(t *testing.T) {
			h := newHarness(t)
			admin := h.admin()
			admin.run("APP.CREATE t/a")
			c := h.member(admin, "t/a")
			fresh := append([]string{"DEL k long"}, tc.command)
			works := func() {
				t.Helper()
				require.Regexp(t, `^(\+OK|:1)$`, c.run(fresh...))
			}
			refused := func() {
				t.Helper()
				require.Equal(t, tc.effect, c.run(fresh...))
			}
			c.run(tc.before...)
			works()
			require.Equal(t, "+OK", admin.run("APP.SET t/a "+tc.limit+" "+tc.value))
			refused()
			require.NotContains(t, c.run("GET a"), "-ERR", "what is there stays, and is read")
			require.Equal(t, "+OK", admin.run("APP.SET t/a "+tc.limit+" default"))
			works()
			// The same as a default of the configuration, which an override beats.
			defaults := auth.DefaultLimits()
			own := strings.Trim(defaultText(t, tc.limit), " ")
			tc.change(&defaults)
			require.NoError(t, h.dir.SetDefaults(defaults))
			refused()
			require.Equal(t, "+OK", admin.run("APP.SET t/a "+tc.limit+" "+own))
			works()
		})
	}
}

// defaultText is a limit's default as APP.SET takes it.
func defaultText(t *testing.T, name string) string {
	t.Helper()
	l := auth.DefaultLimits()
	for i := range auth.LimitTable {
		if x := &auth.LimitTable[i]; x.Name == name {
			return x.Format(&l)
		}
	}
	require.FailNow(t, "no such limit", name)
	return ""
}

// Every limit is in the test above, or has one of its own.
func TestEveryLimitChangesLive(t *testing.T) {
	tested := []string{
		"key-bytes", "value-bytes", "max-keys", "max-bytes", "ttl-min", "ttl-max",
		"ephemeral-max-keys", "ephemeral-max-bytes", "ephemeral-ttl-min", "ephemeral-ttl-max",
		"key-charset", "commands-per-second", "commands-burst", "max-connections",
	}
	for i := range auth.LimitTable {
		require.Contains(t, tested, auth.LimitTable[i].Name)
	}
}

func TestTheKeyAlphabetChangesLive(t *testing.T) {
	h := newHarness(t)
	admin := h.admin()
	admin.run("APP.CREATE t/a")
	c := h.member(admin, "t/a")
	require.Contains(t, c.do("SET", "a b", "v"), "-BAD_INPUT the key has byte 0x20 at position 1")
	admin.run("APP.SET t/a key-charset any")
	require.Equal(t, "+OK\r\n", c.do("SET", "a b", "v"))
	admin.run("APP.SET t/a key-charset printable")
	require.Contains(t, c.do("GET", "a b"), "-BAD_INPUT")
}

func TestTheRateChangesLive(t *testing.T) {
	h := newHarness(t)
	admin := h.admin()
	admin.run("APP.CREATE t/a")
	c := h.member(admin, "t/a")
	// most counts how many of a pipeline of 20 are done; the others are refused.
	most := func() (done int) {
		t.Helper()
		batch := make([][]string, 20)
		for i := range batch {
			batch[i] = []string{"INCR", "n"}
		}
		for i, reply := range c.pipeline(batch...) {
			if reply[0] == ':' {
				require.Equal(t, i, done, "a command was let through behind a refused one")
				done++
				continue
			}
			require.Regexp(t, `^-RATE_LIMITED the namespace may send \d+ commands per second; wait \d+ ms\r\n$`, reply)
		}
		return done
	}
	require.Equal(t, 20, most(), "no limit")
	admin.run("APP.SET t/a commands-per-second 5")
	require.Equal(t, 5, most(), "a second's worth at once")
	require.Equal(t, 0, most())
	h.clock.Advance(400 * time.Millisecond)
	require.Equal(t, 2, most())
	admin.run("APP.SET t/a commands-burst 12")
	require.Equal(t, 12, most())
	h.clock.Advance(time.Second)
	require.Equal(t, 5, most(), "the burst fills at the rate")
	admin.run("APP.SET t/a commands-per-second 10")
	require.Equal(t, 12, most(), "raised: the burst stays")
	h.clock.Advance(time.Second)
	require.Equal(t, 10, most())
	admin.run("APP.SET t/a commands-per-second 1 commands-burst default")
	require.Equal(t, 1, most(), "lowered")
	h.clock.Advance(time.Minute)
	require.Equal(t, 1, most())
	admin.run("APP.SET t/a commands-per-second default")
	require.Equal(t, 20, most())
	// As defaults of the configuration.
	defaults := auth.DefaultLimits()
	defaults.CommandsPerSecond, defaults.CommandsBurst = 3, 4
	require.NoError(t, h.dir.SetDefaults(defaults))
	require.Equal(t, 4, most())
	defaults.MaxKeys[0]++
	require.NoError(t, h.dir.SetDefaults(defaults))
	require.Zero(t, most(), "another default gives no new burst")
	admin.run("APP.SET t/a commands-per-second 7")
	require.Equal(t, 4, most())
}

// TestTheRateOfTransactions: MULTI, each command that is queued and EXEC count one
// each. One that is refused spoils the transaction, so none is done by half.
func TestTheRateOfTransactions(t *testing.T) {
	h := newHarness(t)
	c := h.limited(func(l *auth.Limits) { l.CommandsPerSecond = 4 })
	require.Equal(t, "*2\r\n:1\r\n:2", c.run("MULTI", "INCR n", "INCR n", "EXEC"))
	require.Contains(t, c.run("GET n"), "-RATE_LIMITED")
	h.clock.Advance(500 * time.Millisecond)
	require.Contains(t, c.run("MULTI", "INCR n", "INCR n"), "-RATE_LIMITED")
	h.clock.Advance(500 * time.Millisecond)
	require.Equal(t, "-EXECABORT Transaction discarded because of previous errors.", c.run("EXEC"))
	require.Equal(t, "$1\r\n2", c.run("GET n"))
}

// TestTheRateOfScripts: a script is one command, however many it calls.
func TestTheRateOfScripts(t *testing.T) {
	h := newHarness(t)
	c := h.limited(func(l *auth.Limits) { l.CommandsPerSecond = 2 })
	require.Equal(t, ":10\r\n", c.do("EVAL", "for i = 1, 10 do redis.call('INCR', KEYS[1]) end return tonumber(redis.call('GET', KEYS[1]))", "1", "n"))
	require.Equal(t, "$2\r\n10", c.run("GET n"))
	require.Contains(t, c.run("GET n"), "-RATE_LIMITED")
}

func TestUsageAgainstLimits(t *testing.T) {
	h := newHarness(t)
	admin := h.admin()
	admin.run("APP.CREATE t/a commands-per-second 10 commands-burst 20 max-bytes 1mb")
	c, other := h.member(admin, "t/a"), h.member(admin, "t/a")
	read := func(c *client, line string) map[string]string {
		n := parseReply(t, c.do(strings.Fields(line)...))
		m := make(map[string]string)
		for i := 0; i < len(n.items); i += 2 {
			m[n.items[i].text] = n.items[i+1].text
		}
		return m
	}
	c.run("SET k v", "SELECT 1", "SET k long")
	want := map[string]string{
		"$keys": ":1", "$max-keys": ":10000", "$bytes": ":2", "$max-bytes": ":1048576",
		"$ephemeral-keys": ":1", "$ephemeral-bytes": ":5", "$ephemeral-max-bytes": "$-1",
		"$commands-last-second": ":5", "$commands-per-second": ":10", "$commands-burst": ":20", "$commands-burst-left": ":17",
		"$connections": ":2",
	}
	require.Subset(t, read(admin, "APP.INFO t/a"), want)
	want["$commands-burst-left"] = ":16"
	require.Subset(t, read(c, "KV.USAGE"), want, "one command later: itself")
	h.engine.EndSession(other.s)
	require.Equal(t, ":1", read(admin, "APP.INFO t/a")["$connections"])
	c.run("RESET")
	require.Equal(t, ":0", read(admin, "APP.INFO t/a")["$connections"])
}
