package commands

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// pushOf is a message as RESP2 or RESP3 shows it.
func pushOf(proto int, fields ...string) string {
	return string(newMessage(fields...).bytes(proto))
}

func TestChannelsBelongToTheNamespace(t *testing.T) {
	h := newHarness(t)
	a := h.session(storage.ID{Tenant: "t", App: "a"}, wideOpen())
	b := h.session(storage.ID{Tenant: "t", App: "b"}, wideOpen())
	listener := h.session(storage.ID{Tenant: "t", App: "a"}, wideOpen())
	listener.do("SUBSCRIBE", "news")
	listener.do("PSUBSCRIBE", "*")
	require.Equal(t, ":0\r\n", b.do("PUBLISH", "news", "x"))
	require.Equal(t, "*0\r\n", b.do("PUBSUB", "CHANNELS"))
	require.Equal(t, ":0\r\n", b.do("PUBSUB", "NUMPAT"))
	require.Equal(t, "*2\r\n$4\r\nnews\r\n:0\r\n", b.do("PUBSUB", "NUMSUB", "news"))
	require.Contains(t, b.do("INFO", "stats"), "pubsub_channels:0\r\npubsub_patterns:0\r\n")
	require.Contains(t, a.do("INFO", "stats"), "pubsub_channels:1\r\npubsub_patterns:1\r\n")
	require.Contains(t, h.admin().do("INFO", "stats"), "pubsub_channels:1\r\npubsub_patterns:1\r\n")
	require.Empty(t, listener.pushed())
	require.Equal(t, "+OK\r\n", a.do("SELECT", "1"), "the databases share the channels")
	require.Equal(t, ":2\r\n", a.do("PUBLISH", "news", "x"))
	require.Equal(t, pushOf(2, "message", "news", "x")+pushOf(2, "pmessage", "*", "news", "x"), listener.pushed())
	require.Equal(t, "-"+errNoNamespace.Error()+"\r\n", h.admin().do("PUBLISH", "news", "x"))
}

// Nothing is kept of a namespace in which nobody listens any more.
func TestHubGoesWithItsLastSubscriber(t *testing.T) {
	h := newHarness(t)
	a, b := h.open(), h.open()
	ends := []struct {
		name string
		end  func()
	}{
		{"UNSUBSCRIBE", func() { a.do("UNSUBSCRIBE", "x") }},
		{"RESET", func() { a.do("RESET"); a.s.become(b.s.principal) }},
		{"AUTH", func() { a.s.become(b.s.principal) }},
		{"disconnect", func() { h.engine.EndSession(a.s) }},
	}
	for _, e := range ends {
		a.do("SUBSCRIBE", "x")
		require.Equal(t, ":1\r\n", b.do("PUBLISH", "x", "m"), e.name)
		require.Len(t, h.engine.hubs.all(), 1)
		a.pushed()
		e.end()
		require.Empty(t, h.engine.hubs.all(), e.name)
		require.Equal(t, ":0\r\n", b.do("PUBLISH", "x", "m"), e.name)
		require.Empty(t, a.pushed(), e.name)
	}
}

// A message that was pushed before a command ended the subscription comes
// before the command's reply: behind it, RESP2 could not tell it from the next.
func TestNothingFollowsTheEndOfASubscription(t *testing.T) {
	h := newHarness(t)
	token := ":0\r\n"
	for _, end := range [][]string{{"UNSUBSCRIBE", "a"}, {"UNSUBSCRIBE"}, {"RESET"}, {"AUTH", "admin", testAdminPassword}} {
		for _, proto := range []int{2, 3} {
			if end[0] == "AUTH" && proto == 2 {
				continue // not allowed while subscribed
			}
			a, b := h.open(), h.open()
			if proto == 3 {
				a.resp3()
			}
			a.do("SUBSCRIBE", "a")
			require.NotEqual(t, token, b.do("PUBLISH", "a", "m"))
			require.True(t, strings.HasPrefix(string(a.raw(end)), pushOf(proto, "message", "a", "m")), "%q", end)
			require.Empty(t, a.pushed())
		}
	}
	a, b := h.open().resp3(), h.open()
	a.do("SUBSCRIBE", "a")
	b.do("PUBLISH", "a", "m")
	require.True(t, strings.HasPrefix(string(a.raw([]string{"HELLO", "2"})), pushOf(3, "message", "a", "m")+"*14\r\n"))
	b.do("PUBLISH", "a", "m")
	require.Equal(t, pushOf(2, "message", "a", "m"), a.pushed())
}

