package commands

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
)

var trackingScripts = []string{
	`arguments
	CLIENT TRACKING
	CLIENT TRACKING ON x
	CLIENT TRACKING x
	CLIENT TRACKING x BCAST
	CLIENT TRACKING ON PREFIX a
	CLIENT TRACKING ON PREFIX
	CLIENT TRACKING ON REDIRECT
	CLIENT TRACKING ON REDIRECT x
	CLIENT TRACKING ON REDIRECT 99999
	CLIENT TRACKING ON REDIRECT @b REDIRECT @b
	CLIENT TRACKING ON REDIRECT 0
	CLIENT TRACKING ON OPTIN OPTOUT
	CLIENT TRACKING ON BCAST OPTIN
	CLIENT TRACKING ON BCAST OPTOUT
	CLIENT TRACKING OFF REDIRECT 99999
	CLIENT TRACKING OFF
	CLIENT TRACKINGINFO
	CLIENT TRACKINGINFO x
	CLIENT GETREDIR
	CLIENT GETREDIR x
	CLIENT CACHING
	CLIENT CACHING YES
	CLIENT CACHING x
	CLIENT TRACKING ON
	CLIENT TRACKINGINFO
	CLIENT GETREDIR
	CLIENT CACHING YES
	CLIENT CACHING NO
	CLIENT CACHING x
	CLIENT TRACKING ON BCAST
	CLIENT TRACKING ON NOLOOP
	CLIENT TRACKINGINFO
	CLIENT TRACKING on optin
	CLIENT TRACKINGINFO
	CLIENT TRACKING on OPTOUT
	CLIENT CACHING NO
	CLIENT CACHING YES
	CLIENT TRACKINGINFO
	PING
	CLIENT TRACKINGINFO
	CLIENT TRACKING OFF BCAST
	CLIENT TRACKINGINFO`,
	`prefixes
	CLIENT TRACKING ON BCAST PREFIX foo PREFIX foobar
	CLIENT TRACKING ON BCAST PREFIX foobar PREFIX foo
	CLIENT TRACKING ON BCAST PREFIX b PREFIX a
	CLIENT TRACKINGINFO
	CLIENT TRACKING ON BCAST PREFIX c PREFIX aa
	CLIENT TRACKING ON BCAST PREFIX "" PREFIX c
	CLIENT TRACKING ON BCAST PREFIX c
	CLIENT TRACKINGINFO
	CLIENT TRACKING ON
	CLIENT TRACKING ON BCAST
	CLIENT TRACKINGINFO
	CLIENT TRACKING OFF
	CLIENT TRACKING ON BCAST
	CLIENT TRACKING ON BCAST PREFIX a
	CLIENT TRACKINGINFO`,
	`optin and optout cannot be switched
	CLIENT TRACKING ON OPTIN
	CLIENT TRACKING ON OPTOUT
	CLIENT CACHING NO
	CLIENT CACHING YES
	CLIENT TRACKINGINFO
	CLIENT TRACKINGINFO
	GET k
	CLIENT TRACKINGINFO
	CLIENT CACHING YES
	NOSUCH
	CLIENT TRACKINGINFO
	CLIENT CACHING YES
	CLIENT NOSUCH
	CLIENT TRACKINGINFO
	CLIENT CACHING YES
	MULTI
	GET k
	EXEC
	CLIENT TRACKINGINFO
	CLIENT CACHING YES
	RESET
	CLIENT TRACKINGINFO`,
	`keys that were read
	CLIENT TRACKING ON
	GET k
	b| SET k v
	b| SET k w
	GET k
	GET k
	b| DEL k none
	b| SET k v
	MGET k j i
	b| MSET i 1 j 2 k 3
	EXISTS k
	b| EXPIRE k 100
	TTL k
	b| PERSIST k
	b| PERSIST k
	STRLEN k
	b| APPEND k x
	GET j
	b| INCR j
	GET j
	b| GETDEL j
	GET k
	b| RENAME k k2
	GET k2
	GET k3
	b| RENAME k2 k3
	GET k3
	b| COPY k3 k4
	b| COPY k3 k4 REPLACE
	GET k4
	b| COPY k3 k4 REPLACE
	GET k3
	b| GETEX k3 EX 100
	GET bits
	b| SETBIT bits 1 1
	GET bits
	b| SETBIT bits 1 1
	b| BITFIELD bits SET u8 0 1
	OBJECT REFCOUNT bits
	b| SETRANGE bits 0 x
	DUMP bits
	b| UNLINK bits`,
	`what is no read is not tracked
	SET k v
	CLIENT TRACKING ON
	SET k w
	GETSET k v
	GETEX k
	GETDEL k
	WATCH k
	UNWATCH
	b| SET k v
	KEYS none*
	RANDOMKEY
	DBSIZE
	b| SET k w`,
	`both databases are one
	CLIENT TRACKING ON
	GET k
	b| SELECT 1
	b| SET k v
	b| SET k w
	GET k
	b| MOVE k 0
	GET k
	b| COPY none k DB 0`,
	`own changes
	CLIENT TRACKING ON
	GET k
	SET k v
	SET k v
	GET k
	MGET k j
	MSET j 1 k 2
	CLIENT TRACKING ON NOLOOP
	GET k
	SET k v
	GET k
	b| SET k w`,
	`transactions
	CLIENT TRACKING ON
	MULTI
	GET k
	SET k v
	GET k
	GET j
	EXEC
	b| SET k w
	b| MULTI
	b| SET j 1
	b| SET k 2
	b| EXEC
	MULTI
	CLIENT TRACKING OFF
	CLIENT TRACKING ON
	GET k
	SET k 2
	EXEC`,
	`flush
	CLIENT TRACKING ON
	b| FLUSHALL
	GET k
	b| SET k v
	GET k
	b| FLUSHDB
	b| SET k v
	FLUSHALL
	FLUSHDB
	CLIENT TRACKING OFF
	b| FLUSHALL`,
	`optin
	CLIENT TRACKING ON OPTIN
	GET a
	CLIENT CACHING YES
	GET b
	GET c
	b| MSET a 1 b 2 c 3
	CLIENT CACHING YES
	CLIENT ID x
	GET a
	GET b
	b| MSET a 1 b 2
	CLIENT CACHING YES
	MULTI
	GET a
	GET b
	EXEC
	GET c
	b| MSET a 1 b 2 c 3
	CLIENT CACHING YES
	PING
	GET a
	b| SET a 1`,
	`optout
	CLIENT TRACKING ON OPTOUT
	GET a
	CLIENT CACHING NO
	GET b
	GET c
	b| MSET a 1 b 2 c 3`,
	`off forgets nothing that matters
	CLIENT TRACKING ON
	GET a
	CLIENT TRACKING OFF
	b| SET a 1
	CLIENT TRACKING ON
	b| SET a 2
	GET a
	RESET
	b| SET a 3`,
	`broadcast
	CLIENT TRACKING ON BCAST
	b| SET a 1
	b| MSET c 1 b 2 a 3
	b| DEL none
	GET a
	SET a 2
	b| DEL a b
	b| MULTI
	b| SET y 1
	b| SET x 1
	b| SET y 2
	b| EXEC
	b| FLUSHALL`,
	`broadcast of prefixes
	CLIENT TRACKING ON BCAST PREFIX user: PREFIX thing:
	c| CLIENT TRACKING ON BCAST PREFIX user:1
	b| SET user:1 x
	b| MSET thing:2 x user:12 x other x thing:1 x
	b| SET user x
	CLIENT TRACKING OFF
	b| SET user:1 x`,
	`broadcast without own changes
	CLIENT TRACKING ON BCAST NOLOOP
	SET a 1
	b| SET a 1`,
	`declared keys of a script
	CLIENT TRACKING ON
	EVAL "return redis.call('get', KEYS[1])" 1 k
	b| SET k v
	EVAL "return redis.call('get', 'x')" 1 k
	b| SET x v
	b| SET k v
	EVAL "return redis.call('dbsize')" 2 k j
	b| SET k v
	b| SET j v
	EVAL "return redis.call('lolwut') and 1" 2 k j
	b| SET k v
	EVAL "return redis.call('set', KEYS[1], 'v')" 2 k j
	b| SET k v
	EVAL "return redis.call('ping')" 2 k j
	b| SET k v
	EVAL "return 1" 2 k j
	b| SET k v
	EVAL_RO "return redis.call('get', KEYS[1])" 1 k
	b| SET k v
	EVAL "return redis.call('get', 'x')" 0
	b| SET x v
	EVAL_RO "return 1" 1 k
	b| SET k v
	EVAL "redis.call('get', 'x') redis.call('nosuch')" 1 k
	b| SET k v
	EVAL "return redis.call('get', 'x', 'y')" 1 k
	b| SET k v
	EVAL "return redis.pcall('lcs', 'x', 'y', 'z')" 1 k
	b| SET k v
	EVAL "return redis.call('getdel', 'k')" 1 k
	b| SET k v
	`,
	`script own changes
	CLIENT TRACKING ON
	GET k
	EVAL "return redis.call('set', 'k', 'v')" 1 k
	EVAL "redis.call('get', 'k') return redis.call('set', 'k', 'v')" 1 k
	EVAL "redis.call('get', 'k') redis.call('set', 'k', 'v') redis.call('get', 'k') return redis.call('set', 'k', 'v')" 1 k
	EVAL "redis.call('set', 'k', 'v') redis.call('get', 'k') return 3" 1 k
	b| SET k v
	EVAL "redis.call('set', 'k', 'v') redis.call('get', 'k') return 3" 2 k j
	EVAL "redis.call('mset', 'j', 'v', 'k', 'w') redis.call('get', 'k') return 3" 2 k j
	EVAL "redis.call('flushall') redis.call('get', 'k') return 3" 2 k j
	b| SET k v
	MULTI
	GET k
	EVAL "redis.call('set', 'k', 'v') redis.call('get', 'k') return 3" 1 k
	SET k w
	EVAL "redis.call('set', 'k', 'v') redis.call('get', 'k') return 3" 1 k
	EXEC
	b| SET k v`,
	`script noloop
	CLIENT TRACKING ON NOLOOP
	GET k
	EVAL "return redis.call('set', 'k', 'v')" 1 k
	EVAL "redis.call('get', 'k') return redis.call('set', 'k', 'v')" 1 k
	b| SET k v`,
	`script bcast
	CLIENT TRACKING ON BCAST
	EVAL "return redis.call('set', 'k', 'v')" 1 k
	EVAL "redis.call('get', 'k') return redis.call('set', 'k', 'v')" 1 k
	b| SET k v`,
	`script bcast noloop
	CLIENT TRACKING ON BCAST NOLOOP
	SET k v
	EVAL "return redis.call('set', 'k', 'v')" 1 k
	EVAL "redis.call('get', 'k') return redis.call('set', 'k', 'v')" 1 k
	b| SET k v
	b| EVAL "return redis.call('set', 'k', 'v')" 1 k`,
	`script optin
	CLIENT TRACKING ON OPTIN
	EVAL "return redis.call('get', 'k')" 1 k
	b| SET k v
	CLIENT CACHING YES
	EVAL "return redis.call('get', 'k')" 1 k
	b| SET k v
	EVAL "return redis.call('get', 'k')" 1 k
	b| SET k v
	CLIENT CACHING YES
	MULTI
	EVAL "return redis.call('get', 'k')" 1 k
	EVAL "return redis.call('get', 'k')" 1 j
	EXEC
	b| SET k v
	b| SET j v`,
}

