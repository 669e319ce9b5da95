package integration

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func goRedis(protocol int) subject {
	return subject{Name: "go-redis", Language: "Go", Protocol: protocol, pinned: true, drive: driveGoRedis}
}

func driveGoRedis(d *driven) {
	d.done.Version = moduleVersion(d, "github.com/redis/go-redis/v9")
	open := func(change func(*redis.Options)) *redis.Client {
		return d.server.dial(d, func(o *redis.Options) {
			o.Password, o.Protocol, o.MaxRetries = d.token, d.done.Protocol, 0
			if change != nil {
				change(o)
			}
		})
	}
	kv := open(nil)
	ctx := background
	d.check(signIn, func(t *testing.T) {
		require.NoError(t, kv.Ping(ctx).Err())
		require.NoError(t, open(func(o *redis.Options) { o.Username = d.user }).Ping(ctx).Err())
		o, err := redis.ParseURL(fmt.Sprintf("redis://acme%%2Fnotes:%s@%s/1", d.token, d.server.addr()))
		require.NoError(t, err)
		url := redis.NewClient(o)
		defer url.Close()
		require.NoError(t, url.Ping(ctx).Err())
		require.ErrorContains(t, open(func(o *redis.Options) { o.Password = "wrong" }).Ping(ctx).Err(), "WRONGPASS")
		require.ErrorContains(t, open(func(o *redis.Options) { o.Username = "acme/other" }).Ping(ctx).Err(), "WRONGPASS")
		require.ErrorContains(t, open(func(o *redis.Options) { o.Password = "" }).Ping(ctx).Err(), "NOAUTH")
	})
	d.check(values, func(t *testing.T) {
		require.NoError(t, kv.Set(ctx, "text", "grüße", 100*time.Second).Err())
		require.Equal(t, "grüße", kv.Get(ctx, "text").Val())
		require.InDelta(t, 100, kv.TTL(ctx, "text").Val().Seconds(), 10)
		require.False(t, kv.SetNX(ctx, "text", "x", 0).Val())
		require.ErrorIs(t, kv.Get(ctx, "missing").Err(), redis.Nil)
		bytes := []byte{0, 1, 254, 255, '\r', '\n'}
		require.NoError(t, kv.Set(ctx, "bytes", bytes, 0).Err())
		got, err := kv.Get(ctx, "bytes").Bytes()
		require.NoError(t, err)
		require.Equal(t, bytes, got)
		require.EqualValues(t, 6, kv.Incr(ctx, "n").Val()+kv.IncrBy(ctx, "n", 4).Val())
		require.InEpsilon(t, 1.5, kv.IncrByFloat(ctx, "f", 1.5).Val(), 1e-9)
		require.NoError(t, kv.MSet(ctx, map[string]any{"a": 1, "b": 2}).Err())
		require.Equal(t, []any{"1", nil, "2"}, kv.MGet(ctx, "a", "missing", "b").Val())
		require.True(t, kv.Expire(ctx, "a", time.Minute).Val())
		require.True(t, kv.Persist(ctx, "a").Val())
		require.Equal(t, "2", kv.GetDel(ctx, "b").Val())
		require.EqualValues(t, 1, kv.Del(ctx, "a", "missing").Val())
		require.Equal(t, "OK", kv.Do(ctx, "KV.SET", "doc", `{"a": 1}`).Val())
		require.Equal(t, `{"a":1}`, kv.Do(ctx, "KV.GET", "doc").Val())
	})
	d.check(pipeline, func(t *testing.T) {
		cmds, err := kv.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range 1000 {
				p.Set(ctx, fmt.Sprintf("many:%d", i), i, 0)
			}
			p.Incr(ctx, "text")
			p.Get(ctx, "many:7")
			return nil
		})
		require.EqualError(t, err, "ERR value is not an integer or out of range")
		require.Len(t, cmds, 1002)
		require.Equal(t, "7", cmds[1001].(*redis.StringCmd).Val())
	})
	d.check(transaction, func(t *testing.T) {
		cmds, err := kv.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, "t", 1, 0)
			p.Incr(ctx, "t")
			return nil
		})
		require.NoError(t, err)
		require.EqualValues(t, 2, cmds[1].(*redis.IntCmd).Val())
		raise := func(between func()) error {
			return kv.Watch(ctx, func(tx *redis.Tx) error {
				n, err := tx.Get(ctx, "t").Int()
				require.NoError(t, err)
				between()
				_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
					p.Set(ctx, "t", n+1, 0)
					return nil
				})
				return err
			}, "t")
		}
		require.ErrorIs(t, raise(func() { kv.Set(ctx, "t", 10, 0) }), redis.TxFailedErr)
		require.NoError(t, raise(func() {}))
		require.Equal(t, "11", kv.Get(ctx, "t").Val())
	})
	d.check(scan, func(t *testing.T) {
		var seen []string
		iter := kv.Scan(ctx, 0, "many:*", 100).Iterator()
		for iter.Next(ctx) {
			seen = append(seen, iter.Val())
		}
		require.NoError(t, iter.Err())
		slices.Sort(seen)
		require.Len(t, slices.Compact(seen), 1000)
	})
	d.check(pubsub, func(t *testing.T) {
		sub := kv.Subscribe(ctx, "news")
		defer sub.Close()
		_, err := sub.Receive(ctx)
		require.NoError(t, err)
		require.NoError(t, sub.PSubscribe(ctx, "n*"))
		_, err = sub.Receive(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, kv.Publish(ctx, "news", "hello").Val())
		for _, pattern := range []string{"", "n*"} {
			m, err := sub.ReceiveMessage(ctx)
			require.NoError(t, err)
			require.Equal(t, &redis.Message{Channel: "news", Pattern: pattern, Payload: "hello"}, m)
		}
		require.Equal(t, []string{"news"}, kv.PubSubChannels(ctx, "*").Val())
	})
	d.check(lua, func(t *testing.T) {
		add := redis.NewScript("return redis.call('INCRBY', KEYS[1], ARGV[1])")
		for want := 2; want <= 6; want += 2 { // the first and the last meet NOSCRIPT
			n, err := add.Run(ctx, kv, []string{"lua"}, 2).Int()
			require.NoError(t, err)
			require.Equal(t, want, n)
			if want == 4 {
				require.NoError(t, kv.ScriptFlush(ctx).Err())
			}
		}
		require.Equal(t, []any{"k", "v", int64(7)}, kv.Eval(ctx, "return {KEYS[1], ARGV[1], 7}", []string{"k"}, "v").Val())
	})
	if d.done.Protocol == 3 { // only RESP3 has it
		d.check(caching, func(t *testing.T) {
			cached := open(func(o *redis.Options) { o.ClientSideCacheConfig = &redis.ClientSideCacheConfig{} })
			require.NoError(t, kv.Set(ctx, "cached", 1, 0).Err())
			for range 3 {
				require.Equal(t, "1", cached.Get(ctx, "cached").Val())
			}
			require.EqualValues(t, 2, cached.CSCStats().Hits)
			require.NoError(t, kv.Set(ctx, "cached", 2, 0).Err())
			require.Eventually(t, func() bool { return cached.Get(ctx, "cached").Val() == "2" }, patience, pollEvery)
		})
	}
	d.check(errorCodes, func(t *testing.T) {
		for code, err := range map[string]error{
			"SIZE_EXCEEDED": kv.Set(ctx, "big", make([]byte, 65537), 0).Err(),
			"BAD_INPUT":     kv.Set(ctx, "two words", "x", 0).Err(),
			"WRONGTYPE":     kv.Do(ctx, "KV.GET", "text").Err(),
			"NOPERM":        kv.Do(ctx, "APP.LIST").Err(),
			"ERR":           kv.LPush(ctx, "list", "x").Err(),
		} {
			var refused redis.Error
			require.ErrorAs(t, err, &refused, code)
			require.ErrorContains(t, refused, code+" ")
		}
	})
	d.check(restart, func(t *testing.T) {
		sub := kv.Subscribe(ctx, "news")
		defer sub.Close()
		_, err := sub.Receive(ctx)
		require.NoError(t, err)
		heard := sub.Channel()
		require.NoError(t, kv.Set(ctx, "kept", "v", 0).Err())
		d.restart()
		got, err := kv.Get(ctx, "kept").Result()
		require.NoError(t, err, "it retries by itself")
		require.Equal(t, "v", got)
		require.Eventually(t, func() bool { return kv.Publish(ctx, "news", "again").Val() == 1 }, patience, pollEvery, "it subscribes anew")
		require.Equal(t, "again", (<-heard).Payload)
	})
}
