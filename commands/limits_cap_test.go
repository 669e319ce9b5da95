package commands

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
)

// capCases has every command that may add keys: the line adds a key, or as
// many as it says, the free one writes without adding any.
var capCases = []struct {
	adds, free string
	more       int
}{
	{"SET new v", "SET a w", 1},
	{"SET new v EX 100", "SET a w EX 100", 1},
	{"SET new v NX", "SET new v XX", 1},
	{"SET new v GET", "SET a v GET", 1},
	{"SETNX new v", "SETNX a v", 1},
	{"SETEX new 100 v", "SETEX a 100 v", 1},
	{"PSETEX new 100000 v", "PSETEX a 100000 v", 1},
	{"GETSET new v", "GETSET a v", 1},
	{"MSET a 1 new 2", "MSET a 1 b 2", 1},
	{"MSET new 1 new2 2 a 3", "MSET a 1 a 2", 2},
	{"MSETNX new 1 new2 2", "MSETNX a 1 new 2", 2},
	{"APPEND new v", "APPEND a v", 1},
	{"SETRANGE new 0 v", "SETRANGE a 0 v", 1},
	{"INCR new", "INCR n", 1},
	{"DECR new", "DECR n", 1},
	{"INCRBY new 2", "INCRBY n 2", 1},
	{"DECRBY new 2", "DECRBY n 2", 1},
	{"INCRBYFLOAT new 2", "INCRBYFLOAT n 2", 1},
	{"COPY a new", "COPY a b REPLACE", 1},
	{"MSETEX 2 a 1 new 2", "MSETEX 2 a 1 b 2 EX 100", 1},
	{"MSETEX 2 new 1 new2 2 NX", "MSETEX 2 new 1 new2 2 XX", 2},
	{"SETBIT new 0 1", "SETBIT a 100 1", 1},
	{"BITFIELD new SET u8 0 1", "BITFIELD new GET u8 0", 1},
	{"BITOP OR new a b", "BITOP OR a a b", 1},
	{"RESTORE new 0 " + aged("\x00\x01v", 6), "RESTORE a 0 " + aged("\x00\x01v", 6) + " REPLACE", 1},
}

// never are commands that are flagged as growing for the bytes of another
// name, or for the other database, alone; they add no key to this one.
var never = []string{"RENAME a new", "RENAMENX a new", "RENAME a b", "MOVE a 1"}

func TestTheCapStopsNewKeysOnly(t *testing.T) {
	for _, tc := range capCases {
		t.Run(tc.adds, func(t *testing.T) {
			c := newHarness(t).limited(func(l *auth.Limits) { l.MaxKeys = [2]int64{3, 100} })
			c.run("MSET a 1 b 2 n 3")
			before := c.contents()
			want := "-CAP_REACHED database 0 of the namespace holds 3 of 3 keys; 1 more are refused (hint: delete unused keys or set a TTL)"
			if tc.more == 2 {
				want = strings.Replace(want, "1 more", "2 more", 1)
			}
			require.Equal(t, want, c.run(tc.adds))
			require.Equal(t, before, c.contents(), "all or nothing")
			require.NotContains(t, c.run(tc.free), "CAP_REACHED", tc.free)
			// The other database has its own cap, and one deletion makes room.
			c.run("SELECT 1", "MSET a 1 b 2 n 3")
			require.NotContains(t, c.run(tc.adds), "CAP_REACHED")
			c.run("SELECT 0", "FLUSHDB", "SET a 1")
			require.NotContains(t, c.run(tc.adds), "CAP_REACHED")
		})
	}
	for _, line := range never {
		c := newHarness(t).limited(func(l *auth.Limits) { l.MaxKeys[0] = 3 })
		c.run("MSET a 1 b 2 n 3")
		require.NotContains(t, c.run(line), "CAP_REACHED", line)
	}
}

// TestEveryGrowingCommandMeetsTheCap keeps new commands from forgetting it.
func TestEveryGrowingCommandMeetsTheCap(t *testing.T) {
	tested := make(map[string]bool)
	for _, tc := range capCases {
		tested[strings.ToLower(strings.Fields(tc.adds)[0])] = true
	}
	for _, line := range never {
		tested[strings.ToLower(strings.Fields(line)[0])] = true
	}
	for _, rows := range redisFamilies() {
		for _, row := range rows {
			if row.has(Grows) && !tested[row.Name] {
				t.Errorf("%s may add keys: add it to capCases", row.Name)
			}
		}
	}
}

