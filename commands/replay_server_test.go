package commands

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
)

var serverScripts = []string{
	`acl
	ACL
	ACL NOPE
	ACL WHOAMI x
	ACL CAT
	ACL CAT nope
	ACL CAT read x
	ACL GENPASS x
	ACL GENPASS 0
	ACL GENPASS -1
	ACL GENPASS 4097
	ACL GENPASS 1 2
	ACL SETUSER
	ACL DRYRUN a`,
	`no cluster
	READONLY
	READONLY x
	READWRITE
	ASKING
	CLUSTER
	CLUSTER NOPE
	CLUSTER INFO
	CLUSTER INFO x
	CLUSTER NODES
	CLUSTER SLOTS
	CLUSTER SHARDS
	CLUSTER LINKS
	CLUSTER MYID
	CLUSTER KEYSLOT a
	CLUSTER KEYSLOT
	CLUSTER COUNTKEYSINSLOT 0
	CLUSTER GETKEYSINSLOT 0 1
	CLUSTER HELP`,
	`alone
	ROLE
	ROLE x
	MODULE
	MODULE LIST
	MODULE LIST x`,
	`keys behind a number that is none
	COMMAND GETKEYSANDFLAGS EVAL s 1.5 a b
	COMMAND GETKEYS EVAL s 1.5 a b
	COMMAND GETKEYSANDFLAGS EVAL s " +1x" a b
	COMMAND GETKEYSANDFLAGS EVAL s abc a b
	COMMAND GETKEYSANDFLAGS EVAL s -1 a b
	COMMAND GETKEYSANDFLAGS EVAL s 3.1 a b
	COMMAND GETKEYSANDFLAGS EVAL s 99999999999999999999 a b
	COMMAND GETKEYSANDFLAGS EVAL s 2 a b
	COMMAND GETKEYSANDFLAGS EVAL s 3 a b
	COMMAND GETKEYSANDFLAGS SET k v GET
	COMMAND GETKEYSANDFLAGS SET k v EX 10
	COMMAND GETKEYSANDFLAGS SET k get
	COMMAND GETKEYSANDFLAGS BITFIELD k GET u8 0 OVERFLOW FAIL GET u8 1
	COMMAND GETKEYSANDFLAGS BITFIELD k GET u8 0 SET u8 0 1
	COMMAND GETKEYSANDFLAGS BITFIELD k
	COMMAND GETKEYSANDFLAGS BITOP AND a b c
	COMMAND GETKEYSANDFLAGS RENAMENX a b
	COMMAND GETKEYSANDFLAGS COPY a b
	COMMAND GETKEYSANDFLAGS MSET a 1 b 2
	COMMAND GETKEYSANDFLAGS OBJECT ENCODING a`,
	`shutdown
	SHUTDOWN x
	SHUTDOWN SAVE NOSAVE
	SHUTDOWN ABORT
	SHUTDOWN ABORT NOW
	SHUTDOWN NOW ABORT
	SHUTDOWN FORCE x
	MULTI
	SHUTDOWN`,
}

func TestReplayServer(t *testing.T) { replayAsAdmin(t, serverScripts) }

// ACL CAT lists of each category what Redis lists, less what we lack; our own
// commands stand beside.
func TestACLCategoriesAreRedis(t *testing.T) {
	redis := realRedis(t)
	c := newHarness(t).open()
	list := func(reply string) (names []string) {
		for _, n := range parseReply(t, reply).items {
			names = append(names, n.text[1:])
		}
		return names
	}
	for _, category := range list(redis("ACL", "CAT")) {
		ours := list(c.do("ACL", "CAT", category))
		theirs := slices.DeleteFunc(list(redis("ACL", "CAT", category)), func(name string) bool { return c.e.table.named([]byte(name)) == nil })
		for _, name := range theirs {
			require.Contains(t, ours, name, category)
		}
		for _, name := range ours {
			if !slices.Contains(theirs, name) {
				known := parseReply(t, redis("COMMAND", "INFO", name)).items[0]
				require.Nil(t, known.items, "%s is not in Redis's @%s", name, category)
			}
		}
	}
}

func TestACLTellsWhoOneIs(t *testing.T) {
	h := newHarness(t)
	require.Equal(t, "$3\r\nt/a", h.open().run("ACL WHOAMI"))
	admin := h.admin()
	require.Equal(t, "$5\r\nadmin", admin.run("ACL WHOAMI"))
	for bits, digits := range map[string]int{"": 64, "1": 1, "4": 1, "5": 2, "4096": 1024} {
		require.Len(t, bodyOf(t, admin.do(strings.Fields("ACL GENPASS "+bits)...)), digits)
	}
	first := admin.do("ACL", "GENPASS")
	require.NotEqual(t, first, admin.do("ACL", "GENPASS"))
	require.Equal(t, "-ERR there are no ACL users here (hint: APP.CREATE and TOKEN.CREATE say who may do what)", admin.run("ACL SETUSER bob on >secret"))
	require.Equal(t, "-NOPERM only the admin may run the 'acl|list' command", h.open().run("ACL LIST"))
}

func TestShutdownStopsTheServer(t *testing.T) {
	h := newHarness(t)
	admin := h.admin()
	require.Equal(t, "-ERR this server cannot be stopped by a command", admin.run("SHUTDOWN"))
	stopped := 0
	h.engine.server.Shutdown = func() { stopped++ }
	require.Equal(t, "-NOPERM only the admin may run the 'shutdown' command", h.open().run("SHUTDOWN"))
	require.Zero(t, stopped)
	for i, line := range []string{"SHUTDOWN", "SHUTDOWN NOSAVE", "SHUTDOWN save now FORCE"} {
		c, _ := h.killable(&auth.Principal{Admin: true}, "1:1")
		require.Empty(t, c.pipeline(strings.Fields(line)))
		require.True(t, c.s.Closing())
		require.Equal(t, i+1, stopped)
	}
}
