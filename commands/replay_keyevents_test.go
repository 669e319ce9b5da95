package commands

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/redistest"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// eventScripts run while connection "b" hears every event.
var eventScripts = []string{
	`fields that fail, and what they make room for
	BITFIELD k OVERFLOW FAIL SET u8 0 256
	BITFIELD k OVERFLOW FAIL SET u8 0 256
	BITFIELD k OVERFLOW FAIL SET u8 80 256
	BITFIELD k SET u8 0 0
	BITFIELD k SET u8 0 1
	BITFIELD k SET u8 0 1
	BITFIELD k GET u8 0 
	BITFIELD k2 GET u8 0 
	BITFIELD k3 SET u8 0 0
	BITFIELD k4 INCRBY u8 0 0
	BITFIELD k5 OVERFLOW FAIL INCRBY u8 0 300
	BITFIELD k5 OVERFLOW FAIL INCRBY u8 0 300 SET u8 8 0
	BITFIELD k6 OVERFLOW FAIL INCRBY u8 0 300 SET u8 8 0
	BITFIELD k7`, `a subsequence that is refused
	LCS a b
	LCS a b IDX LEN
	LCS a b x
	SET a 1
	LCS a b IDX LEN
	LCS a b MINMATCHLEN x
	LCS a b LEN
	SET b 1
	LCS a b LEN
	LCS c b IDX LEN`,
	`set
	SET k v
	SET k v EX 100
	SET k v PX 100000 GET
	SET k v KEEPTTL
	SET k v NX
	SET k v XX
	SET none v XX
	SET none v XX GET
	SET k v NX GET
	SET fresh v GET
	SET k v EX 0
	SET k v NX XX
	SETEX k 10 v
	PSETEX k 10000 v
	SETEX k 0 v
	SETNX k v
	SETNX k2 v
	GETSET k w
	GETSET k3 w
	MSET a 1 b 2 a 3
	MSET a
	MSETNX a 1 z 1
	MSETNX y 1 z 1 y 2`,
	`reads
	SET k v
	GET k
	GET none
	MGET k none k none
	EXISTS k none none
	TOUCH k none
	TYPE none
	TTL none
	PTTL k
	PTTL none
	EXPIRETIME none
	PEXPIRETIME none
	STRLEN none
	GETRANGE none 0 1
	SUBSTR none 0 1
	GETBIT none 1
	BITCOUNT none
	BITPOS none 1
	BITFIELD_RO none GET u8 0
	BITFIELD none GET u8 0
	LCS none k
	DUMP none
	OBJECT ENCODING none
	WATCH none
	UNWATCH
	RANDOMKEY
	DBSIZE
	KEYS none
	SCAN 0`,
	`getdel and getex
	SET k v
	GETDEL k
	GETDEL k
	SET k v EX 100
	GETEX k
	GETEX k EX 100
	GETEX k PERSIST
	GETEX k PERSIST
	GETEX k PXAT 1
	GETEX k
	GETEX none EX 10`,
	`parts of values
	APPEND k a
	APPEND k a
	APPEND k ""
	SETRANGE k 2 abc
	SETRANGE k 2 ""
	SETRANGE n 2 abc
	SETBIT k 3 1
	SETBIT k 4 0
	SETBIT m 3 1
	SETBIT m 3 x
	BITOP AND d k none
	BITOP OR d k m
	BITOP AND d none none
	BITOP AND d none none
	BITOP NOT e k
	BITFIELD k SET u8 0 1 INCRBY u8 8 1
	BITFIELD k SET u8 0 1
	BITFIELD fresh SET u8 0 1 GET u8 0`,
	`counters
	INCR c
	DECR c
	INCRBY c 3
	DECRBY c 3
	INCRBYFLOAT c 1.5
	INCR c
	INCRBYFLOAT f 1
	SET s abc
	INCR s
	INCRBYFLOAT s 1`,
	`rename, copy and move
	SET k v
	SET other v
	RENAME k k
	RENAME k k2
	RENAME none k3
	RENAMENX k2 other
	RENAMENX k2 k4
	RENAME k4 other
	COPY other c
	COPY other c
	COPY other c REPLACE
	COPY other c DB 1
	COPY none c
	MOVE c 1
	MOVE none 1
	MOVE other 1
	SELECT 1
	GET none
	SET k v
	MOVE k 0
	DEL c
	SELECT 0`,
	`expiry
	SET a v
	EXPIRE a 100
	EXPIRE a 100 NX
	EXPIRE none 100
	PEXPIRE a 100000
	EXPIREAT a 99999999999
	PEXPIREAT a 99999999999999
	PERSIST a
	PERSIST a
	PERSIST none
	EXPIRE a -1
	EXPIRE a -1
	SET a v
	PEXPIREAT a 1`,
	`del and unlink
	MSET a 1 b 2 c 3
	DEL a none b a
	UNLINK c none
	DEL none`,
	`restore
	RESTORE r 0 ` + strconv.Quote(sealed("\x00\x01v")) + `
	RESTORE r 0 ` + strconv.Quote(sealed("\x00\x01v")) + `
	RESTORE r 100000 ` + strconv.Quote(sealed("\x00\x01v")) + ` REPLACE
	RESTORE r 1 ` + strconv.Quote(sealed("\x00\x01v")) + ` REPLACE ABSTTL
	RESTORE r 1 ` + strconv.Quote(sealed("\x00\x01v")) + ` ABSTTL
	RESTORE r 0 x`,
	`flush tells nothing
	MSET a 1 b 2
	FLUSHDB
	SET a 1
	FLUSHALL`,
	`transactions
	MULTI
	SET k v
	GET none
	INCR k
	DEL k
	EXEC
	MULTI
	SET k v
	DISCARD
	WATCH k
	c| SET k x
	MULTI
	SET k y
	EXEC
	MULTI
	SET k z
	SELECT 1
	SET k z
	EXEC
	SELECT 0`,
}

