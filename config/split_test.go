package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSplitArgs(t *testing.T) {
	for line, want := range map[string][]string{
		``:                         nil,
		" \t\v\f\r\n":              nil,
		`bind 127.0.0.1  ::1`:      {"bind", "127.0.0.1", "::1"},
		`a ""  ''`:                 {"a", "", ""},
		`"a b" 'c d'`:              {"a b", "c d"},
		`"\n\r\t\b\a"`:             {"\n\r\t\b\a"},
		`"\x41\xfF\x00"`:           {"A\xff\x00"},
		`"\xZZ \x4 \q \" \\"`:      {`xZZ x4 q " \`},
		`'\n \x41 \' "'`:           {`\n \x41 ' "`},
		`foo"bar baz" qux`:         {"foobar baz", "qux"},
		`it's' ok`:                 {"its", "ok"},
		"a\vb c\fd":                {"a\vb", "c\fd"},
		"\"a\"\vb":                 {"a", "b"},
		`back\slash \x41`:          {`back\slash`, `\x41`},
		`# no comment in a line`:   {"#", "no", "comment", "in", "a", "line"},
		"caf\xc3\xa9 \xff":         {"caf\xc3\xa9", "\xff"},
		"one\rtwo":                 {"one", "two"},
		`requirepass "p#1 \"x\" "`: {"requirepass", `p#1 "x" `},
	} {
		t.Run(line, func(t *testing.T) {
			words, err := splitArgs(line)
			require.NoError(t, err)
			require.Equal(t, want, words)
		})
	}
}

func TestSplitArgsRefuses(t *testing.T) {
	for line, want := range map[string]error{
		`"abc`: errQuotes, `'abc`: errQuotes, `"a"b`: errQuotes, `'a'b`: errQuotes, `"a""b"`: errQuotes,
		`"abc\`: errQuotes, `"abc\"`: errQuotes, `it's`: errQuotes, "a\x00b": errZeroByte, "\"a\x00b\"": errZeroByte,
	} {
		t.Run(line, func(t *testing.T) {
			_, err := splitArgs(line)
			require.ErrorIs(t, err, want)
		})
	}
}

// quote writes words so that splitArgs reads them back.
func quote(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		plain := w != "" && w[0] != '#' && strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:*/_-") == ""
		if plain {
			quoted[i] = w
			continue
		}
		var b strings.Builder
		for _, c := range []byte(w) {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
		quoted[i] = `"` + b.String() + `"`
	}
	return strings.Join(quoted, " ")
}

func FuzzSplitArgs(f *testing.F) {
	for _, line := range []string{`bind 127.0.0.1 -::1`, `a "b c" 'd\'e' "\x41\n"`, `"open`, `"a"b`, "x\vy \x00"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := splitArgs(line)
		if err != nil {
			return
		}
		again, err := splitArgs(quote(words))
		require.NoError(t, err)
		require.Equal(t, words, again)
	})
}
