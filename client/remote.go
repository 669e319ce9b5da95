package client

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// remote is a server.
type remote struct {
	redis redis.UniversalClient
	ours  bool // it is closed with the store
}

func (r remote) call(ctx context.Context, often retry, args ...any) (any, error) {
	cmd := &command{redis.NewCmd(ctx, args...), often}
	_ = r.redis.Process(ctx, cmd) // it is in cmd
	reply, err := cmd.Result()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, nil
	case err != nil:
		return nil, asError(err)
	}
	return reply, nil
}

func (r remote) close() error {
	if !r.ours {
		return nil
	}
	return r.redis.Close()
}

// command says of itself whether go-redis may send it again. After a repeated
// KV.POPALL nothing would be left of what the first one returned.
type command struct {
	*redis.Cmd
	often retry
}

// NoRetry is what go-redis asks.
func (c *command) NoRetry() bool { return c.often == never }