func newEventTwins(t *testing.T, letters string) *twins {
	t.Helper()
	h := newHarness(t)
	redis := redistest.Start(t)
	require.Contains(t, redis.Dial(t).Do("CONFIG", "SET", "notify-keyspace-events", letters), "OK")
	h.engine.anonymous = &auth.Principal{App: auth.NewApp(storage.ID{Tenant: "t", App: "a"}, wideOpen())}
	h.engine.SetKeyspaceEvents(letters)
	return &twins{t: t, h: h, redis: redis}
}

func TestKeyspaceEventsAreRedis(t *testing.T) {
	for _, letters := range []string{"KEAmn", "Kg", "E$", "KEx", "A", "Kmn", "El"} {
		t.Run(letters, func(t *testing.T) {
			w := newEventTwins(t, letters)
			for _, text := range eventScripts {
				name, steps := parseScript(t, text)
				for _, proto := range []int{resp.V2, resp.V3} {
					t.Run(name+" resp"+strconv.Itoa(proto), func(t *testing.T) {
						c := w.converse(t, proto)
						c.say(step{conn: "b", args: []string{"PSUBSCRIBE", "__key*__:*"}})
						for _, s := range steps {
							c.say(s)
						}
					})
				}
			}
		})
	}
}

// Who hears of its own commands gets the events where Redis has them, except in
// the middle of a reply.
func TestOwnEventsStandWhereRedisHasThem(t *testing.T) {
	w := newEventTwins(t, "KEAmn")
	c := w.converse(t, resp.V3)
	_, steps := parseScript(t, `own events
	PSUBSCRIBE __keyevent@*__:*
	SET k v
	SET k v EX 100 GET
	GETSET k w
	GET none
	GETEX k PERSIST
	GETDEL k
	APPEND k a
	SETRANGE k 1 a
	SETBIT k 1 1
	BITFIELD k SET u8 0 1
	BITOP NOT d k
	BITOP AND d none none
	INCR c
	INCRBYFLOAT c 1
	EXPIRE c 100
	PERSIST c
	EXPIRE c -1
	RENAME k k2
	RENAMENX k2 k
	COPY k k2
	MOVE k 1
	MSET a 1 b 2
	SETNX n 1
	DEL a b n
	SUBSCRIBE __keyspace@0__:k
	SET k v`)
	for _, s := range steps {
		c.say(s)
	}
}
