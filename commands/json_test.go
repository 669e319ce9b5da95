package commands

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestJSONIsKeptAsSentLessBlanks(t *testing.T) {
	tests := []struct{ name, in, out string }{
		{"null", "null", "null"},
		{"number text", "[ 1.0 , 10e-1, -0 , 1E+2, 123456789012345678901234567890 ]", "[1.0,10e-1,-0,1E+2,123456789012345678901234567890]"},
		{"escapes", ` "\u0061\/\n\ud83d\ude00\ud800" `, `"\u0061\/\n\ud83d\ude00\ud800"`},
		{"html is not escaped", `"<a&b>\u2028` + "\u2028" + `"`, `"<a&b>\u2028` + "\u2028" + `"`},
		{"blanks inside strings stay", "{ \"a b\" :\t\" c \\\" d \"\r\n}", `{"a b":" c \" d "}`},
		{"order and duplicate names", `{"b":1, "a":2, "b":3}`, `{"b":1,"a":2,"b":3}`},
		{"empty containers", " [ { } , [ ] ] ", "[{},[]]"},
		{"unicode", `"Grüße 世界 😀"`, `"Grüße 世界 😀"`},
		{"delete is no control character", "\"\x7f\"", "\"\x7f\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := compactJSON([]byte(tt.in))
			require.Nil(t, err)
			require.Equal(t, tt.out, string(out))
		})
	}
}

func TestCompactJSONIsNotCopied(t *testing.T) {
	text := []byte(`{"a":[1,2," "]}`)
	out, err := compactJSON(text)
	require.Nil(t, err)
	require.Same(t, &text[0], &out[0])
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = compactJSON(text) }))
}

func TestWhatIsNotJSONIsNamedWithItsPlace(t *testing.T) {
	tests := []struct{ name, in, err string }{
		{"empty", "", "at byte 0: it ends"},
		{"blank", "  ", "at byte 2: it ends"},
		{"byte order mark", "\xEF\xBB\xBF{}", "at byte 0: a byte order mark"},
		{"plain text", "hello", "at byte 0: 'h' where a value should start"},
		{"almost a word", "[tru]", "at byte 1: a word that is not true, false or null"},
		{"word goes on", "nullx", "at byte 4: 'x' after the end of the value"},
		{"two values", "1 2", "at byte 2: '2' after the end of the value"},
		{"comma at the end", "[1,]", "at byte 3: ']' where a value should start"},
		{"comma in an object", `{"a":1,}`, "at byte 7: '}' where a member's name should start"},
		{"no colon", `{"a" 1}`, "at byte 5: '1' after a member's name"},
		{"no comma", `[1 2]`, "at byte 3: '2' after an item of an array"},
		{"no comma in an object", `{"a":1 "b"}`, "at byte 7: '\"' after a member of an object"},
		{"name without quotes", `{a:1}`, "at byte 1: 'a' where a member's name should start"},
		{"array stays open", "[1", "at byte 2: it ends"},
		{"string stays open", `["ab`, "at byte 1: a string without an end"},
		{"wrong bracket", "[1}", "at byte 2: '}' after an item of an array"},
		{"leading zero", "01", "at byte 1: '1' after the end of the value"},
		{"plus", "+1", "at byte 0: '+' where a value should start"},
		{"lone minus", "-", "at byte 1: it ends"},
		{"no digit behind the point", "1.x", "at byte 2: 'x' where a digit should stand"},
		{"no exponent", "1e+", "at byte 3: it ends"},
		{"NaN", "NaN", "at byte 0: 'N' where a value should start"},
		{"single quotes", "'a'", "at byte 0: ''' where a value should start"},
		{"raw line break", "\"a\nb\"", "at byte 2: the control character 0x0A, which must be escaped"},
		{"zero byte", "\x00", "at byte 0: 0x00 where a value should start"},
		{"unknown escape", `"\x41"`, "at byte 1: an escape that JSON does not have"},
		{"short escape", `"\u12"`, "at byte 1: an escape that JSON does not have"},
		{"broken UTF-8", "\"a\xff\"", "at byte 2: 0xFF, which is not UTF-8"},
		{"surrogate in UTF-8", "\"\xed\xa0\x80\"", "at byte 1: 0xED, which is not UTF-8"},
		{"blank of Unicode", "\u00a01", "at byte 0: 0xC2 where a value should start"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := compactJSON([]byte(tt.in))
			require.NotNil(t, err)
			require.Equal(t, tt.err, err.Error())
		})
	}
}

func TestJSONNestsAsDeepAsInEncodingJSON(t *testing.T) {
	nested := func(depth int) []byte {
		return []byte(strings.Repeat("[", depth) + strings.Repeat("]", depth))
	}
	require.True(t, isJSON(nested(maxJSONDepth)))
	require.True(t, json.Valid(nested(maxJSONDepth)))
	require.False(t, json.Valid(nested(maxJSONDepth+1)))
	_, err := compactJSON(nested(maxJSONDepth + 1))
	require.NotNil(t, err)
	require.Equal(t, "at byte 10000: more than 10000 arrays and objects inside each other", err.Error())
	// Siblings do not add up.
	require.True(t, isJSON([]byte("["+strings.Repeat("[],{},", 2*maxJSONDepth)+"1]")))
}

// FuzzJSON holds the scanner against encoding/json: the same texts are JSON,
// except that ours must be UTF-8, and compaction gives the same bytes.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-0.5e+10,true,false,null,"\u00e9\\\""]}`, " [ ] ", "{\"a\" : {} }", "01", "1.", "\"\x80\"", `"\ud800"`, "[[[[]]]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		want := json.Valid(text) && utf8.Valid(text)
		got, err := compactJSON(text)
		require.Equal(t, want, err == nil, "%q", text)
		require.Equal(t, before, text, "the text was written to")
		if err != nil {
			require.LessOrEqual(t, err.at, len(text))
			return
		}
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, text))
		require.Equal(t, compact.String(), string(got))
		again, err := compactJSON(got)
		require.Nil(t, err)
		require.Equal(t, got, again)
		require.Equal(t, len(got), skipJSON(got, 0))
		// Numbers, strings and everything else mean what they meant.
		require.Equal(t, decodeExact(t, text), decodeExact(t, got))
	})
}

func decodeExact(t *testing.T, text []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	require.NoError(t, d.Decode(&v))
	return v
}
