package commands

import (
	"strconv"
	"strings"
	"testing"

	"github.com/cubbykv/cubby/internal/resp"
)

var bitScripts = []string{
	`setbit and getbit
	SETBIT
	SETBIT k 1
	SETBIT k 1 1 1
	GETBIT
	GETBIT k
	GETBIT k 1 2
	GETBIT none 0
	GETBIT none x
	SETBIT k 7 1
	GET k
	SETBIT k 7 1
	SETBIT k 7 0
	SETBIT k 0 1
	GET k
	SETBIT k 30 0
	STRLEN k
	SETBIT k 100 1
	GET k
	GETBIT k 100
	GETBIT k 101
	GETBIT k 4294967295
	GETBIT k 4294967296
	GETBIT k -1
	GETBIT k ""
	GETBIT k #1
	SETBIT k x 1
	SETBIT k -1 1
	SETBIT k 4294967296 1
	SETBIT k 9223372036854775808 1
	SETBIT k 1 2
	SETBIT k 1 -1
	SETBIT k 1 x
	SETBIT k x x
	SETBIT k 1 ""
	SETBIT k 1 01
	SETBIT fresh 0 0
	GET fresh
	EXPIRE k 100
	SETBIT k 3 1
	TTL k
	SET n 123
	SETBIT n 7 0
	GET n
	INCR n`,
	`bitcount
	BITCOUNT
	BITCOUNT none
	BITCOUNT none 0
	BITCOUNT none x y
	BITCOUNT none 0 1 FOO
	BITCOUNT none 0 1 BIT x
	SET k foobar
	SET e ""
	BITCOUNT e
	BITCOUNT e 0 -1
	BITCOUNT e 0 0 BIT
	BITCOUNT k
	BITCOUNT k 0
	BITCOUNT k x 0
	BITCOUNT k 0 x
	BITCOUNT k 0 0
	BITCOUNT k 1 1
	BITCOUNT k 0 -1
	BITCOUNT k 0 -1 BIT
	BITCOUNT k 0 -1 byte
	BITCOUNT k 5 30 BIT
	BITCOUNT k 1 1 BIT
	BITCOUNT k 8 7 BIT
	BITCOUNT k -3 -1 BIT
	BITCOUNT k -1 -3
	BITCOUNT k -1 -3 FOO
	BITCOUNT k -1 -3 x
	BITCOUNT k 1 1 FOO
	BITCOUNT k 3 1 FOO
	BITCOUNT k 0 100
	BITCOUNT k -100 -50
	BITCOUNT k -100 2
	BITCOUNT k 9223372036854775807 9223372036854775807
	BITCOUNT k -9223372036854775808 9223372036854775807 BIT
	BITCOUNT k 0 0 BIT BIT`,
	`bitpos
	BITPOS
	BITPOS k
	BITPOS none 0
	BITPOS none 1
	BITPOS none 2
	BITPOS none x
	BITPOS none 1 x
	BITPOS none 1 0 0 FOO
	BITPOS none 0 0 0 BIT x
	SET k "\xff\xf0\x00"
	SET z "\x00\x00"
	SET o "\xff\xff"
	SET e ""
	BITPOS e 0
	BITPOS e 1
	BITPOS e 0 0
	BITPOS e 0 0 0
	BITPOS e 1 0 -1
	BITPOS k 0
	BITPOS k 1
	BITPOS k 2
	BITPOS k -1
	BITPOS k x
	BITPOS k 1 2
	BITPOS k 0 2
	BITPOS k 1 2 2
	BITPOS k 1 -1
	BITPOS k 1 1 0
	BITPOS k 0 0 0
	BITPOS k 0 0 0 BIT
	BITPOS k 0 0 12 BIT
	BITPOS k 1 12 12 BIT
	BITPOS k 1 7 15 BIT
	BITPOS k 1 10 -1 bit
	BITPOS k 1 0 1 BYTE
	BITPOS k 1 0 1 FOO
	BITPOS k 1 0 x FOO
	BITPOS k 1 x x FOO
	BITPOS k 1 0 x
	BITPOS k 1 x
	BITPOS k 1 0 0 BIT 0
	BITPOS o 0
	BITPOS o 0 0
	BITPOS o 0 1
	BITPOS o 0 2
	BITPOS o 0 -1
	BITPOS o 0 0 -1
	BITPOS o 0 0 100
	BITPOS o 0 0 -1 BIT
	BITPOS z 1
	BITPOS z 1 0
	BITPOS z 0 5
	BITPOS z 0 -5
	BITPOS z 0 9223372036854775807
	BITPOS z 0 -9223372036854775808 9223372036854775807 BIT`,
	`bitop
	BITOP
	BITOP AND d
	BITOP AND d none
	BITOP FOO d none
	BITOP NOT d a b
	BITOP not d none
	SET a "\x0f\xf0\xaa"
	SET b "\xff\x00"
	SET c "abcdefghijklmnopqrstuvwxyz"
	BITOP AND d a b
	GET d
	BITOP OR d a b
	GET d
	BITOP xor d a b c
	GET d
	BITOP NOT d a
	GET d
	BITOP AND d a
	GET d
	BITOP XOR d a none
	GET d
	BITOP AND d a none
	GET d
	BITOP AND a a b
	GET a
	BITOP XOR c c c
	GET c
	EXPIRE d 100
	BITOP OR d a
	TTL d
	BITOP OR d none none2
	EXISTS d
	SET e ""
	SET d 1
	BITOP NOT d e
	EXISTS d
	SET n 12
	BITOP NOT n n
	GET n`,
	`bits and watch
	SET k "\x01"
	WATCH k
	b| SETBIT k 7 1
	MULTI
	EXEC
	WATCH k
	b| SETBIT k 7 0
	MULTI
	EXEC
	WATCH k
	b| SETBIT k 20 0
	MULTI
	EXEC
	WATCH k
	b| BITFIELD k GET u8 0 SET u8 0 0
	MULTI
	EXEC
	WATCH k
	b| BITFIELD k SET u8 0 1
	MULTI
	EXEC
	MULTI
	SETBIT k 1 1
	BITFIELD k GET u2 0
	BITOP NOT k k
	BITCOUNT k
	EXEC`,
	`bitfield
	BITFIELD
	BITFIELD none
	BITFIELD none GET u8 0
	BITFIELD none get u8 0 GET i64 100
	EXISTS none
	BITFIELD k SET u8 0 255 GET u8 0 GET i8 0 GET u4 4 GET u4 6
	GET k
	BITFIELD k INCRBY u8 0 1
	BITFIELD k INCRBY i5 100 1 GET u4 0
	STRLEN k
	BITFIELD k SET u8 #0 65 SET u8 #1 66
	GET k
	BITFIELD k set i16 #1 -2 get u16 16
	BITFIELD k GET u0 0
	BITFIELD k GET u64 0
	BITFIELD k GET u63 0
	BITFIELD k GET i64 0
	BITFIELD k GET i65 0
	BITFIELD k GET i0 0
	BITFIELD k GET x8 0
	BITFIELD k GET I8 0
	BITFIELD k GET u 0
	BITFIELD k GET "" 0
	BITFIELD k GET u08 0
	BITFIELD k GET u-8 0
	BITFIELD k GET "u8\x00x" 0
	BITFIELD k GET u8 x
	BITFIELD k GET u8 ""
	BITFIELD k GET u8 #
	BITFIELD k GET u8 #x
	BITFIELD k GET u8 #-1
	BITFIELD k GET u8 -1
	BITFIELD k GET u8 4294967295
	BITFIELD k GET u8 4294967296
	BITFIELD k GET u8 #536870911
	BITFIELD k GET u8 #536870912
	BITFIELD k GET
	BITFIELD k GET u8
	BITFIELD k SET u8 0
	BITFIELD k SET u8 0 x
	BITFIELD k SET x 0 x
	BITFIELD k INCRBY u8 0
	BITFIELD k FOO u8 0
	BITFIELD k OVERFLOW
	BITFIELD k OVERFLOW FOO
	BITFIELD k OVERFLOW SAT
	BITFIELD k OVERFLOW wrap GET u8 0
	BITFIELD k SET u8 0 1 FOO
	GET k
	EXPIRE k 100
	BITFIELD k SET u8 0 1
	TTL k`,
	`bitfield overflow
	BITFIELD k OVERFLOW FAIL SET u8 0 256
	GET k
	BITFIELD k2 OVERFLOW FAIL INCRBY u8 16 300
	GET k2
	BITFIELD k OVERFLOW SAT INCRBY u8 0 300 OVERFLOW WRAP INCRBY u8 0 3 OVERFLOW FAIL INCRBY u8 0 -3
	BITFIELD k OVERFLOW SAT SET u8 0 -1 GET u8 0
	BITFIELD k OVERFLOW SAT SET u8 0 1000 GET u8 0 INCRBY u8 0 -300
	BITFIELD k OVERFLOW SAT INCRBY u8 0 -9223372036854775808 INCRBY u8 0 9223372036854775807
	BITFIELD k OVERFLOW WRAP SET u8 0 -1 GET u8 0 INCRBY u8 0 -257
	BITFIELD k OVERFLOW SAT SET i8 0 128 GET i8 0 SET i8 0 -129 GET i8 0
	BITFIELD k OVERFLOW WRAP SET i8 0 128 GET i8 0 SET i8 0 -129 GET i8 0
	BITFIELD k OVERFLOW FAIL SET i8 0 128 GET i8 0 SET i8 0 -129 GET i8 0
	BITFIELD k SET i64 0 9223372036854775807 INCRBY i64 0 1 OVERFLOW SAT INCRBY i64 0 -1 GET i64 0
	BITFIELD k SET i64 0 9223372036854775807 OVERFLOW SAT INCRBY i64 0 1 OVERFLOW FAIL INCRBY i64 0 1
	BITFIELD k SET u63 0 9223372036854775807 INCRBY u63 0 1 OVERFLOW SAT INCRBY u63 0 9223372036854775807 INCRBY u63 0 1
	BITFIELD k SET u63 0 -1 GET u63 0 GET i64 0
	BITFIELD k SET i1 3 1 GET i1 3 GET u1 3 INCRBY i1 3 1 INCRBY u1 3 5`,
	`bitfield_ro
	BITFIELD_RO
	BITFIELD_RO none
	BITFIELD_RO none GET u8 0
	SET k abc
	BITFIELD_RO k GET u8 0 get i8 #1
	BITFIELD_RO k SET u8 0 1
	BITFIELD_RO k GET u8 0 INCRBY u8 0 1
	BITFIELD_RO k SET u8 0 x
	BITFIELD_RO k OVERFLOW SAT GET u8 0
	BITFIELD_RO k OVERFLOW FOO
	GET k`,
}

