package server

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

func TestOutboxKeepsOrderAndWaits(t *testing.T) {
	var o outbox
	for i, msg := range []string{"a", "b", "c", "d"} {
		require.True(t, o.push([]byte(msg), storage.Seq(i/2), BufferLimit{}, time.Now))
	}
	number, after, ok := o.next()
	require.True(t, ok)
	require.Equal(t, storage.Seq(0), after)
	require.Equal(t, "ab", string(o.take(nil, after, 100)), "c depends on more")
	o.skip(number) // gone already: c must stay
	number, after, _ = o.next()
	require.Equal(t, storage.Seq(1), after)
	o.skip(number)
	require.Equal(t, "xd", string(o.take([]byte("x"), 1, 100)))
	_, _, ok = o.next()
	require.False(t, ok)
	require.Zero(t, o.bytes)
}

func TestOutboxTakesInPortions(t *testing.T) {
	var o outbox
	for range 10 {
		o.push(make([]byte, 10), 0, BufferLimit{}, time.Now)
	}
	require.Len(t, o.take(nil, 0, 25), 30)
	var out resp.Writer
	o.takeAll(&out)
	require.Equal(t, 70, out.Len())
	require.Zero(t, o.bytes)
}

func TestOutboxLimits(t *testing.T) {
	msg := []byte(strings.Repeat("x", 100-messageCost))
	now := time.Unix(1000, 0)
	clock := func() time.Time { return now }
	limit := BufferLimit{Hard: 500, Soft: 200, SoftFor: time.Minute}

	t.Run("hard", func(t *testing.T) {
		var o outbox
		for range 5 {
			require.True(t, o.push(msg, 0, limit, clock))
		}
		require.False(t, o.push(msg, 0, limit, clock))
		_, _, ok := o.next()
		require.False(t, ok, "a closed outbox keeps nothing")
		require.True(t, o.push(msg, 0, limit, clock), "it is told once")
		require.Zero(t, o.bytes)
	})
	t.Run("soft", func(t *testing.T) {
		var o outbox
		for range 3 {
			require.True(t, o.push(msg, 0, limit, clock))
		}
		now = now.Add(time.Minute - 1)
		require.True(t, o.push(msg, 0, limit, clock))
		now = now.Add(1)
		require.False(t, o.push(msg, 0, limit, clock))
	})
	t.Run("soft, but it caught up", func(t *testing.T) {
		var o outbox
		for range 3 {
			require.True(t, o.push(msg, 0, limit, clock))
		}
		now = now.Add(time.Hour)
		o.take(nil, 0, 200)
		require.True(t, o.push(msg, 0, limit, clock))
		require.True(t, o.push(msg, 0, limit, clock))
		now = now.Add(time.Minute - 1)
		require.True(t, o.push(msg, 0, limit, clock))
	})
}
