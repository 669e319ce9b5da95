package commands

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// killable returns a client whose connection tells when it is killed.
func (h *harness) killable(p *auth.Principal, remote string) (c *client, killed *bool) {
	h.t.Helper()
	killed = new(bool)
	s := h.engine.NewSession(SessionOptions{Door: "resp", Remote: remote, Local: "10.0.0.1:6379", Kill: func() { *killed = true }})
	h.t.Cleanup(func() { h.engine.EndSession(s) })
	if p != nil {
		s.become(p)
	}
	return &client{t: h.t, e: h.engine, s: s}, killed
}

func (h *harness) principal(app string, scope auth.Scope) *auth.Principal {
	id := storage.ID{Tenant: "t", App: app}
	return &auth.Principal{App: auth.NewApp(id, wideOpen()), Token: &auth.Token{App: id, Scope: scope}}
}

func TestClientKillFilters(t *testing.T) {
	h := newHarness(t)
	admin := &auth.Principal{Admin: true}
	a, b := h.principal("a", auth.Scope{}), h.principal("b", auth.Scope{})
	for _, tt := range []struct {
		who  *auth.Principal
		args string
		want string // the reply, then who is closed: a1 a2 b x, and me when asked
	}{
		{a, "10.9.9.9:2", "+OK a2"},
		{a, "10.9.9.9:3", "-ERR No such client"},
		{a, "10.9.9.9:9", "+OK me"},
		{a, "ID {a1}", ":1 a1"},
		{a, "ID {b}", ":0"},
		{a, "ID {x}", ":0"},
		{a, "TYPE normal", ":2 a1 a2"},
		{a, "TYPE normal SKIPME no", ":3 a1 a2 me"},
		{a, "TYPE pubsub", ":0"},
		{a, "USER t/a", ":2 a1 a2"},
		{a, "USER default ID {a2}", ":1 a2"},
		{a, "USER t/b", "-ERR No such user 't/b'"},
		{a, "ADDR 10.9.9.9:1", ":1 a1"},
		{a, "ADDR 10.9.9.9:1 ID {a2}", ":0"},
		{a, "LADDR 10.0.0.1:6379", ":2 a1 a2"},
		{a, "MAXAGE 60", ":2 a1 a2"},
		{a, "MAXAGE 61", ":0"},
		{a, "MAXAGE 0", "-ERR maxage should be greater than 0"},
		{a, "MAXAGE x", "-ERR maxage is not an integer or out of range"},
		{admin, "10.9.9.9:3", "+OK b"},
		{admin, "TYPE normal", ":4 a1 a2 b x"},
		{admin, "ID {x}", ":1 x"},
		{admin, "USER admin SKIPME no", ":1 me"},
		{admin, "USER t/nosuch", "-ERR No such user 't/nosuch'"},
	} {
		closed := map[string]*bool{}
		clients := map[string]*client{}
		clients["a1"], closed["a1"] = h.killable(a, "10.9.9.9:1")
		clients["a2"], closed["a2"] = h.killable(a, "10.9.9.9:2")
		clients["b"], closed["b"] = h.killable(b, "10.9.9.9:3")
		clients["x"], closed["x"] = h.killable(nil, "10.9.9.9:4")
		h.clock.Advance(time.Minute)
		me, _ := h.killable(tt.who, "10.9.9.9:9")
		args := tt.args
		for name, c := range clients {
			args = strings.ReplaceAll(args, "{"+name+"}", fmt.Sprint(c.s.id))
		}
		got := strings.TrimSpace(me.do(append([]string{"CLIENT", "KILL"}, strings.Fields(args)...)...))
		for _, name := range []string{"a1", "a2", "b", "x"} {
			if *closed[name] {
				got += " " + name
			}
			h.engine.EndSession(clients[name].s)
		}
		if me.s.Closing() {
			got += " me"
		}
		h.engine.EndSession(me.s)
		require.Equal(t, tt.want, got, "%s: CLIENT KILL %s", tt.who.Name(), tt.args)
	}
}

func TestARestrictedTokenKillsOnlyItsOwnConnections(t *testing.T) {
	h := newHarness(t)
	full := h.principal("a", auth.Scope{})
	for _, scope := range []auth.Scope{{ReadOnly: true}, {Prefix: "mine:"}} {
		mine := &auth.Principal{App: full.App, Token: &auth.Token{App: full.App.ID, Scope: scope}}
		me, _ := h.killable(mine, "1:1")
		_, twinKilled := h.killable(mine, "1:2")
		_, otherKilled := h.killable(full, "1:3")
		require.Equal(t, ":1", me.run("CLIENT KILL TYPE normal"))
		require.True(t, *twinKilled)
		require.False(t, *otherKilled)
		require.Equal(t, "-NOPERM this token is restricted and may not run the 'client|pause' command", me.run("CLIENT PAUSE 1"))
		require.Equal(t, "-NOPERM this token is restricted and may not run the 'client|unpause' command", me.run("CLIENT UNPAUSE"))
	}
}