var redirectScripts = []string{
	`redirect to RESP2
	b2| SUBSCRIBE __redis__:invalidate
	CLIENT TRACKING ON REDIRECT @b2
	CLIENT TRACKINGINFO
	GET k
	c| SET k v
	GET k
	SET k w
	MGET k j
	c| MSET k 1 j 2
	GET k
	b2| UNSUBSCRIBE
	c| SET k v
	b2| SUBSCRIBE another
	GET k
	c| SET k v
	c| FLUSHALL`,
	`redirect to RESP3
	b| PING
	CLIENT TRACKING ON REDIRECT @b
	GET k
	c| SET k v
	c| FLUSHALL
	CLIENT TRACKING ON
	GET k
	c| SET k v`,
	`redirect of broadcasts
	b2| SUBSCRIBE __redis__:invalidate
	CLIENT TRACKING ON BCAST REDIRECT @b2
	c| MSET k 1 j 2
	c| FLUSHALL`,
	`redirect to itself
	CLIENT TRACKING ON REDIRECT @
	GET k
	c| SET k v`,
	`broken redirect
	b2| SUBSCRIBE __redis__:invalidate
	CLIENT TRACKING ON REDIRECT @b2
	GET k
	b2| QUIT
	c| SET k v
	CLIENT TRACKINGINFO
	GET k
	CLIENT TRACKING ON
	CLIENT TRACKINGINFO`,
}

