package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func TestKeyCap(t *testing.T) {
	t.Parallel()
	s := start(t)
	overBoth(t, func(t *testing.T, protocol int) {
		name := fmt.Sprintf("acme/cap%d", protocol)
		kv := s.client(t, s.app(t, name, "max-keys", 5), protocol)
		require.NoError(t, kv.MSet(background, "a", "1", "b", "2", "c", "3", "d", "4").Err())
		refused := func(args ...any) {
			t.Helper()
			err := kv.Do(background, args...).Err()
			require.ErrorContains(t, err, "CAP_REACHED ")
			require.ErrorContains(t, err, "of 5 keys")
			require.ErrorContains(t, err, "delete unused keys or set a TTL")
		}
		refused("MSET", "e", "5", "f", "6") // all or nothing
		require.EqualValues(t, 4, kv.DBSize(background).Val())
		require.NoError(t, kv.Set(background, "e", "5", 0).Err())
		refused("SET", "f", "6")
		refused("INCR", "n")
		refused("KV.SET", "f", "6")
		refused("COPY", "a", "f")
		_, err := kv.TxPipelined(background, func(p redis.Pipeliner) error {
			p.Set(background, "a", "in a transaction", 0)
			p.Set(background, "f", "6", 0)
			return nil
		})
		require.ErrorContains(t, err, "CAP_REACHED")

		// At the cap everything that adds no key goes on.
		require.NoError(t, kv.MSet(background, "a", "11", "b", "22").Err())
		require.NoError(t, kv.Append(background, "a", "1").Err())
		require.True(t, kv.Expire(background, "b", time.Hour).Val())
		require.NoError(t, kv.Rename(background, "c", "g").Err())
		require.Equal(t, "111", kv.Get(background, "a").Val())
		require.EqualValues(t, 1, kv.Del(background, "d").Val())
		require.NoError(t, kv.Set(background, "f", "6", 0).Err(), "there is room again")

		require.NoError(t, s.admin(t).Do(background, "APP.SET", name, "max-keys", 6).Err())
		require.NoError(t, kv.Set(background, "h", "7", 0).Err(), "a raised limit holds from the next command on")
		require.ErrorContains(t, kv.Set(background, "i", "8", 0).Err(), "of 6 keys")
	})
}

// A key that has expired makes room at once.
func TestExpiredKeysDoNotCount(t *testing.T) {
	t.Parallel()
	s := start(t)
	kv := s.client(t, s.app(t, "acme/cap", "max-keys", 2, "ttl-min", "1ms"), 3)
	require.NoError(t, kv.Set(background, "a", "1", 0).Err())
	require.NoError(t, kv.Set(background, "b", "2", 50*time.Millisecond).Err())
	require.Eventually(t, func() bool { return kv.Set(background, "c", "3", 0).Err() == nil }, patience, pollEvery)
	require.EqualValues(t, 2, kv.DBSize(background).Val())
	require.ErrorContains(t, kv.Set(background, "b", "2", 0).Err(), "CAP_REACHED")
}

func TestValueSize(t *testing.T) {
	t.Parallel()
	s := start(t)
	overBoth(t, func(t *testing.T, protocol int) {
		kv := s.client(t, s.app(t, fmt.Sprintf("acme/size%d", protocol)), protocol)
		require.NoError(t, kv.Set(background, "k", strings.Repeat("v", 65536), 0).Err(), "65,536 inclusive")
		conn := kv.Conn() // one connection: it has to outlive each refusal
		defer conn.Close()
		id := conn.ClientID(background).Val()
		for _, size := range []int{65537, 2 << 20, 20 << 20} {
			value := strings.Repeat("x", size)
			require.ErrorContains(t, conn.Set(background, "k", value, 0).Err(), "SIZE_EXCEEDED", size)
			cmds, err := conn.Pipelined(background, func(p redis.Pipeliner) error {
				p.Set(background, "before", "1", 0)
				p.Set(background, "big", value, 0)
				p.Set(background, "after", "2", 0)
				return nil
			})
			require.ErrorContains(t, err, "SIZE_EXCEEDED", size)
			require.NoError(t, cmds[2].Err(), size)
			require.Equal(t, []any{"1", nil, "2"}, conn.MGet(background, "before", "big", "after").Val())
		}
		require.ErrorContains(t, conn.Append(background, "k", "v").Err(), "SIZE_EXCEEDED", "what is stored counts")
		require.ErrorContains(t, conn.SetRange(background, "k", 65536, "v").Err(), "SIZE_EXCEEDED")
		require.EqualValues(t, 65536, conn.StrLen(background, "k").Val())
		require.Equal(t, id, conn.ClientID(background).Val(), "it is still the same connection")
	})
}

