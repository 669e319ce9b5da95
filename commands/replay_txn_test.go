package commands

import (
	"strings"
	"testing"

	"github.com/cubbykv/cubby/internal/resp"
)

var txnScripts = []string{
	`multi and exec
	EXEC
	DISCARD
	MULTI x
	MULTI
	SET a 1
	INCR a
	GET a
	MGET a none
	PING
	ECHO hi
	EXEC
	EXEC
	MULTI
	EXEC
	GET a`,
	`discard
	MULTI
	SET a 1
	DISCARD
	GET a
	DISCARD
	EXEC`,
	`errors while queueing
	SET a 1
	MULTI
	NOSUCH a b
	SET b 2
	EXEC
	EXISTS b
	MULTI
	GET
	EXEC
	MULTI
	SET b 2
	EXEC a
	EXEC
	MULTI
	MULTI
	SET b 2
	EXEC
	MULTI
	WATCH a
	SET b 2
	EXEC
	EXEC a
	EXEC a b
	MULTI
	DISCARD x
	EXEC
	MULTI
	GET
	DISCARD
	MULTI
	MSET a 1 b
	GETRANGE a x y
	PING a b
	EXEC
	GET b`,
	`errors inside exec
	SET a abc
	MULTI
	SET b 1
	INCR a
	INCRBYFLOAT a 1
	SET c 2 EX 0
	EXPIRE a x
	SELECT 7
	COPY a a
	RENAME none x
	SET d 3 FOO
	SET e 4
	EXEC
	MGET a b c d e`,
	`select inside multi
	MULTI
	SET a 0
	SELECT 1
	SET a 1
	GET a
	SELECT 0
	GET a
	SELECT 1
	EXEC
	GET a
	SELECT 0
	GET a
	MULTI
	SELECT 1
	DISCARD
	GET a
	MULTI
	SELECT 1
	FLUSHALL
	DBSIZE
	SET b 1
	SELECT 0
	DBSIZE
	EXEC
	KEYS *`,
	`the keyspace inside exec
	MSET a 1 b 2 c 3
	MULTI
	KEYS *
	DEL a
	KEYS *
	SET d 4 EX 100
	SCAN 0 COUNT 100
	DBSIZE
	RENAME d e
	TTL e
	RANDOMKEY
	FLUSHDB
	DBSIZE
	RANDOMKEY
	SET z 1
	RANDOMKEY
	KEYS *
	COPY z y DB 1
	EXEC
	KEYS *`,
	`watch
	WATCH
	WATCH a
	MULTI
	SET a 1
	EXEC
	WATCH a
	SET a 2
	MULTI
	SET a 3
	EXEC
	GET a
	MULTI
	SET a 3
	EXEC
	GET a
	WATCH a
	UNWATCH
	SET a 4
	MULTI
	SET a 5
	EXEC
	UNWATCH x
	UNWATCH`,
	`watch and another connection
	WATCH a
	b| SET a 1
	MULTI
	SET a 2
	EXEC
	WATCH a b c
	b| SET d 1
	MULTI
	GET a
	EXEC
	WATCH a b c
	b| SET c 1
	MULTI
	GET a
	EXEC
	WATCH a
	b| DEL a
	MULTI
	EXEC
	WATCH none
	b| DEL none
	MULTI
	EXEC
	SET a 1
	WATCH a
	b| SET a 1
	MULTI
	EXEC
	WATCH a
	b| APPEND a ""
	MULTI
	EXEC
	WATCH a
	b| EXPIRE a 100
	MULTI
	EXEC
	WATCH a
	b| PERSIST a
	MULTI
	EXEC
	WATCH a
	b| PERSIST a
	b| TOUCH a
	b| GET a
	b| SETNX a 2
	b| RENAME a a
	MULTI
	EXEC
	WATCH a
	b| RENAME a b
	MULTI
	EXEC
	SET a 1
	WATCH b
	b| RENAME a b
	MULTI
	EXEC`,
	`watch and expiry
	SET a 1
	WATCH a
	b| PEXPIREAT a 1
	MULTI
	EXEC
	SET a 1
	WATCH a
	PEXPIREAT a 1
	MULTI
	EXEC
	SET a 1
	WATCH a
	b| SET a 1 PXAT 1
	MULTI
	EXEC`,
	`watch and the other database
	WATCH a
	b| SELECT 1
	b| SET a 1
	MULTI
	PING
	EXEC
	WATCH a
	SELECT 1
	b| SELECT 0
	b| SET a 2
	MULTI
	GET a
	EXEC
	WATCH a
	SELECT 0
	WATCH a
	b| SET b 1
	MULTI
	GET a
	EXEC
	WATCH a
	b| FLUSHALL
	MULTI
	PING
	EXEC
	WATCH a
	b| FLUSHDB
	MULTI
	PING
	EXEC
	SET a 1
	WATCH a
	b| FLUSHDB
	MULTI
	PING
	EXEC`,
	`watch inside multi, discard and reset unwatch
	WATCH a
	MULTI
	WATCH b
	b| SET b 1
	PING
	EXEC
	WATCH a
	MULTI
	DISCARD
	b| SET a 1
	MULTI
	PING
	EXEC
	WATCH a
	MULTI
	UNWATCH
	b| SET a 2
	EXEC
	WATCH a
	b| SET a 3
	RESET
	MULTI
	PING
	EXEC
	WATCH a
	b| SET a 3
	MULTI
	NOSUCH
	EXEC
	MULTI
	PING
	EXEC`,
	`leaving multi
	MULTI
	SET a 1
	RESET
	EXEC
	GET a
	MULTI
	SET a 1
	QUIT`,
	`quit inside watch
	WATCH a
	QUIT`,
}

