package integration

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func TestStrings(t *testing.T) {
	t.Parallel()
	s := start(t)
	overBoth(t, func(t *testing.T, protocol int) {
		kv := s.client(t, s.app(t, fmt.Sprintf("acme/strings%d", protocol)), protocol)
		require.NoError(t, kv.Set(background, "k", "v\x00\r\nw", 90*time.Second).Err())
		require.Equal(t, "v\x00\r\nw", kv.Get(background, "k").Val())
		ttl := kv.TTL(background, "k").Val()
		require.True(t, ttl > 60*time.Second && ttl <= 90*time.Second, "%v", ttl)
		require.NoError(t, kv.Set(background, "forever", "v", 0).Err())
		require.Equal(t, time.Duration(-1), kv.TTL(background, "forever").Val())
		require.ErrorIs(t, kv.Get(background, "missing").Err(), redis.Nil)

		require.True(t, kv.SetNX(background, "once", "1", 0).Val())
		require.False(t, kv.SetNX(background, "once", "2", 0).Val())
		require.Equal(t, "1", kv.GetSet(background, "once", "3").Val())
		require.EqualValues(t, 41, kv.IncrBy(background, "n", 41).Val())
		require.EqualValues(t, 42, kv.Incr(background, "n").Val())
		require.NoError(t, kv.MSet(background, "a", "1", "b", "2").Err())
		require.Equal(t, []any{"1", nil, "2"}, kv.MGet(background, "a", "missing", "b").Val())
		require.EqualValues(t, 2, kv.Del(background, "a", "b", "missing").Val())
		require.EqualValues(t, 1, kv.Exists(background, "k", "a").Val())
		require.True(t, kv.Persist(background, "k").Val())
		require.Equal(t, time.Duration(-1), kv.TTL(background, "k").Val())
	})
}

func TestScanIterator(t *testing.T) {
	t.Parallel()
	s := start(t)
	overBoth(t, func(t *testing.T, protocol int) {
		kv := s.client(t, s.app(t, fmt.Sprintf("acme/scan%d", protocol)), protocol)
		fill(t, kv, 6000, func(i int) []any {
			return []any{"SET", fmt.Sprintf("%s:%05d", []string{"odd", "even"}[i%2], i), i}
		})
		for _, c := range []struct {
			match string
			count int64
			want  int
		}{{"", 0, 6000}, {"even:*", 100, 3000}, {"*:0001?", 1000, 10}, {"none:*", 10, 0}} {
			var keys []string
			for it := kv.Scan(background, 0, c.match, c.count).Iterator(); ; {
				if !it.Next(background) {
					require.NoError(t, it.Err())
					break
				}
				keys = append(keys, it.Val())
			}
			slices.Sort(keys)
			require.Len(t, slices.Compact(keys), c.want, "%q", c.match)
		}
		require.EqualValues(t, 6000, kv.DBSize(background).Val())
	})
}

// Keys that come and go during a scan must not cost those that stay.
func TestScanWhileKeysChange(t *testing.T) {
	t.Parallel()
	s := start(t)
	kv := s.client(t, s.app(t, "acme/scan"), 3)
	fill(t, kv, 4000, func(i int) []any { return []any{"SET", fmt.Sprintf("k%04d", i), i} })
	seen := make(map[string]bool)
	var cursor uint64
	for step := 0; ; step++ {
		keys, next, err := kv.Scan(background, cursor, "", 50).Result()
		require.NoError(t, err)
		for _, k := range keys {
			seen[k] = true
		}
		if cursor = next; cursor == 0 {
			break
		}
		require.NoError(t, kv.Del(background, fmt.Sprintf("k%04d", 4*step+1), fmt.Sprintf("k%04d", 3999-4*step)).Err())
		require.NoError(t, kv.Set(background, fmt.Sprintf("k%04d-new", step), "", 0).Err())
	}
	kept := kv.Keys(background, "k????").Val()
	require.NotEmpty(t, kept)
	for _, k := range kept {
		require.True(t, seen[k], "%s was there all the time", k)
	}
}

func TestKVListPages(t *testing.T) {
	t.Parallel()
	s := start(t)
	overBoth(t, func(t *testing.T, protocol int) {
		kv := s.client(t, s.app(t, fmt.Sprintf("acme/list%d", protocol)), protocol)
		fill(t, kv, 10_000, func(i int) []any {
			return []any{"KV.SET", fmt.Sprintf("item:%05d", i), fmt.Sprintf(`{"n": %d}`, i)}
		})
		require.Equal(t, `{"n":7}`, kv.Do(background, "KV.GET", "item:00007").Val())
		require.Equal(t, `{"n":7}`, kv.Get(background, "item:00007").Val(), "stored compacted")

		for _, limit := range []int{100, 1000} {
			n, cursor := 0, "0"
			for first := true; first || cursor != "0"; first = false {
				var rows []any
				rows, cursor = listPage(t, kv, "PREFIX", "item:", "LIMIT", limit, "CURSOR", cursor)
				require.LessOrEqual(t, len(rows), limit)
				for _, r := range rows {
					row := toMap(t, r)
					key, value := fmt.Sprintf("item:%05d", n), fmt.Sprintf(`{"n":%d}`, n)
					if row["key"] != key || row["value"] != value || row["expires_at"] != nil {
						require.FailNow(t, "not in order, twice, or missing", "%v instead of %s", row, key)
					}
					n++
				}
			}
			require.Equal(t, 10_000, n)
		}
	})
}