func TestTTLBounds(t *testing.T) {
	t.Parallel()
	s := start(t)
	overBoth(t, func(t *testing.T, protocol int) {
		token := s.app(t, fmt.Sprintf("acme/ttl%d", protocol))
		durable := s.client(t, token, protocol)
		ephemeral := s.dial(t, func(o *redis.Options) { o.Password, o.Protocol, o.DB = token, protocol, 1 })
		const year = 31_536_000
		for _, c := range []struct {
			kv      *redis.Client
			args    []any
			refused string
		}{
			{durable, []any{"SET", "k", "v", "EX", 60}, ""},
			{durable, []any{"SET", "k", "v", "EX", year}, ""},
			{durable, []any{"SET", "k", "v", "EX", 59}, "BAD_INPUT"},
			{durable, []any{"SET", "k", "v", "PX", 59_999}, "BAD_INPUT"},
			{durable, []any{"SET", "k", "v", "EX", year + 1}, "BAD_INPUT"},
			{durable, []any{"SET", "k", "v", "EX", 0}, "ERR invalid expire time in 'set' command"},
			{durable, []any{"EXPIRE", "k", 59}, "BAD_INPUT"},
			{durable, []any{"KV.SET", "k", "1", "TTL", 59}, "BAD_INPUT"},
			{durable, []any{"SETEX", "k", 59, "v"}, "BAD_INPUT"},
			{ephemeral, []any{"SET", "k", "v", "PX", 1}, ""},
			{ephemeral, []any{"SET", "k", "v", "EX", year}, ""},
			{ephemeral, []any{"SET", "k", "v", "EX", year + 1}, "BAD_INPUT"},
		} {
			err := c.kv.Do(background, c.args...).Err()
			if c.refused == "" {
				require.NoError(t, err, "%v", c.args)
				continue
			}
			require.ErrorContains(t, err, c.refused, "%v", c.args)
			if c.refused == "BAD_INPUT" {
				require.ErrorContains(t, err, "31536000 s", "it names the bounds")
			}
		}
		require.True(t, durable.Expire(background, "k", -time.Second).Val(), "in the past deletes, as in Redis")
		require.EqualValues(t, 0, durable.Exists(background, "k").Val())
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s := start(t)
	overBoth(t, func(t *testing.T, protocol int) {
		kv := s.client(t, s.app(t, fmt.Sprintf("acme/keys%d", protocol)), protocol)
		for _, key := range []string{"!", "~", "user:1/a?b=c&d", strings.Repeat("k", 256)} {
			require.NoError(t, kv.Set(background, key, "v", 0).Err())
			require.Equal(t, "v", kv.Get(background, key).Val())
		}
		for key, want := range map[string]string{
			"":                       "the key is 0 bytes long",
			strings.Repeat("k", 257): "the key is 257 bytes long",
			"two words":              "byte 0x20 at position 3",
			"line\n":                 "byte 0x0A at position 4",
			"\x00":                   "byte 0x00 at position 0",
			"naïve":                  "byte 0xC3 at position 2",
			"del\x7f":                "byte 0x7F at position 3",
		} {
			err := kv.Set(background, key, "v", 0).Err()
			require.ErrorContains(t, err, "BAD_INPUT")
			require.ErrorContains(t, err, want)
			require.ErrorContains(t, kv.Get(background, key).Err(), "BAD_INPUT", "reading too")
		}
		anything := s.client(t, s.app(t, fmt.Sprintf("acme/any%d", protocol), "key-charset", "any"), protocol)
		require.NoError(t, anything.Set(background, "naïve \x00\r\n", "v", 0).Err())
		require.Equal(t, []string{"naïve \x00\r\n"}, anything.Keys(background, "*").Val())
	})
}

func TestRateAndBytes(t *testing.T) {
	t.Parallel()
	s := start(t)
	kv := s.client(t, s.app(t, "acme/rate", "commands-per-second", 50), 3)
	cmds, err := kv.Pipelined(background, func(p redis.Pipeliner) error {
		for range 500 {
			p.Incr(background, "n")
		}
		return nil
	})
	require.ErrorContains(t, err, "RATE_LIMITED")
	require.Regexp(t, `wait \d+ ms`, err.Error())
	require.NoError(t, cmds[0].Err(), "a second's worth may come at once")
	require.Eventually(t, func() bool { return kv.Ping(background).Err() == nil }, patience, pollEvery)

	full := s.client(t, s.app(t, "acme/bytes", "max-bytes", 100), 3)
	require.NoError(t, full.Set(background, "k", strings.Repeat("v", 99), 0).Err())
	require.ErrorContains(t, full.Set(background, "l", "v", 0).Err(), "CAP_REACHED")
	require.NoError(t, full.Set(background, "k", "v", 0).Err())
	require.NoError(t, full.Set(background, "l", "v", 0).Err())
}
