package integration

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"
)

func redigo() subject {
	return subject{Name: "redigo", Language: "Go", Protocol: 2, pinned: true, drive: driveRedigo}
}

func driveRedigo(d *driven) {
	d.done.Version = moduleVersion(d, "github.com/gomodule/redigo")
	dial := func(options ...redis.DialOption) (redis.Conn, error) {
		c, err := redis.Dial("tcp", d.server.addr(), append([]redis.DialOption{redis.DialReadTimeout(patience)}, options...)...)
		if err == nil {
			d.Cleanup(func() { _ = c.Close() })
		}
		return c, err
	}
	open := func(t testing.TB) redis.Conn {
		t.Helper()
		c, err := dial(redis.DialPassword(d.token))
		require.NoError(t, err)
		return c
	}
	pool := &redis.Pool{
		Dial: func() (redis.Conn, error) { return dial(redis.DialPassword(d.token)) },
		TestOnBorrow: func(c redis.Conn, _ time.Time) error {
			_, err := c.Do("PING")
			return err
		},
	}
	d.Cleanup(func() { _ = pool.Close() })
	kv := open(d)
	d.check(signIn, func(t *testing.T) {
		c, err := dial(redis.DialUsername(d.user), redis.DialPassword(d.token), redis.DialDatabase(1), redis.DialClientName("worker"))
		require.NoError(t, err)
		pong, err := redis.String(c.Do("PING"))
		require.NoError(t, err)
		require.Equal(t, "PONG", pong)
		_, err = redis.DialURL(fmt.Sprintf("redis://acme%%2Fnotes:%s@%s/1", d.token, d.server.addr()))
		require.NoError(t, err)
		_, err = dial(redis.DialPassword("wrong"))
		require.ErrorContains(t, err, "WRONGPASS")
		_, err = dial(redis.DialUsername("acme/other"), redis.DialPassword(d.token))
		require.ErrorContains(t, err, "WRONGPASS")
		c, err = dial()
		require.NoError(t, err)
		_, err = c.Do("GET", "k")
		require.ErrorContains(t, err, "NOAUTH")
	})
	d.check(values, func(t *testing.T) {
		ok, err := redis.String(kv.Do("SET", "text", "grüße", "EX", 100))
		require.NoError(t, err)
		require.Equal(t, "OK", ok)
		got, err := redis.String(kv.Do("GET", "text"))
		require.NoError(t, err)
		require.Equal(t, "grüße", got)
		ttl, err := redis.Int(kv.Do("TTL", "text"))
		require.NoError(t, err)
		require.InDelta(t, 100, ttl, 10)
		_, err = redis.String(kv.Do("SET", "text", "x", "NX"))
		require.ErrorIs(t, err, redis.ErrNil)
		bytes := []byte{0, 1, 254, 255, '\r', '\n'}
		_, err = kv.Do("SET", "bytes", bytes)
		require.NoError(t, err)
		same, err := redis.Bytes(kv.Do("GET", "bytes"))
		require.NoError(t, err)
		require.Equal(t, bytes, same)
		n, err := redis.Int(kv.Do("INCRBY", "n", 5))
		require.NoError(t, err)
		require.Equal(t, 5, n)
		_, err = kv.Do("MSET", redis.Args{}.AddFlat(map[string]int{"a": 1, "b": 2})...)
		require.NoError(t, err)
		all, err := redis.Strings(kv.Do("MGET", "a", "missing", "b"))
		require.NoError(t, err)
		require.Equal(t, []string{"1", "", "2"}, all)
		n, err = redis.Int(kv.Do("DEL", "a", "b", "missing"))
		require.NoError(t, err)
		require.Equal(t, 2, n)
		ok, err = redis.String(kv.Do("KV.SET", "doc", `{"a": 1}`))
		require.NoError(t, err)
		require.Equal(t, "OK", ok)
	})
	d.check(pipeline, func(t *testing.T) {
		for i := range 1000 {
			require.NoError(t, kv.Send("SET", fmt.Sprintf("many:%d", i), i))
		}
		require.NoError(t, kv.Send("INCR", "text"))
		require.NoError(t, kv.Send("GET", "many:7"))
		require.NoError(t, kv.Flush())
		for range 1000 {
			_, err := kv.Receive()
			require.NoError(t, err)
		}
		_, err := kv.Receive()
		require.EqualError(t, err, "ERR value is not an integer or out of range")
		seven, err := redis.Int(kv.Receive())
		require.NoError(t, err)
		require.Equal(t, 7, seven)
	})
	d.check(transaction, func(t *testing.T) {
		other := open(t)
		raise := func(between func()) (any, error) {
			_, err := kv.Do("WATCH", "t")
			require.NoError(t, err)
			between()
			require.NoError(t, kv.Send("MULTI"))
			require.NoError(t, kv.Send("INCR", "t"))
			return kv.Do("EXEC")
		}
		replies, err := raise(func() {})
		require.NoError(t, err)
		require.Equal(t, []any{int64(1)}, replies)
		replies, err = raise(func() {
			_, err := other.Do("SET", "t", 10)
			require.NoError(t, err)
		})
		require.NoError(t, err)
		require.Nil(t, replies)
	})
	d.check(scan, func(t *testing.T) {
		var seen []string
		for cursor := "0"; ; {
			reply, err := redis.Values(kv.Do("SCAN", cursor, "MATCH", "many:*", "COUNT", 100))
			require.NoError(t, err)
			var keys []string
			_, err = redis.Scan(reply, &cursor, &keys)
			require.NoError(t, err)
			seen = append(seen, keys...)
			if cursor == "0" {
				break
			}
		}
		slices.Sort(seen)
		require.Len(t, slices.Compact(seen), 1000)
	})
	d.check(pubsub, func(t *testing.T) {
		sub := redis.PubSubConn{Conn: open(t)}
		require.NoError(t, sub.Subscribe("news"))
		require.Equal(t, redis.Subscription{Kind: "subscribe", Channel: "news", Count: 1}, sub.Receive())
		require.NoError(t, sub.PSubscribe("n*"))
		require.Equal(t, redis.Subscription{Kind: "psubscribe", Channel: "n*", Count: 2}, sub.Receive())
		n, err := redis.Int(kv.Do("PUBLISH", "news", "hello"))
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Equal(t, redis.Message{Channel: "news", Data: []byte("hello")}, sub.Receive())
		require.Equal(t, redis.Message{Channel: "news", Pattern: "n*", Data: []byte("hello")}, sub.Receive())
		require.NoError(t, sub.Ping("there?"))
		require.Equal(t, redis.Pong{Data: "there?"}, sub.Receive())
		require.NoError(t, sub.Unsubscribe())
		require.Equal(t, redis.Subscription{Kind: "unsubscribe", Channel: "news", Count: 1}, sub.Receive())
	})
	d.check(lua, func(t *testing.T) {
		add := redis.NewScript(1, "return redis.call('INCRBY', KEYS[1], ARGV[1])")
		for want := 2; want <= 6; want += 2 { // the first and the last meet NOSCRIPT
			n, err := redis.Int(add.Do(kv, "lua", 2))
			require.NoError(t, err)
			require.Equal(t, want, n)
			if want == 4 {
				_, err = kv.Do("SCRIPT", "FLUSH")
				require.NoError(t, err)
			}
		}
	})
	// redigo leaves it to the program: one connection reads, the other gets
	// the invalidations as messages of a channel.
	d.check(caching, func(t *testing.T) {
		sub := redis.PubSubConn{Conn: open(t)}
		id, err := redis.Int64(sub.Conn.Do("CLIENT", "ID"))
		require.NoError(t, err)
		require.NoError(t, sub.Subscribe("__redis__:invalidate"))
		require.IsType(t, redis.Subscription{}, sub.Receive())
		_, err = kv.Do("CLIENT", "TRACKING", "ON", "REDIRECT", id)
		require.NoError(t, err)
		_, err = kv.Do("GET", "text")
		require.NoError(t, err)
		_, err = open(t).Do("DEL", "text")
		require.NoError(t, err)
		message, err := redis.Values(sub.Conn.Receive())
		require.NoError(t, err)
		require.Equal(t, []any{[]byte("message"), []byte("__redis__:invalidate"), []any{[]byte("text")}}, message)
	})
	d.check(errorCodes, func(t *testing.T) {
		for code, command := range map[string][]any{
			"SIZE_EXCEEDED ": {"SET", "big", make([]byte, 65537)},
			"BAD_INPUT ":     {"SET", "two words", "x"},
			"WRONGTYPE ":     {"KV.GET", "bytes"},
			"NOPERM ":        {"APP.LIST"},
			"ERR unknown ":   {"LPUSH", "list", "x"},
		} {
			_, err := kv.Do(command[0].(string), command[1:]...)
			var refused redis.Error
			require.ErrorAs(t, err, &refused, code)
			require.ErrorContains(t, refused, code)
		}
	})
	d.check(restart, func(t *testing.T) {
		c := pool.Get()
		_, err := c.Do("SET", "kept", "v")
		require.NoError(t, err)
		require.NoError(t, c.Close())
		d.restart()
		c, err = pool.GetContext(context.Background())
		require.NoError(t, err, "the pool drops connections that have ended")
		defer c.Close()
		got, err := redis.String(c.Do("GET", "kept"))
		require.NoError(t, err)
		require.Equal(t, "v", got)
	})
}
