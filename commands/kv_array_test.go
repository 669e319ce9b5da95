package commands

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
)

const (
	notAnArray       = "-WRONGTYPE value is not a JSON array, it is kept\r\n"
	notArrayOfObject = "-WRONGTYPE value is not a JSON array of objects, it is not changed\r\n"
)

func TestKVAppendUnique(t *testing.T) {
	c := newHarness(t).strict()
	c.converse(
		exchange{`KV.APPENDUNIQUE k [{"id":1,"n":1.0}]`, bulks(`[{"id":1,"n":1.0}]`)},
		exchange{`KV.APPENDUNIQUE k [{"id":1.0,"n":2},{"id":"1"},{"id":2},{"id":2e0,"n":3}]`, bulks(`[{"id":1,"n":1.0},{"id":"1"},{"id":2}]`)},
		exchange{`KV.GET k`, bulks(`[{"id":1,"n":1.0},{"id":"1"},{"id":2}]`)},
		exchange{`KV.APPENDUNIQUE k []`, bulks(`[{"id":1,"n":1.0},{"id":"1"},{"id":2}]`)},
		exchange{`KV.APPENDUNIQUE names [{"name":"é"},{"name":"\u00e9"},{"name":"e"}] id name`, bulks(`[{"name":"é"},{"name":"e"}]`)},
		exchange{`KV.APPENDUNIQUE kinds [{"id":true},{"id":false},{"id":{"a":1,"b":2}},{"id":{"b":2,"a":1e0}},{"id":[]},{"id":true},{"id":""}]`,
			bulks(`[{"id":true},{"id":false},{"id":{"a":1,"b":2}},{"id":[]},{"id":""}]`)},
		exchange{`KV.APPENDUNIQUE empty []`, bulks("[]")},
		exchange{`KV.GET empty`, bulks("[]")},
		// An escaped name is the same name; of two members the last counts.
		exchange{`KV.APPENDUNIQUE esc [{"\u0069d":1},{"id":1},{"id":1,"id":2},{"id":2}]`, bulks(`[{"\u0069d":1},{"id":1,"id":2}]`)},
	)
	// The id is a member of the item itself, never of something inside it.
	require.Equal(t, "-BAD_INPUT item 1 has no \"id\"\r\n", c.do("KV.APPENDUNIQUE", "k", `[{"a":{"id":1},"b":"\"id\":1"}]`))
	// Blanks go, everything else stays.
	require.Equal(t, bulks(`[{"id":1,"a b":" \u0020"}]`), c.do("KV.APPENDUNIQUE", "blanks", "[ {\"id\" : 1 ,\n\"a b\" : \" \\u0020\" } ]"))
	c.do("SET", "blanks", " [ {\"id\" : 1.0 } ] ")
	require.Equal(t, bulks(`[{"id":1.0},{"id":2}]`), c.do("KV.APPENDUNIQUE", "blanks", ` [ { "id" : 2 } , {"id":1}]`))
	require.Equal(t, bulks(`[{"id":1.0}]`), c.do("KV.APPENDUNIQUE", "one", ` [ { "id" : 1.0 } ]`))
}

func TestKVAppendUniqueKeepsStoredItemsThatHaveNoID(t *testing.T) {
	newHarness(t).strict().converse(
		exchange{`KV.SET k [{},{"id":null},{"name":1},{"id":1},{"id":1}]`, replyOK},
		exchange{`KV.APPENDUNIQUE k [{"id":1},{"id":2}]`, bulks(`[{},{"id":null},{"name":1},{"id":1},{"id":1},{"id":2}]`)},
		exchange{`KV.APPENDUNIQUE k [{"name":1},{"name":1.5}] ID name`, bulks(`[{},{"id":null},{"name":1},{"id":1},{"id":1},{"id":2},{"name":1.5}]`)},
	)
}

