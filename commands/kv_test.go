package commands

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/storage"
)

const (
	wrongValue  = "-WRONGTYPE value is not JSON, read it with GET\r\n"
	syntaxError = "-ERR syntax error\r\n"
	notInteger  = "-ERR value is not an integer or out of range\r\n"
)

func TestKVValuesAreJSON(t *testing.T) {
	c := newHarness(t).strict()
	require.Equal(t, replyOK, c.do("KV.SET", "k", " { \"a\" : [ 1.0, \"é\\u00e9 \" ] }\n"))
	require.Equal(t, bulks(`{"a":[1.0,"é\u00e9 "]}`), c.do("KV.GET", "k"))
	require.Equal(t, bulks(`{"a":[1.0,"é\u00e9 "]}`), c.do("GET", "k"))
	c.converse(
		exchange{"KV.GET missing", replyNil},
		exchange{"KV.SET k null", replyOK}, // null is a value
		exchange{"KV.GET k", bulks("null")},
		exchange{"KV.SET k {bad}", "-BAD_INPUT value is not valid JSON: at byte 1: 'b' where a member's name should start\r\n"},
		exchange{"KV.GET k", bulks("null")},
		exchange{"SET text hello", replyOK},
		exchange{"KV.GET text", wrongValue},
		exchange{"SET number 12", replyOK},
		exchange{"KV.GET number", bulks("12")},
	)
	c.do("SET", "utf8", "\"\xff\"")
	require.Equal(t, wrongValue, c.do("KV.GET", "utf8"))
	require.Equal(t, "-BAD_INPUT value is not valid JSON: at byte 1: 0xFF, which is not UTF-8\r\n", c.do("KV.SET", "k", "\"\xff\""))
	require.Equal(t, "_\r\n", c.resp3().do("KV.GET", "missing"))
	require.Equal(t, "_\r\n", c.do("KV.SET", "k", "1", "NX"))
	require.Equal(t, "_\r\n", c.do("KV.META", "missing"))
}

func TestKVSetConditions(t *testing.T) {
	c := newHarness(t).strict()
	c.converse(
		exchange{"KV.SET k 1 XX", replyNil},
		exchange{"KV.SET k 1 IFVERSION 7", replyNil},
		exchange{"KV.SET k 1 nx", replyOK},
		exchange{"KV.SET k 2 NX", replyNil},
		exchange{"KV.SET k 2 IFVERSION 0", replyNil},
		exchange{"KV.GET k", bulks("1")},
		exchange{"KV.SET k 2 xx", replyOK},
		exchange{"KV.SET new 3 ifversion 0", replyOK},
	)
	seen := c.version("k")
	c.converse(
		exchange{fmt.Sprintf("KV.SET k 3 TTL 60 IFVERSION %d", seen), replyOK},
		exchange{fmt.Sprintf("KV.SET k 4 IFVERSION %d", seen), replyNil},
		exchange{"KV.GET k", bulks("3")},
		exchange{fmt.Sprintf("KV.SET k 4 IFVERSION %d", uint64(math.MaxUint64)), replyNil},
	)
	// A version is never used again, not even by a key of the same name.
	last := c.version("k")
	c.do("KV.DEL", "k")
	c.do("KV.SET", "k", "9")
	require.NotEqual(t, c.version("k"), last)
	require.Equal(t, replyNil, c.do("KV.SET", "k", "10", "IFVERSION", strconv.Itoa(last)))
}

func TestKVSetOptionErrors(t *testing.T) {
	c := newHarness(t).strict()
	for _, options := range []string{
		"NX XX", "NX NX", "NX IFVERSION 1", "IFVERSION 1 XX", "IFVERSION", "TTL", "PX", "TTL 60 TTL 60", "TTL 60 PX 60000", "PX 60000 TTL 60",
		"PX 60000 PX 60000", "TTL 60 KEEPTTL", "KEEPTTL TTL 60", "KEEPTTL KEEPTTL", "KEEPTTL PX 60000", "EX 60", "GET", "\"\"", "TTL 60 x",
	} {
		require.Equal(t, syntaxError, c.do(append([]string{"KV.SET", "k", "1"}, strings.Fields(options)...)...), options)
	}
	for _, options := range []string{
		"TTL x", "TTL 60.0", "PX 1e5", "TTL 9223372036854775808", "IFVERSION -1", "IFVERSION x", "IFVERSION 01", "IFVERSION +1", "IFVERSION 18446744073709551616",
	} {
		require.Equal(t, notInteger, c.do(append([]string{"KV.SET", "k", "1"}, strings.Fields(options)...)...), options)
	}
	require.Equal(t, "-ERR wrong number of arguments for 'kv.set' command\r\n", c.do("KV.SET", "k"))
	require.Equal(t, replyNil, c.do("KV.GET", "k"))
}

