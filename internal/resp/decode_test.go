package resp_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
)

func TestDecode(t *testing.T) {
	for text, want := range map[string]any{
		"+OK\r\n":                              "OK",
		"-ERR x\r\n":                           resp.ErrorText("ERR x"),
		":-12\r\n":                             int64(-12),
		"$-1\r\n":                              nil,
		"*-1\r\n":                              nil,
		"$0\r\n\r\n":                           "",
		"$4\r\na\r\nb\r\n":                     "a\r\nb",
		"*0\r\n":                               []any{},
		"*3\r\n:1\r\n*1\r\n$1\r\nx\r\n$-1\r\n": []any{int64(1), []any{"x"}, nil},
	} {
		got, rest, err := resp.Decode([]byte(text + "+next\r\n"))
		require.NoError(t, err, "%q", text)
		require.Equal(t, want, got, "%q", text)
		require.Equal(t, "+next\r\n", string(rest))
	}
	for _, text := range []string{
		"", "\n", "+\n", "+OK", "x1\r\n", ":x\r\n", "$5\r\nabc\r\n", "$-2\r\n", "*-2\r\n", "*2\r\n:1\r\n", "*999999999999\r\n", "$9223372036854775807\r\nx\r\n",
		strings.Repeat("*1\r\n", 100),
	} {
		_, _, err := resp.Decode([]byte(text))
		require.ErrorIs(t, err, resp.ErrMalformed, "%q", text)
	}
}
