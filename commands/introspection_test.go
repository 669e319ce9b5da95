package commands

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
)

func TestCommandSubcommands(t *testing.T) {
	const syntax = "-ERR syntax error\r\n"
	tests := []struct{ command, reply string }{
		{"COMMAND GETKEYS get a", "*1\r\n$1\r\na\r\n"},
		{"COMMAND GETKEYS MSET a b c d", "*2\r\n$1\r\na\r\n$1\r\nc\r\n"},
		{"COMMAND GETKEYS del a b", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"},
		{"COMMAND GETKEYS get a b", "-ERR Invalid number of arguments specified for command\r\n"},
		{"COMMAND GETKEYS nope x", "-ERR Invalid command specified\r\n"},
		{"COMMAND GETKEYS client nope", "-ERR Invalid command specified\r\n"},
		{"COMMAND GETKEYS client id", "-ERR The command has no key arguments\r\n"},
		{"COMMAND GETKEYS ping a", "-ERR The command has no key arguments\r\n"},
		{"COMMAND GETKEYS get", "-ERR wrong number of arguments for 'command|getkeys' command\r\n"},
		{"COMMAND GETKEYSANDFLAGS get a", "*1\r\n*2\r\n$1\r\na\r\n*2\r\n+RO\r\n+access\r\n"},
		{"COMMAND GETKEYSANDFLAGS nope x", "-ERR Invalid command specified\r\n"},
		{"COMMAND GETKEYSANDFLAGS ping a", "-ERR The command has no key arguments\r\n"},
		{"COMMAND GETKEYSANDFLAGS get a b", "-ERR Invalid number of arguments specified for command\r\n"},
		{"COMMAND COUNT x", "-ERR wrong number of arguments for 'command|count' command\r\n"},
		{"COMMAND FOO", "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n"},
		{"COMMAND LIST FILTERBY PATTERN GETr*", "*1\r\n$8\r\ngetrange\r\n"},
		{"COMMAND LIST FILTERBY pattern client|i[d]", "*1\r\n$9\r\nclient|id\r\n"},
		{"COMMAND LIST FILTERBY MODULE x", "*0\r\n"},
		{"COMMAND LIST FILTERBY ACLCAT nope", "*0\r\n"},
		{"COMMAND LIST FILTERBY NOPE x", syntax},
		{"COMMAND LIST FILTERBY MODULE", syntax},
		{"COMMAND LIST FILTERBY PATTERN a b", syntax},
		{"COMMAND LIST foo", syntax},
	}
	c := newHarness(t).open()
	for _, tt := range tests {
		t.Run(tt.command, func(t *testing.T) {
			require.Equal(t, tt.reply, c.do(strings.Fields(tt.command)...))
		})
	}
}

func TestCommandListNamesSubcommandsToo(t *testing.T) {
	c := newHarness(t).open()
	names := func(args ...string) (names []string) {
		for _, n := range parseReply(t, c.do(args...)).items {
			names = append(names, strings.TrimPrefix(n.text, "$"))
		}
		return names
	}
	all := names("COMMAND", "LIST")
	require.Subset(t, all, []string{"get", "client", "client|id", "command|docs"})
	reads := names("COMMAND", "LIST", "FILTERBY", "ACLCAT", "READ")
	require.Contains(t, reads, "get")
	require.NotContains(t, reads, "set")
	require.True(t, slices.IsSorted(names("COMMAND", "LIST", "FILTERBY", "PATTERN", "client|*")))
}

func TestHelpHasRedissFrame(t *testing.T) {
	c := newHarness(t).open()
	for _, container := range []string{"CLIENT", "COMMAND"} {
		lines := parseReply(t, c.do(container, "HELP")).items
		require.Equal(t, "+"+container+" <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", lines[0].text)
		require.Equal(t, "+HELP", lines[len(lines)-2].text)
		require.Equal(t, "+    Prints this help.", lines[len(lines)-1].text)
		for _, sub := range c.e.table.lookup([]byte(container)).sortedSubs() {
			_, name, _ := strings.Cut(sub.Name, "|")
			require.True(t, slices.ContainsFunc(lines, func(n node) bool {
				word, _, _ := strings.Cut(n.text, " ")
				return word == "+"+strings.ToUpper(name)
			}), "HELP leaves out %s", sub.Name)
		}
	}
}

// What a batch counted before it signs in anew is the former namespace's.
func TestSignInWithinABatch(t *testing.T) {
	h := newHarness(t)
	a := h.admin()
	a.do("APP.CREATE", "t/a")
	_, secret := newToken(a, "t/a")
	c := h.connect()
	c.do("AUTH", secret)
	c.do("SET", "k", "v")
	batch := []Request{
		{Argv: [][]byte{[]byte("GET"), []byte("k")}},
		{Argv: [][]byte{[]byte("AUTH"), []byte("admin"), []byte(testAdminPassword)}},
	}
	out := resp.NewWriter(resp.V2)
	n, _ := h.engine.Do(t.Context(), c.s, batch, out)
	require.Equal(t, 2, n)
	require.Equal(t, "$1\r\nv\r\n+OK\r\n", string(out.Bytes()))
	c = h.connect()
	c.do("AUTH", secret)
	require.Contains(t, c.do("INFO", "stats"), "keyspace_hits:1\r\n")
}
