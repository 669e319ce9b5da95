package commands

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzParseInt: an integer is what is written exactly as Go would write it.
func FuzzParseInt(f *testing.F) {
	for _, s := range integerTexts {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, ok := parseInt(b)
		want, err := strconv.ParseInt(string(b), 10, 64)
		require.Equal(t, err == nil && strconv.FormatInt(want, 10) == string(b), ok, "%q", b)
		if ok {
			require.Equal(t, want, n, "%q", b)
		}
	})
}

// replyForm is what INCRBYFLOAT may reply and store.
var replyForm = regexp.MustCompile(`^(0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]{0,16}[1-9])$`)

// FuzzParseLongDouble: what is accepted is near what Go reads, and what is
// written is read back and written the same.
func FuzzParseLongDouble(f *testing.F) {
	for _, s := range floatTexts {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, ok := parseLongDouble(b)
		if !ok {
			return
		}
		if v.IsInf() {
			require.Regexp(t, `(?i)^[+-]?inf(inity)?$`, string(b))
			return
		}
		require.Regexp(t, `^[0-9a-zA-Z.+-]+$`, string(b))
		text := formatLongDouble(v)
		require.Regexp(t, replyForm, text, "%q", b)
		again, ok := parseLongDouble([]byte(text))
		if len(text) < 5*1024 { // longer ones are written but no longer read, as in Redis
			require.True(t, ok, "%q writes %q", b, text)
			require.Equal(t, text, formatLongDouble(again), "%q", b)
		}
		if want, err := strconv.ParseFloat(string(b), 64); err == nil {
			got, _ := v.Float64()
			require.InDelta(t, want, got, math.Abs(want)*1e-15, "%q", b)
		}
	})
}

// TestHugeExponentsTakeNoTime guards against numbers of a few bytes that take
// seconds to compute.
func TestHugeExponentsTakeNoTime(t *testing.T) {
	start := time.Now()
	for _, s := range []string{"1e999999999", "1e-999999999", "1e2147483647", "1e-2147483648", "0x1p2147483647", "0x1p-2147483647", "0e2147483647",
		strings.Repeat("9", 5000) + "e-2147483647", "0." + strings.Repeat("0", 5000) + "1e2147483640"} {
		if v, ok := parseLongDouble([]byte(s)); ok {
			require.Equal(t, "0", formatLongDouble(v), s)
		}
	}
	require.Less(t, time.Since(start), time.Second)
}
