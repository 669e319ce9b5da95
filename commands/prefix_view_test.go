package commands

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/storage"
)

// narrowed returns a client of t/a whose token opens keys under a prefix; all is
// one of the same app without a prefix.
func (h *harness) narrowed(all *client, prefix string) *client {
	c := h.connect()
	app := all.s.principal.App
	c.s.become(&auth.Principal{App: app, Token: &auth.Token{App: app.ID, Scope: auth.Scope{Prefix: prefix}}})
	return c
}

// view returns a namespace with keys around those under "p:", and a client that
// sees only these.
func view(t *testing.T) (h *harness, all, c *client) {
	h = newHarness(t)
	all = h.open()
	c = h.narrowed(all, "p:")
	all.do("MSET", "a", "1", "o:1", "1", "p", "1", "p:1", "one", "p:2", "two", "p:3", "three", "p;", "1", "q", "1")
	all.pipeline([]string{"SELECT", "1"}, []string{"MSET", "a", "1", "p:9", "nine"}, []string{"SELECT", "0"})
	return h, all, c
}

func TestListingsOfAPrefixToken(t *testing.T) {
	_, _, c := view(t)
	own := "*3\r\n" + bulks("p:1", "p:2", "p:3")
	require.Equal(t, own, c.do("KEYS", "*"))
	require.Equal(t, own, c.do("KEYS", "p*"))
	require.Equal(t, "*1\r\n"+bulks("p:2"), c.do("KEYS", "p:2"))
	require.Equal(t, "*0\r\n", c.do("KEYS", "a*"))
	require.Equal(t, "*0\r\n", c.do("KEYS", "q"))
	require.Equal(t, "*2\r\n"+bulks("0")+own, c.do("SCAN", "0"))
	require.Equal(t, "*2\r\n"+bulks("0")+"*0\r\n", c.do("SCAN", "0", "MATCH", "q*"))
	require.Equal(t, "*2\r\n"+bulks("0")+own, c.do("SCAN", "0", "COUNT", "3"), "the last page says so: what follows is not seen")
	require.Equal(t, ":3\r\n", c.do("DBSIZE"))
	require.Equal(t, "*2\r\n"+bulks("0")+own, c.do("EVAL", "return redis.call('SCAN', 0)", "0"))
	seen := make(map[string]bool)
	for range 200 {
		seen[bodyOf(t, c.do("RANDOMKEY"))] = true
	}
	require.Equal(t, map[string]bool{"p:1": true, "p:2": true, "p:3": true}, seen)

	rows := parseReply(t, c.do("KV.LIST", "NOVALUES"))
	require.Len(t, rows.items[1].items, 3)
	rows = parseReply(t, c.do("KV.LIST", "PREFIX", "o:"))
	require.Empty(t, rows.items[1].items)
	rows = parseReply(t, c.do("KV.LIST", "CURSOR", formatListCursor("a"), "LIMIT", "3"))
	require.Equal(t, "$0", rows.items[0].text)
	require.Len(t, rows.items[1].items, 3)
	usage := parseReply(t, c.do("KV.USAGE"))
	require.Equal(t, []string{"$keys", ":3", "$bytes", ":20", "$ephemeral-keys", ":1", "$ephemeral-bytes", ":7"}, texts(usage.items[6:14]))
	require.Equal(t, []string{"$commands-last-second", "$-1", "$commands-burst-left", "$-1", "$connections", "$-1"}, texts(usage.items[14:20]))

	replies := c.pipeline([]string{"SELECT", "1"}, []string{"KEYS", "*"}, []string{"DBSIZE"})
	require.Equal(t, []string{"+OK\r\n", "*1\r\n" + bulks("p:9"), ":1\r\n"}, replies)
	require.Equal(t, "-NOPERM this token opens only keys that start with its prefix and may not run the 'kv.purge' command\r\n", c.do("KV.PURGE"))
}

func texts(nodes []node) (list []string) {
	for _, n := range nodes {
		list = append(list, n.text)
	}
	return list
}

