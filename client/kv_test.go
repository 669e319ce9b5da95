package client_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/client"
	"github.com/cubbykv/cubby/client/kvtest"
)

type note struct {
	Title string `json:"title"`
	Done  bool   `json:"done"`
}

func TestTypedValuesAndVersions(t *testing.T) {
	kv, ctx := kvtest.New(t).KV(), t.Context()
	ok, err := kv.Set(ctx, "note:1", note{"Groceries", true}, client.IfMissing())
	require.NoError(t, err)
	require.True(t, ok)
	ok, err = kv.Set(ctx, "note:1", note{}, client.IfMissing())
	require.NoError(t, err)
	require.False(t, ok)
	var n note
	found, err := kv.Get(ctx, "note:1", &n)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, note{"Groceries", true}, n)

	page, err := kv.List(ctx, client.ListOptions{})
	require.NoError(t, err)
	version := page.Rows[0].Version
	ok, err = kv.Set(ctx, "note:1", note{"Taxes", false}, client.IfVersion(version), client.TTL(time.Minute))
	require.NoError(t, err)
	require.True(t, ok)
	ok, err = kv.Set(ctx, "note:1", note{}, client.IfVersion(version))
	require.NoError(t, err)
	require.False(t, ok, "somebody was faster")
	ok, err = kv.Set(ctx, "none", 1, client.IfPresent())
	require.NoError(t, err)
	require.False(t, ok)
	_, err = kv.Set(ctx, "note:1", note{"Taxes", true}, client.KeepTTL())
	require.NoError(t, err)
	page, err = kv.List(ctx, client.ListOptions{KeysOnly: true})
	require.NoError(t, err)
	require.False(t, page.Rows[0].ExpiresAt.IsZero())

	var number int
	_, err = kv.Get(ctx, "note:1", &number)
	require.ErrorIs(t, err, client.ErrWrongType)
}

func TestPrefixesAndIteration(t *testing.T) {
	kv, ctx := kvtest.New(t).KV(), t.Context()
	jobs := kv.WithPrefix("jobs:")
	for i := range 250 {
		_, err := jobs.Set(ctx, fmt.Sprintf("%03d", i), i)
		require.NoError(t, err)
	}
	_, err := kv.Set(ctx, "other", 1)
	require.NoError(t, err)
	n := 0
	for row, err := range jobs.All(ctx, client.ListOptions{Limit: 100}) {
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%03d", n), row.Key)
		require.Equal(t, strconv.Itoa(n), string(row.Value))
		n++
	}
	require.Equal(t, 250, n)
	for range jobs.All(ctx, client.ListOptions{}) {
		break // an iteration may be left
	}
	for _, err := range jobs.All(ctx, client.ListOptions{Cursor: "nonsense!"}) {
		require.ErrorIs(t, err, client.ErrBadInput)
	}
	values, err := jobs.WithPrefix("00").MGet(ctx, "1", "x")
	require.NoError(t, err)
	require.Equal(t, map[string]client.Value{"1": client.Value("1")}, values)
}

func TestErrors(t *testing.T) {
	s, ctx := kvtest.New(t, kvtest.Limits("max-keys", "1")), t.Context()
	kv := s.KV()
	_, err := kv.Set(ctx, "a", 1)
	require.NoError(t, err)
	_, err = kv.Set(ctx, "b", 1)
	require.ErrorIs(t, err, client.ErrCapReached)
	require.NotErrorIs(t, err, client.ErrBadInput)
	var e *client.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "delete unused keys or set a TTL", e.Hint)
	require.NotContains(t, e.Message, "hint")
	require.Contains(t, err.Error(), "cap_reached: ")

	for name, f := range map[string]func() error{
		"a channel":         func() error { _, err := kv.Set(ctx, "a", make(chan int)); return err },
		"NaN":               func() error { _, err := kv.Set(ctx, "a", math.NaN()); return err },
		"two ends":          func() error { _, err := kv.Set(ctx, "a", 1, client.TTL(time.Minute), client.KeepTTL()); return err },
		"half a ms":         func() error { _, err := kv.Set(ctx, "a", 1, client.TTL(time.Minute+time.Microsecond)); return err },
		"a condition":       func() error { return kv.AppendUnique(ctx, "l", []any{}, nil, client.IfMissing()) },
		"a fraction":        func() error { return kv.MSet(ctx, map[string]any{"a": 1}, client.TTL(60500*time.Millisecond)) },
		"two conditions":    func() error { _, err := kv.Set(ctx, "a", 1, client.IfMissing(), client.IfPresent()); return err },
		"one bad of many":   func() error { return kv.MSet(ctx, map[string]any{"a": make(chan int)}) },
		"keep in many":      func() error { return kv.MSet(ctx, map[string]any{"a": 1}, client.KeepTTL()) },
		"items are no JSON": func() error { return kv.AppendUnique(ctx, "l", math.Inf(1), nil) },
	} {
		require.ErrorIs(t, f(), client.ErrBadInput, name)
	}
	stranger := client.New(client.Options{Addr: s.Addr(), App: "test/app", Token: "wrong"})
	defer func() { require.NoError(t, stranger.Close()) }()
	_, err = stranger.Delete(ctx, "a")
	require.ErrorIs(t, err, client.ErrUnauthorized)

	_, err = client.FromURL("http://x")
	require.Error(t, err)
	known, err := client.FromURL("redis://test%2Fapp:" + s.Token() + "@" + s.Addr() + "/1")
	require.NoError(t, err)
	defer func() { require.NoError(t, known.Close()) }()
	usage, err := known.Usage(ctx)
	require.NoError(t, err)
	require.Equal(t, "test", usage["tenant"])
}

func TestNobodyAnswers(t *testing.T) {
	kv := client.New(client.Options{Addr: "127.0.0.1:1", Redis: func(o *redis.Options) { o.MaxRetries = -1 }})
	_, err := kv.Delete(t.Context(), "k")
	require.ErrorIs(t, err, client.ErrNetwork)
	require.NoError(t, kv.Close())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = kvtest.New(t).KV().Delete(ctx, "k")
	require.ErrorIs(t, err, client.ErrNetwork)
	require.ErrorIs(t, err, context.Canceled)
}

func TestLocal(t *testing.T) {
	ctx := t.Context()
	kv, err := client.NewLocal(client.LocalOptions{Prefix: "p:"})
	require.NoError(t, err)
	other, err := client.NewLocal(client.LocalOptions{})
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 100 {
				_, err := kv.Set(ctx, fmt.Sprint(i, " ", j), j, client.TTL(time.Hour)) // any bytes are a key
				if err != nil {
					panic(err)
				}
			}
		})
	}
	wg.Wait()
	usage, err := kv.Usage(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 800, usage["keys"])
	found, err := other.Get(ctx, "p:0 0", nil)
	require.NoError(t, err)
	require.False(t, found, "each is a world of its own")
	require.NoError(t, kv.Close())
	require.NoError(t, kv.Close())
	_, err = kv.Delete(ctx, "k")
	require.ErrorIs(t, err, client.ErrNetwork)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = other.Delete(cancelled, "k")
	require.ErrorIs(t, err, client.ErrNetwork)

	_, err = client.NewLocal(client.LocalOptions{Limits: []string{"max-keys", "none"}})
	require.Error(t, err)
}

func TestIsComparesCodes(t *testing.T) {
	require.ErrorIs(t, fmt.Errorf("around: %w", &client.Error{Code: "bad_input", Message: "x"}), client.ErrBadInput)
	require.NotErrorIs(t, errors.New("bad_input"), client.ErrBadInput)
}
