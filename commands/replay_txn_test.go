package commands

import "testing"

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
