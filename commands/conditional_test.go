package commands

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
)

// Redis 7.0 has none of these; the replies are those of Valkey's documents for
// IFEQ and DELIFEQ, and of Redis 8.4's for MSETEX.

func TestSetIfEqual(t *testing.T) {
	const syntax = "-ERR syntax error\r\n"
	for _, c := range []*client{newHarness(t).open(), newHarness(t).open().resp3()} {
		none := replyNil
		if c.s.proto == 3 {
			none = "_\r\n"
		}
		c.converse(
			exchange{"SET k new IFEQ old", none}, exchange{"EXISTS k", ":0\r\n"},
			exchange{"SET k new IFEQ old GET", none}, exchange{"EXISTS k", ":0\r\n"},
			exchange{"SET k old", replyOK},
			exchange{"SET k new IFEQ other", none}, exchange{"GET k", bulks("old")},
			exchange{"SET k new IFEQ OLD GET", bulks("old")}, exchange{"GET k", bulks("old")},
			exchange{"SET k new GET ifeq old", bulks("old")}, exchange{"GET k", bulks("new")},
			exchange{"SET k newer IFEQ new EX 100", replyOK}, exchange{"TTL k", ":100\r\n"},
			exchange{"SET k newest KEEPTTL IFEQ newer", replyOK}, exchange{"TTL k", ":100\r\n"},
			exchange{"SET k last IFEQ newest", replyOK}, exchange{"TTL k", ":-1\r\n"},
			exchange{"SET k v IFEQ", syntax}, exchange{"SET k v IFEQ last NX", syntax}, exchange{"SET k v XX IFEQ last", syntax},
			exchange{"SET k v IFEQ last IFEQ last", syntax}, exchange{"GETEX k IFEQ last", syntax},
			exchange{"SET k v IFEQ NX", none}, exchange{"SET k v IFEQ last EX 0", "-ERR invalid expire time in 'set' command\r\n"},
			exchange{"GET k", bulks("last")},
			exchange{"SET k v IFEQ last PXAT 1", replyOK}, exchange{"EXISTS k", ":0\r\n"},
		)
		require.Equal(t, replyOK, c.do("SET", "k", ""))
		require.Equal(t, replyOK, c.do("SET", "k", "\x00", "IFEQ", ""))
		require.Equal(t, none, c.do("SET", "k", "v", "IFEQ", ""))
	}
}

func TestDelIfEq(t *testing.T) {
	c := newHarness(t).open()
	c.converse(
		exchange{"DELIFEQ", "-ERR wrong number of arguments for 'delifeq' command\r\n"},
		exchange{"DELIFEQ k", "-ERR wrong number of arguments for 'delifeq' command\r\n"},
		exchange{"DELIFEQ k v", ":0\r\n"}, exchange{"SET k v", replyOK}, exchange{"DELIFEQ k V", ":0\r\n"}, exchange{"DELIFEQ k vv", ":0\r\n"},
		exchange{"GET k", bulks("v")}, exchange{"DELIFEQ k v", ":1\r\n"}, exchange{"EXISTS k", ":0\r\n"}, exchange{"DELIFEQ k v", ":0\r\n"},
	)
	require.Equal(t, ":0\r\n", c.do("DELIFEQ", "none", ""))
	require.Equal(t, ":1\r\n", c.resp3().pipeline([]string{"SET", "k", ""}, []string{"DELIFEQ", "k", ""})[1])
}

