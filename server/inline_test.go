package server

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// inlineCases were answered by redis-server 7.0.15; TestLikeRedis asks it again
// where there is one. A nil want means unbalanced quotes.
var inlineCases = []struct {
	line string
	want []string
}{
	{`a b c`, []string{"a", "b", "c"}},
	{`  a   b  `, []string{"a", "b"}},
	{"a\tb", []string{"a", "b"}},
	{`"a b" c`, []string{"a b", "c"}},
	{`'a b' c`, []string{"a b", "c"}},
	{`a"b c"`, []string{"ab c"}},
	{`a'b c'`, []string{"ab c"}},
	{`"a"b`, nil},
	{`'a'b`, nil},
	{`"a" "b"`, []string{"a", "b"}},
	{`"" x`, []string{"", "x"}},
	{`'' x`, []string{"", "x"}},
	{`""`, []string{""}},
	{`"\n\r\t\b\a"`, []string{"\n\r\t\b\a"}},
	{`"\x41\x7a\xFF"`, []string{"Az\xff"}},
	{`"\x00"`, []string{"\x00"}},
	{`"\x4"`, []string{"x4"}},
	{`"\x4g"`, []string{"x4g"}},
	{`"\xzz"`, []string{"xzz"}},
	{`"\q\\\""`, []string{`q\"`}},
	{`"a\ b"`, []string{"a b"}},
	{`'\n'`, []string{`\n`}},
	{`'it\'s'`, []string{"it's"}},
	{`'\\'`, nil},
	{`"`, nil},
	{`'`, nil},
	{`"abc`, nil},
	{`'abc`, nil},
	{`"abc\"`, nil},
	{`'abc\'`, nil},
	{`"abc\x4`, nil},
	{`"abc\`, nil},
	{`\`, []string{`\`}},
	{`a\`, []string{`a\`}},
	{`a\nb`, []string{`a\nb`}},
	{`a\"b c"`, []string{`a\b c`}},
	{"a\vb\fc", []string{"a\vb\fc"}},
	{"\va \fb", []string{"a", "b"}},
	{"a\r", []string{"a"}},
	{"a\rb", []string{"a", "b"}},
	{"a \r", []string{"a"}},
	{"\"a\v\"\vb", []string{"a\v", "b"}},
	{"\"a\"\vb", []string{"a", "b"}},
	{"\"a\"\tb", []string{"a", "b"}},
	{`a'b'"c"`, nil},
	{`a"b"'c'`, nil},
	{"\x80\xff", []string{"\x80\xff"}},
	{`$1 *2 +3`, []string{"$1", "*2", "+3"}},
}

func TestSplitInline(t *testing.T) {
	for _, c := range inlineCases {
		argv, ok := splitInline([]byte(c.line))
		require.Equal(t, c.want != nil, ok, "%q", c.line)
		require.Equal(t, c.want, texts(argv), "%q", c.line)
	}
	argv, ok := splitInline([]byte(" \t "))
	require.True(t, ok)
	require.Empty(t, argv)
	argv, ok = splitInline([]byte("a\x00b"))
	require.True(t, ok)
	require.Equal(t, []string{"a\x00b"}, texts(argv))
}

func texts(argv [][]byte) []string {
	var s []string
	for _, a := range argv {
		s = append(s, string(a))
	}
	return s
}

// FuzzSplitInline quotes arguments so that the splitter must give them back,
// and splits arbitrary lines.
func FuzzSplitInline(f *testing.F) {
	for _, c := range inlineCases {
		f.Add(c.line, "x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if argv, ok := splitInline([]byte(a)); ok {
			total := 0
			for _, arg := range argv {
				total += len(arg)
			}
			require.LessOrEqual(t, total, len(a))
		}
		argv, ok := splitInline([]byte(quoteDouble(a) + " " + quoteSingle(b)))
		if strings.HasSuffix(b, `\`) {
			return // inexpressible in single quotes
		}
		require.True(t, ok)
		require.True(t, slices.Equal([]string{a, b}, texts(argv)), "%q %q became %q", a, b, argv)
	})
}

func quoteDouble(s string) string {
	const digits = "0123456789aBcDeF"
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			b.WriteString(`\x`)
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func quoteSingle(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `\'`) + "'"
}
