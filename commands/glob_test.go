package commands

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestGlob has the cases that people write; replay_scan_test.go throws random
// ones at Redis.
func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		pattern  string
		match    string // separated by blanks
		mismatch string
	}{
		{"*", "a abc * [", ""},
		{"a*", "a ab a*", "b ba"},
		{"*a", "a ba", "ab b"},
		{"a*c", "ac abc abcbc", "a c abcd"},
		{"*a*b*", "ab xaxbx", "ba a"},
		{"h?llo", "hello hallo h?llo", "hllo heello"},
		{"h[ae]llo", "hello hallo", "hillo h[ae]llo"},
		{"h[^e]llo", "hallo h^llo", "hello hllo"},
		{"h[a-c]llo", "hallo hbllo hcllo", "hdllo h-llo"},
		{"h[c-a]llo", "hallo hbllo hcllo", "hdllo"},
		{"[a-]", "a ] _", "- b"}, // the bracket ends the range, not the class
		{"[-a]", "a -", "b"},
		{"[a-z0-9]", "a 5", "A - _"},
		{"[]a]", "", "] a ]a]"}, // an empty class matches nothing
		{"[^]a]", "xa]", "a ]"},
		{`[\]]`, "]", `\`},
		{`[\-a]`, "- a", `\`},
		{`[a\-c]`, "a - c", "b"},
		{"[abc", "a b c", "d [abc"},
		{"[^abc", "d", "a b c"},
		{"[", "", "["},
		{"a[", "", "a a["},
		{`\*`, "*", "a"},
		{`\\`, `\`, `\\`},
		{`a\`, `a\`, "a"},
		{`\a`, "a", `\a`},
		{"a?", "ab", "a abc"},
		{"[?]", "?", "a"},
		{"[*]x", "*x", "ax x"},
		{"**", "a ab", ""},
		{"\x00*", "\x00 \x00a", "a\x00"},
		{"[\x80-\xff]", "\x80 \xff", "a"},
	} {
		for _, s := range strings.Fields(tc.match) {
			require.True(t, matchGlob(tc.pattern, s), "%q on %q", tc.pattern, s)
		}
		for _, s := range strings.Fields(tc.mismatch) {
			require.False(t, matchGlob(tc.pattern, s), "%q on %q", tc.pattern, s)
		}
	}
	require.True(t, matchGlob("", ""))
	require.False(t, matchGlob("***", ""))
	require.False(t, matchGlob("?", ""))
	require.False(t, matchGlob("[^a]", ""))
}

// TestGlobTakesNoExponentialTime on the patterns that hang other matchers.
func TestGlobTakesNoExponentialTime(t *testing.T) {
	start := time.Now()
	require.False(t, matchGlob(strings.Repeat("a*", 200)+"b", strings.Repeat("a", 5000)))
	require.False(t, matchGlob(strings.Repeat("*[^b]", 200)+"b", strings.Repeat("a", 5000)))
	require.Less(t, time.Since(start), 5*time.Second)
}

// FuzzMatchGlob compares with a matcher that is obviously right: a list of
// elements, each of which takes one byte, or any number of them.
func FuzzMatchGlob(f *testing.F) {
	for _, s := range []string{"", "*", "a*[b-d]?", "[^", `[\`, "[a-", "[z-a]*", `\`, "[]"} {
		f.Add(s, "abc")
	}
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 200 || len(s) > 200 {
			return
		}
		got := matchGlob(pattern, s)
		require.Equal(t, slowGlob(globElements(pattern), s), got, "%q on %q", pattern, s)
		if got {
			require.True(t, strings.HasPrefix(s, literalPrefix(pattern)), "prefix of %q on %q", pattern, s)
		}
		require.True(t, matchGlob(escapeGlob(s), s))
		require.Equal(t, pattern+s != "", matchGlob("*"+escapeGlob(s)+"*", pattern+s+pattern))
		require.Equal(t, s, literalPrefix(escapeGlob(s)+"*"))
	})
}

func escapeGlob(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte('\\')
		b.WriteByte(s[i])
	}
	return b.String()
}

// globElement is the set of bytes that an element takes; nil is a star.
type globElement map[byte]bool

func globElements(p string) (list []globElement) {
	for p != "" {
		e := make(globElement)
		switch {
		case p[0] == '*':
			e, p = nil, p[1:]
		case p[0] == '?':
			e, p = complement(e), p[1:]
		case p[0] == '[':
			e, p = globClass(p[1:])
		case p[0] == '\\' && len(p) > 1:
			e[p[1]], p = true, p[2:]
		default:
			e[p[0]], p = true, p[1:]
		}
		list = append(list, e)
	}
	return list
}

// globClass reads a class after its bracket.
func globClass(p string) (e globElement, rest string) {
	e = make(globElement)
	p, negated := strings.CutPrefix(p, "^")
	for p != "" && p[0] != ']' {
		switch {
		case p[0] == '\\' && len(p) > 1:
			e[p[1]], p = true, p[2:]
		case len(p) > 2 && p[1] == '-':
			for b := min(int(p[0]), int(p[2])); b <= max(int(p[0]), int(p[2])); b++ {
				e[byte(b)] = true
			}
			p = p[3:]
		default:
			e[p[0]], p = true, p[1:]
		}
	}
	if negated {
		e = complement(e)
	}
	return e, strings.TrimPrefix(p, "]")
}

func complement(e globElement) globElement {
	c := make(globElement)
	for b := range 256 {
		c[byte(b)] = !e[byte(b)]
	}
	return c
}

// slowGlob keeps, for each element, at which positions of s it may begin.
func slowGlob(list []globElement, s string) bool {
	if s == "" { // Redis ends before the first star
		return len(list) == 0
	}
	at := make([]bool, len(s)+1)
	at[0] = true
	for _, e := range list {
		next := make([]bool, len(s)+1)
		for i, possible := range at {
			switch {
			case !possible:
			case e == nil:
				for j := i; j <= len(s); j++ {
					next[j] = true
				}
			case i < len(s) && e[s[i]]:
				next[i+1] = true
			}
		}
		at = next
	}
	return at[len(s)]
}

// A class of a megabyte, tried at every byte of every key, once kept a
// namespace locked for minutes.
func TestALongPatternIsReadOnce(t *testing.T) {
	g := compileGlob("*[" + strings.Repeat("b", 1<<20) + "]q")
	key := strings.Repeat("a", 256)
	for range 10_000 {
		require.False(t, g.match(key))
	}
	require.LessOrEqual(t, len(g.elements), 3)
}
