package integration

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func TestTransactions(t *testing.T) {
	t.Parallel()
	s := start(t)
	overBoth(t, func(t *testing.T, protocol int) {
		kv := s.client(t, s.app(t, fmt.Sprintf("acme/txn%d", protocol)), protocol)
		cmds, err := kv.TxPipelined(background, func(p redis.Pipeliner) error {
			p.Set(background, "a", "1", 0)
			p.Incr(background, "a")
			p.Get(background, "a")
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, "2", cmds[2].(*redis.StringCmd).Val())

		// A command that cannot even be queued spoils all of them.
		_, err = kv.TxPipelined(background, func(p redis.Pipeliner) error {
			p.Set(background, "a", "99", 0)
			p.Do(background, "SET", "a")
			return nil
		})
		require.Error(t, err)
		require.Equal(t, "2", kv.Get(background, "a").Val())

		// One that fails when it runs does not, as in Redis.
		cmds, err = kv.TxPipelined(background, func(p redis.Pipeliner) error {
			p.Set(background, "b", "text", 0)
			p.Incr(background, "b")
			p.Incr(background, "a")
			return nil
		})
		require.ErrorContains(t, err, "not an integer")
		require.EqualValues(t, 3, cmds[2].(*redis.IntCmd).Val())
	})
}

func TestWatchNoticesEveryChange(t *testing.T) {
	t.Parallel()
	s := start(t)
	overBoth(t, func(t *testing.T, protocol int) {
		token := s.app(t, fmt.Sprintf("acme/watch%d", protocol))
		kv, other := s.client(t, token, protocol), s.client(t, token, protocol)
		for name, change := range map[string]func() error{
			"set":                 func() error { return other.Set(background, "k", "other", 0).Err() },
			"set to the same":     func() error { return other.Set(background, "k", "v", 0).Err() },
			"delete":              func() error { return other.Del(background, "k").Err() },
			"delete and set back": func() error { other.Del(background, "k"); return other.Set(background, "k", "v", 0).Err() },
			"flush":               func() error { return other.FlushDB(background).Err() },
			"KV.SET":              func() error { return other.Do(background, "KV.SET", "k", "1").Err() },
			"rename over it":      func() error { other.Set(background, "l", "v", 0); return other.Rename(background, "l", "k").Err() },
		} {
			require.NoError(t, kv.Set(background, "k", "v", 0).Err())
			err := kv.Watch(background, func(tx *redis.Tx) error {
				require.NoError(t, change(), name)
				_, err := tx.TxPipelined(background, func(p redis.Pipeliner) error {
					p.Set(background, "done", name, 0)
					return nil
				})
				return err
			}, "k")
			require.ErrorIs(t, err, redis.TxFailedErr, name)
			require.ErrorIs(t, kv.Get(background, "done").Err(), redis.Nil, name)
		}
		require.NoError(t, kv.Set(background, "k", "v", 0).Err())
		require.NoError(t, kv.Watch(background, func(tx *redis.Tx) error {
			_, err := tx.TxPipelined(background, func(p redis.Pipeliner) error {
				p.Append(background, "k", "w")
				return nil
			})
			return err
		}, "k"), "nobody changed it")
		require.Equal(t, "vw", kv.Get(background, "k").Val())
	})
}

// A watched key that runs out has changed, though nobody touched it.
func TestWatchNoticesExpiry(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/watch")
	ephemeral := func(o *redis.Options) { o.Password, o.DB = token, 1 }
	kv, other := s.dial(t, ephemeral), s.dial(t, ephemeral)
	require.NoError(t, kv.Set(background, "k", "v", 300*time.Millisecond).Err())
	err := kv.Watch(background, func(tx *redis.Tx) error {
		require.Equal(t, "v", tx.Get(background, "k").Val())
		require.Eventually(t, func() bool { return other.Exists(background, "k").Val() == 0 }, patience, pollEvery)
		_, err := tx.TxPipelined(background, func(p redis.Pipeliner) error {
			p.Set(background, "done", "v", 0)
			return nil
		})
		return err
	}, "k")
	require.ErrorIs(t, err, redis.TxFailedErr)
	require.EqualValues(t, 0, kv.Exists(background, "done").Val())
}

// Many clients raise one counter with WATCH: each conflict is seen, so none of
// the steps is lost.
func TestOptimisticLocking(t *testing.T) {
	t.Parallel()
	const clients, steps = 8, 25
	s := start(t)
	overBoth(t, func(t *testing.T, protocol int) {
		token := s.app(t, fmt.Sprintf("acme/lock%d", protocol))
		var wg sync.WaitGroup
		failed := make(chan error, clients)
		for range clients {
			kv := s.client(t, token, protocol)
			wg.Go(func() {
				for range steps {
					if err := raise(kv); err != nil {
						failed <- err
						return
					}
				}
			})
		}
		wg.Wait()
		close(failed)
		require.NoError(t, <-failed)
		require.Equal(t, strconv.Itoa(clients*steps), s.client(t, token, protocol).Get(background, "n").Val())
	})
}

// raise adds one to n by reading and writing, until nobody comes in between.
func raise(kv *redis.Client) error {
	for {
		err := kv.Watch(background, func(tx *redis.Tx) error {
			n, err := tx.Get(background, "n").Int()
			if err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
			_, err = tx.TxPipelined(background, func(p redis.Pipeliner) error {
				p.Set(background, "n", n+1, 0)
				return nil
			})
			return err
		}, "n")
		if !errors.Is(err, redis.TxFailedErr) {
			return err
		}
	}
}
