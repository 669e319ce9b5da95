package commands

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// usageRow is a row of APP.USAGE in RESP2.
func usageRow(name, connections, commands, keys, bytes, maxBytes string) string {
	pair := func(name, value string) string { return bulks(name) + value }
	n := func(v string) string {
		if v == "" {
			return "$-1\r\n"
		}
		return ":" + v + "\r\n"
	}
	return "*26\r\n" + pair("name", bulks(name)) + pair("in_memory", ":1\r\n") + pair("connections", n(connections)) +
		pair("commands-last-second", n(commands)) + pair("keys", n(keys)) + pair("bytes", n(bytes)) +
		pair("ephemeral-keys", n("0")) + pair("ephemeral-bytes", n("0")) +
		pair("commands-per-second", n("")) + pair("max-keys", n("10000")) + pair("max-bytes", n(maxBytes)) +
		pair("ephemeral-max-keys", n("10000")) + pair("ephemeral-max-bytes", n(""))
}

func TestAppUsage(t *testing.T) {
	h := newHarness(t)
	a := h.admin()
	require.Equal(t, "*0\r\n", a.do("APP.USAGE"))
	a.do("APP.CREATE", "t/a", "max-bytes", "1000")
	a.do("APP.CREATE", "t/b")
	_, secret := newToken(a, "t/a")
	c := h.connect()
	c.do("AUTH", secret)
	c.pipeline([]string{"SET", "k", "value"}, []string{"GET", "k"})
	c.do("MULTI")
	c.do("NOSUCH")
	require.Equal(t, "*1\r\n"+usageRow("t/a", "1", "5", "1", "6", "1000"), a.do("APP.USAGE", "MATCH", "t/a"),
		"what was refused counts too")
	a.do("APP.USE", "t/b")
	require.Equal(t, "*1\r\n"+usageRow("t/b", "0", "1", "0", "0", ""), a.do("APP.USAGE", "MATCH", "?/b"),
		"the admin is no connection of the app's")
	require.Equal(t, "-ERR syntax error\r\n", a.do("APP.USAGE", "t/a"))
	require.Contains(t, c.do("APP.USAGE"), "-NOPERM")
}
