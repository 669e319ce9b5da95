package commands

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func jsonKey(t *testing.T, text string) string {
	t.Helper()
	compact, invalid := compactJSON([]byte(text))
	require.Nil(t, invalid, text)
	key, end := appendJSONKey(nil, compact, 0)
	require.Equal(t, len(compact), end, text)
	return string(key)
}

func TestSpellingsOfOneJSONValueHaveOneKey(t *testing.T) {
	deep := func(n int, inner string) string {
		return strings.Repeat(`{"b":1,"a":`, n) + inner + strings.Repeat("}", n)
	}
	seen := map[string]string{}
	for _, same := range [][]string{
		{"1", "1.0", "1.000", "1e0", "10e-1", "0.1E+1", "100e-2", "1e-0"},
		{"0", "-0", "0.0", "0e99", "-0.000E-7", "0e99999999999999999999999"},
		{"500", "5e0000000000000000000000000002", "5E+0000000000000000000000000002"},
		{"-120", "-1.2e2", "-12E1"},
		{"123456789012345678901234567890", "1.2345678901234567890123456789e29"},
		{"1e99999999999999999", "10e99999999999999998", "0.1e+100000000000000000"},
		{"1e-99999999999999999", "10e-100000000000000000"},
		{"1e9999999999999999999"}, {"10e9999999999999999998"}, // beyond what is compared by value
		{`"a"`, `"\u0061"`},
		{`"/\b\f\n\r\t\"\\"`, `"\/\u0008\u000c\u000A\u000d\u0009\u0022\u005c"`},
		{`"😀"`, `"\ud83d\ude00"`, `"\uD83D\uDE00"`},
		{`{"a":1,"b":[2]}`, ` { "b" : [ 2.0 ] , "\u0061" : 1e0 } `, `{"a":9,"b":[],"b":[2],"a":1}`},
		{"true"}, {"false"}, {"null"}, {"[]"}, {"{}"}, {"[[]]"}, {"[{}]"}, {"[1,2]"}, {"[2,1]"}, {"[12]"}, {"1e1", "10"},
		{`"1"`}, {`""`}, {`["a","b"]`}, {`["a\",\"b"]`}, {`["ab",""]`}, {`["","ab"]`}, {`{"":""}`}, {`"é"`}, {`"e\u0301"`},
		{`"\ud800"`, `"\uD800"`}, {`"\ud801"`}, {`"\udc00"`}, {`"\ufffd"`, `"�"`}, {`"\ude00\ud83d"`}, {`"\ud83dx"`}, {`"\ud83d\n"`},
		{"9007199254740993"}, {"9007199254740992"}, {"0.1"}, {"0.10000000000000001"},
		{`{"a":{"b":1}}`}, {`{"a":{"b":1,"c":2}}`, `{"a":{"c":2,"b":1}}`}, {`{"a":{"b":1},"c":2}`}, {`{"a":null}`},
		{`{"a":"` + strings.Repeat("x", 50) + `","b":1}`, `{"b":1.0,"a":"` + strings.Repeat("x", 50) + `"}`},
		{deep(3000, "0"), deep(3000, "-0.0")}, {deep(3000, "1")},
	} {
		want := jsonKey(t, same[0])
		for _, text := range same {
			require.Equal(t, want, jsonKey(t, text), text)
		}
		require.NotContains(t, seen, want, "%.40s has the key of another value", same[0])
		seen[want] = same[0]
	}
}

// FuzzJSONNumberKey holds the keys of numbers against exact arithmetic.
func FuzzJSONNumberKey(f *testing.F) {
	f.Add("1.50", "15e-1")
	f.Add("-0", "0.00")
	f.Add("100", "1e3")
	f.Add("0.001", "1e-3")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, ok1 := exactNumber(a)
		y, ok2 := exactNumber(b)
		if !ok1 || !ok2 {
			return
		}
		require.Equal(t, x.Cmp(y) == 0, jsonKey(t, a) == jsonKey(t, b), "%s %s", a, b)
	})
}

// exactNumber reads a JSON number whose exponent is small enough for exact
// arithmetic.
func exactNumber(s string) (*big.Rat, bool) {
	var n json.Number
	if json.Unmarshal([]byte(s), &n) != nil || s[0] == '"' || s == "null" {
		return nil, false
	}
	if e := strings.IndexAny(s, "eE"); e >= 0 && len(s)-e > 5 {
		return nil, false
	}
	return new(big.Rat).SetString(strings.TrimSpace(s))
}