func TestAnEmptyPrefixRange(t *testing.T) {
	h, all, _ := view(t)
	c := h.narrowed(all, "nothing:")
	require.Equal(t, "$-1\r\n", c.do("RANDOMKEY"))
	require.Equal(t, ":0\r\n", c.do("DBSIZE"))
	require.Equal(t, "*2\r\n"+bulks("0")+"*0\r\n", c.do("SCAN", "0"))
	require.Equal(t, "+OK\r\n", c.do("FLUSHALL"))
	require.Equal(t, ":8\r\n", all.do("DBSIZE"))
}

func TestFlushOfAPrefixToken(t *testing.T) {
	_, all, c := view(t)
	c.pipeline([]string{"MULTI"}, []string{"SET", "p:4", "four"}, []string{"FLUSHDB"}, []string{"SET", "p:5", "five"}, []string{"DBSIZE"}, []string{"EXEC"})
	require.Equal(t, "*1\r\n"+bulks("p:5"), c.do("KEYS", "*"))
	require.Equal(t, "*6\r\n"+bulks("a", "o:1", "p", "p:5", "p;", "q"), all.do("KEYS", "*"))
	require.Equal(t, ":1\r\n", c.pipeline([]string{"SELECT", "1"}, []string{"DBSIZE"})[1])
	require.Equal(t, "*2\r\n:0\r\n:1\r\n", c.do("EVAL", "redis.call('FLUSHALL') local n = redis.call('DBSIZE') redis.call('SET','p:x',1) return {n, redis.call('DBSIZE')}", "0"))
	require.Equal(t, ":1\r\n", c.do("DBSIZE"))
	require.Equal(t, "*5\r\n"+bulks("a", "o:1", "p", "p;", "q"), all.do("KEYS", "*"))
}

// A cursor made of the fingerprint of somebody else's key tells nothing of it.
func TestCursorsOfOthersTellNothing(t *testing.T) {
	_, all, c := view(t)
	page := parseReply(t, all.do("SCAN", "0", "COUNT", "1"))
	theirs := strings.TrimPrefix(page.items[0].text, "$")
	require.Equal(t, strconv.FormatUint(fingerprint("o:1"), 10), theirs)
	for _, cursor := range []string{theirs, strconv.FormatUint(fingerprint("nobody's"), 10)} {
		require.Equal(t, "*2\r\n"+bulks("0")+"*3\r\n"+bulks("p:1", "p:2", "p:3"), c.do("SCAN", cursor))
	}
	page = parseReply(t, c.do("SCAN", "0", "COUNT", "2"))
	require.Equal(t, strconv.FormatUint(fingerprint("p:3"), 10), page.items[0].text[1:])
	require.Equal(t, "*2\r\n"+bulks("0")+"*1\r\n"+bulks("p:3"), c.do("SCAN", page.items[0].text[1:]))
}

// A row of the table that forgets one of its keys opens nothing.
func TestAKeyThatARowForgetsIsJudged(t *testing.T) {
	h, all, c := view(t)
	for _, name := range []string{"copy", "rename", "getset", "get"} {
		h.engine.table.byName[name].Keys = KeySpec{}
	}
	for _, cmd := range [][]string{
		{"COPY", "p:1", "q", "REPLACE"}, {"COPY", "q", "p:1", "REPLACE"}, {"COPY", "p:1", "q", "DB", "1"}, {"RENAME", "q", "p:1"}, {"RENAME", "p:1", "q"},
		{"GET", "q"}, {"GETSET", "q", "v"}, {"EVAL", "return redis.call('GET','q')", "0"},
	} {
		require.Contains(t, c.do(cmd...), "-PLATFORM_ERROR", cmd)
	}
	require.Equal(t, "*8\r\n"+bulks("1", "1", "1", "one", "two", "three", "1", "1"), all.do("MGET", "a", "o:1", "p", "p:1", "p:2", "p:3", "p;", "q"))
	require.Contains(t, h.log.String(), "outside of its token's prefix")
}