func TestReplayBits(t *testing.T) { replay(t, bitScripts) }

// TestReplayBitsRandomly sends random bit commands to a few keys.
func TestReplayBitsRandomly(t *testing.T) {
	g := generator{rnd: seeded(t), used: make(map[int]bool)}
	w := newTwins(t)
	for _, proto := range []int{resp.V2, resp.V3} {
		c := w.dial(t, proto)
		var last [][]string
		for range 3000 {
			last = append(last[max(0, len(last)-19):], g.bits())
			if !c.do(true, last[len(last)-1]...) {
				t.Fatalf("the last commands being\n%q", last)
			}
		}
	}
}

func (g *generator) bits() []string {
	key := pick(g, "a", "b", "c")
	number := func(n int) string { return strconv.Itoa(g.rnd.IntN(2*n) - n) }
	switch g.rnd.IntN(12) {
	case 0:
		return []string{"SET", key, pick(g, "", "1", "\xff\xff\xff", "\x00\x00\xf0", strings.Repeat("\x00", 9)+"x", g.bytes(20), g.bytes(3))}
	case 1, 2:
		return []string{"SETBIT", key, strconv.Itoa(g.rnd.IntN(200)), pick(g, "0", "1")}
	case 3:
		return []string{"GETBIT", key, strconv.Itoa(g.rnd.IntN(250))}
	case 4, 5:
		args := []string{"BITCOUNT", key}
		return append(args, pick(g, nil, []string{number(30), number(30)}, []string{number(200), number(200), "BIT"}, []string{number(30), number(30), "BYTE"})...)
	case 6, 7:
		args := []string{"BITPOS", key, pick(g, "0", "1")}
		return append(args, pick(g, nil, []string{number(30)}, []string{number(30), number(30)}, []string{number(200), number(200), "BIT"}, []string{number(30), number(30), "BYTE"})...)
	case 8:
		op := pick(g, "AND", "OR", "XOR", "NOT")
		args := []string{"BITOP", op, key, pick(g, "a", "b", "c", "none")}
		for op != "NOT" && g.rnd.IntN(2) == 0 {
			args = append(args, pick(g, "a", "b", "c", "none"))
		}
		return args
	case 9:
		return []string{"GET", key}
	default:
		return g.bitField(key)
	}
}