func TestEverythingElseWorksAtTheCap(t *testing.T) {
	c := newHarness(t).limited(func(l *auth.Limits) { l.MaxKeys[0] = 3 })
	c.run("MSET a 1 b 2 n 3")
	for _, tc := range []struct{ line, want string }{
		{"GET a", "$1\r\n1"}, {"EXPIRE a 100", ":1"}, {"PERSIST a", ":1"}, {"GETEX a EX 100", "$1\r\n1"}, {"TTL a", ":100"}, {"KEYS a", "*1\r\n$1\r\na"},
		{"COPY a c DB 1", ":1"}, {"DBSIZE", ":3"}, {"SET new v", "-CAP_REACHED"}, {"GETDEL b", "$1\r\n2"}, {"SET new v", "+OK"}, {"SET newer v", "-CAP_REACHED"},
		{"UNLINK new", ":1"}, {"SET newer v", "+OK"}, {"EXPIRE newer 0", ":1"}, {"SET newest v", "+OK"}, {"FLUSHDB", "+OK"}, {"MSET a 1 b 2 c 3", "+OK"},
	} {
		require.True(t, strings.HasPrefix(c.run(tc.line), tc.want), tc.line)
	}
}

func TestACapBelowWhatIsThere(t *testing.T) {
	c := newHarness(t).strict()
	c.run("MSET a 1 b 2 c 3 d 4")
	c.alter(func(l *auth.Limits) { l.MaxKeys[0] = 2 })
	require.Equal(t, "-CAP_REACHED database 0 of the namespace holds 4 of 2 keys; 1 more are refused (hint: delete unused keys or set a TTL)", c.run("SET new v"))
	require.Equal(t, "+OK", c.run("MSET a 5 b 6"))
	require.Equal(t, "+OK", c.run("RENAME a new"))
	require.Equal(t, ":1", c.run("COPY b c REPLACE"))
	require.Equal(t, ":3", c.run("DEL b c d"))
	require.Equal(t, "+OK", c.run("SET b v"))
	require.Contains(t, c.run("SET c v"), "-CAP_REACHED")
}

func TestEndedKeysLeaveRoom(t *testing.T) {
	h := newHarness(t)
	c := h.limited(func(l *auth.Limits) { l.MaxKeys[0] = 2; l.MaxBytes[0] = 20 })
	require.Equal(t, "+OK", c.run("SETEX a 100 v", "SETEX b 200 v"))
	require.Contains(t, c.run("SET new v"), "-CAP_REACHED")
	h.clock.Advance(100*time.Second - time.Millisecond)
	require.Contains(t, c.run("SET new v"), "-CAP_REACHED")
	h.clock.Advance(time.Millisecond)
	require.Equal(t, ":1", c.run("DBSIZE"))
	require.Equal(t, "+OK", c.run("SET new 0123456789"))
	require.Equal(t, "-CAP_REACHED database 0 of the namespace holds 2 of 2 keys; 1 more are refused (hint: delete unused keys or set a TTL)", c.run("SET a v"))
	h.clock.Advance(time.Hour)
	require.Equal(t, "+OK", c.run("SET a v"))
	require.Equal(t, "*2\r\n$1\r\na\r\n$3\r\nnew", c.run("KEYS *"))
}

func TestTransactionsMeetTheCapCommandByCommand(t *testing.T) {
	c := newHarness(t).limited(func(l *auth.Limits) { l.MaxKeys[0] = 3 })
	c.run("SET a 1")
	reply := c.run("MULTI", "SET b 1", "MSET c 1 d 1", "SET e 1", "SET f 1", "DEL a", "SET f 2", "MSET a 1 b 2", "EXEC")
	const refused = "-CAP_REACHED database 0 of the namespace holds "
	require.Equal(t, []string{
		"+OK\r\n", refused + "2 of 3 keys; 2 more are refused (hint: delete unused keys or set a TTL)\r\n", "+OK\r\n",
		refused + "3 of 3 keys; 1 more are refused (hint: delete unused keys or set a TTL)\r\n", ":1\r\n", "+OK\r\n",
		refused + "3 of 3 keys; 1 more are refused (hint: delete unused keys or set a TTL)\r\n",
	}, elements(t, reply+"\r\n"))
	require.Equal(t, "*3\r\n$1\r\nb\r\n$1\r\ne\r\n$1\r\nf", c.run("KEYS *"))
}