func TestChannelsOfAPrefixToken(t *testing.T) {
	h := newHarness(t)
	h.engine.SetKeyspaceEvents("KEA")
	all := h.open()
	c := h.narrowed(all, "p:")
	const outside = "-NOPERM this token opens only channels that start with its prefix\r\n"
	for _, cmd := range []string{
		"SUBSCRIBE news", "SUBSCRIBE p:a news", "PUBLISH news x", "SSUBSCRIBE news", "SPUBLISH news x", "PUBSUB NUMSUB news", "PUBSUB SHARDNUMSUB p:a news",
		"SUBSCRIBE __keyspace@0__:q", "PUBLISH __keyevent@0__:set p:1", "PUBLISH __keyspace@0__:q set", "PUBSUB NUMSUB __keyevent@0__:set",
	} {
		require.Equal(t, outside, c.do(strings.Fields(cmd)...), cmd)
	}
	require.Contains(t, c.do("EVAL", "return redis.call('PUBLISH', 'news', 'x')", "0"), "-NOPERM ")
	require.Equal(t, "-NOPERM this token opens only keys that start with its prefix and may not run the 'pubsub|numpat' command\r\n", c.do("PUBSUB", "NUMPAT"))
	require.Equal(t, 3, strings.Count(string(c.raw([]string{"SUBSCRIBE", "p:a", "__keyspace@0__:p:1", "__keyevent@0__:del"})), "subscribe"))
}

func TestWhatAPrefixTokenHears(t *testing.T) {
	h := newHarness(t)
	h.engine.SetKeyspaceEvents("KEA")
	all := h.open()
	c := h.narrowed(all, "p:")
	c.do("PSUBSCRIBE", "*")
	c.do("SSUBSCRIBE", "p:a")
	hears := func(want string, cmds ...string) {
		t.Helper()
		for _, cmd := range cmds {
			all.do(strings.Fields(cmd)...)
		}
		require.Equal(t, want, c.pushed())
	}
	hears("", "SET q 1", "DEL q", "PUBLISH news x", "PUBLISH __keyevent@0__:set q", "PUBLISH __keyspace@0__:q set", "SPUBLISH news x", "PUBLISH p x", "EXPIRE q 100")
	hears("*4\r\n"+bulks("pmessage", "*", "p:a", "x"), "PUBLISH p:a x")
	hears("*3\r\n"+bulks("smessage", "p:a", "y"), "SPUBLISH p:a y")
	hears("*4\r\n"+bulks("pmessage", "*", "__keyspace@0__:p:1", "set")+"*4\r\n"+bulks("pmessage", "*", "__keyevent@0__:set", "p:1"), "SET p:1 v")
	require.Equal(t, ":0\r\n", all.do("PUBLISH", "news", "x"), "who does not hear does not count")
	require.Equal(t, ":1\r\n", all.do("PUBLISH", "p:a", "x"))
	require.Equal(t, "*0\r\n", h.narrowed(all, "p:").do("PUBSUB", "CHANNELS"))

	// Its own messages and events pass the same way.
	d := h.narrowed(all, "p:").resp3()
	all.do("SUBSCRIBE", "news")
	d.do("SUBSCRIBE", "p:b", "__keyevent@0__:set")
	require.Equal(t, ">3\r\n"+bulks("message", "__keyevent@0__:set", "p:2")+"+OK\r\n", string(d.raw([]string{"SET", "p:2", "v"})))
	require.Equal(t, "*1\r\n"+bulks("p:b"), d.do("PUBSUB", "CHANNELS"))
}

