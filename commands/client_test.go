package commands

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/storage"
)

// bodyOf returns the text of a bulk or verbatim reply.
func bodyOf(t *testing.T, reply string) string {
	t.Helper()
	n := parseReply(t, reply)
	require.NotEmpty(t, n.text)
	require.Equal(t, byte('$'), n.text[0], "reply %q", reply)
	return strings.TrimPrefix(n.text[1:], "txt:")
}

func TestClientSubcommands(t *testing.T) {
	const name = "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"
	const syntax = "-ERR syntax error\r\n"
	tests := []struct {
		command []string
		reply   string
	}{
		{[]string{"CLIENT"}, "-ERR wrong number of arguments for 'client' command\r\n"},
		{[]string{"CLIENT", "KILLALL"}, "-ERR unknown subcommand 'KILLALL'. Try CLIENT HELP.\r\n"},
		{[]string{"CLIENT", "GETNAME"}, "$-1\r\n"},
		{[]string{"CLIENT", "SETNAME", "a b"}, name},
		{[]string{"CLIENT", "SETNAME", "a\n"}, name},
		{[]string{"CLIENT", "SETNAME", "\xff"}, name},
		{[]string{"CLIENT", "SETNAME"}, "-ERR wrong number of arguments for 'client|setname' command\r\n"},
		{[]string{"CLIENT", "SETNAME", "worker-1"}, "+OK\r\n"},
		{[]string{"client", "getname"}, "$8\r\nworker-1\r\n"},
		{[]string{"CLIENT", "SETNAME", ""}, "+OK\r\n"},
		{[]string{"CLIENT", "GETNAME"}, "$-1\r\n"},
		{[]string{"CLIENT", "SETINFO", "lib-name", "go-redis(,go1.26)"}, "+OK\r\n"},
		{[]string{"CLIENT", "SETINFO", "LIB-VER", "9.23.0"}, "+OK\r\n"},
		{[]string{"CLIENT", "SETINFO", "lib-ver", "9 23"}, "-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n"},
		{[]string{"CLIENT", "SETINFO", "lib-os", "x"}, "-ERR Unrecognized option 'lib-os'\r\n"},
		{[]string{"CLIENT", "SETINFO", "lib-ver"}, "-ERR wrong number of arguments for 'client|setinfo' command\r\n"},
		{[]string{"CLIENT", "NO-EVICT", "on"}, "+OK\r\n"},
		{[]string{"CLIENT", "NO-EVICT", "maybe"}, syntax},
		{[]string{"CLIENT", "NO-TOUCH", "OFF"}, "+OK\r\n"},
		{[]string{"CLIENT", "NO-TOUCH", "1"}, syntax},
		{[]string{"CLIENT", "LIST", "TYPE", "foo"}, "-ERR Unknown client type 'foo'\r\n"},
		{[]string{"CLIENT", "LIST", "TYPE", "master"}, "$0\r\n\r\n"},
		{[]string{"CLIENT", "LIST", "TYPE", "normal", "x"}, syntax},
		{[]string{"CLIENT", "LIST", "ID"}, syntax},
		{[]string{"CLIENT", "LIST", "ID", "1", "x"}, "-ERR Invalid client ID\r\n"},
		{[]string{"CLIENT", "LIST", "ID", "999"}, "$0\r\n\r\n"},
		{[]string{"CLIENT", "LIST", "foo"}, syntax},
	}
	c := newHarness(t).open()
	for _, tt := range tests {
		require.Equal(t, tt.reply, c.do(tt.command...), "%q", tt.command)
	}
	require.Equal(t, fmt.Sprintf(":%d\r\n", c.s.id), c.do("CLIENT", "ID"))
	require.Equal(t, "_\r\n", c.resp3().do("CLIENT", "GETNAME"))
}

func TestClientInfoLine(t *testing.T) {
	h := newHarness(t)
	c := h.open().resp3()
	c.pipeline([]string{"CLIENT", "SETNAME", "w1"}, []string{"CLIENT", "SETINFO", "lib-name", "lib"}, []string{"SELECT", "1"})
	h.clock.Advance(3500 * time.Millisecond)
	number := strconv.FormatInt(c.s.id, 10)
	line := "id=" + number + " addr=127.0.0.1:50000 laddr=127.0.0.1:6379 fd=-1 name=w1 age=3 idle=0 flags=N db=1 sub=0 psub=0 ssub=0 " +
		"multi=-1 qbuf=0 qbuf-free=0 argv-mem=10 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=" + strconv.Itoa(int(unsafe.Sizeof(*c.s))+10) + " events=r " +
		"cmd=client|info user=t/a redir=-1 resp=3 lib-name=lib lib-ver= auth=anonymous\n"
	require.Equal(t, fmt.Sprintf("=%d\r\ntxt:%s\r\n", len(line)+4, line), c.do("CLIENT", "INFO"))

	h.clock.Advance(2 * time.Second)
	other := h.open()
	require.Contains(t, bodyOf(t, other.do("CLIENT", "LIST", "ID", number)), " age=5 idle=2 ")
	c.pipeline([]string{"MULTI"}, []string{"GET", "k"})
	require.Contains(t, bodyOf(t, other.do("CLIENT", "LIST", "ID", number)), " flags=x db=1 sub=0 psub=0 ssub=0 multi=1 ")
	require.Contains(t, bodyOf(t, other.do("CLIENT", "LIST", "ID", number)), " argv-mem=0 multi-mem=84 ")
	c.do("EXEC")
	require.Contains(t, bodyOf(t, other.do("CLIENT", "LIST", "ID", number)), " argv-mem=0 multi-mem=0 ")
}