func TestPipelinesMeetTheCapCommandByCommand(t *testing.T) {
	c := newHarness(t).limited(func(l *auth.Limits) { l.MaxKeys[0] = 2 })
	replies := c.pipeline([]string{"SET", "a", "1"}, []string{"MSET", "b", "1", "c", "1"}, []string{"SET", "b", "2"}, []string{"INCR", "c"},
		[]string{"DEL", "a"}, []string{"INCR", "c"}, []string{"GET", "c"})
	for i, want := range []string{"+OK", "-CAP", "+OK", "-CAP", ":1", ":1", "$1\r\n1"} {
		require.True(t, strings.HasPrefix(replies[i], want), "%d: %q", i, replies[i])
	}
}

func TestMoveMeetsTheCapOfTheOtherDatabase(t *testing.T) {
	c := newHarness(t).limited(func(l *auth.Limits) { l.MaxKeys = [2]int64{2, 1}; l.MaxBytes[1] = 5 })
	c.run("MSET a 1 b 123456")
	require.Equal(t, "-CAP_REACHED database 1 of the namespace holds 0 of 5 bytes; 7 more are refused (hint: delete unused keys or set a TTL)", c.run("MOVE b 1"))
	require.Equal(t, ":1", c.run("MOVE a 1"))
	require.Equal(t, "-CAP_REACHED database 1 of the namespace holds 1 of 1 keys; 1 more are refused (hint: delete unused keys or set a TTL)", c.run("SET c 1", "MOVE c 1"))
	require.Equal(t, ":2", c.run("DBSIZE"), "what was refused stays")
	// The durable database wants a TTL of at least 60 s, the other does not.
	require.Equal(t, "-BAD_INPUT the TTL of 30 s is out of bounds; allowed are 60 s to 31536000 s", c.run("SELECT 1", "EXPIRE a 30", "SELECT 0", "DEL b c", "SELECT 1", "MOVE a 0"))
	require.Equal(t, ":1", c.run("EXPIRE a 60", "MOVE a 0"))
	require.Equal(t, ":60", c.run("SELECT 0", "TTL a"))
}

func TestCopyMeetsTheCapOfTheOtherDatabase(t *testing.T) {
	c := newHarness(t).limited(func(l *auth.Limits) { l.MaxKeys = [2]int64{1, 1} })
	c.run("SET a 1", "SELECT 1", "SET b 1", "SELECT 0")
	require.Equal(t, "-CAP_REACHED database 1 of the namespace holds 1 of 1 keys; 1 more are refused (hint: delete unused keys or set a TTL)", c.run("COPY a a DB 1"))
	require.Equal(t, ":1", c.run("COPY a b DB 1 REPLACE"))
	require.Contains(t, c.run("COPY a b"), "-CAP_REACHED database 0")
}

func TestBytesAreBounded(t *testing.T) {
	c := newHarness(t).limited(func(l *auth.Limits) { l.MaxBytes[0] = 20 })
	require.Equal(t, "+OK", c.run("SET a 123456789")) // 10 bytes with its key
	require.Equal(t, "+OK", c.run("SET b 123456789"))
	require.Equal(t, "-CAP_REACHED database 0 of the namespace holds 20 of 20 bytes; 2 more are refused (hint: delete unused keys or set a TTL)", c.run("SET c 1"))
	require.Equal(t, "-CAP_REACHED database 0 of the namespace holds 20 of 20 bytes; 1 more are refused (hint: delete unused keys or set a TTL)", c.run("APPEND a x"))
	require.Equal(t, "-CAP_REACHED database 0 of the namespace holds 20 of 20 bytes; 2 more are refused (hint: delete unused keys or set a TTL)", c.run("RENAME a abc"))
	require.Equal(t, "+OK", c.run("SET a 987654321"))
	require.Equal(t, ":9", c.run("SETRANGE a 8 x"))
	require.Equal(t, "+OK", c.run("RENAME a z"))
	require.Equal(t, ":1", c.run("EXPIRE z 100"))
	require.Equal(t, "+OK", c.run("SET z 1"))
	require.Equal(t, "+OK", c.run("MSET z 12345 b 12345 c 1234567"))
	require.Contains(t, c.run("INCRBY c 9000000"), "-CAP_REACHED")
	require.Equal(t, ":1234568", c.run("INCR c"))
	require.Equal(t, ":1", c.run("DEL b"))
	require.Equal(t, ":6", c.run("APPEND z x"))
	c.alter(func(l *auth.Limits) { l.MaxBytes[0] = 5 })
	require.Equal(t, "+OK", c.run("SET z 12345"), "smaller than before, though still beyond a lowered limit")
	require.Contains(t, c.run("SET z 123456"), "-CAP_REACHED")
	c.run("SELECT 1")
	require.Equal(t, "+OK", c.run("SET large 12345678901234567890"))
}
