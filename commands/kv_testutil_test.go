package commands

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/storage"
)

const (
	replyOK  = "+OK\r\n"
	replyNil = "$-1\r\n"
)

// exchange is a command, its arguments separated by blanks, and its reply.
type exchange struct{ send, want string }

func (c *client) converse(talk ...exchange) {
	c.t.Helper()
	for i, x := range talk {
		require.Equal(c.t, x.want, c.do(strings.Fields(x.send)...), "exchange %d: %s", i, x.send)
	}
}

// limited returns a client of t/a under changed default limits.
func (h *harness) limited(change func(*auth.Limits)) *client {
	l := auth.DefaultLimits()
	change(&l)
	return h.session(storage.ID{Tenant: "t", App: "a"}, l)
}

// kvRow is what a test looks at in a row of KV.LIST or KV.META.
type kvRow struct {
	key, value, expiresAt, updatedAt string
	version                          string
	fields                           int
}

func readKVRow(t *testing.T, n node) (r kvRow) {
	t.Helper()
	require.Zero(t, len(n.items)%2)
	r.fields = len(n.items) / 2
	for i := 0; i < len(n.items); i += 2 {
		text := n.items[i+1].text
		switch name := n.items[i].text; name {
		case "$key":
			r.key = text[1:]
		case "$value":
			r.value = text[1:]
		case "$expires_at":
			r.expiresAt = text
		case "$updated_at":
			r.updatedAt = text
		case "$version":
			r.version = text[1:]
		case "$size":
		default:
			require.Fail(t, "unknown field", name)
		}
	}
	return r
}

// list runs KV.LIST and returns the next cursor and the rows.
func (c *client) list(options ...string) (next string, rows []kvRow) {
	c.t.Helper()
	n := parseReply(c.t, c.do(append([]string{"KV.LIST"}, options...)...))
	require.Len(c.t, n.items, 2, "%v", n.text)
	for _, row := range n.items[1].items {
		rows = append(rows, readKVRow(c.t, row))
	}
	return n.items[0].text[1:], rows
}

func kvKeys(rows []kvRow) (keys []string) {
	for _, r := range rows {
		keys = append(keys, r.key)
	}
	return keys
}

// version is the version of key as KV.META shows it.
func (c *client) version(key string) int {
	c.t.Helper()
	n, err := strconv.Atoi(readKVRow(c.t, parseReply(c.t, c.do("KV.META", key))).version)
	require.NoError(c.t, err)
	return n
}