// A page of large values ends early, and the next one goes on behind it.
func TestKVListOfLargeValues(t *testing.T) {
	t.Parallel()
	s := start(t)
	kv := s.client(t, s.app(t, "acme/list"), 3)
	value := strconv.Quote(strings.Repeat("v", 60_000))
	fill(t, kv, 400, func(i int) []any { return []any{"KV.SET", fmt.Sprintf("k%03d", i), value} })
	n, pages, cursor := 0, 0, "0"
	for first := true; first || cursor != "0"; first = false {
		var rows []any
		rows, cursor = listPage(t, kv, "LIMIT", 1000, "CURSOR", cursor)
		for _, r := range rows {
			row := toMap(t, r)
			require.Equal(t, fmt.Sprintf("k%03d", n), row["key"])
			require.Len(t, row["value"], len(value))
			n++
		}
		pages++
	}
	require.Equal(t, 400, n)
	require.Greater(t, pages, 1)
	rows, cursor := listPage(t, kv, "LIMIT", 1000, "NOVALUES")
	require.Len(t, rows, 400)
	require.Equal(t, "0", cursor)
}

// listPage runs KV.LIST and returns its rows and the cursor of the next page.
func listPage(t testing.TB, kv *redis.Client, options ...any) (rows []any, cursor string) {
	t.Helper()
	reply, err := kv.Do(background, append([]any{"KV.LIST"}, options...)...).Slice()
	require.NoError(t, err)
	require.Len(t, reply, 2)
	return reply[1].([]any), reply[0].(string)
}

func TestKVCommands(t *testing.T) {
	t.Parallel()
	s := start(t)
	overBoth(t, func(t *testing.T, protocol int) {
		kv := s.client(t, s.app(t, fmt.Sprintf("acme/kv%d", protocol)), protocol)
		require.Equal(t, "OK", kv.Do(background, "KV.SET", "k", `[1, 2]`, "TTL", 60).Val())
		require.Equal(t, `[1,2]`, kv.Do(background, "KV.GET", "k").Val())
		require.ErrorIs(t, kv.Do(background, "KV.GET", "missing").Err(), redis.Nil)
		require.ErrorContains(t, kv.Do(background, "KV.SET", "k", `{`).Err(), "BAD_INPUT")
		require.NoError(t, kv.Set(background, "text", "not json", 0).Err())
		require.ErrorContains(t, kv.Do(background, "KV.GET", "text").Err(), "WRONGTYPE")

		two, three := `[{"id":1,"t":"a"},{"id":2,"t":"b"}]`, `[{"id":1,"t":"a"},{"id":2,"t":"b"},{"id":3}]`
		require.Equal(t, two, kv.Do(background, "KV.APPENDUNIQUE", "list", two).Val())
		require.Equal(t, three, kv.Do(background, "KV.APPENDUNIQUE", "list", `[{"id":2},{"id":3}]`).Val())
		require.Equal(t, three, kv.Do(background, "KV.POPALL", "list").Val())
		require.Equal(t, `[]`, kv.Do(background, "KV.POPALL", "list").Val())
		require.Equal(t, "OK", kv.Do(background, "KV.MSET", "a", "1", "b", "2").Val())
		require.Equal(t, []any{"1", nil, "2"}, kv.Do(background, "KV.MGET", "a", "missing", "b").Val())
		require.EqualValues(t, 1, kv.Do(background, "KV.DEL", "a").Val())
		meta := stringMap(t, kv.Do(background, "KV.META", "k"))
		require.EqualValues(t, 5, meta["size"])
		require.Equal(t, "OK", kv.Do(background, "KV.SET", "k", "2", "IFVERSION", meta["version"]).Val())
		require.ErrorIs(t, kv.Do(background, "KV.SET", "k", "3", "IFVERSION", meta["version"]).Err(), redis.Nil)
		usage := stringMap(t, kv.Do(background, "KV.USAGE"))
		require.Equal(t, "acme", usage["tenant"])
		require.EqualValues(t, 3, usage["keys"])
	})
}

func TestPipelines(t *testing.T) {
	t.Parallel()
	s := start(t)
	overBoth(t, func(t *testing.T, protocol int) {
		kv := s.client(t, s.app(t, fmt.Sprintf("acme/pipe%d", protocol)), protocol)
		cmds, err := kv.Pipelined(background, func(p redis.Pipeliner) error {
			for i := range 250 {
				key := "k" + strconv.Itoa(i)
				p.Set(background, key, i, 0)
				p.Get(background, key)
				p.Do(background, "NOSUCHCOMMAND")
				p.Incr(background, "n")
			}
			return nil
		})
		require.ErrorContains(t, err, "unknown command 'NOSUCHCOMMAND'")
		require.Len(t, cmds, 1000)
		for i := 0; i < len(cmds); i += 4 {
			require.NoError(t, cmds[i].Err())
			require.Equal(t, strconv.Itoa(i/4), cmds[i+1].(*redis.StringCmd).Val())
			require.Error(t, cmds[i+2].Err(), "an error answers its own command only")
			require.EqualValues(t, i/4+1, cmds[i+3].(*redis.IntCmd).Val())
		}
	})
}

// fill runs n commands in pipelines of 1,000.
func fill(t testing.TB, kv *redis.Client, n int, command func(i int) []any) {
	t.Helper()
	for from := 0; from < n; from += 1000 {
		_, err := kv.Pipelined(background, func(p redis.Pipeliner) error {
			for i := from; i < min(from+1000, n); i++ {
				p.Do(background, command(i)...)
			}
			return nil
		})
		require.NoError(t, err)
	}
}