func TestSubscriptionBounds(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	long := strings.Repeat("x", maxChannelName+c.s.principal.App.Limits().KeyBytes+1)
	for _, name := range []string{"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"} {
		require.Contains(t, c.do(name, "fine", long), "-BAD_INPUT the channel's name is", name)
		require.Zero(t, c.s.subs.total, "all or none")
	}
	require.Contains(t, c.do("PUBLISH", long, "x"), "-BAD_INPUT the channel's name is")
	for i := range maxSubscriptions {
		c.raw([]string{"SUBSCRIBE", strconv.Itoa(i)})
	}
	full := "-" + errSubscriptionsFull.Error() + "\r\n"
	require.Equal(t, full, c.do("SUBSCRIBE", "0", "one", "two"))
	require.Equal(t, maxSubscriptions, c.s.subs.total)
	require.Len(t, splitReplies(t, c.raw([]string{"UNSUBSCRIBE", "0", "1"})), 2)
	require.Equal(t, full, c.do("SUBSCRIBE", "one", "two", "three"))
	require.Len(t, splitReplies(t, c.raw([]string{"SUBSCRIBE", "one", "two", "2"})), 3)
	c.do("RESET")
	require.Empty(t, h.engine.hubs.all())

	for i := range 2 {
		c := h.open()
		for n := range maxPatterns / 2 {
			c.raw([]string{"PSUBSCRIBE", fmt.Sprint(i, n, "*")})
		}
	}
	c = h.open()
	require.Equal(t, "-"+errPatternsFull.Error()+"\r\n", c.do("PSUBSCRIBE", "another*"))
	require.Equal(t, byte('*'), c.do("PSUBSCRIBE", "0 0*")[0], "there is one like it")
	require.Equal(t, byte('*'), c.do("SUBSCRIBE", "another")[0])
	other := h.session(storage.ID{Tenant: "t", App: "b"}, wideOpen())
	require.Equal(t, byte('*'), other.do("PSUBSCRIBE", "another*")[0], "another namespace has its own room")

	c = h.open()
	name := strings.Repeat("y", maxChannelName)
	for i := range maxSubscriptionBytes / (maxChannelName + 16) {
		c.raw([]string{"SUBSCRIBE", name + strconv.Itoa(i)})
	}
	require.Equal(t, full, c.do("SUBSCRIBE", name))
	require.Less(t, c.s.subs.total, maxSubscriptions)
}

func TestClientListShowsSubscriptions(t *testing.T) {
	h := newHarness(t)
	a, b := h.open(), h.open()
	a.do("SUBSCRIBE", "x", "y")
	a.do("PSUBSCRIBE", "z*")
	a.do("SSUBSCRIBE", "s")
	list := b.do("CLIENT", "LIST", "TYPE", "pubsub")
	require.Contains(t, list, " flags=P db=0 sub=2 psub=1 ssub=1 ")
	require.Equal(t, 1, strings.Count(list, "id="))
	list = b.do("CLIENT", "LIST", "TYPE", "normal")
	require.Contains(t, list, " flags=N db=0 sub=0 psub=0 ssub=0 ")
	require.Equal(t, 1, strings.Count(list, "id="))
}

// A door that cannot push has no subscribers.
func TestSubscribingNeedsADoorThatPushes(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	c.s.opts.Push, c.s.opts.TakePushed = nil, nil
	require.Equal(t, "-ERR SUBSCRIBE isn't allowed for a DENY BLOCKING client\r\n", c.do("SUBSCRIBE", "a"))
	require.Equal(t, "-ERR PSUBSCRIBE isn't allowed for a DENY BLOCKING client\r\n", c.do("PSUBSCRIBE", "a"))
	require.Equal(t, ":0\r\n", c.do("PUBLISH", "a", "x"))
}

// EXEC's reply is one array, unlike in Redis 7.0, which puts the message into it.
func TestOwnMessagesFollowATransaction(t *testing.T) {
	c := newHarness(t).open().resp3()
	c.do("SUBSCRIBE", "a")
	require.Equal(t, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n+OK\r\n"+pushOf(3, "message", "a", "x")+"+PONG\r\n",
		string(c.raw([]string{"MULTI"}, []string{"PUBLISH", "a", "x"}, []string{"SET", "k", "v"}, []string{"EXEC"}, []string{"PING"})))
}

// Each subscriber hears each publisher's messages in order, and all of them.
func TestManyPublishers(t *testing.T) {
	const publishers, subscribers, each = 8, 4, 200
	h := newHarness(t)
	listeners := make([]*client, subscribers)
	for i := range listeners {
		listeners[i] = h.open()
		listeners[i].do("SUBSCRIBE", "a")
		listeners[i].do("PSUBSCRIBE", "b*")
	}
	var wg sync.WaitGroup
	for p := range publishers {
		c := h.open()
		restless := h.open()
		wg.Go(func() {
			for n := range each {
				channel := []string{"a", "bc"}[n%2]
				batch := []Request{{Argv: [][]byte{[]byte("PUBLISH"), []byte(channel), fmt.Appendf(nil, "%d %d", p, n)}}}
				if n%5 == 0 { // also out of a transaction that writes
					batch = []Request{{Argv: [][]byte{[]byte("MULTI")}}, {Argv: [][]byte{[]byte("SET"), []byte("k"), []byte("v")}},
						batch[0], {Argv: [][]byte{[]byte("EXEC")}}}
				}
				out := resp.NewWriter(resp.V2)
				for len(batch) > 0 {
					done, _ := c.e.Do(context.Background(), c.s, batch, out)
					batch = batch[done:]
				}
			}
		})
		wg.Go(func() { // comes and goes meanwhile
			out := resp.NewWriter(resp.V2)
			for range each {
				for _, cmd := range []string{"SUBSCRIBE", "UNSUBSCRIBE"} {
					restless.e.Do(context.Background(), restless.s, []Request{{Argv: [][]byte{[]byte(cmd), []byte("a")}}}, out)
				}
				out.Reset()
			}
		})
	}
	wg.Wait()
	for _, l := range listeners {
		next := [publishers]int{}
		for _, raw := range splitReplies(t, []byte(l.pushed())) {
			fields := elements(t, raw)
			var p, n int
			_, err := fmt.Sscanf(bodyOf(t, fields[len(fields)-1]), "%d %d", &p, &n)
			require.NoError(t, err)
			require.Equal(t, next[p], n, "publisher %d", p)
			next[p]++
		}
		for p := range next {
			require.Equal(t, each, next[p])
		}
	}
	require.Len(t, h.engine.hubs.all(), 1)
}
