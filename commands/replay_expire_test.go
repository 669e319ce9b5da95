package commands

import (
	"testing"

	"github.com/cubbykv/cubby/internal/resp"
)

var expireScripts = []string{
	`expire and look
	EXPIRE none 10
	EXPIRE none x
	EXPIRE
	EXPIRE a
	TTL
	TTL a b
	TTL none
	PTTL none
	EXPIRETIME none
	PEXPIRETIME none
	PERSIST none
	PERSIST
	SET a 1
	TTL a
	PTTL a
	EXPIRETIME a
	PEXPIRETIME a
	PERSIST a
	EXPIRE a 100
	TTL a
	PTTL a
	EXPIRETIME a
	PEXPIRETIME a
	PERSIST a
	PERSIST a
	TTL a
	PEXPIRE a 100000
	TTL a
	EXPIREAT a 4000000000
	! EXPIRETIME a
	! PEXPIRETIME a
	PEXPIREAT a 4000000000499
	! EXPIRETIME a
	PEXPIREAT a 4000000000500
	! EXPIRETIME a
	! PEXPIRETIME a
	PEXPIREAT a 9223372036854775807
	! EXPIRETIME a
	! PEXPIRETIME a
	TTL a`,
	`the past deletes
	SET a 1
	EXPIRE a 0
	EXISTS a
	SET a 1
	EXPIRE a -1
	EXISTS a
	SET a 1
	PEXPIRE a -1
	EXISTS a
	SET a 1
	EXPIREAT a 0
	EXISTS a
	SET a 1
	EXPIREAT a -1
	SET a 1
	PEXPIREAT a 1
	EXPIRE a 10
	SET a 1
	EXPIRE a -9223372036854775
	EXISTS a
	SET a 1
	PEXPIRE a -9223372036854775808
	EXISTS a
	SET a 1
	EXPIRE a 0 NX
	SET a 1
	EXPIRE a 0 XX
	EXPIRE a -1 GT
	EXPIRE a -1 LT
	EXISTS a
	SET a 1 EX 100
	EXPIRE a 0 GT
	EXISTS a
	EXPIRE a 0 LT
	EXISTS a`,
	`what is no time
	SET a 1
	EXPIRE a x
	EXPIRE a ""
	EXPIRE a 1.5
	EXPIRE a 9223372036854775807
	EXPIRE a 9223372036854775
	EXPIRE a 9223372036854776
	EXPIRE a -9223372036854775808
	EXPIRE a -9223372036854776
	EXPIRE a 9223372036854775808
	PEXPIRE a 9223372036854775807
	PEXPIRE a 9223372036854775808
	EXPIREAT a 9223372036854775807
	EXPIREAT a 9223372036854776
	PEXPIREAT a 9223372036854775808
	EXPIREAT a -9223372036854776
	EXPIRE none 9223372036854775807
	TTL a`,
	`options in words
	SET a 1
	EXPIRE a 100 FOO
	EXPIRE a x FOO
	EXPIRE a 100 ""
	EXPIRE a 100 "x"*300
	EXPIRE a 100 "a\r\nb"
	EXPIRE a 100 "a\n"
	EXPIRE a 100 "a\x00b"
	EXPIRE a 100 nx Foo
	EXPIRE a 100 nX
	EXPIRE a x NX XX
	EXPIRE none 10 NX
	EXPIRE none 10 NX XX
	EXPIRE none 10 GT LT
	EXPIRE none 10 FOO
	TTL a`,
}

func TestReplayExpire(t *testing.T) { replay(t, expireScripts) }

// TestReplayExpireOptions tries every sequence of up to three options.
func TestReplayExpireOptions(t *testing.T) {
	for _, cmd := range []string{"EXPIRE k 3000", "EXPIREAT k 4000000000", "EXPIRE k 9000", "EXPIRE k -1"} {
		t.Run(cmd, func(t *testing.T) {
			replayOptions(t, []string{cmd, "TTL k"}, "NX", "XX", "GT", "LT", "FOO")
		})
	}
}

// TestReplayExpireOrder compares conditions at the very same moment.
func TestReplayExpireOrder(t *testing.T) {
	c := newTwins(t).dial(t, resp.V2)
	for _, current := range []string{"3999999999999", "4000000000000", "4000000000001"} {
		for _, option := range []string{"GT", "LT", "NX", "XX"} {
			c.do(true, "SET", "k", "v", "PXAT", current)
			c.do(true, "PEXPIREAT", "k", "4000000000000", option)
			c.do(true, "PEXPIRETIME", "k")
			c.do(true, "EXPIREAT", "k", "4000000000", option, "XX")
			c.do(true, "PEXPIRETIME", "k")
		}
	}
}
