package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// Expiry in real time. Everything else about it is tested with a clock that
// tests move.
func TestExpiry(t *testing.T) {
	t.Parallel()
	s := start(t)
	overBoth(t, func(t *testing.T, protocol int) {
		token := s.app(t, fmt.Sprintf("acme/expiry%d", protocol))
		kv := s.dial(t, func(o *redis.Options) { o.Password, o.Protocol, o.DB = token, protocol, 1 })
		const ttl = 200 * time.Millisecond
		began := time.Now()
		require.NoError(t, kv.Set(background, "k", "v", ttl).Err())
		require.NoError(t, kv.Set(background, "stays", "v", 0).Err())
		var err error
		require.Eventually(t, func() bool {
			err = kv.Get(background, "k").Err()
			return err != nil
		}, patience, time.Millisecond)
		require.ErrorIs(t, err, redis.Nil)
		// The server's time, like Redis's, is in whole milliseconds.
		require.GreaterOrEqual(t, time.Since(began), ttl-time.Millisecond, "not too early")
		require.EqualValues(t, 1, kv.DBSize(background).Val())
		require.Equal(t, []string{"stays"}, kv.Keys(background, "*").Val())
		require.Equal(t, time.Duration(-2), kv.TTL(background, "k").Val())
	})
}

// Database 0 outlives stops and crashes, database 1 does not. TTLs go on while
// the server is down.
func TestRestart(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/notes", "ttl-min", "1ms", "max-keys", 20_000)
	kv := s.client(t, token, 3)
	ephemeral := s.dial(t, func(o *redis.Options) { o.Password, o.DB = token, 1 })
	fill(t, kv, 5000, func(i int) []any { return []any{"SET", fmt.Sprintf("k%04d", i), i} })
	fill(t, ephemeral, 100, func(i int) []any { return []any{"SET", fmt.Sprintf("k%04d", i), i} })
	require.NoError(t, kv.Set(background, "hour", "v", time.Hour).Err())
	end := kv.PExpireTime(background, "hour").Val()
	require.NoError(t, kv.Do(background, "KV.SET", "json", `{"n": 1.50}`).Err())
	version := stringMap(t, kv.Do(background, "KV.META", "json"))["version"]
	_, cursor, err := kv.Scan(background, 0, "k*", 1000).Result()
	require.NoError(t, err)
	_, page := listPage(t, kv, "LIMIT", 1000)

	for name, stop := range map[string]func(){"SIGTERM": func() { s.terminate() }, "SIGKILL": func() { s.kill() }} {
		require.NoError(t, kv.Set(background, "moment", "v", time.Millisecond).Err(), name)
		stop()
		s = startIn(t, s.dir)
		kv = s.client(t, token, 3)
		ephemeral = s.dial(t, func(o *redis.Options) { o.Password, o.DB = token, 1 })

		require.EqualValues(t, 5002, kv.DBSize(background).Val(), name)
		require.Zero(t, ephemeral.DBSize(background).Val(), name)
		require.NoError(t, ephemeral.Set(background, "k", "v", 0).Err(), name)
		require.ErrorIs(t, kv.Get(background, "moment").Err(), redis.Nil, name)
		require.Equal(t, end, kv.PExpireTime(background, "hour").Val(), name)
		require.Equal(t, `{"n":1.50}`, kv.Do(background, "KV.GET", "json").Val(), name)
		require.Equal(t, version, stringMap(t, kv.Do(background, "KV.META", "json"))["version"], name)

		// Cursors of the time before go on where they were.
		rest, _, err := kv.Scan(background, cursor, "k*", 10_000).Result()
		require.NoError(t, err)
		require.Len(t, rest, 4000, name)
		rows, _ := listPage(t, kv, "LIMIT", 1, "CURSOR", page)
		require.Len(t, rows, 1)
		require.Equal(t, "k0998", toMap(t, rows[0])["key"], name)
	}
	info := stringMap(t, s.admin(t).Do(background, "APP.INFO", "acme/notes"))
	require.EqualValues(t, 20_000, info["max-keys"], "limits are kept")
}
