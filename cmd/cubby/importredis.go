package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// How much is read from Redis at a time.
const (
	redisPage  = 1000
	redisBytes = 8 << 20
)

// redisSource reads the strings of a Redis database.
type redisSource struct {
	client *redis.Client
	match  string
	into   *importer
	addr   string
}

func openRedis(url, prefix string, into *importer) (*redisSource, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		// Its own text may repeat the password.
		return nil, usagef("--from is not redis://[user:password@]host:port/db, rediss://... or unix://...")
	}
	redis.SetLogger(silent{})
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	o.Protocol = 2
	o.ReadTimeout = time.Minute
	return &redisSource{client: redis.NewClient(o), match: escapeGlob(prefix) + "*", into: into, addr: o.Addr}, nil
}

func (s *redisSource) close() { _ = s.client.Close() }

// escapeGlob makes a pattern that matches s and nothing else.
func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `^`, `\^`).Replace(s)
}

// rows walks the database with SCAN, which returns every key that is there all
// the time, perhaps more than once.
func (s *redisSource) rows(ctx context.Context, yield func(row) error) error {
	for cursor := uint64(0); ; {
		keys, next, err := s.client.Scan(ctx, cursor, s.match, redisPage).Result()
		if err != nil {
			return s.explain(err)
		}
		if err := s.page(ctx, keys, yield); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// about is what is known of a key before its value.
type about struct {
	key    string
	kind   *redis.StatusCmd
	length *redis.IntCmd
}

// page reads the keys of one SCAN: types and lengths first, then values, a
// bounded amount at a time.
func (s *redisSource) page(ctx context.Context, keys []string, yield func(row) error) error {
	if len(keys) == 0 {
		return nil
	}
	list := make([]about, len(keys))
	pipe := s.client.Pipeline()
	for i, key := range keys {
		list[i] = about{key, pipe.Type(ctx, key), pipe.StrLen(ctx, key)}
	}
	if err := s.exec(ctx, pipe); err != nil {
		return err
	}
	var names []string
	var size int64
	for i, a := range list {
		if err := a.kind.Err(); err != nil {
			return s.explain(err)
		}
		switch kind := a.kind.Val(); kind {
		case "string":
			names = append(names, a.key)
			size += a.length.Val()
		case "none": // gone meanwhile
		default:
			s.into.report.Read++
			s.into.report.refuseAs("WRONGTYPE", []byte(a.key), "a "+kind+": only strings can be imported")
		}
		if len(names) > 0 && (size >= redisBytes || i == len(list)-1) {
			if err := s.values(ctx, names, yield); err != nil {
				return err
			}
			names, size = names[:0], 0
		}
	}
	return nil
}

// values reads strings with their TTLs. The TTL comes first: a key that ends in
// between has no value any more.
func (s *redisSource) values(ctx context.Context, keys []string, yield func(row) error) error {
	pipe := s.client.Pipeline()
	ttls, values := make([]*redis.Cmd, len(keys)), make([]*redis.StringCmd, len(keys))
	for i, key := range keys {
		ttls[i], values[i] = pipe.Do(ctx, "PTTL", key), pipe.Get(ctx, key)
	}
	if err := s.exec(ctx, pipe); err != nil {
		return err
	}
	now := s.into.now()
	for i, key := range keys {
		value, err := values[i].Bytes()
		if refusal := redis.Error(nil); err != nil {
			if !errors.As(err, &refusal) {
				return s.explain(err)
			}
			continue // gone, or of another type by now
		}
		r := row{key: []byte(key), value: value}
		switch ttl, err := ttls[i].Int64(); {
		case err != nil || ttl == -2:
			continue
		case ttl >= 0:
			r.expiresAt = now + max(1, ttl)
		}
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

// exec runs a pipeline; refusals of single commands stay with them.
func (s *redisSource) exec(ctx context.Context, pipe redis.Pipeliner) error {
	_, err := pipe.Exec(ctx)
	var refusal redis.Error
	if err == nil || errors.As(err, &refusal) && (errors.Is(err, redis.Nil) || strings.HasPrefix(refusal.Error(), "WRONGTYPE")) {
		return nil
	}
	return s.explain(err)
}

func (s *redisSource) explain(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	return fmt.Errorf("reading from %s: %w", s.addr, err)
}
