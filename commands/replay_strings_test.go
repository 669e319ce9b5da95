package commands

import (
	"strings"
	"testing"

	"github.com/cubbykv/cubby/internal/resp"
)

var stringScripts = []string{
	`get and set
	GET
	GET a b
	GET none
	SET a
	SET a 1
	GET a
	get a
	gEt a
	SET "k\x00\r\n\xff" "v\x00\r\n\xff"
	GET "k\x00\r\n\xff"
	SET e ""
	GET e
	SET "x"*300 "y"*3000
	GET "x"*300
	SET a 1 FOO
	SET a 1 "" EX
	SET a 1 EX
	SET a 1 EX 10 PX
	SET a 1 NX XX
	SET a 1 ex 10 kEePtTl
	SET a 1 IFEQ
	GET a`,
	`set with a wrong ttl
	SET k v EX 0
	SET k v EX -1
	SET k v EX x
	SET k v EX ""
	SET k v EX " 10"
	SET k v EX +10
	SET k v EX 010
	SET k v EX 10.5
	SET k v PX 0
	SET k v PX -9223372036854775808
	SET k v EX 9223372036854775807
	SET k v EX 9223372036854775808
	SET k v EX 9223372036854775
	SET k v EX 9223372036854774
	SET k v EX 9223372036854776
	SET k v PX 9223372036854775807
	SET k v EXAT 0
	SET k v EXAT 9223372036854776
	SET k v PXAT -1
	EXISTS k
	SET k v EX 0 GET
	SET k v EX 0 NX
	SET k v EX x XX
	SET k v NX EX 0
	SETEX k 0 v
	SETEX k -5 v
	SETEX k x v
	SETEX k 9223372036854775807 v
	SETEX k 10
	PSETEX k 0 v
	PSETEX k 9223372036854775807 v
	PSETEX k 1x v
	GETEX k EX 0
	SET k v
	GETEX k EX 0
	GETEX k PX -1
	GETEX k EXAT 9223372036854775807
	GETEX k EX abc
	GET k
	TTL k`,
	`set with a ttl
	SET k v EX 100
	TTL k
	PTTL k
	SET k v PX 100000
	PTTL k
	SET k v EXAT 4000000000
	! EXPIRETIME k
	! PEXPIRETIME k
	SET k v PXAT 4000000000499
	! EXPIRETIME k
	! PEXPIRETIME k
	SET k v PXAT 4000000000500
	! EXPIRETIME k
	SET k v PXAT 9223372036854775807
	! PEXPIRETIME k
	! EXPIRETIME k
	PTTL k
	SET k v2 KEEPTTL
	! PEXPIRETIME k
	SET k v3
	TTL k
	SET k v EXAT 1
	GET k
	EXISTS k
	SET k v
	SET k w PXAT 1
	GET k
	SET k v GET PXAT 1
	GET k
	DBSIZE
	SETEX k 100 v
	TTL k
	PSETEX k 100000 v
	TTL k
	SET k v KEEPTTL
	TTL k`,
	`setnx getset getdel
	SETNX k 1
	SETNX k 2
	GET k
	SETNX k
	EXPIRE k 100
	SETNX k 2
	TTL k
	GETSET k 3
	TTL k
	GETSET none 1
	GETSET none
	GETDEL none
	GETDEL none
	GETDEL k
	GETDEL k
	GETDEL
	GETDEL a b`,
	`getex
	GETEX none
	GETEX none EX 10
	GETEX none EX 0
	SET k v
	GETEX k
	TTL k
	GETEX k EX 100
	TTL k
	GETEX k
	TTL k
	GETEX k PX 200000
	TTL k
	GETEX k PERSIST
	TTL k
	GETEX k EXAT 4000000000
	! EXPIRETIME k
	GETEX k PXAT 4000000000000
	! PEXPIRETIME k
	GETEX k persist
	GETEX k PERSIST
	GETEX k EX 10 PERSIST
	GETEX k PERSIST EX 10
	GETEX k PERSIST PERSIST
	GETEX k KEEPTTL
	GETEX k NX
	GETEX k GET
	GETEX k EX
	GETEX k EX 10 EX 20
	TTL k
	GETEX k EX 10 PX 20
	GETEX k EXAT 1
	GETEX k
	SET k v
	GETEX k PXAT 1
	EXISTS k`,
	`several keys
	MGET
	MGET a
	MSET
	MSET a
	MSET a 1 b
	MSET a 1 b 2
	MGET a none b a
	MSET a 3 a 4
	GET a
	EXPIRE a 100
	MSET a 5
	TTL a
	MSETNX
	MSETNX a
	MSETNX a 1 c
	MSETNX a 1 c 2
	EXISTS c
	MSETNX c 1 d 2
	MGET c d
	MSETNX e 1 e 2
	GET e
	EXPIRE c 100
	MSETNX f 1 c 2
	EXISTS f
	TTL c`,
	`append and strlen
	APPEND k
	APPEND k ""
	EXISTS k
	APPEND k ab
	APPEND k "\x00c"
	APPEND k ""
	GET k
	STRLEN k
	STRLEN none
	STRLEN
	SET n 12
	APPEND n 3
	INCR n
	EXPIRE k 100
	APPEND k d
	TTL k`,
	`getrange
	SET k "Hello World"
	SET e ""
	GETRANGE k 0 0
	GETRANGE k 0 -1
	GETRANGE k 0 10
	GETRANGE k 0 11
	GETRANGE k 0 9223372036854775807
	GETRANGE k -3 -1
	GETRANGE k -1 -3
	GETRANGE k -100 3
	GETRANGE k -100 -50
	GETRANGE k -100 -100
	GETRANGE k -9223372036854775808 -1
	GETRANGE k -9223372036854775808 9223372036854775807
	GETRANGE k 5 3
	GETRANGE k 5 -100
	GETRANGE k 11 11
	GETRANGE k 10 11
	GETRANGE k 100 200
	GETRANGE k -1 5
	GETRANGE k 3 -9
	GETRANGE k 0 -11
	GETRANGE k 0 -12
	GETRANGE e 0 -1
	GETRANGE none 0 -1
	GETRANGE k x 1
	GETRANGE k 1 x
	GETRANGE k 1.0 2
	GETRANGE none x 1
	GETRANGE k 0
	GETRANGE k 0 1 2
	SUBSTR k 2 4
	SUBSTR k 2`,
	`setrange
	SETRANGE none 0 ""
	EXISTS none
	SETRANGE none 5 ""
	SETRANGE none -1 ""
	SETRANGE none -1 x
	SETRANGE none x x
	SETRANGE none 9223372036854775808 x
	SETRANGE none 9223372036854775807 ""
	SETRANGE k 3 ab
	GET k
	SETRANGE k 0 XYZ
	GET k
	SETRANGE k 1 "\x00"
	GET k
	SETRANGE k 4 long
	GET k
	SETRANGE k 0 ""
	SETRANGE k 100 ""
	STRLEN k
	EXPIRE k 100
	SETRANGE k 0 z
	TTL k
	SET n 100
	SETRANGE n 0 2
	INCR n
	SETRANGE k 0
	SETRANGE k 0 a b`,
}