func TestKVAppendUniqueRefusals(t *testing.T) {
	c := newHarness(t).strict()
	c.do("KV.SET", "k", `[{"id":1}]`, "TTL", "60")
	for _, tt := range []struct{ args, want string }{
		{`{"id":2}`, "-BAD_INPUT value is not a JSON array of objects\r\n"},
		{`"[]"`, "-BAD_INPUT value is not a JSON array of objects\r\n"},
		{`null`, "-BAD_INPUT value is not a JSON array of objects\r\n"},
		{`[{"id":2},3]`, "-BAD_INPUT item 2 is not an object\r\n"},
		{`[[]]`, "-BAD_INPUT item 1 is not an object\r\n"},
		{`["{"]`, "-BAD_INPUT item 1 is not an object\r\n"},
		{`[{"id":2},{"Id":3}]`, "-BAD_INPUT item 2 has no \"id\"\r\n"},
		{`[{}]`, "-BAD_INPUT item 1 has no \"id\"\r\n"},
		{`[{"id":null}]`, "-BAD_INPUT item 1 has no \"id\"\r\n"},
		{`[{"id":1,"id":null}]`, "-BAD_INPUT item 1 has no \"id\"\r\n"},
		{`[{"id":2}] ID n"me`, "-BAD_INPUT item 1 has no \"n\\\"me\"\r\n"},
		{`[{"id":2}`, "-BAD_INPUT value is not valid JSON: at byte 9: it ends\r\n"},
		{`[] ID`, syntaxError},
		{`[] ID a ID b`, syntaxError},
		{`[] TTL`, syntaxError},
		{`[] PX`, syntaxError},
		{`[] PX 60000 TTL 60`, syntaxError},
		{`[] TTL 60 KEEPTTL`, syntaxError},
		{`[] NX`, syntaxError},
		{`[] TTL x`, notInteger},
	} {
		require.Equal(t, tt.want, c.do(append([]string{"KV.APPENDUNIQUE", "k"}, strings.Fields(tt.args)...)...), tt.args)
	}
	c.converse(exchange{"KV.GET k", bulks(`[{"id":1}]`)}, exchange{"TTL k", ":60\r\n"})
	require.Equal(t, "-BAD_INPUT item 1 has no \""+strings.Repeat("x", 64)+"\"\r\n", c.do("KV.APPENDUNIQUE", "k", "[{}]", "ID", strings.Repeat("x", 9999)))

	for _, stored := range []string{"hello", "{}", "1", "null", `"[]"`, "[1]", `[{"id":1},null]`, "[{}", "", "[[]]"} {
		c.do("SET", "other", stored)
		require.Equal(t, notArrayOfObject, c.do("KV.APPENDUNIQUE", "other", `[{"id":1}]`), stored)
		require.Equal(t, bulks(stored), c.do("GET", "other"))
	}
}

func TestKVAppendUniqueTTL(t *testing.T) {
	h := newHarness(t)
	c := h.strict()
	c.converse(
		exchange{`KV.APPENDUNIQUE k [{"id":1}] TTL 60`, bulks(`[{"id":1}]`)},
		exchange{`KV.APPENDUNIQUE k [] ID id KEEPTTL`, bulks(`[{"id":1}]`)},
		exchange{`PTTL k`, ":60000\r\n"},
		exchange{`KV.APPENDUNIQUE k [{"id":1}] ttl 90 id id`, bulks(`[{"id":1}]`)}, // nothing new, but the TTL is
		exchange{`PTTL k`, ":90000\r\n"},
		exchange{`KV.APPENDUNIQUE k [] PX 60001`, bulks(`[{"id":1}]`)},
		exchange{`PTTL k`, ":60001\r\n"},
	)
	before := c.version("k")
	c.converse(
		exchange{`KV.APPENDUNIQUE k []`, bulks(`[{"id":1}]`)},
		exchange{`PTTL k`, ":-1\r\n"},
		exchange{`KV.APPENDUNIQUE k [] TTL 60`, bulks(`[{"id":1}]`)},
	)
	require.NotEqual(t, c.version("k"), before)
	h.clock.Advance(time.Minute)
	require.Equal(t, bulks(`[{"id":2}]`), c.do("KV.APPENDUNIQUE", "k", `[{"id":2}]`, "KEEPTTL"))
	require.Equal(t, ":-1\r\n", c.do("PTTL", "k"))
}

func TestKVAppendUniqueFillsAValueToTheLastByte(t *testing.T) {
	c := newHarness(t).limited(func(l *auth.Limits) { l.ValueBytes = 20 })
	c.converse(
		exchange{`KV.APPENDUNIQUE k [{"id":1}]`, bulks(`[{"id":1}]`)},
		exchange{`KV.APPENDUNIQUE k [{"id":2},{"id":1}]`, bulks(`[{"id":1},{"id":2}]`)}, // 19 bytes
		exchange{`KV.APPENDUNIQUE k [{"id":3}]`, "-SIZE_EXCEEDED the value is 28 bytes; at most 20 are allowed\r\n"},
		exchange{`KV.GET k`, bulks(`[{"id":1},{"id":2}]`)},
		exchange{`KV.APPENDUNIQUE k [{"id":1},{"id":1},{"id":1},{"id":2}]`, bulks(`[{"id":1},{"id":2}]`)}, // the argument may be longer
		exchange{`KV.SET k [{"id":1},{"id":22}]`, replyOK},
		exchange{`KV.APPENDUNIQUE k []`, bulks(`[{"id":1},{"id":22}]`)},
	)
}

