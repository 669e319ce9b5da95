package commands

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
)

// sealed gives a body the version and the checksum that make it a payload.
func sealed(body string) string {
	b := binary.LittleEndian.AppendUint16([]byte(body), rdbVersion)
	return string(binary.LittleEndian.AppendUint64(b, rdbChecksum(b)))
}

// aged is a payload with another version and the right checksum.
func aged(body string, version uint16) string {
	b := binary.LittleEndian.AppendUint16([]byte(body), version)
	return string(binary.LittleEndian.AppendUint64(b, rdbChecksum(b)))
}

// Payloads that Redis 7.0.15 made, and what it accepts and refuses beside.
var dumpPayloads = []string{
	sealed("\x00\x01v"), sealed("\x00\x00"), sealed("\x00\xc0\x7b"), sealed("\x00\xc0\x80"), sealed("\x00\xc1\x39\x30"), sealed("\x00\xc1\x00\x80"),
	sealed("\x00\xc2\x87\xd6\x12\x00"), sealed("\x00\xc2\x00\x00\x00\x80"), sealed("\x00\x40\x03abc"), sealed("\x00\x80\x00\x00\x00\x03abc"),
	sealed("\x00\x81\x00\x00\x00\x00\x00\x00\x00\x03abc"), sealed("\x00\x03abc and more"), aged("\x00\x01v", 0), aged("\x00\x01v", 6), aged("\x00\x01v", 9),
	aged("\x00\x01v", 11), aged("\x00\x01v", 12), aged("\x00\x01v", 65535), sealed("\x00\x01v")[:9], sealed("\x00\x01v") + "x", "", "short", "123456789", "1234567890",
	sealed("\x00\x3f" + strings.Repeat("x", 30)), sealed("\x00\x82\x00\x00\x00\x01v"), sealed("\x00\xbf\x01v"), sealed("\x00\xc4\x01"), sealed("\x00\xff"),
	sealed("\x00\x80\xff\xff\xff\xffv"), sealed("\x00\x81\x7f\xff\xff\xff\xff\xff\xff\xffv"), sealed("\x08\x01v"), sealed("\x16\x01v"), sealed("\xfe"),
	// LZF: a run, literals, a copy from before the beginning, ends in the middle of tokens, sizes that are wrong.
	sealed("\x00\xc3\x05\x15\x01xx\xe0\x0a\x00"), sealed("\x00\xc3\x04\x03\x02abc"), sealed("\x00\xc3\x05\x06\x00a\x60\x00\x00"), sealed("\x00\xc3\x04\x06\x00a\x20\x05"),
	sealed("\x00\xc3\x02\x06\x00a"), sealed("\x00\xc3\x03\x06\x00a\x20"), sealed("\x00\xc3\x03\x0f\x00a\xe0"), sealed("\x00\xc3\x04\x0f\x00a\xe0\x05"), sealed("\x00\xc3\x02\x02\x05a"),
	sealed("\x00\xc3\x04\x02\x02abc"), sealed("\x00\xc3\x04\x04\x02abc"), sealed("\x00\xc3\x40\x04\x03\x02abc"),
}

func dumpScripts() []string {
	v, lzf := sealed("\x00\x01v"), sealed("\x00\xc3\x05\x15\x01xx\xe0\x0a\x00")
	scripts := []string{
		fmt.Sprintf(`dump and restore
		DUMP
		DUMP a b
		DUMP none
		SET k v
		DUMP k
		SET k ""
		DUMP k
		SET k "\x00\xff\r\n"
		DUMP k
		SET k 12345678901
		DUMP k
		RESTORE
		RESTORE k 0
		RESTORE k 0 x
		RESTORE k x %[1]q
		RESTORE fresh 0 x
		RESTORE fresh x x
		RESTORE fresh x %[1]q
		RESTORE fresh -1 %[1]q
		RESTORE fresh "" %[1]q
		RESTORE fresh 9223372036854775808 %[1]q
		RESTORE k 0 %[1]q
		RESTORE k 0 %[1]q replace
		GET k
		RESTORE k 0 %[2]q REPLACE REPLACE
		GET k
		RESTORE fresh 100000 %[1]q
		TTL fresh
		RESTORE fresh 0 %[1]q REPLACE
		TTL fresh
		RESTORE fresh 4000000000000 %[1]q ABSTTL REPLACE
		! PEXPIRETIME fresh
		RESTORE fresh 1 %[1]q ABSTTL
		RESTORE fresh 1 x ABSTTL REPLACE
		RESTORE fresh 1 %[1]q absttl REPLACE
		EXISTS fresh
		RESTORE fresh 1 %[1]q ABSTTL
		EXISTS fresh
		RESTORE fresh 9223372036854775807 %[1]q ABSTTL
		! PEXPIRETIME fresh
		RESTORE fresh 0 %[1]q ABSTTL REPLACE
		TTL fresh`, v, lzf),
		fmt.Sprintf(`restore's options
		RESTORE k 0 %[1]q FOO
		RESTORE k x x FOO
		RESTORE k 0 %[1]q IDLETIME
		RESTORE k 0 %[1]q IDLETIME x
		RESTORE k 0 %[1]q IDLETIME -1
		RESTORE k 0 %[1]q FREQ
		RESTORE k 0 %[1]q FREQ x
		RESTORE k 0 %[1]q FREQ -1
		RESTORE k 0 %[1]q FREQ 256
		RESTORE k 0 %[1]q FREQ 5 IDLETIME 5
		RESTORE k 0 %[1]q IDLETIME 5 FREQ 5
		RESTORE k 0 %[1]q IDLETIME 5 IDLETIME 6
		RESTORE k 0 %[1]q FREQ 255 FREQ 0 REPLACE
		RESTORE k 0 %[1]q IDLETIME 0
		GET k`, v),
	}
	payloads := "payloads"
	for _, p := range dumpPayloads {
		payloads += fmt.Sprintf("\nDEL k\nRESTORE k 0 %q\nGET k", p)
	}
	return append(scripts, payloads)
}

