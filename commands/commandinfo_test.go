package commands

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/redistest"
)

// node is a parsed reply. Maps are flat, and sets are sorted so that their
// order does not matter.
type node struct {
	text  string // of anything but an aggregate, with its type byte
	items []node
}

func parseReply(t *testing.T, raw string) node {
	t.Helper()
	n, rest := parseNode(t, raw)
	require.Empty(t, rest)
	return n
}

func parseNode(t *testing.T, raw string) (n node, rest string) {
	t.Helper()
	line, rest, ok := strings.Cut(raw, "\r\n")
	require.True(t, ok)
	switch kind := line[0]; kind {
	case '$', '=':
		size, err := strconv.Atoi(line[1:])
		require.NoError(t, err)
		if size < 0 {
			return node{text: line}, rest
		}
		return node{text: "$" + rest[:size]}, rest[size+2:]
	case '*', '~', '%':
		count, err := strconv.Atoi(line[1:])
		require.NoError(t, err)
		if kind == '%' {
			count *= 2
		}
		n = node{text: string(kind)}
		for range count {
			var item node
			item, rest = parseNode(t, rest)
			n.items = append(n.items, item)
		}
		if kind == '~' {
			slices.SortFunc(n.items, func(a, b node) int { return strings.Compare(a.text, b.text) })
		}
		return n, rest
	default:
		return node{text: line}, rest
	}
}

// realRedis returns a function that asks a Redis 7.0.
func realRedis(t *testing.T) func(args ...string) string {
	t.Helper()
	c := redistest.Start(t).Dial(t)
	if !strings.Contains(c.Do("INFO", "server"), "redis_version:7.0.") {
		t.Skip("redis-server is not 7.0: what it tells about itself differs")
	}
	return c.Do
}

// otherThanRedis says where COMMAND INFO differs from Redis on purpose. The
// numbers are the positions in its rows.
var otherThanRedis = map[string]map[int]string{
	"auth":            {2: "Redis queues it in MULTI"},
	"hello":           {2: "Redis queues it in MULTI"},
	"client|kill":     {2: "apps may run it here"},
	"client|list":     {2: "apps may run it here"},
	"client|pause":    {2: "apps may run it here"},
	"client|reply":    {2: "in MULTI it would leave EXEC's array without its elements"},
	"client|unblock":  {2: "apps may run it here"},
	"client|unpause":  {2: "apps may run it here"},
	"config|get":      {2: "apps may run it here"},
	"client|no-evict": {2: "apps may run it here"},
	"rename":          {2: "the new name counts against the cap"},
	"renamenx":        {2: "the new name counts against the cap"},
	"move":            {2: "the other database has its own cap"},
	"ssubscribe":      {3: "a shard channel is no key here", 4: "a shard channel is no key here", 5: "a shard channel is no key here", 8: "a shard channel is no key here"},
	"sunsubscribe":    {3: "a shard channel is no key here", 4: "a shard channel is no key here", 5: "a shard channel is no key here", 8: "a shard channel is no key here"},
	"spublish":        {3: "a shard channel is no key here", 4: "a shard channel is no key here", 5: "a shard channel is no key here", 8: "a shard channel is no key here"},
}

func TestCommandInfoIsRedis(t *testing.T) {
	redis := realRedis(t)
	redis("HELLO", "3")
	c := newHarness(t).open().resp3()
	c.e.table.walk(func(cmd *Command) {
		theirs := parseReply(t, redis("COMMAND", "INFO", cmd.Name)).items[0]
		if theirs.items == nil {
			return // Redis 7.0 has no such command
		}
		ours := parseReply(t, c.do("COMMAND", "INFO", cmd.Name)).items[0]
		require.Len(t, ours.items, len(theirs.items), cmd.Name)
		for i := range 9 { // the tenth is the subcommands, which walk visits
			a, b := theirs.items[i], ours.items[i]
			switch i {
			case 2:
				if cmd.Also == "" {
					a = a.without("+noscript", "+loading", "+stale", "+skip_slowlog", "+skip_monitor", "+allow_busy", "+blocking")
				}
			case 7:
				if cmd.Tips == "" {
					continue
				}
			}
			if why := otherThanRedis[cmd.Name][i]; why != "" {
				require.NotEqual(t, a, b, "%s, element %d is no longer different: %s", cmd.Name, i, why)
				continue
			}
			require.Equal(t, a, b, "%s, element %d", cmd.Name, i)
		}
	})
}