// held starts a batch that has to wait and returns where its replies come.
func (c *client) held(cmds ...[]string) <-chan string {
	replies := make(chan string, 1)
	waits := c.e.mustWait(c.s, Request{Argv: words(cmds[0])})
	require.NotNil(c.t, waits, "%q would not wait", cmds[0])
	go func() { replies <- strings.Join(c.pipeline(cmds...), "") }()
	return replies
}

func words(args []string) (argv [][]byte) {
	for _, a := range args {
		argv = append(argv, []byte(a))
	}
	return argv
}

func (c *client) waits(line string) bool {
	return c.e.mustWait(c.s, Request{Argv: words(strings.Fields(line))}) != nil
}

func TestPauseHoldsTheNamespace(t *testing.T) {
	h := newHarness(t)
	a1, a2 := h.open(), h.open()
	b := h.session(storage.ID{Tenant: "t", App: "b"}, wideOpen())
	require.Equal(t, "+OK", a1.run("CLIENT PAUSE 100000"))
	for line, waits := range map[string]bool{
		"GET k": true, "SET k v": true, "PING": true, "MULTI": true, "EXEC": true,
		"GET": false, "NOSUCH": false, "CLIENT NOSUCH": false, "AUTH x": false, "HELLO": false, "RESET": false, "QUIT": false, "CLIENT UNPAUSE": false,
	} {
		require.Equal(t, waits, a1.waits(line), line)
		require.Equal(t, waits, a2.waits(line), line)
		require.False(t, b.waits(line), line)
		require.False(t, h.connect().waits(line), line)
		require.False(t, h.admin().waits(line), line)
	}
	reply := a2.held([]string{"SET", "k", "v"}, []string{"GET", "k"})
	require.Equal(t, "+OK", b.run("CLIENT UNPAUSE"), "of another namespace")
	require.True(t, a2.waitsStill())
	require.Equal(t, "+OK", a1.run("CLIENT UNPAUSE"))
	require.Equal(t, "+OK\r\n$1\r\nv\r\n", <-reply)
	require.Zero(t, h.engine.pauses.active.Load())
}

// waitsStill asks without touching the session, which a held batch uses.
func (c *client) waitsStill() bool { return c.e.pauses.holding(c.s.principal.App, false) != nil }

func TestPauseOfWritesLetsReadsThrough(t *testing.T) {
	h := newHarness(t)
	a, other := h.open(), h.open()
	require.Equal(t, "+OK", a.run("MULTI"))
	require.Equal(t, "+QUEUED", a.run("GET k"))
	require.Equal(t, "+OK", other.run("CLIENT PAUSE 100000 WRITE"))
	require.False(t, a.waits("EXEC"))
	require.True(t, a.waits("SET k v"))
	require.Equal(t, "*1\r\n$-1", a.run("EXEC"))

	// The replies in front of the one that waits are not held back.
	batch := []Request{{Argv: words([]string{"GET", "k"})}, {Argv: words([]string{"SET", "k", "v"})}}
	out := resp.NewWriter(resp.V2)
	n, _ := h.engine.Do(context.Background(), a.s, batch, out)
	require.Equal(t, 1, n)
	require.Equal(t, "$-1\r\n", string(out.Bytes()))
	reply := a.held([]string{"SET", "k", "v"})
	require.Equal(t, "+OK", other.run("CLIENT UNPAUSE"))
	require.Equal(t, "+OK\r\n", <-reply)

	require.Equal(t, "+OK", a.run("MULTI"))
	require.Equal(t, "+QUEUED", a.run("SET k w"))
	require.Equal(t, "+OK", other.run("CLIENT PAUSE 100000 WRITE"))
	require.True(t, a.waits("EXEC"), "a transaction that writes")
	require.Equal(t, "+OK", other.run("CLIENT UNPAUSE"))
}