func (g *generator) bytes(most int) string {
	b := make([]byte, g.rnd.IntN(most))
	for i := range b {
		b[i] = byte(g.rnd.IntN(256))
	}
	return string(b)
}

func (g *generator) bitField(key string) []string {
	args := []string{"BITFIELD", key}
	for range 1 + g.rnd.IntN(4) {
		width, sign := 1+g.rnd.IntN(63), "u"
		if g.rnd.IntN(2) == 0 {
			width, sign = 1+g.rnd.IntN(64), "i"
		}
		offset := pick(g, "", "#") + strconv.Itoa(g.rnd.IntN(20))
		edge := int64(1) << (width - 1)
		value := strconv.FormatInt(pick(g, 0, 1, -1, edge, edge-1, -edge, 2*edge-1, 2*edge, int64(g.rnd.Uint64()), int64(g.rnd.IntN(2000)-1000)), 10)
		if g.rnd.IntN(2) == 0 {
			args = append(args, "OVERFLOW", pick(g, "WRAP", "SAT", "FAIL"))
		}
		field := []string{sign + strconv.Itoa(width), offset}
		args = append(args, pick(g, append([]string{"GET"}, field...), append([]string{"SET"}, append(field, value)...), append([]string{"INCRBY"}, append(field, value)...))...)
	}
	return args
}