func TestTrackingIsRedis(t *testing.T) {
	replayPushed(t, newTwins(t), trackingScripts)
}

func TestRedirectedTrackingIsRedis(t *testing.T) {
	replayPushed(t, newTwins(t), redirectScripts)
}

// Both kinds of messages of own commands.
func TestOwnInvalidationsStandWhereRedisHasThem(t *testing.T) {
	w := newEventTwins(t, "KEAmn")
	c := w.converse(t, resp.V3)
	_, steps := parseScript(t, `own invalidations and events
	CLIENT TRACKING ON
	SUBSCRIBE __keyevent@0__:set __keyevent@0__:del a
	GET k
	SET k v
	GET k
	GETSET k w
	GET k
	GETDEL k
	PUBLISH a x
	CLIENT TRACKING OFF
	CLIENT TRACKING ON BCAST
	SET k v`)
	for _, s := range steps {
		c.say(s)
	}
	// One batch: a message of a prefix stands behind it.
	p := c.talker("")
	batch := [][]string{{"INCR", "n"}, {"RENAME", "none", "other"}, {"MGET", "n"}, {"CLIENT", "GETNAME"}, {"GET", "n"}}
	require.Equal(t, p.theirs.Pipeline("$1\r\n1\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nn\r\n", batch...), string(p.ours.raw(batch...)))
	// One batch: each message stands at its command.
	batch = [][]string{{"CLIENT", "TRACKING", "OFF"}, {"CLIENT", "TRACKING", "ON"}, {"GET", "k"}, {"SET", "k", "1"}, {"GET", "k"}, {"SET", "k", "2"}, {"PUBLISH", "a", "x"}, {"GET", "k"}, {"ECHO", "end"}}
	require.Equal(t, p.theirs.Pipeline("$3\r\nend\r\n", batch...), string(p.ours.raw(batch...)))
	c.say(step{conn: "b", args: []string{"SET", "k", "3"}})
}