func TestReplayDump(t *testing.T) { replay(t, dumpScripts()) }

// TestDumpsGoBothWays has each side restore what the other one dumped. Redis
// compresses, we do not; what is not compressible is the same to the byte.
func TestDumpsGoBothWays(t *testing.T) {
	rnd := seeded(t)
	g := generator{rnd: rnd}
	c := newTwins(t).dial(t, resp.V2)
	values := []string{"0", "127", "128", "-128", "-129", "32767", "32768", "-32769", "2147483647", "2147483648", "-2147483648", "-2147483649", "007", "-0", "",
		strings.Repeat("x", 63), strings.Repeat("x", 64), strings.Repeat("x", 16383), strings.Repeat("x", 16384), strings.Repeat("abc", 20000), g.bytes(70000)}
	for range 300 {
		// Pieces that come again at any distance.
		value, piece := "", g.bytes(40)
		for range rnd.IntN(60) {
			value += pick(&g, piece, piece, g.bytes(300), strings.Repeat("y", rnd.IntN(400)))
		}
		values = append(values, value)
	}
	for _, v := range values {
		c.do(true, "SET", "k", v)
		theirs, ours := bulkText(t, c.theirs.Do("DUMP", "k")), bulkText(t, c.ours.do("DUMP", "k"))
		if !strings.HasPrefix(theirs, "\x00\xc3") {
			require.Equal(t, theirs, ours)
		}
		for _, payload := range []string{theirs, ours} {
			c.do(true, "RESTORE", "k", "0", payload, "REPLACE")
			if !c.do(true, "GET", "k") {
				t.FailNow()
			}
		}
		require.Equal(t, bulks(v), c.ours.do("GET", "k"))
	}
}

func bulkText(t *testing.T, raw string) string {
	t.Helper()
	return parseReply(t, raw).text[1:]
}

// TestReplayRestoreRandomly damages compressed strings behind a right
// checksum.
func TestReplayRestoreRandomly(t *testing.T) {
	rnd := seeded(t)
	g := generator{rnd: rnd}
	c := newTwins(t).dial(t, resp.V2)
	for range 3000 {
		// Literals of 1 to 32 bytes and copies, mostly sound.
		var packed []byte
		size := 0
		for range rnd.IntN(6) {
			if size == 0 || rnd.IntN(2) == 0 {
				n := 1 + rnd.IntN(8)
				packed = append(append(packed, byte(n-1)), strings.Repeat(string(rune('a'+rnd.IntN(26))), n)...)
				size += n
				continue
			}
			back, n := rnd.IntN(size+1), 3+rnd.IntN(8)
			if n < 9 {
				packed = append(packed, byte((n-2)<<5|back>>8), byte(back))
			} else {
				packed = append(packed, byte(7<<5|back>>8), byte(n-9), byte(back))
			}
			size += n
		}
		size += pick(&g, 0, 0, 0, 0, 1, -1)
		if len(packed) == 0 || size < 1 || size > 63 || len(packed) > 63 { // for size 0 Redis takes damage for success
			continue
		}
		if rnd.IntN(4) == 0 {
			packed[rnd.IntN(len(packed))] ^= 1 << rnd.IntN(8)
		}
		body := string([]byte{rdbTypeString, rdbEncoded | rdbLZF, byte(len(packed)), byte(size)}) + string(packed)
		c.do(true, "RESTORE", "k", "0", sealed(body), "REPLACE")
		if !c.do(true, "GET", "k") {
			t.Fatalf("after %q", body)
		}
	}
}
