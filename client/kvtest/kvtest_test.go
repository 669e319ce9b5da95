package kvtest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/client/kvtest"
)

var background = context.Background()

func TestReadyApp(t *testing.T) {
	s := kvtest.New(t, kvtest.Name("acme/shop"))
	for _, protocol := range []int{2, 3} {
		kv := redis.NewClient(&redis.Options{Addr: s.Addr(), Password: s.Token(), Protocol: protocol})
		require.NoError(t, kv.Set(background, "k", "v", 0).Err())
		require.NoError(t, kv.Close())
	}
	require.Equal(t, "v", s.Client().Get(background, "k").Val())
	apps, err := s.Admin().Do(background, "APP.LIST", "MATCH", "acme/shop").Slice()
	require.NoError(t, err)
	require.Len(t, apps, 1)
}

func TestTimeStandsStillUntilItIsMoved(t *testing.T) {
	s := kvtest.New(t)
	kv := s.Client()
	require.NoError(t, kv.Set(background, "k", "v", time.Minute).Err())
	require.Equal(t, time.Minute, kv.PTTL(background, "k").Val())
	began := s.Now()
	s.Advance(59999 * time.Millisecond)
	require.Equal(t, "v", kv.Get(background, "k").Val())
	s.Advance(time.Millisecond)
	require.ErrorIs(t, kv.Get(background, "k").Err(), redis.Nil)
	require.Zero(t, kv.DBSize(background).Val())
	require.Equal(t, time.Minute, s.Now().Sub(began))
	require.Equal(t, s.Now().Unix(), kv.Time(background).Val().Unix())
}

func TestLimits(t *testing.T) {
	s := kvtest.New(t, kvtest.Limits("value-bytes", "3"), kvtest.Limits("ttl-min", "1ms"))
	kv := s.Client()
	require.NoError(t, kv.Set(background, "k", "abc", time.Millisecond).Err())
	require.ErrorContains(t, kv.Set(background, "k", "abcd", 0).Err(), "SIZE_EXCEEDED")
	other := s.App(t, "other/app").Client()
	require.NoError(t, other.Set(background, "k", "abcd", 0).Err())
	require.ErrorContains(t, other.Set(background, "k", "abcd", time.Second).Err(), "BAD_INPUT")
}

func TestTokensWithAScope(t *testing.T) {
	s := kvtest.New(t)
	app := s.App(t, "acme/notes")
	o := app.Options()
	o.Password = app.NewToken(t, auth.Scope{ReadOnly: true, ExpiresAt: s.Now().Add(time.Hour).UnixMilli()})
	kv := redis.NewClient(o)
	defer kv.Close()
	require.ErrorIs(t, kv.Get(background, "k").Err(), redis.Nil)
	require.ErrorContains(t, kv.Set(background, "k", "v", 0).Err(), "NOPERM")
	s.Advance(time.Hour)
	err := kv.Get(background, "k").Err()
	require.False(t, err == nil || errors.Is(err, redis.Nil), "the token has ended: %v", err)
}

func TestDatabaseOne(t *testing.T) {
	s := kvtest.New(t)
	app := s.App(t, "acme/notes")
	o := app.Options()
	o.DB = 1
	ephemeral := redis.NewClient(o)
	defer ephemeral.Close()
	require.NoError(t, ephemeral.Set(background, "k", "v", 5*time.Millisecond).Err())
	require.ErrorIs(t, app.Client().Get(background, "k").Err(), redis.Nil)
	s.Advance(5 * time.Millisecond)
	require.ErrorIs(t, ephemeral.Get(background, "k").Err(), redis.Nil)
}

func TestServersAreApart(t *testing.T) {
	one, two := kvtest.New(t), kvtest.New(t)
	require.NotEqual(t, one.Addr(), two.Addr())
	require.NotEqual(t, one.AdminPassword(), two.AdminPassword())
	require.NoError(t, one.Client().Set(background, "k", "v", 0).Err())
	require.ErrorIs(t, two.Client().Get(background, "k").Err(), redis.Nil)
}

func TestKeyspaceEvents(t *testing.T) {
	ctx := t.Context()
	s := kvtest.New(t, kvtest.KeyspaceEvents("KEA"))
	events := s.Client().PSubscribe(ctx, "__keyevent@*__:*")
	t.Cleanup(func() { require.NoError(t, events.Close()) })
	_, err := events.Receive(ctx) // the confirmation
	require.NoError(t, err)
	c := s.Client()
	require.NoError(t, c.Set(ctx, "session", "x", time.Hour).Err())
	s.Advance(time.Hour)
	for _, want := range []string{"set", "expire", "expired"} {
		m, err := events.ReceiveMessage(ctx)
		require.NoError(t, err)
		require.Equal(t, "__keyevent@0__:"+want, m.Channel)
		require.Equal(t, "session", m.Payload)
	}
}