func TestTrackingOfAPrefixToken(t *testing.T) {
	h := newHarness(t)
	all := h.open()
	c, d, hostile := h.narrowed(all, "p:").resp3(), h.narrowed(all, "p:").resp3(), h.narrowed(all, "o:").resp3()
	require.Equal(t, "-"+errTrackedOutside.Error()+"\r\n", c.do("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "p"))
	require.Equal(t, "-"+errTrackedOutside.Error()+"\r\n", c.do("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", ""))
	require.Equal(t, "+OK\r\n", c.do("CLIENT", "TRACKING", "ON", "BCAST"))
	require.Contains(t, c.do("CLIENT", "TRACKINGINFO"), "*1\r\n"+bulks("p:"))
	require.Equal(t, "+OK\r\n", d.do("CLIENT", "TRACKING", "ON"))
	d.do("GET", "p:1")
	all.do("MSET", "q", "1", "p:1", "1", "p", "1")
	require.Equal(t, invalidated("p:1"), c.pushed())
	require.Equal(t, invalidated("p:1"), d.pushed())

	// Nobody is made to tell, or to hear, what is not his.
	redirect := func(from, to *client) string {
		from.do("CLIENT", "TRACKING", "OFF")
		return from.do("CLIENT", "TRACKING", "ON", "REDIRECT", strconv.FormatInt(to.s.id, 10))
	}
	require.Equal(t, "-"+errRedirectUnknown.Error()+"\r\n", redirect(all, hostile))
	require.Equal(t, "-"+errRedirectUnknown.Error()+"\r\n", redirect(c, hostile))
	require.Equal(t, "-"+errRedirectUnknown.Error()+"\r\n", redirect(c, all), "it does not see that connection")
	same := h.connect()
	same.s.become(c.s.principal)
	same.resp3()
	require.Equal(t, "+OK\r\n", redirect(c, same))
	c.do("GET", "p:1")
	same.s.become(hostile.s.principal)
	all.do("SET", "p:1", "2")
	require.Empty(t, same.pushed())
}

func TestAPrefixTokenSeesItsOwnConnections(t *testing.T) {
	h := newHarness(t)
	all := h.open()
	c, other := h.narrowed(all, "p:"), h.narrowed(all, "p:")
	twin := h.connect()
	twin.s.become(c.s.principal)
	require.Equal(t, 2, strings.Count(c.do("CLIENT", "LIST"), "id="))
	require.Equal(t, 4, strings.Count(all.do("CLIENT", "LIST"), "id="))
	require.NotContains(t, c.do("CLIENT", "LIST", "ID", fmt.Sprint(other.s.id), fmt.Sprint(all.s.id)), "id=")
	require.Equal(t, ":0\r\n", c.do("CLIENT", "KILL", "ID", fmt.Sprint(other.s.id)))
	all.pipeline([]string{"SUBSCRIBE", "x"})
	h.open().do("GET", "missing")
	_, got := infoOf(t, c.do("INFO", "everything"))
	require.Equal(t, "2", got["connected_clients"])
	for _, field := range []string{"keyspace_hits", "keyspace_misses", "pubsub_channels", "tracking_clients"} {
		require.Equal(t, "0", got[field], field)
	}
}

func TestScriptsOfAPrefixToken(t *testing.T) {
	h := newHarness(t)
	all := h.open()
	c, same := h.narrowed(all, "p:"), h.narrowed(all, "p:")
	sha := bodyOf(t, all.do("SCRIPT", "LOAD", "return 'secret'"))
	require.Equal(t, "*1\r\n:0\r\n", c.do("SCRIPT", "EXISTS", sha))
	require.Contains(t, c.do("EVALSHA", sha, "0"), "-NOSCRIPT")
	own := bodyOf(t, c.do("SCRIPT", "LOAD", "return 'own'"))
	require.Equal(t, bulks("own"), same.do("EVALSHA", own, "0"), "the same prefix, the same keys")
	require.Contains(t, all.do("EVALSHA", own, "0"), "-NOSCRIPT")
	require.Equal(t, "+OK\r\n", c.do("SCRIPT", "FLUSH"))
	require.Contains(t, same.do("EVALSHA", own, "0"), "-NOSCRIPT")
	require.Equal(t, bulks("secret"), all.do("EVALSHA", sha, "0"))
}

// At the cap a token learns that there is no room, and not what others hold.
func TestTheCapTellsAPrefixTokenNoCounts(t *testing.T) {
	h := newHarness(t)
	limits := wideOpen()
	limits.MaxKeys[0], limits.MaxBytes[0] = 100, 50
	all := h.session(storage.ID{Tenant: "t", App: "a"}, limits)
	c := h.narrowed(all, "p:")
	all.do("SET", "k", strings.Repeat("v", 41))
	require.Equal(t, "-CAP_REACHED database 0 of the namespace would hold more than 50 bytes (hint: delete unused keys or set a TTL)\r\n", c.do("SET", "p:1", "123456"))
	limits.MaxKeys[0], limits.MaxBytes[0] = 1, 0
	all.s.principal.App.SetLimits(limits)
	require.Equal(t, "-CAP_REACHED database 0 of the namespace would hold more than 1 keys (hint: delete unused keys or set a TTL)\r\n", c.do("SET", "p:1", "1"))
	require.Contains(t, all.do("SET", "p:1", "1"), "holds 1 of 1 keys; 1 more are refused")
}