func TestPauseOfEverybodyAndItsEnd(t *testing.T) {
	h := newHarness(t)
	admin, a := h.admin(), h.open()
	b := h.session(storage.ID{Tenant: "t", App: "b"}, wideOpen())
	require.Equal(t, "+OK", admin.run("CLIENT PAUSE 100000"))
	require.True(t, a.waits("GET k"))
	require.True(t, b.waits("GET k"))
	require.False(t, admin.waits("PING"))
	require.Equal(t, "+OK", a.run("CLIENT UNPAUSE"), "ends no pause but the namespace's own")
	require.True(t, a.waits("GET k"))
	require.Equal(t, "+OK", admin.run("CLIENT UNPAUSE"))
	require.False(t, a.waits("GET k"))

	// A pause ends by itself, and a later one cannot make it shorter.
	require.Equal(t, "+OK", a.run("CLIENT PAUSE 1"))
	if a.waits("GET k") {
		<-a.held([]string{"PING"})
	}
	require.Equal(t, "+OK", a.run("CLIENT PAUSE 100000 WRITE"))
	reply := a.held([]string{"SET", "k", "v"})
	require.Equal(t, "+OK", h.open().run("CLIENT PAUSE 0 ALL"))
	require.True(t, h.open().waits("GET k"), "stricter now")
	require.Equal(t, "+OK", h.open().run("CLIENT UNPAUSE"))
	require.Equal(t, "+OK\r\n", <-reply)

	require.Equal(t, "-BAD_INPUT a pause of 3600001 ms is too long; at most 3600000 are allowed", a.run("CLIENT PAUSE 3600001"))

	// A connection that ends does not wait on.
	require.Equal(t, "+OK", a.run("CLIENT PAUSE 100000"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	out := resp.NewWriter(resp.V2)
	n, _ := h.engine.Do(ctx, a.s, []Request{{Argv: words([]string{"PING"})}}, out)
	require.Equal(t, 1, n)
	require.Equal(t, "+OK", h.open().run("CLIENT UNPAUSE"))
}

// A server that stops lets those go on who wait.
func TestPausesEndWithTheServer(t *testing.T) {
	h := newHarness(t)
	a, b := h.open(), h.session(storage.ID{Tenant: "t", App: "b"}, wideOpen())
	require.Equal(t, "+OK", b.run("CLIENT PAUSE 100000"))
	require.Equal(t, "+OK", h.admin().run("CLIENT PAUSE 100000 WRITE"))
	first, second := a.held([]string{"SET", "k", "v"}), b.held([]string{"SET", "k", "v"})
	h.engine.EndPauses()
	require.Equal(t, "+OK\r\n", <-first)
	require.Equal(t, "+OK\r\n", <-second)
	require.Zero(t, h.engine.pauses.active.Load())
	require.Equal(t, "+OK", b.run("CLIENT PAUSE 100000"), "from a pipeline that is still served")
	require.Zero(t, h.engine.pauses.active.Load(), "nobody waits any more")
}

func TestFailAnswersOnlyThoseWhoWantReplies(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	batch := []Request{}
	for _, line := range []string{"PING", "CLIENT REPLY SKIP", "SET k v", "PING", "CLIENT REPLY OFF", "PING", "CLIENT REPLY OFF", "CLIENT REPLY ON", "PING"} {
		batch = append(batch, Request{Argv: words(strings.Fields(line))})
	}
	out := resp.NewWriter(resp.V2)
	n, _ := h.engine.Do(context.Background(), c.s, batch, out)
	require.Equal(t, len(batch), n)
	require.Equal(t, "+PONG\r\n+PONG\r\n+OK\r\n+PONG\r\n", string(out.Bytes()))
	out.Reset()
	h.engine.Fail(c.s, n, storage.ErrClosed, out)
	require.Len(t, splitReplies(t, out.Bytes()), 4)
}

func TestDroppedRepliesLeaveMessages(t *testing.T) {
	out := resp.NewWriter(resp.V2)
	out.Status("before")
	mark := out.Mark()
	out.Status("reply")
	for _, text := range []string{"one", "two"} {
		push := out.Mark()
		out.BulkString(text)
		out.KeepPush(push)
		out.Int(1)
	}
	out.DropReplies(mark)
	require.Equal(t, "+before\r\n$3\r\none\r\n$3\r\ntwo\r\n", string(out.Bytes()))
	push := out.Mark()
	out.Status("gone")
	out.KeepPush(push)
	out.Rewind(push)
	out.DropReplies(0)
	require.Equal(t, "$3\r\none\r\n$3\r\ntwo\r\n", string(out.Bytes()))
}

// CLIENT KILL "" means no address, and not any.
func TestKillWithAnEmptyAddress(t *testing.T) {
	h := newHarness(t)
	c, other := h.open(), h.open()
	for _, args := range [][]string{{"CLIENT", "KILL", ""}, {"CLIENT", "KILL", "ADDR", ""}, {"CLIENT", "KILL", "LADDR", "", "SKIPME", "no"}} {
		require.NotContains(t, []string{"+OK\r\n", ":1\r\n", ":2\r\n"}, c.do(args...), "%q", args)
	}
	require.False(t, c.s.Closing() || other.s.Closing())
}