func TestKVTTL(t *testing.T) {
	h := newHarness(t)
	c := h.strict()
	c.converse(
		exchange{"KV.SET k 1 TTL 60", replyOK},
		exchange{"PTTL k", ":60000\r\n"},
		exchange{"KV.SET k 1 keepttl", replyOK},
		exchange{"PTTL k", ":60000\r\n"},
		exchange{"KV.SET k 1 px 90001", replyOK},
		exchange{"PTTL k", ":90001\r\n"},
		exchange{"KV.SET k 1", replyOK},
		exchange{"PTTL k", ":-1\r\n"},
		exchange{"KV.SET k 2 KEEPTTL", replyOK},
		exchange{"PTTL k", ":-1\r\n"},
		exchange{"KV.SET new 2 KEEPTTL", replyOK},
		exchange{"PTTL new", ":-1\r\n"},
		exchange{"KV.SET k 1 TTL 60", replyOK},
	)
	h.clock.Advance(60*time.Second - time.Millisecond)
	require.Equal(t, bulks("1"), c.do("KV.GET", "k"))
	h.clock.Advance(time.Millisecond)
	c.converse(
		exchange{"KV.GET k", replyNil},
		exchange{"KV.META k", replyNil},
		exchange{"KV.DEL k", ":0\r\n"},
		exchange{"KV.SET k 1 XX", replyNil},
		exchange{"KV.SET k 1 IFVERSION 0", replyOK},
	)
}

func TestKVTTLBounds(t *testing.T) {
	h := newHarness(t)
	refused := func(given, lo, hi string) string {
		return "-BAD_INPUT the TTL of " + given + " is out of bounds; allowed are " + lo + " to " + hi + "\r\n"
	}
	const year = "31536000 s"
	t.Run("db 0", func(t *testing.T) {
		h.strict().converse(
			exchange{"KV.SET k 1 TTL 60", replyOK},
			exchange{"KV.SET k 1 TTL 31536000", replyOK},
			exchange{"KV.SET k 1 TTL 59", refused("59 s", "60 s", year)},
			exchange{"KV.SET k 1 PX 59999", refused("59999 ms", "60 s", year)},
			exchange{"KV.SET k 1 TTL 31536001", refused("31536001 s", "60 s", year)},
			exchange{"KV.SET k 1 PX 31536000001", refused("31536000001 ms", "60 s", year)},
			exchange{"KV.SET k 1 TTL 0", refused("0 s", "60 s", year)},
			exchange{"KV.SET k 1 TTL -1", refused("-1 s", "60 s", year)},
			exchange{"KV.SET k 1 PX -60000", refused("-60000 ms", "60 s", year)},
			exchange{"KV.SET k 1 TTL 9223372036854775807", refused("9223372036854775807 s", "60 s", year)},
			exchange{"KV.SET k 1 PX 9223372036854775807", refused("9223372036854775807 ms", "60 s", year)},
			exchange{"KV.SET k 1 TTL -9223372036854775808", refused("-9223372036854775808 s", "60 s", year)},
			exchange{"KV.MSET TTL 59 k 1", refused("59 s", "60 s", year)},
			exchange{"KV.APPENDUNIQUE new [] TTL 59", refused("59 s", "60 s", year)},
			exchange{"KV.GET new", replyNil},
			exchange{"TTL k", ":31536000\r\n"},
		)
	})
	t.Run("db 1", func(t *testing.T) {
		h.strict().converse(
			exchange{"SELECT 1", replyOK},
			exchange{"KV.SET k 1 PX 1", replyOK},
			exchange{"KV.SET k 1 TTL 31536000", replyOK},
			exchange{"KV.SET k 1 PX 0", refused("0 ms", "1 ms", year)},
			exchange{"KV.SET k 1 TTL 31536001", refused("31536001 s", "1 ms", year)},
		)
	})
	t.Run("no longest TTL", func(t *testing.T) {
		c := h.limited(func(l *auth.Limits) { l.TTLMax = [2]time.Duration{} })
		room := math.MaxInt64 - h.clock.Now()
		require.Equal(t, replyOK, c.do("KV.SET", "k", "1", "PX", decimal(room)))
		require.Equal(t, refused(decimal(room+1)+" ms", "60 s", formatMillis(room)), c.do("KV.SET", "k", "1", "PX", decimal(room+1)))
	})
}