// without leaves out items with one of the texts.
func (n node) without(texts ...string) node {
	n.items = slices.DeleteFunc(slices.Clone(n.items), func(i node) bool { return slices.Contains(texts, i.text) })
	if len(n.items) == 0 {
		n.items = nil
	}
	return n
}

// The shape of a row in both protocols, as Redis 7.0.15 sends it.
const (
	infoOfGet2 = "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n" +
		"*3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n" +
		"$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n" +
		"$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n" +
		"$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n$-1\r\n"
	infoOfGet3 = "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n" +
		"~3\r\n+@read\r\n+@string\r\n+@fast\r\n~0\r\n~1\r\n%3\r\n$5\r\nflags\r\n~2\r\n+RO\r\n+access\r\n" +
		"$12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n" +
		"$9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n%3\r\n$7\r\nlastkey\r\n:0\r\n" +
		"$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n~0\r\n_\r\n"
)

func TestCommandInfoInBothProtocols(t *testing.T) {
	h := newHarness(t)
	require.Equal(t, infoOfGet2, h.open().do("COMMAND", "INFO", "GET", "nope"))
	require.Equal(t, infoOfGet3, h.open().resp3().do("COMMAND", "INFO", "GET", "nope"))
	require.Equal(t, "*2\r\n$-1\r\n$-1\r\n", h.open().do("COMMAND", "INFO", "client|nope", "get|x"))
}

func TestCommandListsEveryRow(t *testing.T) {
	c := newHarness(t).open()
	all := parseReply(t, c.do("COMMAND"))
	require.Len(t, all.items, len(c.e.table.rows))
	require.Equal(t, ":"+strconv.Itoa(len(all.items))+"\r\n", c.do("COMMAND", "COUNT"))
	require.Equal(t, all, parseReply(t, c.do("COMMAND", "INFO")))
	subs := parseReply(t, c.do("COMMAND", "INFO", "client")).items[0].items[9]
	require.Equal(t, "$client|caching", subs.items[0].items[0].text)
	require.Len(t, subs.items[0].items, 10)
}

func TestCommandDocs(t *testing.T) {
	h := newHarness(t)
	const summary = "$7\r\nsummary\r\n$27\r\nReturns the value of a key.\r\n$5\r\nsince\r\n$5\r\n1.0.0\r\n$5\r\ngroup\r\n$7\r\nstrings\r\n"
	const (
		args2 = "$9\r\narguments\r\n*1\r\n*6\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n$14\r\nkey_spec_index\r\n:0\r\n"
		args3 = "$9\r\narguments\r\n*1\r\n%3\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n$14\r\nkey_spec_index\r\n:0\r\n"
	)
	require.Equal(t, "*2\r\n$3\r\nget\r\n*8\r\n"+summary+args2, h.open().do("COMMAND", "DOCS", "get", "nope"))
	require.Equal(t, "%1\r\n$3\r\nget\r\n%4\r\n"+summary+args3, h.open().resp3().do("COMMAND", "DOCS", "get", "nope"))
	require.Equal(t, "%0\r\n", h.open().resp3().do("COMMAND", "DOCS", "nope"))

	c := h.open()
	require.Len(t, parseReply(t, c.do("COMMAND", "DOCS")).items, 2*len(c.e.table.rows))
	client := parseReply(t, c.do("COMMAND", "DOCS", "client")).items[1]
	require.Equal(t, "$subcommands", client.items[6].text)
	require.Equal(t, "$client|caching", client.items[7].items[0].text)
	require.Equal(t, "$client|id", parseReply(t, c.do("COMMAND", "DOCS", "CLIENT|ID")).items[0].text)
}
