package commands

import (
	"testing"

	"github.com/cubbykv/cubby/internal/resp"
)

var keyScripts = []string{
	`del unlink exists touch type
	MSET a 1 b 2 c 3 d 4
	DEL
	UNLINK
	EXISTS
	TOUCH
	EXISTS a b none
	EXISTS a a a
	TOUCH a none a
	TYPE a
	TYPE none
	TYPE
	TYPE a b
	DEL none
	DEL a a none b
	EXISTS a b
	UNLINK c none c
	DBSIZE
	DBSIZE x
	EXPIRE d 100
	TOUCH d
	TTL d`,
	`rename
	RENAME none b
	RENAME none none
	RENAMENX none b
	RENAMENX none none
	SET a 1
	RENAME a a
	RENAMENX a a
	RENAME a
	RENAME a b c
	RENAMENX a
	RENAME a b
	GET a
	GET b
	EXPIRE b 100
	SET c 3 EX 5000
	RENAME b c
	TTL c
	SET d 4
	RENAME d c
	TTL c
	SET e 5
	RENAMENX c e
	RENAMENX c f
	EXISTS c
	GET f
	DBSIZE
	EXPIRE f 100
	RENAME f f
	TTL f
	RENAMENX f g
	TTL g`,
	`copy
	COPY none b
	COPY none none
	COPY a
	SET a 1 EX 100
	COPY a a
	COPY a a REPLACE
	COPY a a DB 0
	COPY a b
	TTL b
	COPY a b
	SET c 3
	COPY c b REPLACE
	GET b
	TTL b
	COPY a b replace REPLACE
	COPY a c DB 1
	COPY a c DB 1
	COPY a c DB 1 REPLACE
	COPY a a DB 1
	COPY a d DB 1 DB 0
	EXISTS d
	COPY a e DB 0 DB 1
	COPY a b DB
	COPY a b DB 2
	COPY a b DB -1
	COPY a b DB x
	COPY a b DB "" REPLACE
	COPY a b REPLACE DB
	COPY a b FOO
	COPY a b FOO DB 2
	COPY a b DB 2 FOO
	SELECT 1
	KEYS *
	GET c
	TTL c
	SET z 9
	COPY z z DB 0
	COPY z z DB 1
	SELECT 0
	GET z
	TTL z`,
	`dbsize randomkey flush
	RANDOMKEY
	RANDOMKEY x
	DBSIZE
	SET a 1
	RANDOMKEY
	DBSIZE
	SELECT 1
	DBSIZE
	SET b 2
	FLUSHDB
	DBSIZE
	SELECT 0
	DBSIZE
	FLUSHDB x
	FLUSHDB ASYNC SYNC
	FLUSHDB ASYNC x
	FLUSHDB ""
	FLUSHALL x
	FLUSHALL SYNC ASYNC
	FLUSHALL SYNC SYNC
	DBSIZE
	FLUSHDB aSync
	DBSIZE
	SET a 1
	FLUSHDB SYNC
	FLUSHDB
	DBSIZE
	SET a 1
	SELECT 1
	SET b 1
	FLUSHALL async
	DBSIZE
	SELECT 0
	DBSIZE
	FLUSHALL sync
	FLUSHALL`,
	`keys that ended
	SET a 1 PXAT 1
	EXISTS a
	TYPE a
	DBSIZE
	RANDOMKEY
	KEYS *
	SCAN 0
	SET a 1
	PEXPIREAT a 1
	DEL a
	TOUCH a
	RENAME a b
	COPY a b
	SETNX a 2
	TTL a
	PEXPIREAT a 1
	APPEND a x
	TTL a
	PEXPIREAT a 1
	INCR a
	TTL a
	PEXPIREAT a 1
	GETSET a 5
	PEXPIREAT a 1
	SET a 1 XX
	SET a 1 KEEPTTL
	TTL a`,
}

func TestReplayKeys(t *testing.T) { replay(t, keyScripts) }

func TestReplayCopyOptions(t *testing.T) {
	w := newTwins(t)
	c := w.dial(t, resp.V2)
	for _, a := range []string{"", "REPLACE", "DB", "0", "1", "2", "FOO"} {
		for _, b := range []string{"", "REPLACE", "DB", "0", "1", "2", "FOO"} {
			for _, d := range []string{"", "REPLACE", "DB", "0", "1", "2", "FOO"} {
				c.do(true, "MSET", "src", "1", "dst", "2")
				args := []string{"COPY", "src", "dst"}
				for _, word := range []string{a, b, d} {
					if word != "" {
						args = append(args, word)
					}
				}
				c.do(true, args...)
				c.do(true, "GET", "dst")
			}
		}
	}
}