func TestKVValueSizeIsMeasuredCompacted(t *testing.T) {
	c := newHarness(t).strict()
	text := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	const limit = 65536
	require.Equal(t, replyOK, c.do("KV.SET", "k", strings.Repeat(" ", 100)+text(limit)))
	require.Equal(t, ":65536\r\n", c.do("STRLEN", "k"))
	tooLarge := "-SIZE_EXCEEDED the value is 65537 bytes; at most 65536 are allowed\r\n"
	require.Equal(t, tooLarge, c.do("KV.SET", "k2", text(limit+1)))
	require.Equal(t, tooLarge, c.do("KV.MSET", "k3", "1", "k4", text(limit+1)))
	require.Equal(t, "*3\r\n$-1\r\n$-1\r\n$-1\r\n", c.do("KV.MGET", "k2", "k3", "k4"))
	// A character counts with its bytes.
	require.Equal(t, tooLarge, c.do("KV.SET", "k2", `"`+strings.Repeat("é", 32767)+`x"`))
}

func TestKVKeysAreChecked(t *testing.T) {
	c := newHarness(t).strict()
	c.converse(
		exchange{"KV.SET " + strings.Repeat("k", 256) + " 1", replyOK},
		exchange{"KV.GET " + strings.Repeat("k", 257), "-BAD_INPUT the key is 257 bytes long; 1 to 256 are allowed\r\n"},
		exchange{"KV.MSET good 1 kéy 2", "-BAD_INPUT the key has byte 0xC3 at position 1; allowed are 0x21 to 0x7E (printable ASCII without blanks)\r\n"},
		exchange{"KV.MSET TTL 60 good 1 kéy 2", "-BAD_INPUT the key has byte 0xC3 at position 1; allowed are 0x21 to 0x7E (printable ASCII without blanks)\r\n"},
		exchange{"KV.GET good", replyNil},
	)
}

func TestKVMGet(t *testing.T) {
	c := newHarness(t).strict()
	c.converse(
		exchange{"KV.MSET a 1 b null", replyOK},
		exchange{"SET text hello", replyOK},
		exchange{"KV.MGET b missing a a", "*4\r\n" + bulks("null") + replyNil + bulks("1", "1")},
		exchange{"KV.MGET a text b", "-WRONGTYPE value of key 2 is not JSON, read it with GET\r\n"},
		exchange{"KV.MGET", "-ERR wrong number of arguments for 'kv.mget' command\r\n"},
	)
	require.Equal(t, "*2\r\n_\r\n"+bulks("1"), c.resp3().do("KV.MGET", "missing", "a"))
}

func TestKVMSet(t *testing.T) {
	c := newHarness(t).strict()
	arity := "-ERR wrong number of arguments for 'kv.mset' command\r\n"
	require.Equal(t, replyOK, c.do("KV.MSET", "a", " [ 1 ] ", "b", "{\"x\": 1}"))
	c.converse(
		exchange{"KV.MGET a b", "*2\r\n" + bulks("[1]", `{"x":1}`)},
		exchange{"KV.MSET ttl 60 a 1 b 2", replyOK},
		exchange{"TTL b", ":60\r\n"},
		exchange{"KV.MSET b 3 TTL 60", replyOK}, // a key called TTL, since it is not first
		exchange{"TTL b", ":-1\r\n"},
		exchange{"KV.GET TTL", bulks("60")},
		exchange{"KV.MSET d 1 d 2 d 3", replyOK},
		exchange{"KV.GET d", bulks("3")},
		exchange{"KV.MSET n 1 m nope", "-BAD_INPUT value 2 is not valid JSON: at byte 0: a word that is not true, false or null\r\n"},
		exchange{"KV.MSET TTL 60 n nope", "-BAD_INPUT value 1 is not valid JSON: at byte 0: a word that is not true, false or null\r\n"},
		exchange{"KV.MSET TTL x n 1", notInteger},
		exchange{"KV.MGET n m", "*2\r\n$-1\r\n$-1\r\n"},
		exchange{"KV.MSET a", arity},
		exchange{"KV.MSET a 1 b", arity},
		exchange{"KV.MSET TTL 60", arity},
		exchange{"KV.MSET TTL 60 a", arity},
		exchange{"KV.MSET TTL 60 a 1 b", arity},
	)
}

