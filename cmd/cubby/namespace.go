package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// openNamespace connects as the admin who looks into one namespace's database.
// Whatever the client reconnects to, it is that one or nothing.
func (t *target) openNamespace(env environment, name string, db int) (*adminClient, error) {
	return t.connectWith(env, func(ctx context.Context, c *redis.Conn) error {
		if err := c.Do(ctx, "APP.USE", name).Err(); err != nil {
			return err
		}
		return c.Do(ctx, "SELECT", db).Err()
	})
}

// rateWait finds how long a RATE_LIMITED reply asks to wait.
var rateWait = regexp.MustCompile(`^RATE_LIMITED .*\bwait (\d+) ms`)

// limited tells whether err asks to send less, and how long to wait.
func limited(err error) (time.Duration, bool) {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return 0, false
	}
	m := rateWait.FindStringSubmatch(reply.Error())
	if m == nil {
		return 0, false
	}
	ms, _ := strconv.Atoi(m[1])
	return time.Duration(max(1, ms)) * time.Millisecond, true
}

// pause waits, or returns the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// patiently runs one command, as late as the namespace's rate wants it.
func (c *adminClient) patiently(ctx context.Context, args ...any) (any, error) {
	for {
		reply, err := c.client.Do(ctx, args...).Result()
		if err == nil || errors.Is(err, redis.Nil) {
			return reply, nil
		}
		wait, ok := limited(err)
		if !ok {
			return nil, c.explain(err)
		}
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// serverClock returns the server's time by its own clock, which judges what
// has expired.
func serverClock(ctx context.Context, c *adminClient) (now func() int64, err error) {
	reply, err := c.patiently(ctx, "TIME")
	if err != nil {
		return nil, err
	}
	list, ok := reply.([]any)
	if !ok || len(list) != 2 {
		return nil, fmt.Errorf("the server sent no time but %v", reply)
	}
	seconds, err := strconv.ParseInt(fmt.Sprint(list[0]), 10, 64)
	if err != nil {
		return nil, err
	}
	micros, err := strconv.ParseInt(fmt.Sprint(list[1]), 10, 64)
	if err != nil {
		return nil, err
	}
	offset := seconds*1000 + micros/1000 - time.Now().UnixMilli()
	return func() int64 { return time.Now().UnixMilli() + offset }, nil
}

// lineReader reads lines of any length.
type lineReader struct{ r *bufio.Reader }

func newLineReader(in io.Reader) lineReader { return lineReader{bufio.NewReaderSize(in, 64<<10)} }

// next returns a line without its end and blanks around it, or io.EOF.
func (l lineReader) next() ([]byte, error) {
	text, err := l.r.ReadBytes('\n')
	if err != nil && (!errors.Is(err, io.EOF) || len(text) == 0) {
		return nil, err
	}
	return bytes.TrimSpace(text), nil
}
