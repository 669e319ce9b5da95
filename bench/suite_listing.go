package main

import (
	"fmt"
	"time"
)

const (
	namePing = "PING"
	nameList = "KV.LIST of 100"
	nameScan = "SCAN MATCH of 100"
)

// listingDigits gives a million keys names of equal length, so that a prefix
// with all digits but two has exactly 100 of them.
const listingDigits = 6

// runListing lists 100 keys by prefix out of one large namespace, next to a
// PING on the same connection, which is what the network costs.
func runListing(b *bench) error {
	f := fill{namespaces: 1, keys: b.sized(1_000_000, 20_000), value: 64}
	f.append = func(buf []byte, l *lane, key int) []byte {
		return appendCommand(buf, "SET", l.key(listStem, key, listingDigits), l.value)
	}
	targets, err := b.pair(everysec, 1)
	if err != nil {
		return err
	}
	if err := b.loadAll(f, targets...); err != nil {
		return err
	}
	for _, t := range targets {
		t.settle(time.Second, time.Duration(b.sized(20, 1))*time.Second)
	}
	where := series{Metric: medianUS, Conns: 1, Pipeline: 1, Value: f.value, Keys: f.keys, Namespaces: 1}
	return turns(b.Rounds, targets, func(round int, t *target) error {
		c, prefix, err := t.signIn(0)
		if err != nil {
			return err
		}
		defer c.Close()
		requests := []timed{{namePing, b.sized(1000, 20), func(string) error { return c.skip("PING") }}}
		if t.name == nameCubby {
			// The cursor, and five names and four values for each: expires_at is nil.
			if err := c.expect(1+9*listLimit, "KV.LIST", "PREFIX", listStem+"0000", "LIMIT", "100"); err != nil {
				return err
			}
			requests = append(requests, timed{nameList, b.sized(1000, 20), func(digits string) error {
				return c.skip("KV.LIST", "PREFIX", listStem+digits, "LIMIT", "100")
			}})
		} else { // walks everything: a second or so each in a namespace of full size
			requests = append(requests, timed{nameScan, 1, func(digits string) error {
				return c.scan(prefix + listStem + digits + "*")
			}})
		}
		for _, o := range requests {
			var hist histogram
			warm := o.times / 10
			for i := range warm + o.times {
				n := (round*7919 + i*104729) % (f.keys / listLimit)
				digits := string(appendPadded(nil, n, listingDigits-2))
				began := time.Now()
				if err := o.run(digits); err != nil {
					return fmt.Errorf("%s: %w", o.name, err)
				}
				if i >= warm {
					hist.record(time.Since(began))
				}
			}
			where.Name = o.name
			b.add(where, t.name, float64(hist.quantile(0.5).Nanoseconds())/1e3)
		}
		return b.ctx.Err()
	})
}

// timed is a request and how often it is made.
type timed struct {
	name  string
	times int
	run   func(digits string) error
}

// skip runs a command and looks at its reply only as far as it must.
func (c *client) skip(name string, args ...string) error {
	if _, err := c.Write(appendWords(nil, name, args...)); err != nil {
		return err
	}
	return skipReplies(c.r, 1)
}

// expect runs a command and checks how many words it answers.
func (c *client) expect(words int, name string, args ...string) error {
	got, err := c.command(name, args...)
	if err == nil && len(got) != words {
		err = fmt.Errorf("%s %q answered %d words, not %d", name, args, len(got), words)
	}
	return err
}

// scan walks all keys for those of a pattern, a thousand per round trip.
func (c *client) scan(pattern string) error {
	found := 0
	for cursor := "0"; ; {
		words, err := c.command("SCAN", cursor, "MATCH", pattern, "COUNT", "1000")
		if err != nil {
			return err
		}
		found += len(words) - 1
		if cursor = words[0]; cursor == "0" {
			break
		}
	}
	if found != listLimit {
		return fmt.Errorf("SCAN found %d keys, not %d", found, listLimit)
	}
	return nil
}
