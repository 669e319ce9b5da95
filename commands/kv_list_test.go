package commands

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/storage"
)

func TestKVListRows(t *testing.T) {
	h := newHarness(t)
	c := h.strict()
	require.Equal(t, "*2\r\n"+bulks("0")+"*0\r\n", c.do("KV.LIST"))
	c.do("KV.SET", "a", "[1, 2]")
	c.do("SET", "b", "not \x00 JSON", "EX", "60")
	now := h.clock.Now()
	next, rows := c.list()
	require.Equal(t, "0", next)
	require.Equal(t, []kvRow{
		{key: "a", value: "[1,2]", expiresAt: "$-1", updatedAt: ":" + decimal(now), version: strconv.Itoa(c.version("a")), fields: 5},
		{key: "b", value: "not \x00 JSON", expiresAt: ":" + decimal(now+60_000), updatedAt: ":" + decimal(now), version: strconv.Itoa(c.version("b")), fields: 5},
	}, rows)
	_, rows = c.list("novalues")
	require.Equal(t, []string{"a", "b"}, kvKeys(rows))
	require.Equal(t, kvRow{key: "a", expiresAt: "$-1", updatedAt: ":" + decimal(now), version: strconv.Itoa(c.version("a")), fields: 4}, rows[0])
	h.clock.Advance(time.Minute)
	_, rows = c.list()
	require.Equal(t, []string{"a"}, kvKeys(rows))
	version := ":" + strconv.Itoa(c.version("a")) + "\r\n"
	require.Equal(t, "*2\r\n"+bulks("0")+"*1\r\n%4\r\n"+bulks("key", "a", "expires_at")+"_\r\n"+bulks("updated_at")+":"+decimal(now)+"\r\n"+
		bulks("version")+version, c.resp3().do("KV.LIST", "NOVALUES"))
}

func TestKVListIsOrderedByBytesWithinThePrefix(t *testing.T) {
	c := newHarness(t).limited(func(l *auth.Limits) { l.KeyAnyByte = true })
	keys := []string{"a", "a/", "a/\x00", "a/1", "a/10", "a/2", "a/é", "a/\xff", "a/\xff\xff", "a0", "b", "A"}
	for _, k := range keys {
		require.Equal(t, replyOK, c.do("KV.SET", k, "1"))
	}
	_, rows := c.list()
	require.Equal(t, slices.Sorted(slices.Values(keys)), kvKeys(rows))
	for prefix, want := range map[string][]string{
		"a/":     {"a/", "a/\x00", "a/1", "a/10", "a/2", "a/é", "a/\xff", "a/\xff\xff"},
		"a/1":    {"a/1", "a/10"},
		"a/\xff": {"a/\xff", "a/\xff\xff"},
		"a/\x00": {"a/\x00"},
		"c":      nil,
		"":       slices.Sorted(slices.Values(keys)),
	} {
		_, rows := c.list("PREFIX", prefix)
		require.Equal(t, want, kvKeys(rows), "%q", prefix)
		// The same, one by one.
		var got []string
		for cursor := "0"; ; {
			next, rows := c.list("LIMIT", "1", "PREFIX", prefix, "CURSOR", cursor)
			got = append(got, kvKeys(rows)...)
			if cursor = next; cursor == "0" {
				break
			}
		}
		require.Equal(t, want, got, "%q", prefix)
	}
}

func TestKVListLimit(t *testing.T) {
	c := newHarness(t).strict()
	for i := range 1001 {
		c.do("KV.SET", fmt.Sprintf("k%04d", i), "1")
	}
	count := func(options ...string) (int, bool) {
		next, rows := c.list(options...)
		return len(rows), next == "0"
	}
	for _, tt := range []struct {
		options string
		rows    int
		end     bool
	}{
		{"", 100, false},
		{"LIMIT 1", 1, false},
		{"LIMIT 1000", 1000, false},
		{"LIMIT 1001", 1000, false},
		{"LIMIT 9223372036854775807", 1000, false},
		{"PREFIX k000 LIMIT 9", 9, false},
		{"PREFIX k000 LIMIT 10", 10, true}, // exactly the last one: no empty page follows
		{"PREFIX k1 LIMIT 1", 1, true},
	} {
		rows, end := count(strings.Fields(tt.options)...)
		require.Equal(t, tt.rows, rows, tt.options)
		require.Equal(t, tt.end, end, tt.options)
	}
}

func TestKVListOptionErrors(t *testing.T) {
	c := newHarness(t).strict()
	c.converse(
		exchange{"KV.LIST LIMIT 0", "-BAD_INPUT LIMIT is 0; at least 1 is allowed\r\n"},
		exchange{"KV.LIST LIMIT -9", "-BAD_INPUT LIMIT is -9; at least 1 is allowed\r\n"},
		exchange{"KV.LIST LIMIT ten", "-BAD_INPUT LIMIT is not an integer or out of range\r\n"},
		exchange{"KV.LIST LIMIT 9223372036854775808", "-BAD_INPUT LIMIT is not an integer or out of range\r\n"},
	)
	for _, options := range []string{
		"LIMIT", "PREFIX", "CURSOR", "NOVALUES NOVALUES", "PREFIX a PREFIX b", "LIMIT 1 LIMIT 2", "CURSOR 0 CURSOR 0", "a", "PREFIX a b", "VALUES",
	} {
		require.Equal(t, syntaxError, c.do(append([]string{"KV.LIST"}, strings.Fields(options)...)...), options)
	}
}

