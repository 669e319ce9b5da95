package commands

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
)

var scanScripts = []string{
	`scan and its arguments
	SCAN
	SCAN x
	SCAN ""
	SCAN " 0"
	SCAN "0 "
	SCAN 0x
	SCAN +0
	SCAN -0
	SCAN 18446744073709551616
	SCAN 0 FOO
	SCAN 0 FOO 1
	SCAN 0 COUNT
	SCAN 0 COUNT 0
	SCAN 0 COUNT -1
	SCAN 0 COUNT x
	SCAN 0 COUNT ""
	SCAN 0 COUNT 9223372036854775808
	SCAN x COUNT 0
	SCAN 0 MATCH
	SCAN 0 TYPE
	SCAN 0 MATCH a COUNT
	SCAN 0 COUNT 1000 FOO
	SCAN 0 COUNT 1000 COUNT 0
	SCAN 0
	MSET a 1 ab 2 abc 3 b 4 "a\x00b" 5 "a\\b" 6
	SCAN 0 COUNT 1000
	SCAN 0 count 1000 match a*
	SCAN 0 COUNT 9223372036854775807 MATCH ab*
	SCAN 0 MATCH a* MATCH b* COUNT 1000
	SCAN 0 MATCH * COUNT 1000
	SCAN 0 MATCH ** COUNT 1000
	SCAN 0 MATCH "" COUNT 1000
	SCAN 0 MATCH a COUNT 1000
	SCAN 0 COUNT 1000 TYPE string
	SCAN 0 COUNT 1000 TYPE STRING
	SCAN 0 COUNT 1000 TYPE list
	SCAN 0 COUNT 1000 TYPE foo
	SCAN 0 COUNT 1000 TYPE ""
	SCAN 0 COUNT 1000 TYPE list TYPE string
	SCAN 0 COUNT 1000 TYPE string MATCH a*
	SELECT 1
	SCAN 0 COUNT 1000`,
	`keys
	KEYS
	KEYS a b
	KEYS *
	MSET a 1 ab 2 abc 3 b 4 "a\x00b" 5 "\xff\xfe" 6 "[a]" 7 "a*" 8 "a?c" 9
	KEYS *
	KEYS a*
	KEYS *c
	KEYS a
	KEYS none
	KEYS ""
	KEYS ?
	KEYS a?c
	KEYS a\?c
	KEYS a\*
	KEYS [ab]
	KEYS [a-b]
	KEYS "\\[a\\]"
	KEYS "a\x00*"
	KEYS "\xff?"
	KEYS "[\xfe-\xff]*"
	SELECT 1
	KEYS *`,
}

func TestReplayScan(t *testing.T) { replay(t, scanScripts) }

// TestReplayGlobs throws random patterns at random keys, over an alphabet in
// which every letter means something.
func TestReplayGlobs(t *testing.T) {
	rnd := seeded(t)
	c := newTwins(t).dial(t, resp.V2)
	word := func(alphabet string, most int) string {
		var b strings.Builder
		for range rnd.IntN(most + 1) {
			b.WriteByte(alphabet[rnd.IntN(len(alphabet))])
		}
		return b.String()
	}
	for range 300 {
		c.do(true, "SET", "k"+word(`abcd-]^*?[\`, 5), "")
	}
	for range 2000 {
		if !c.do(false, "KEYS", "k"+word(`aabbcd--]]^**?[[[\\`, 9)) {
			return
		}
	}
}

// scanAll iterates until the cursor is 0 and returns the set of keys.
func scanAll(t *testing.T, do func(...string) string, options ...string) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	cursor := "0"
	for range 100_000 {
		page := elements(t, do(append([]string{"SCAN", cursor}, options...)...))
		require.Len(t, page, 2)
		for _, key := range elements(t, page[1]) {
			found[bulk(t, key)] = true
		}
		if cursor = bulk(t, page[0]); cursor == "0" {
			return found
		}
	}
	t.Fatal("the scan does not end")
	return nil
}

// bulk returns the text of a bulk reply.
func bulk(t *testing.T, raw string) string {
	t.Helper()
	require.NotEmpty(t, raw)
	require.Equal(t, byte('$'), raw[0], "%q", raw)
	_, body, ok := strings.Cut(raw, "\r\n")
	require.True(t, ok)
	return strings.TrimSuffix(body, "\r\n")
}

func TestReplayWholeScans(t *testing.T) {
	rnd := seeded(t)
	c := newTwins(t).dial(t, resp.V2)
	for range 400 {
		c.do(true, "SET", string(rune('a'+rnd.IntN(26)))+":"+randomWord(rnd, 4), "v")
	}
	for _, options := range []string{"", "COUNT 1", "COUNT 7", "COUNT 100000", "MATCH a:*", "MATCH *a* COUNT 3", "MATCH [b-d]:* COUNT 50", "MATCH none", "TYPE string COUNT 30", "TYPE hash"} {
		words := strings.Fields(options)
		c.w.now()
		require.Equal(t, scanAll(t, c.theirs.Do, words...), scanAll(t, c.ours.do, words...), options)
	}
}

func randomWord(rnd *rand.Rand, length int) string {
	b := make([]byte, length)
	for i := range b {
		b[i] = byte('a' + rnd.IntN(26))
	}
	return string(b)
}