func TestReplayTransactions(t *testing.T) { replay(t, txnScripts) }

// TestReplayWhatWatchSees asks for every writing command whether it changed
// the key that another connection watches.
func TestReplayWhatWatchSees(t *testing.T) {
	w := newTwins(t)
	watcher, writer := w.dial(t, resp.V2), w.dial(t, resp.V2)
	for _, before := range []string{"DEL k", "SET k 1", "SET k 1 PXAT 4000000000000"} {
		for _, change := range []string{
			"GET k", "SET k 1", "SET k 1 KEEPTTL", "SET k 1 NX", "SET k 1 XX", "SET k 1 GET", "SETNX k 1", "SETEX k 100 1", "PSETEX k 100000 1",
			"GETSET k 1", "GETDEL k", "GETEX k", "GETEX k PERSIST", "GETEX k PXAT 4000000000000", "GETEX k EXAT 1", "MGET k", "MSET k 1", "MSETNX k 1",
			"MSETNX k 1 other 1", "APPEND k 0", "APPEND k ", "SETRANGE k 0 1", "SETRANGE k 0 ", "SETRANGE k 0 9", "INCR k", "INCRBY k 0", "DECRBY k 0", "INCRBYFLOAT k 0",
			"DEL k", "UNLINK k", "DEL other", "TOUCH k", "EXISTS k", "RENAME k k", "RENAMENX k k", "RENAME k other", "RENAMENX k none", "RENAME other k", "RENAMENX other k",
			"COPY other k", "COPY other k REPLACE", "COPY k other REPLACE", "COPY other k DB 1 REPLACE", "EXPIRE k 100", "EXPIRE k 0", "EXPIRE k -1 GT",
			"PEXPIREAT k 4000000000000", "PEXPIREAT k 4000000000000 NX", "PERSIST k", "FLUSHDB", "FLUSHALL", "KEYS *", "RANDOMKEY", "SET k 1 EX 0", "SET k",
		} {
			for _, line := range []string{"FLUSHALL", "SET other 1", before, "WATCH k"} {
				watcher.do(true, strings.Fields(line)...)
			}
			writer.do(false, strings.Split(change, " ")...)
			watcher.do(true, "MULTI")
			watcher.do(true, "PING")
			if !watcher.do(true, "EXEC") {
				t.Errorf("after %q and %q", before, change)
			}
		}
	}
}