func TestKVListCursor(t *testing.T) {
	h := newHarness(t)
	c := h.strict()
	c.do("KV.MSET", "a", "1", "b", "2", "c", "3", "d", "4")
	next, rows := c.list("LIMIT", "2")
	require.Equal(t, []string{"a", "b"}, kvKeys(rows))

	t.Run("works on any connection and another engine", func(t *testing.T) {
		_, rows := h.strict().list("CURSOR", next)
		require.Equal(t, []string{"c", "d"}, kvKeys(rows))
		_, rows = newHarnessOn(t, h.store, h.clock).strict().list("CURSOR", next)
		require.Equal(t, []string{"c", "d"}, kvKeys(rows))
	})
	t.Run("outlives its key", func(t *testing.T) {
		c.do("KV.DEL", "b")
		_, rows := c.list("CURSOR", next)
		require.Equal(t, []string{"c", "d"}, kvKeys(rows))
		c.do("KV.SET", "b", "2")
	})
	t.Run("never leaves the prefix", func(t *testing.T) {
		_, rows := c.list("CURSOR", next, "PREFIX", "a")
		require.Empty(t, rows)
		_, rows = c.list("CURSOR", next, "PREFIX", "d")
		require.Equal(t, []string{"d"}, kvKeys(rows))
	})
	t.Run("of another namespace shows nothing of it", func(t *testing.T) {
		other := h.session(storage.ID{Tenant: "t", App: "other"}, auth.DefaultLimits())
		_, rows := other.list("CURSOR", next)
		require.Empty(t, rows)
	})
	t.Run("abuse", func(t *testing.T) {
		encode := base64.RawURLEncoding.EncodeToString
		for _, cursor := range []string{
			"", "00", "1", "-1", "a", "!!!!", "null", next + "=", next + "\n", "AWIB\r\n", next[:len(next)-1] + "\x00",
			"AWJ", // bits that no byte needs
			encode([]byte{listCursorV1}), encode([]byte{0, 'b'}), encode([]byte{2, 'b'}),
			base64.StdEncoding.EncodeToString([]byte{listCursorV1, 0xFF, 0xFF}),
		} {
			require.Equal(t, "-BAD_INPUT CURSOR is not one that KV.LIST returned (hint: pass the first element of the previous reply as it is, or 0 to start)\r\n",
				c.do("KV.LIST", "CURSOR", cursor), "%q", cursor)
		}
	})
}

// TestKVListWhileKeysComeAndGo pages over 10,000 keys. Whatever happens
// meanwhile, keys that were there all the time come exactly once, in order.
func TestKVListWhileKeysComeAndGo(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	const keys = 10_000
	name := func(i int) string { return fmt.Sprintf("item:%05d", i) }
	var batch []string
	for i := range keys {
		batch = append(batch, name(i), strconv.Itoa(i))
		if len(batch) == 2000 {
			require.Equal(t, replyOK, c.do(append([]string{"KV.MSET"}, batch...)...))
			batch = batch[:0]
		}
	}
	seen := make(map[string]bool)
	last := ""
	for cursor, page := "0", 0; ; page++ {
		next, rows := c.list("PREFIX", "item:", "LIMIT", "333", "CURSOR", cursor)
		for _, r := range rows {
			require.Greater(t, r.key, last)
			last = r.key
			seen[r.key] = true
		}
		if cursor = next; cursor == "0" {
			break
		}
		// Behind and ahead of the cursor, and right after its key: every odd
		// key may go, even ones stay.
		at := (page + 1) * 333
		c.do("KV.DEL", name(at/2*2-1))
		c.do("KV.DEL", name((at+500)/2*2+1))
		c.do("KV.SET", name(at/2*2-1)+"x", "1")
		c.do("KV.SET", last+"+", "1")
		c.do("KV.SET", "item9", "1")
	}
	for i := 0; i < keys; i += 2 {
		require.True(t, seen[name(i)], name(i))
	}
}

func TestKVListEndsAPageOfLargeValuesEarly(t *testing.T) {
	c := newHarness(t).open()
	const size, keys = 1 << 19, 40
	value := `"` + strings.Repeat("x", size-2) + `"`
	for i := range keys {
		require.Equal(t, replyOK, c.do("KV.SET", fmt.Sprintf("k%02d", i), value))
	}
	total := 0
	for cursor := "0"; ; {
		next, rows := c.list("LIMIT", "1000", "CURSOR", cursor)
		require.LessOrEqual(t, len(rows), listBytes/size)
		total += len(rows)
		if cursor = next; cursor == "0" {
			break
		}
	}
	require.Equal(t, keys, total)
	_, rows := c.list("LIMIT", "1000", "NOVALUES")
	require.Len(t, rows, keys)
}