func TestKVGrowthStopsAtTheCap(t *testing.T) {
	c := newHarness(t).limited(func(l *auth.Limits) { l.MaxKeys[0] = 3 })
	full := func(more int) string {
		return fmt.Sprintf("-CAP_REACHED database 0 of the namespace holds 2 of 3 keys; %d more are refused (hint: delete unused keys or set a TTL)\r\n", more)
	}
	c.converse(
		exchange{"KV.MSET a 1 b 2", replyOK},
		exchange{"KV.MSET c 3 d 4", full(2)},
		exchange{"KV.MGET c d", "*2\r\n$-1\r\n$-1\r\n"},
		exchange{"KV.MSET a 5 c 3 c 4 b 6", replyOK}, // one new key, however often
		exchange{"KV.SET a 7", replyOK},
		exchange{"KV.APPENDUNIQUE d []", strings.Replace(full(1), "holds 2", "holds 3", 1)},
		exchange{"KV.POPALL a", "-WRONGTYPE value is not a JSON array, it is kept\r\n"},
		exchange{"KV.DEL a", ":1\r\n"},
		exchange{"KV.APPENDUNIQUE d []", bulks("[]")},
		exchange{"KV.POPALL d", bulks("[]")},
		exchange{"DBSIZE", ":2\r\n"},
	)
}

func TestKVDel(t *testing.T) {
	newHarness(t).strict().converse(
		exchange{"SET text hello", replyOK},
		exchange{"KV.DEL text", ":1\r\n"},
		exchange{"KV.DEL text", ":0\r\n"},
		exchange{"KV.DEL a b", "-ERR wrong number of arguments for 'kv.del' command\r\n"},
	)
}

func TestKVMeta(t *testing.T) {
	h := newHarness(t)
	c := h.strict()
	c.do("SET", "text", "hello", "EX", "60")
	c.do("KV.SET", "k", ` "é" `)
	version := strconv.Itoa(c.version("k"))
	now := decimal(h.clock.Now())
	h.clock.Advance(time.Second)
	require.Equal(t, "*10\r\n"+bulks("key", "k", "expires_at")+replyNil+bulks("updated_at")+":"+now+"\r\n"+
		bulks("version")+":"+version+"\r\n"+bulks("size")+":4\r\n", c.do("KV.META", "k"))
	text := readKVRow(t, parseReply(t, c.resp3().do("KV.META", "text")))
	require.Equal(t, ":"+decimal(h.clock.Now()+59_000), text.expiresAt)
	require.Equal(t, "%5\r\n"+bulks("key", "k", "expires_at")+"_\r\n"+bulks("updated_at")+":"+now+"\r\n"+
		bulks("version")+":"+version+"\r\n"+bulks("size")+":4\r\n", c.do("KV.META", "k"))
}

func TestKVPurge(t *testing.T) {
	h := newHarness(t)
	c := h.strict()
	for i := range 5 {
		c.do("KV.SET", "k"+strconv.Itoa(i), "1", "TTL", "60")
	}
	c.do("KV.SET", "stays", "1")
	require.Equal(t, ":0\r\n", c.do("KV.PURGE"))
	h.clock.Advance(time.Minute)
	c.converse(
		exchange{"DBSIZE", ":1\r\n"},
		exchange{"KV.PURGE LIMIT 2", ":2\r\n"},
		exchange{"kv.purge limit 99999999", ":3\r\n"},
		exchange{"KV.PURGE", ":0\r\n"},
		exchange{"KV.GET stays", bulks("1")},
		exchange{"KV.PURGE LIMIT 0", "-BAD_INPUT LIMIT is 0; at least 1 is allowed\r\n"},
		exchange{"KV.PURGE LIMIT -5", "-BAD_INPUT LIMIT is -5; at least 1 is allowed\r\n"},
		exchange{"KV.PURGE LIMIT many", "-BAD_INPUT LIMIT is not an integer or out of range\r\n"},
		exchange{"KV.PURGE LIMIT", syntaxError},
		exchange{"KV.PURGE COUNT 1", syntaxError},
		exchange{"KV.PURGE LIMIT 1 LIMIT 1", syntaxError},
	)
}