func TestKVPopAll(t *testing.T) {
	h := newHarness(t)
	c := h.strict()
	c.converse(
		exchange{"KV.POPALL k", bulks("[]")},
		exchange{`KV.SET k [1,"a",{}] TTL 60`, replyOK},
		exchange{"KV.POPALL k", bulks(`[1,"a",{}]`)},
		exchange{"KV.META k", replyNil},
		exchange{"KV.POPALL k", bulks("[]")},
	)
	for _, stored := range []string{"hello", "{}", "[", "[1]x", `"[]"`, "null", ""} {
		c.do("SET", "k", stored)
		require.Equal(t, notAnArray, c.do("KV.POPALL", "k"), stored)
		require.Equal(t, bulks(stored), c.do("GET", "k"))
	}
	c.do("SET", "k", "\n [1, 2]")
	require.Equal(t, bulks("\n [1, 2]"), c.do("KV.POPALL", "k"))
	c.do("KV.SET", "k", "[1]", "TTL", "60")
	h.clock.Advance(time.Minute)
	require.Equal(t, bulks("[]"), c.do("KV.POPALL", "k"))
}

// largeArray is an array of objects of at most size bytes with ids from first
// on.
func largeArray(first, size int) string {
	var b strings.Builder
	b.WriteByte('[')
	for id := first; ; id++ {
		item := fmt.Sprintf(`{"id":%d,"name":"item %d","tags":["a","b"],"text":"some \"text\""}`, id, id)
		if b.Len()+len(item)+2 > size {
			break
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteString(item)
	}
	return b.String() + "]"
}

// FuzzKVAppendUnique holds the command against encoding/json: stored items
// are never lost or changed, new ones come behind them in order, every id of
// the argument is in the result, and a second time changes nothing.
func FuzzKVAppendUnique(f *testing.F) {
	f.Add(`[{"id":1}]`, `[{"id":1.0},{"id":2}]`, "id")
	f.Add(` [ {"id":"a"}, {} ] `, `[{"id":"\u0061"},{"id":{"x":[1,{}]}}]`, "id")
	f.Add(`[{"n":1e5,"n":null}]`, `[{"n":100000},{"n":-0},{"n":0}]`, "n")
	f.Add(`hello`, `[{"id":1}]`, "id")
	f.Add(`[]`, `[{"id":1},2]`, "id")
	f.Fuzz(func(t *testing.T, stored, arg, field string) {
		c := newHarness(t).open()
		require.Equal(t, replyOK, c.do("SET", "k", stored))
		reply := c.do("KV.APPENDUNIQUE", "k", arg, "ID", field)
		if reply[0] == '-' {
			require.NotContains(t, reply, "PLATFORM_ERROR")
			require.Equal(t, bulks(stored), c.do("GET", "k"))
			return
		}
		before, items := rawItems(t, stored), rawItems(t, arg)
		after := rawItems(t, parseReply(t, reply).text[1:])
		require.GreaterOrEqual(t, len(after), len(before))
		require.Equal(t, before, after[:len(before)])
		fresh := after[len(before):]
		for _, item := range items {
			if len(fresh) > 0 && fresh[0] == item {
				fresh = fresh[1:]
			}
		}
		require.Empty(t, fresh, "not items of the argument in their order")
		have := make(map[string]bool)
		for _, item := range after {
			have[exactID(t, item, field)] = true
		}
		for _, item := range items {
			require.True(t, have[exactID(t, item, field)], "%s", item)
		}
		require.Equal(t, reply, c.do("KV.GET", "k"))
		require.Equal(t, reply, c.do("KV.APPENDUNIQUE", "k", arg, "ID", field))
	})
}

// rawItems are the items of an array as text without blanks.
func rawItems(t *testing.T, array string) []string {
	t.Helper()
	compact, invalid := compactJSON([]byte(array))
	require.Nil(t, invalid)
	var raw []json.RawMessage
	require.NoError(t, json.Unmarshal(compact, &raw))
	items := make([]string, 0, len(raw))
	for _, r := range raw {
		items = append(items, string(r))
	}
	return items
}

// exactID is the key of an item's id, found with encoding/json.
func exactID(t *testing.T, item, field string) string {
	t.Helper()
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(item), &members))
	if id := members[field]; id != nil {
		return jsonKey(t, string(id))
	}
	return ""
}

func TestKVAppendUniqueOnLargeArrays(t *testing.T) {
	c := newHarness(t).strict()
	first := largeArray(0, 60_000)
	require.Equal(t, bulks(first), c.do("KV.APPENDUNIQUE", "k", first))
	require.Equal(t, bulks(first), c.do("KV.APPENDUNIQUE", "k", first))
	items := rawItems(t, first)
	extra := `{"id":` + strconv.Itoa(len(items)) + `}`
	require.Equal(t, bulks(first[:len(first)-1]+","+extra+"]"), c.do("KV.APPENDUNIQUE", "k", "["+items[7]+","+extra+"]"))
}
