package auth

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOrigins(t *testing.T) {
	for _, good := range []string{
		"https://app.example.com", "http://localhost:3000", "http://127.0.0.1", "http://[::1]:8080", "https://[2001:db8::1]",
		"https://xn--bcher-kva.example", "chrome-extension://abcdefghijklmnop", "capacitor://localhost", "http://a_b.example", "https://a.example:80",
	} {
		require.NoError(t, checkOrigin(good), good)
	}
	for bad, want := range map[string]string{
		"null": "pages of many sorts", "": "not a web origin", "*": "not a web origin", "https://": "not a web origin", "//a.example": "not a web origin",
		"a.example": "not a web origin", "https://a.example/": "without a path", "https://a.example/x": "without a path", "https://a.example?x": "without a path",
		"https://a.example#x": "without a path", "https://u:p@a.example": "not a web origin", "https://u@a.example": "not a web origin",
		"https://A.example": "lower case", "HTTPS://a.example": "lower case", " https://a.example": "not a web origin", "https://a.example ": "not a web origin",
		"https://*.example.com": "its host is", "https://bücher.example": "its host is", "https://a%2eexample": "not a web origin", "https://a,b": "its host is",
		"https://a.example:": "a port is", "https://a.example:0": "a port is", "https://a.example:65536": "a port is", "https://a.example:080": "a port is",
		"https://a.example:443": "left out", "http://a.example:80": "left out", "https://a.example:x": "not a web origin", "https://:8080": "its host is",
		"http://[::1%25eth0]": "not a web origin", "http://[0:0::1]": "its host is", "http://::1": "not a web origin", "file:///etc/passwd": "not a web origin", "about:blank": "not a web origin",
		"https://" + strings.Repeat("a", 300): "not a web origin", "https://a.example\r\n": "not a web origin", "https://a.example\x00": "not a web origin",
	} {
		err := checkOrigin(bad)
		var input *InputError
		require.ErrorAs(t, err, &input, bad)
		require.ErrorContains(t, err, want, bad)
	}
	many := make([]string, maxOrigins+1)
	for i := range many {
		many[i] = fmt.Sprintf("https://a%d.example", i)
	}
	require.NoError(t, checkOrigins(many[1:]))
	require.ErrorContains(t, checkOrigins(many), "101 origins")
}