func TestKVUsage(t *testing.T) {
	h := newHarness(t)
	c := h.limited(func(l *auth.Limits) {
		l.MaxBytes[storage.Ephemeral] = 12345
		l.TTLMax[storage.Ephemeral] = 0
	})
	usage := func() map[string]string {
		n := parseReply(t, c.do("KV.USAGE"))
		m := make(map[string]string)
		for i := 0; i < len(n.items); i += 2 {
			m[n.items[i].text[1:]] = n.items[i+1].text
		}
		return m
	}
	c.converse(exchange{"KV.SET key [1]", replyOK}, exchange{"KV.SET gone 1 TTL 60", replyOK})
	h.clock.Advance(time.Hour)
	require.Equal(t, map[string]string{
		"tenant": "$t", "app": "$a", "database": ":0", "keys": ":1", "bytes": ":6", "ephemeral-keys": ":0", "ephemeral-bytes": ":0",
		"commands-last-second": ":0", "commands-burst-left": "$-1", "connections": ":1",
		"key-bytes": ":256", "key-charset": "$printable", "value-bytes": ":65536", "commands-per-second": "$-1", "commands-burst": "$-1", "max-connections": "$-1",
		"max-keys": ":10000", "max-bytes": "$-1", "ttl-min-ms": ":60000", "ttl-max-ms": ":31536000000",
		"ephemeral-max-keys": ":10000", "ephemeral-max-bytes": ":12345", "ephemeral-ttl-min-ms": ":1", "ephemeral-ttl-max-ms": "$-1",
	}, usage())
	c.do("SELECT", "1")
	c.do("SET", "kk", "v")
	require.Equal(t, ":1", usage()["database"])
	require.Equal(t, ":1", usage()["keys"], "a field means the same in every database")
	require.Equal(t, ":1", usage()["ephemeral-keys"])
	require.Equal(t, ":3", usage()["ephemeral-bytes"])
	start := "%" + strconv.Itoa(3+usageFields) + "\r\n" + bulks("tenant", "t")
	require.Equal(t, start, c.resp3().do("KV.USAGE")[:len(start)])
	require.Equal(t, "-ERR wrong number of arguments for 'kv.usage' command\r\n", c.do("KV.USAGE", "x"))
}

func TestKVScopes(t *testing.T) {
	h := newHarness(t)
	app := auth.NewApp(storage.ID{Tenant: "t", App: "a"}, auth.DefaultLimits())
	scoped := func(s auth.Scope) *client {
		c := h.connect()
		c.s.become(&auth.Principal{App: app, Token: &auth.Token{App: app.ID, Scope: s}})
		return c
	}
	reader, narrow := scoped(auth.Scope{ReadOnly: true}), scoped(auth.Scope{Prefix: "p:"})
	for _, write := range []string{"KV.SET k 1", "KV.MSET k 1", "KV.DEL k", "KV.APPENDUNIQUE k []", "KV.POPALL k", "KV.PURGE"} {
		require.Contains(t, reader.do(strings.Fields(write)...), "-NOPERM this token is read-only", write)
	}
	for _, read := range []string{"KV.GET k", "KV.MGET k", "KV.LIST", "KV.META k", "KV.USAGE"} {
		require.NotEqual(t, byte('-'), reader.do(strings.Fields(read)...)[0], read)
	}
	for _, outside := range []string{
		"KV.GET k", "KV.SET k 1", "KV.MGET p:a k", "KV.MSET p:a 1 k 1", "KV.MSET TTL 60 p:a 1 k 1", "KV.DEL k", "KV.META k",
		"KV.APPENDUNIQUE k []", "KV.POPALL k", "KV.PURGE",
	} {
		require.Contains(t, narrow.do(strings.Fields(outside)...), "-NOPERM this token opens only keys that start with its prefix", outside)
	}
	narrow.converse(
		exchange{"KV.MSET TTL 60 p:a 1 p:b 2", replyOK}, // TTL and 60 are no keys
		exchange{"KV.MGET p:a p:b", "*2\r\n" + bulks("1", "2")},
	)
}

func TestKVInATransaction(t *testing.T) {
	c := newHarness(t).strict()
	c.converse(
		exchange{"MULTI", replyOK},
		exchange{"KV.SET k [] TTL 60", "+QUEUED\r\n"},
		exchange{"KV.APPENDUNIQUE k [{\"id\":1}] KEEPTTL", "+QUEUED\r\n"},
		exchange{"KV.SET k nope", "+QUEUED\r\n"},
		exchange{"KV.POPALL k", "+QUEUED\r\n"},
		exchange{"KV.LIST", "+QUEUED\r\n"},
		exchange{"EXEC", "*5\r\n" + replyOK + bulks(`[{"id":1}]`) +
			"-BAD_INPUT value is not valid JSON: at byte 0: a word that is not true, false or null\r\n" +
			bulks(`[{"id":1}]`) + "*2\r\n" + bulks("0") + "*0\r\n"},
	)
}