func TestClientListTellsOfBuffers(t *testing.T) {
	h := newHarness(t)
	c, asker := h.open(), h.open()
	c.s.opts.Buffers = func() Buffers {
		return Buffers{Query: 1, QueryFree: 2, Reply: 3, ReplyPeak: 4, Unsent: 5, Messages: 6, MessageBytes: 7}
	}
	require.Contains(t, asker.do("CLIENT", "LIST", "ID", strconv.FormatInt(c.s.id, 10)), fmt.Sprintf(
		" qbuf=1 qbuf-free=2 argv-mem=0 multi-mem=0 rbs=3 rbp=4 obl=5 oll=6 omem=7 tot-mem=%d events=rw ", int(unsafe.Sizeof(*c.s))+1+2+3+7))
}

// Redis's fields stand in front, in its order; those of 7.2 follow.
func TestClientInfoHasRedissFields(t *testing.T) {
	fields := func(line string) (names []string) {
		for _, f := range strings.Fields(line) {
			name, _, _ := strings.Cut(f, "=")
			names = append(names, name)
		}
		return names
	}
	redis := realRedis(t)
	theirs := fields(bodyOf(t, redis("CLIENT", "INFO")))
	require.Equal(t, append(theirs, "lib-name", "lib-ver", "auth"), fields(bodyOf(t, newHarness(t).open().do("CLIENT", "INFO"))))
}

func TestClientListShowsOnlyTheOwnNamespace(t *testing.T) {
	h := newHarness(t)
	a1 := h.session(storage.ID{Tenant: "t", App: "a"}, auth.DefaultLimits())
	a2 := h.session(storage.ID{Tenant: "t", App: "a"}, auth.DefaultLimits())
	b := h.session(storage.ID{Tenant: "t", App: "b"}, auth.DefaultLimits())
	nobody := h.connect()
	admin := h.admin()
	b.do("CLIENT", "SETNAME", "secret")

	ids := func(c *client, args ...string) (ids []int64) {
		for line := range strings.Lines(bodyOf(t, c.do(append([]string{"CLIENT", "LIST"}, args...)...))) {
			var id int64
			_, err := fmt.Sscanf(line, "id=%d ", &id)
			require.NoError(t, err)
			ids = append(ids, id)
		}
		return ids
	}
	require.Equal(t, []int64{a1.s.id, a2.s.id}, ids(a1))
	require.Equal(t, []int64{b.s.id}, ids(b, "TYPE", "normal"))
	require.Equal(t, []int64{a2.s.id}, ids(a1, "ID", fmt.Sprint(b.s.id), fmt.Sprint(a2.s.id), fmt.Sprint(admin.s.id), fmt.Sprint(nobody.s.id)))
	require.Equal(t, []int64{a1.s.id, a2.s.id, b.s.id, nobody.s.id, admin.s.id}, ids(admin))
	require.NotContains(t, a1.do("CLIENT", "LIST"), "secret")

	h.engine.EndSession(a2.s)
	require.Equal(t, []int64{a1.s.id}, ids(a1))
}

// The number of a connection tells when it came, and not how many others did.
func TestClientIDsCountNothing(t *testing.T) {
	h := newHarness(t)
	lonely, busy := newHarness(t), h
	var ids [2][]int64
	for round := range 3 {
		for i, h := range []*harness{lonely, busy} {
			h.clock.Advance(time.Second)
			ids[i] = append(ids[i], h.open().s.id)
			if h == busy {
				for range 10 * round {
					h.session(storage.ID{Tenant: "t", App: "other"}, wideOpen())
				}
			}
		}
	}
	require.Equal(t, ids[0], ids[1])
	require.Less(t, ids[0][0], ids[0][1])
	a, b := h.open(), h.open() // in the same microsecond
	require.Greater(t, b.s.id, a.s.id)
	h.clock.Advance(-time.Hour)
	require.Greater(t, h.open().s.id, b.s.id)
	require.Less(t, b.s.id, int64(1)<<53, "exact as a double")
}
