package server

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Long random pipelines, large enough to pass through every size of buffer,
// arrive as they were sent. FuzzGuard's inputs rarely are so long.
func TestRandomPipelines(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 40 {
		data := randomPipeline(rnd)
		var pieces []byte
		for range rnd.IntN(4) {
			pieces = append(pieces, byte(rnd.IntN(256)))
		}
		checkGuard(t, []byte(data), pieces, rnd.IntN(4) > 0, 1<<(10+rnd.IntN(10)), 1<<(6+rnd.IntN(12)))
		if t.Failed() {
			return
		}
	}
}

func randomPipeline(rnd *rand.Rand) string {
	var b strings.Builder
	size := 1 << (8 + rnd.IntN(12))
	for b.Len() < size {
		switch rnd.IntN(20) {
		case 0:
			b.WriteString("\r\n")
		case 1:
			fmt.Fprintf(&b, "ECHO \"%s\"\r\n", strings.Repeat("i", rnd.IntN(100)))
		case 2:
			b.WriteString("*0\r\n")
		case 3:
			b.WriteString(command("AUTH", "token"))
		case 4:
			b.WriteString(command("ECHO", strings.Repeat("l", rnd.IntN(200000))))
		case 5:
			args := []string{"MGET"}
			for range rnd.IntN(300) {
				args = append(args, strings.Repeat("k", rnd.IntN(200)))
			}
			b.WriteString(command(args...))
		default:
			b.WriteString(command("SET", "key", strings.Repeat("v", rnd.IntN(300))))
		}
	}
	return b.String()
}

func TestParseLength(t *testing.T) {
	for _, n := range []int64{0, 1, 9, 10, 123456789, 1<<63 - 1, -1, -10, -1<<63 + 1} {
		got, ok := parseLength([]byte(strconv.FormatInt(n, 10)))
		require.True(t, ok, n)
		require.EqualValues(t, n, got)
	}
	for _, text := range []string{"", "-", "+1", "-0", "00", "01", "-01", " 1", "1 ", "1a", "0x1", "9223372036854775808",
		"18446744073709551616", "99999999999999999999", "1\x00"} {
		_, ok := parseLength([]byte(text))
		require.False(t, ok, "%q", text)
	}
}

// A frame too large is not kept, but for its name, and what follows it is
// found again.
func TestGiveUpLargeFrame(t *testing.T) {
	in := command(append([]string{"MSET"}, strings.Fields(strings.Repeat("0123456789 ", 2000))...)...) + command("PING")
	for _, piece := range []int{1, 7, 100, 4096} {
		g := newGuard()
		lim := bounds{request: 1000, bulk: 100, signedIn: true}
		var got []string
		for rest := in; rest != ""; {
			n := copy(g.space()[:min(piece, len(rest), len(g.space()))], rest)
			rest = rest[n:]
			g.arrived(n)
			for g.next(lim) {
				r := g.take(lim)
				got = append(got, fmt.Sprintf("%q %v", r.Argv, r.Refusal))
			}
			require.LessOrEqual(t, cap(g.buf), busyBuffer)
		}
		require.Equal(t, []string{
			`["MSET"] SIZE_EXCEEDED the request is ` + strconv.Itoa(len(in)-len(command("PING"))) +
				` bytes; at most 1000 are allowed (client-query-buffer-limit)`,
			`["PING"] <nil>`,
		}, got)
	}
}
