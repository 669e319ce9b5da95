package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/internal/resp"
)

// FuzzArguments compares the arguments that a body makes with what package json
// reads in it.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{
		`["SET","k","v"]`, ` [ "a" , -1.50e3 , true ] `, `[["SET","k","v"],["GET","k"]]`, `["\"\\\/\b\n\u00e4\ud83d\ude00"]`, `["\ud800"]`, `["\\ud800"]`, `["\udc00\ud800"]`,
		"[\"\xff\"]", `[]`, `[[]]`, `null`, `[null]`, `[[["x"]]]`, `[{"a":"]"}]`, `["[", "]", "{,}"]`, `["a"]x`, `["\ufffd�"]`, "[\"a\u2028\x7f\"]", "[1,\t2\r\n]", `[9007199254740993,0.1]`,
	} {
		f.Add([]byte(seed))
	}
	g := New(Options{})
	f.Fuzz(func(t *testing.T, body []byte) {
		given := bytes.Clone(body)
		mayRefuse := surrogate.Match(body) // halves of pairs, which package json replaces
		one, err := g.parseCommand(body)
		want, ok := wantArguments(decoded(body))
		require.True(t, ok == (err == nil) || mayRefuse && err != nil, "%q: %v", body, err)
		if err == nil && one.Refusal == nil {
			require.Equal(t, want, texts(one))
		}
		several, err := g.parseCommands(body)
		list, isList := decoded(body).([]any)
		ok = isList && len(list) > 0 && len(list) <= maxCommands
		for i := 0; ok && i < len(list); i++ {
			if want, ok = wantArguments(list[i]); ok && err == nil {
				require.Equal(t, want, texts(several[i]))
			}
		}
		require.True(t, ok == (err == nil) || mayRefuse && err != nil, "%q: %v", body, err)
		require.Equal(t, given, body, "the body is only read")
	})
}

var surrogate = regexp.MustCompile(`(?i)\\ud[89a-f]`)

func texts(r commands.Request) (list []string) {
	for _, a := range r.Argv {
		list = append(list, string(a))
	}
	return list
}

// decoded is nil for what is no JSON in UTF-8.
func decoded(body []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if !utf8.Valid(body) || !json.Valid(body) || d.Decode(&v) != nil {
		return nil
	}
	return v
}

func wantArguments(v any) (args []string, ok bool) {
	list, isList := v.([]any)
	if !isList || len(list) == 0 {
		return nil, false
	}
	for _, item := range list {
		switch item := item.(type) {
		case string:
			args = append(args, item)
		case json.Number:
			args = append(args, item.String())
		case bool:
			args = append(args, strconv.FormatBool(item))
		default:
			return nil, false
		}
	}
	return args, true
}

// FuzzReplies makes replies of bytes, and requires that their JSON is valid and
// says the same; and of the bytes themselves that they break nothing.
func FuzzReplies(f *testing.F) {
	for _, seed := range []string{
		"", "s\x02OK", "b\x03abc", "b\x04\xff\x00\"\\", "i\x00\x20\x00\x00\x00\x00\x00\x00", "i\x7f\xff\xff\xff\xff\xff\xff\xff", "n", "a\x03b\x01xni\x00\x00\x00\x00\x00\x00\x00\x01",
		"a\x02a\x01e\x03ERRs\x02OK", "b\x05\r\n\t\x7f\x1f", "*-1\r\n", "$5\r\nab\r\n", "*3\r\n:1\r\n", ":\r\n", "$-1\r\n", "*1000000000\r\n", "+a\r\nb", "$999999999999\r\n",
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, in64 bool) {
		raw := &replies{in: data, base64: in64}
		if text, failed := asResult(nil, raw); failed == nil {
			require.True(t, json.Valid(text), "%q", text)
		}
		out := resp.NewWriter(protocol)
		rest := data
		want := write(out, &rest, in64, 0)
		in := &replies{in: out.Bytes(), base64: in64}
		text, failed := appendResults(in, 1)
		require.Nil(t, failed)
		require.Empty(t, in.in, "all of it is read")
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var got []map[string]any
		require.NoError(t, d.Decode(&got), "%q", text)
		require.Len(t, got, 1)
		require.Equal(t, want, got[0]["result"], "%q", text)
	})
}

// write writes a reply that the bytes describe, and returns what its JSON has to
// say.
func write(out *resp.Writer, rest *[]byte, in64 bool, depth int) any {
	take := func(n int) []byte {
		n = min(n, len(*rest))
		b := (*rest)[:n]
		*rest = (*rest)[n:]
		return b
	}
	size := func() int {
		if b := take(1); len(b) == 1 {
			return int(b[0])
		}
		return 0
	}
	shown := func(b []byte) any {
		if in64 {
			return base64.StdEncoding.EncodeToString(b)
		}
		return strings.ToValidUTF8(each(b), "\ufffd")
	}
	switch kind := take(1); string(kind) {
	case "s":
		text := strings.Map(func(r rune) rune { // one line
			if r == '\r' || r == '\n' {
				return ' '
			}
			return r
		}, string(take(size())))
		out.Status(text)
		if depth == 0 && text == "OK" {
			return "OK"
		}
		return shown([]byte(text))
	case "i":
		var n int64
		for _, b := range take(8) {
			n = n<<8 | int64(b)
		}
		out.Int(n)
		digits := strconv.FormatInt(n, 10)
		if float64(n) > math.MaxInt64/2 || n > 1<<53-1 || n < -(1<<53-1) {
			return shown([]byte(digits))
		}
		return json.Number(digits)
	case "a":
		n := min(size(), 20)
		if depth > 20 {
			n = 0
		}
		out.Array(n)
		list := []any{}
		for range n {
			list = append(list, write(out, rest, in64, depth+1))
		}
		return list
	case "b":
		b := take(size())
		out.Bulk(b)
		return shown(b)
	case "N":
		out.NullArray()
		return nil
	default:
		out.Null()
		return nil
	}
}

// each replaces each byte that is no UTF-8 by U+FFFD.
func each(b []byte) string {
	var s strings.Builder
	for _, r := range string(b) {
		s.WriteRune(r)
	}
	return s.String()
}
