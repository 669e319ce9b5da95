package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// fill says what a server is loaded with: so many namespaces of so many keys.
type fill struct {
	namespaces, keys, value int
	// append writes the request for one key of the lane's namespace; nil is SET.
	append func(buf []byte, l *lane, key int) []byte
}

func (f fill) total() int { return f.namespaces * f.keys }

const (
	loaders   = 4
	loadBatch = 100
)

// split gives each of several workers its part of n, from and to.
func split(n, workers int, work func(from, to int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() { errs[w] = work(n*w/workers, n*(w+1)/workers) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// load fills the server over a few connections, which change namespaces.
func (t *target) load(ctx context.Context, f fill) error {
	return t.loadPart(ctx, f, 0, f.total())
}

// loadPart loads a range of all keys, numbered through over the namespaces.
func (t *target) loadPart(ctx context.Context, f fill, begin, end int) error {
	if f.append == nil {
		f.append = func(buf []byte, l *lane, key int) []byte {
			return appendCommand(buf, "SET", l.key("key:", key, 0), l.value)
		}
	}
	err := split(end-begin, loaders, func(from, to int) error {
		from, to = begin+from, begin+to
		if from == to {
			return nil
		}
		l, err := t.lane(from/f.keys, f)
		if err != nil {
			return err
		}
		defer l.conn.Close()
		namespace := from / f.keys
		for next := from; next < to && ctx.Err() == nil; {
			l.out = l.out[:0]
			batch := 0
			for ; batch < loadBatch && next < to; batch++ {
				if n := next / f.keys; n != namespace {
					namespace = n
					auth, prefix := t.login(n)
					l.prefix = prefix
					l.out = appendWords(l.out, "AUTH", auth...)
					batch++
				}
				l.out = f.append(l.out, l, next%f.keys)
				next++
			}
			if _, err := l.conn.Write(l.out); err != nil {
				return err
			}
			if err := skipReplies(l.r, batch); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("loading %s: %w", t.name, err)
	}
	return nil
}

// createNamespaces opens apps and a token for each. Every one of them waits for
// the journal, so they go in pipelines over several connections.
func (t *target) createNamespaces(n int) ([]string, error) {
	tokens := make([]string, n)
	err := split(n, loaders, func(from, to int) error {
		c, err := t.admin()
		if err != nil {
			return err
		}
		defer c.Close()
		for ; from < to; from += loadBatch {
			until := min(to, from+loadBatch)
			var out []byte
			for i := from; i < until; i++ {
				app := fmt.Sprintf("t%d/app", i)
				out = appendWords(appendWords(out, "APP.CREATE", app), "TOKEN.CREATE", app)
			}
			if _, err := c.Write(out); err != nil {
				return err
			}
			for i := from; i < until; i++ {
				if _, err := c.readReply(); err != nil {
					return err
				}
				words, err := c.readReply()
				if err != nil {
					return err
				}
				for _, word := range words {
					if strings.HasPrefix(word, "cub_") {
						tokens[i] = word
					}
				}
				if tokens[i] == "" {
					return fmt.Errorf("TOKEN.CREATE answered %q", words)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("creating namespaces: %w", err)
	}
	return tokens, nil
}