func TestReplayStrings(t *testing.T) { replay(t, stringScripts) }

// TestReplaySetOptions tries every sequence of up to three options.
func TestReplaySetOptions(t *testing.T) {
	replayOptions(t, []string{"SET k new", "GET k", "TTL k"},
		"NX", "XX", "GET", "KEEPTTL", "EX 100", "EX 200", "PX 300000", "EXAT 4000000000", "EXAT 1", "PXAT 4000000000000", "EX x", "FOO")
}

func TestReplayGetEXOptions(t *testing.T) {
	replayOptions(t, []string{"GETEX k", "GET k", "TTL k"},
		"PERSIST", "EX 100", "EX 200", "PX 300000", "EXAT 4000000000", "EXAT 1", "PXAT 4000000000000", "PX 0", "NX")
}

// replayOptions runs the first command with every sequence of up to three
// options, on a missing key, a key and a key with a TTL; the other commands
// show the outcome.
func replayOptions(t *testing.T, cmds []string, options ...string) {
	t.Helper()
	w := newTwins(t)
	c := w.dial(t, resp.V2)
	var sequences func(prefix string, more int)
	sequences = func(prefix string, more int) {
		for _, before := range []string{"DEL k", "SET k old", "SET k old EX 5000"} {
			c.do(false, strings.Fields(before)...)
			ok := c.do(false, strings.Fields(cmds[0]+prefix)...)
			for _, show := range cmds[1:] {
				ok = c.do(false, strings.Fields(show)...) && ok
			}
			if !ok {
				t.Fatalf("after %q and %q", before, cmds[0]+prefix)
			}
		}
		if more > 0 {
			for _, o := range options {
				sequences(prefix+" "+o, more-1)
			}
		}
	}
	sequences("", 3)
}
