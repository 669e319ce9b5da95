package commands

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// connectWith is connect with a way to be closed; the result tells how often it was.
func (h *harness) connectWith(secret string) (*client, *int) {
	closed := new(int)
	c := h.connect()
	c.s.opts.Kill = func() { *closed++ }
	require.Equal(h.t, "+OK\r\n", c.do("AUTH", secret))
	return c, closed
}

func TestTokenRotate(t *testing.T) {
	h := newHarness(t)
	a := h.admin()
	a.do("APP.CREATE", "t/a")
	id, first := newToken(a, "t/a")
	old, killed := h.connectWith(first)
	reply := parseReply(t, a.do("TOKEN.ROTATE", id))
	second := strings.TrimPrefix(reply.items[3].text, "$")
	end := strconv.FormatInt(h.clock.Now()+60_000, 10)
	require.Equal(t, []string{"$id", "$" + id, "$token", "$" + second, "$grace_ends_at", ":" + end}, texts(reply.items))
	require.Regexp(t, "^cub_"+id+"_[0-9A-Za-z]{43}$", second)
	require.Contains(t, a.do("TOKEN.LIST", "t/a"), "$10\r\nrotated_at\r\n:"+strconv.FormatInt(h.clock.Now(), 10)+"\r\n$13\r\ngrace_ends_at\r\n:"+end+"\r\n")

	fresh, _ := h.connectWith(second)
	late, _ := h.connectWith(first)
	require.Contains(t, fresh.do("CLIENT", "LIST"), "auth=token:"+id)
	h.clock.Advance(time.Minute)
	require.Contains(t, a.do("TOKEN.LIST", "t/a"), "grace_ends_at\r\n$-1\r\n")
	for _, c := range []*client{old, late} {
		require.Equal(t, "-NOAUTH the token has expired or was revoked; sign in again\r\n", c.do("PING"))
		require.Contains(t, c.do("AUTH", first), "-WRONGPASS")
	}
	require.Equal(t, "+PONG\r\n", fresh.do("PING"))
	require.Zero(t, *killed)
}

func TestTokenRotateWithoutGrace(t *testing.T) {
	h := newHarness(t)
	a := h.admin()
	a.do("APP.CREATE", "t/a")
	id, first := newToken(a, "t/a")
	old, killed := h.connectWith(first)
	second := parseReply(t, a.do("TOKEN.ROTATE", id, "grace", "10")).items[3].text[1:]
	mid, killedToo := h.connectWith(second)
	reply := parseReply(t, a.do("TOKEN.ROTATE", id, "GRACE", "0"))
	require.Equal(t, "$-1", reply.items[5].text)
	third, kept := h.connectWith(reply.items[3].text[1:])
	require.Equal(t, []int{1, 1, 0}, []int{*killed, *killedToo, *kept})
	require.Contains(t, old.do("PING")+mid.do("PING"), "-NOAUTH")
	require.Equal(t, "+PONG\r\n", third.do("PING"))

	a.do("TOKEN.ROTATE", id)
	require.Equal(t, ":1\r\n", a.do("TOKEN.REVOKE", id))
	require.Equal(t, 1, *kept, "also those of a secret that was in its grace")
}

func TestTokenRotateRefusals(t *testing.T) {
	h := newHarness(t)
	a := h.admin()
	a.do("APP.CREATE", "t/a")
	id, secret := newToken(a, "t/a")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"TOKEN.ROTATE", "nobody"}, "-ERR no such token 'nobody' (hint: TOKEN.LIST tenant/app shows the ids)"},
		{[]string{"TOKEN.ROTATE", secret}, "-BAD_INPUT TOKEN.ROTATE takes the token's id, not its secret"},
		{[]string{"TOKEN.ROTATE", id, "GRACE"}, "-ERR syntax error"},
		{[]string{"TOKEN.ROTATE", id, "GRACE", "soon"}, "-BAD_INPUT GRACE \"soon\": it is not a duration"},
		{[]string{"TOKEN.ROTATE", id, "GRACE", "-1"}, "-BAD_INPUT GRACE"},
		{[]string{"TOKEN.ROTATE", id, "GRACE", "31d"}, "-BAD_INPUT the grace is 31d; 0 to 30d are allowed"},
	} {
		require.Contains(t, a.do(c.args...), c.want, c.args)
	}
	c := h.connect()
	require.Equal(t, "+OK\r\n", c.do("AUTH", secret), "nothing changed")
	require.Contains(t, c.do("TOKEN.ROTATE", id), "-NOPERM")
	for _, name := range []string{"token.rotate", "token.revoke"} {
		row := h.engine.table.byName[name]
		require.Equal(t, [][]byte{[]byte(name), []byte(redacted)}, shownArgs(row, [][]byte{[]byte(name), []byte(secret)}, nil))
		require.Equal(t, [][]byte{[]byte(name), []byte(id)}, shownArgs(row, [][]byte{[]byte(name), []byte(id)}, nil))
	}
}

// Who only listens sends no command at which access could end.
func TestListenersEndWithTheirSignIn(t *testing.T) {
	h := newHarness(t)
	a := h.admin()
	a.do("APP.CREATE", "t/a")
	id, first := newToken(a, "t/a")
	_, other := newToken(a, "t/a")
	speaker, _ := h.connectWith(other)
	ended := make(chan string, 4)
	listen := func(name string, cmd ...string) *client {
		c := h.connect()
		c.s.opts.Kill = func() { ended <- name }
		c.do("AUTH", first)
		c.resp3().do(cmd...)
		return c
	}
	list := []*client{listen("channel", "SUBSCRIBE", "news"), listen("pattern", "PSUBSCRIBE", "n*"), listen("tracking", "CLIENT", "TRACKING", "ON", "BCAST")}
	a.do("TOKEN.ROTATE", id, "GRACE", "1")
	speak := func() {
		speaker.do("PUBLISH", "news", "x")
		speaker.do("SET", "k", "v")
	}
	speak()
	for _, c := range list {
		require.NotEmpty(t, c.pushed())
	}
	h.clock.Advance(time.Second)
	speak()
	for _, c := range list {
		require.Empty(t, c.pushed())
	}
	require.ElementsMatch(t, []string{"channel", "pattern", "tracking"}, []string{<-ended, <-ended, <-ended})
}
