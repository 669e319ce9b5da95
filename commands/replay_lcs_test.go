package commands

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
)

var lcsScripts = []string{
	`lcs
	LCS
	LCS a
	LCS a b
	LCS a b LEN
	LCS a b IDX
	LCS a b IDX WITHMATCHLEN
	MSET a ohmytext b mynewtext e ""
	LCS a b
	LCS a b len
	LCS a b IDX
	LCS a b IDX MINMATCHLEN 4
	LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN
	LCS a b WITHMATCHLEN idx minmatchlen 2
	LCS a b IDX MINMATCHLEN 5
	LCS a b IDX MINMATCHLEN -1
	LCS a b IDX MINMATCHLEN 9223372036854775807
	LCS a b MINMATCHLEN 4
	LCS a b WITHMATCHLEN
	LCS a b LEN MINMATCHLEN 4 WITHMATCHLEN
	LCS a b LEN IDX
	LCS a b LEN IDX FOO
	LCS a b FOO
	LCS a b MINMATCHLEN
	LCS a b MINMATCHLEN x
	LCS a b IDX MINMATCHLEN x FOO
	LCS a b IDX IDX
	LCS a e
	LCS e a IDX
	LCS e e LEN
	LCS none a
	LCS a a
	LCS a a IDX WITHMATCHLEN
	SET n 12345
	SET m 1245
	LCS n m IDX WITHMATCHLEN
	SET big "x"*12000
	SET big2 "y"*12000
	LCS big big2
	LCS big big2 LEN
	LCS big big2 IDX
	SET a "x"*11585
	SET b "x"*11584
	LCS a b
	LCS a b LEN`,
}

func TestReplayLCS(t *testing.T) { replay(t, lcsScripts) }

// TestTheLargestLCS is one byte below what the replay has refused; Redis would
// take 512 MB for it.
func TestTheLargestLCS(t *testing.T) {
	c := newHarness(t).open()
	c.do("MSET", "a", strings.Repeat("x", 11585), "b", strings.Repeat("x", 11583))
	require.Equal(t, ":11583\r\n", c.do("LCS", "a", "b", "LEN"))
	require.Equal(t, bulks(strings.Repeat("x", 11583)), c.do("LCS", "a", "b"))
}

// TestReplayLCSRandomly compares which of several subsequences is found, with
// alphabets small enough that there are many.
func TestReplayLCSRandomly(t *testing.T) {
	rnd := seeded(t)
	c := newTwins(t).dial(t, resp.V3)
	text := func() string {
		letters := 1 + rnd.IntN(4)
		b := make([]byte, rnd.IntN(pick(&generator{rnd: rnd}, 5, 40, 200)))
		for i := range b {
			b[i] = 'a' + byte(rnd.IntN(letters))
		}
		return string(b)
	}
	for range 400 {
		a, b := text(), text()
		c.do(true, "MSET", "a", a, "b", b)
		c.do(true, "LCS", "a", "b", "LEN")
		c.do(true, "LCS", "a", "b", "IDX", "WITHMATCHLEN", "MINMATCHLEN", strconv.Itoa(rnd.IntN(4)))
		if !c.do(true, "LCS", "a", "b") {
			t.Fatalf("of %q and %q", a, b)
		}
	}
}