func TestMSetEX(t *testing.T) {
	const (
		syntax = "-ERR syntax error\r\n"
		number = "-ERR invalid numkeys value\r\n"
		pairs  = "-ERR wrong number of key-value pairs\r\n"
		time   = "-ERR invalid expire time in 'msetex' command\r\n"
	)
	newHarness(t).open().converse(
		exchange{"MSETEX", "-ERR wrong number of arguments for 'msetex' command\r\n"},
		exchange{"MSETEX 1 a", "-ERR wrong number of arguments for 'msetex' command\r\n"},
		exchange{"MSETEX x a 1", number}, exchange{"MSETEX 0 a 1", number}, exchange{"MSETEX -1 a 1", number}, exchange{"MSETEX 2147483648 a 1", number},
		exchange{"MSETEX 2147483647 a 1", pairs}, exchange{"MSETEX 2 a 1 b", pairs}, exchange{"MSETEX 1 a 1 b", syntax}, exchange{"MSETEX 1 a 1 GET", syntax},
		exchange{"MSETEX 1 a 1 NX XX", syntax}, exchange{"MSETEX 1 a 1 EX", syntax}, exchange{"MSETEX 1 a 1 EX 10 PX 10", syntax}, exchange{"MSETEX 1 a 1 KEEPTTL EX 10", syntax},
		exchange{"MSETEX 1 a 1 EX 0", time}, exchange{"MSETEX 1 a 1 PX -1", time}, exchange{"MSETEX 1 a 1 EX 9223372036854775807", time},
		exchange{"MSETEX 1 a 1 EX x", "-ERR value is not an integer or out of range\r\n"}, exchange{"DBSIZE", ":0\r\n"},
		exchange{"MSETEX 2 a 1 b 2", ":1\r\n"}, exchange{"MGET a b", "*2\r\n" + bulks("1", "2")}, exchange{"TTL a", ":-1\r\n"},
		exchange{"MSETEX 2 a 3 c 4 NX", ":0\r\n"}, exchange{"MSETEX 2 a 3 c 4 XX EX 100", ":0\r\n"}, exchange{"MGET a b", "*2\r\n" + bulks("1", "2")}, exchange{"EXISTS c", ":0\r\n"},
		exchange{"MSETEX 2 c 1 d 2 ex 100 nx", ":1\r\n"}, exchange{"TTL c", ":100\r\n"}, exchange{"TTL d", ":100\r\n"},
		exchange{"MSETEX 2 c 3 a 3 KEEPTTL XX", ":1\r\n"}, exchange{"TTL c", ":100\r\n"}, exchange{"TTL a", ":-1\r\n"},
		exchange{"MSETEX 1 c 5", ":1\r\n"}, exchange{"TTL c", ":-1\r\n"}, exchange{"MSETEX 2 a 1 a 2 PXAT 4000000000000", ":1\r\n"}, exchange{"GET a", bulks("2")},
		exchange{"PEXPIRETIME a", ":4000000000000\r\n"}, exchange{"MSETEX 2 a 1 b 2 EXAT 1", ":1\r\n"}, exchange{"EXISTS a b", ":0\r\n"},
		exchange{"MSETEX 1 EX EX EX 100", ":1\r\n"}, exchange{"TTL EX", ":100\r\n"},
		exchange{"COMMAND GETKEYS MSETEX 2 a 1 b 2 EX 10", "*2\r\n" + bulks("a", "b")},
	)
}

func TestMSetEXIsAllOrNothing(t *testing.T) {
	c := newHarness(t).limited(func(l *auth.Limits) { l.MaxKeys[0] = 2; l.ValueBytes = 5 })
	c.converse(
		exchange{"MSETEX 1 a 1 EX 59", "-BAD_INPUT the TTL of 59 s is out of bounds; allowed are 60 s to 31536000 s\r\n"},
		exchange{"MSETEX 2 a 1 b 123456", "-SIZE_EXCEEDED the value is 6 bytes; at most 5 are allowed\r\n"}, exchange{"DBSIZE", ":0\r\n"},
		exchange{"MSETEX 2 a 1 b 2 EX 60", ":1\r\n"},
	)
	require.Contains(t, c.run("MSETEX 2 a 3 new 4"), "-CAP_REACHED")
	require.Equal(t, bulks("1"), c.do("GET", "a"))
	require.Equal(t, "-BAD_INPUT the key is 0 bytes long; 1 to 256 are allowed\r\n", c.do("MSETEX", "2", "a", "1", "", "2"))

	h := newHarness(t)
	p := h.scoped(auth.Scope{Prefix: "p:"})
	require.Contains(t, p.do("MSETEX", "2", "p:a", "1", "x", "2"), "-NOPERM")
	require.Equal(t, ":1\r\n", p.do("MSETEX", "2", "p:a", "1", "p:b", "2", "EX", "60"))
	h.clock.Advance(time.Minute)
	require.Equal(t, replyNil, p.do("GET", "p:b"))
}
