package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

func rueidisClient(protocol int) subject {
	return subject{Name: "rueidis", Language: "Go", Protocol: protocol, pinned: true, drive: driveRueidis}
}

func driveRueidis(d *driven) {
	d.done.Version = moduleVersion(d, "github.com/redis/rueidis")
	open := func(change func(*rueidis.ClientOption)) (rueidis.Client, error) {
		o := rueidis.ClientOption{InitAddress: []string{d.server.addr()}, Password: d.token}
		if d.done.Protocol == 2 {
			o.AlwaysRESP2, o.DisableCache = true, true
		}
		if change != nil {
			change(&o)
		}
		c, err := rueidis.NewClient(o)
		if err == nil {
			d.Cleanup(c.Close)
		}
		return c, err
	}
	kv, err := open(nil)
	require.NoError(d, err)
	ctx := background
	set := func(key, value string) error {
		return kv.Do(ctx, kv.B().Set().Key(key).Value(value).Build()).Error()
	}
	get := func(key string) (string, error) { return kv.Do(ctx, kv.B().Get().Key(key).Build()).ToString() }
	d.check(signIn, func(t *testing.T) {
		require.NoError(t, kv.Do(ctx, kv.B().Ping().Build()).Error())
		_, err := open(func(o *rueidis.ClientOption) { o.Username, o.SelectDB, o.ClientName = d.user, 1, "worker" })
		require.NoError(t, err)
		url, err := rueidis.ParseURL(fmt.Sprintf("redis://acme%%2Fnotes:%s@%s/1", d.token, d.server.addr()))
		require.NoError(t, err)
		_, err = open(func(o *rueidis.ClientOption) {
			o.Username, o.Password, o.SelectDB = url.Username, url.Password, url.SelectDB
		})
		require.NoError(t, err)
		_, err = open(func(o *rueidis.ClientOption) { o.Password = "wrong" })
		require.ErrorContains(t, err, "WRONGPASS")
		_, err = open(func(o *rueidis.ClientOption) { o.Username = "acme/other" })
		require.ErrorContains(t, err, "WRONGPASS")
		_, err = open(func(o *rueidis.ClientOption) { o.Password = "" })
		require.ErrorContains(t, err, "NOAUTH")
	})
	d.check(values, func(t *testing.T) {
		require.NoError(t, kv.Do(ctx, kv.B().Set().Key("text").Value("grüße").ExSeconds(100).Build()).Error())
		got, err := get("text")
		require.NoError(t, err)
		require.Equal(t, "grüße", got)
		ttl, err := kv.Do(ctx, kv.B().Ttl().Key("text").Build()).AsInt64()
		require.NoError(t, err)
		require.InDelta(t, 100, ttl, 10)
		require.True(t, rueidis.IsRedisNil(kv.Do(ctx, kv.B().Set().Key("text").Value("x").Nx().Build()).Error()))
		_, err = get("missing")
		require.True(t, rueidis.IsRedisNil(err))
		bytes := rueidis.BinaryString([]byte{0, 1, 254, 255, '\r', '\n'})
		require.NoError(t, set("bytes", bytes))
		got, err = get("bytes")
		require.NoError(t, err)
		require.Equal(t, bytes, got)
		n, err := kv.Do(ctx, kv.B().Incrby().Key("n").Increment(5).Build()).AsInt64()
		require.NoError(t, err)
		require.EqualValues(t, 5, n)
		require.NoError(t, kv.Do(ctx, kv.B().Mset().KeyValue().KeyValue("a", "1").KeyValue("b", "2").Build()).Error())
		all, err := rueidis.MGet(kv, ctx, []string{"a", "missing", "b"})
		require.NoError(t, err)
		b, missing := all["b"], all["missing"]
		got, err = b.ToString()
		require.NoError(t, err)
		require.Equal(t, "2", got)
		require.True(t, missing.IsNil())
		n, err = kv.Do(ctx, kv.B().Del().Key("a", "b", "missing").Build()).AsInt64()
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		got, err = kv.Do(ctx, kv.B().Arbitrary("KV.SET").Keys("doc").Args(`{"a": 1}`).Build()).ToString()
		require.NoError(t, err)
		require.Equal(t, "OK", got)
	})
	d.check(pipeline, func(t *testing.T) {
		var cmds rueidis.Commands
		for i := range 1000 {
			cmds = append(cmds, kv.B().Set().Key(fmt.Sprintf("many:%d", i)).Value("x").Build())
		}
		cmds = append(cmds, kv.B().Incr().Key("text").Build(), kv.B().Get().Key("many:7").Build())
		replies := kv.DoMulti(ctx, cmds...)
		for _, r := range replies[:1000] {
			require.NoError(t, r.Error())
		}
		require.EqualError(t, replies[1000].Error(), "value is not an integer or out of range")
		got, err := replies[1001].ToString()
		require.NoError(t, err)
		require.Equal(t, "x", got)
	})
	d.check(transaction, func(t *testing.T) {
		require.NoError(t, set("t", "1"))
		raise := func(between func()) (replies []rueidis.RedisMessage, err error) {
			err = kv.Dedicated(func(c rueidis.DedicatedClient) error {
				require.NoError(t, c.Do(ctx, c.B().Watch().Key("t").Build()).Error())
				between()
				done := c.DoMulti(ctx, c.B().Multi().Build(), c.B().Incr().Key("t").Build(), c.B().Get().Key("t").Build(), c.B().Exec().Build())
				replies, err = done[3].ToArray()
				return err
			})
			return replies, err
		}
		replies, err := raise(func() {})
		require.NoError(t, err)
		require.Len(t, replies, 2)
		got, err := replies[1].ToString()
		require.NoError(t, err)
		require.Equal(t, "2", got)
		_, err = raise(func() { require.NoError(t, set("t", "10")) })
		require.True(t, rueidis.IsRedisNil(err))
	})
	d.check(scan, func(t *testing.T) {
		seen := make(map[string]bool)
		scanner := rueidis.NewScanner(func(cursor uint64) (rueidis.ScanEntry, error) {
			return kv.Do(ctx, kv.B().Scan().Cursor(cursor).Match("many:*").Count(100).Build()).AsScanEntry()
		})
		for key := range scanner.Iter() {
			seen[key] = true
		}
		require.NoError(t, scanner.Err())
		require.Len(t, seen, 1000)
	})
	d.check(pubsub, func(t *testing.T) {
		ready, got := make(chan struct{}), make(chan rueidis.PubSubMessage, 1)
		sub := rueidis.WithOnSubscriptionHook(ctx, func(s rueidis.PubSubSubscription) {
			if s.Kind == "psubscribe" {
				close(ready)
			}
		})
		sub, stop := context.WithCancel(sub)
		ended := make(chan error)
		go func() {
			ended <- kv.Receive(sub, kv.B().Psubscribe().Pattern("n*").Build(), func(m rueidis.PubSubMessage) { got <- m })
		}()
		<-ready
		n, err := kv.Do(ctx, kv.B().Publish().Channel("news").Message("hello").Build()).AsInt64()
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.Equal(t, rueidis.PubSubMessage{Pattern: "n*", Channel: "news", Message: "hello"}, <-got)
		stop()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
	d.check(lua, func(t *testing.T) {
		add := rueidis.NewLuaScript("return redis.call('INCRBY', KEYS[1], ARGV[1])")
		for want := int64(2); want <= 6; want += 2 { // the first and the last meet NOSCRIPT
			n, err := add.Exec(ctx, kv, []string{"lua"}, []string{"2"}).AsInt64()
			require.NoError(t, err)
			require.Equal(t, want, n)
			if want == 4 {
				require.NoError(t, kv.Do(ctx, kv.B().ScriptFlush().Build()).Error())
			}
		}
	})
	if d.done.Protocol == 3 { // only RESP3 has it
		d.check(caching, func(t *testing.T) {
			for _, options := range [][]string{nil, {"PREFIX", "cached:", "BCAST"}} {
				cached, err := open(func(o *rueidis.ClientOption) { o.ClientTrackingOptions = options })
				require.NoError(t, err)
				ask := func() rueidis.RedisResult {
					return cached.DoCache(ctx, cached.B().Get().Key("cached:k").Cache(), time.Minute)
				}
				require.NoError(t, set("cached:k", "1"))
				require.False(t, ask().IsCacheHit())
				require.True(t, ask().IsCacheHit())
				require.NoError(t, set("cached:k", "2"))
				require.Eventually(t, func() bool {
					got, err := ask().ToString()
					return err == nil && got == "2"
				}, patience, pollEvery)
			}
		})
	}
	d.check(errorCodes, func(t *testing.T) {
		for code, err := range map[string]error{ // it leaves out the word ERR
			"SIZE_EXCEEDED ": set("big", string(make([]byte, 65537))),
			"BAD_INPUT ":     set("two words", "x"),
			"WRONGTYPE ":     kv.Do(ctx, kv.B().Arbitrary("KV.GET").Keys("text").Build()).Error(),
			"NOPERM ":        kv.Do(ctx, kv.B().Arbitrary("APP.LIST").Build()).Error(),
			"unknown ":       kv.Do(ctx, kv.B().Lpush().Key("list").Element("x").Build()).Error(),
		} {
			refused, ok := rueidis.IsRedisErr(err)
			require.True(t, ok, code)
			require.ErrorContains(t, refused, code)
		}
	})
	d.check(restart, func(t *testing.T) {
		sub, stop := context.WithCancel(ctx)
		ended, heard := make(chan error), make(chan string, 100)
		go func() {
			ended <- kv.Receive(sub, kv.B().Subscribe().Channel("more").Build(), func(m rueidis.PubSubMessage) { heard <- m.Message })
		}()
		reaches := func() bool { // the pattern n* is still subscribed to: a cancelled context tells the server nothing
			n, err := kv.Do(ctx, kv.B().Publish().Channel("more").Message("hello").Build()).AsInt64()
			return err == nil && n == 1
		}
		require.Eventually(t, reaches, patience, pollEvery)
		require.Equal(t, "hello", <-heard)
		require.NoError(t, set("kept", "v"))
		d.restart()
		got, err := get("kept")
		require.NoError(t, err, "it retries what only reads by itself")
		require.Equal(t, "v", got)
		require.Eventually(t, reaches, patience, pollEvery, "it subscribes anew")
		require.Equal(t, "hello", <-heard)
		stop()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
}
