package main

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// runRestart measures how long a server that was killed needs, from exec to the
// first answer. Its files are in the page cache, as they are after a crash of
// the process alone.
func runRestart(b *bench) error {
	for _, size := range []struct{ namespaces, rounds int }{
		{b.sized(1000, 20), b.Rounds},
		{b.sized(5000, 50), b.slowRounds()},
	} {
		f := fill{namespaces: size.namespaces, keys: b.sized(1000, 100), value: 64}
		if err := b.fresh(func() error { return b.restarts(f, size.rounds) }); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) restarts(f fill, rounds int) error {
	targets, err := b.pair(everysec, f.namespaces)
	if err != nil {
		return err
	}
	if err := b.loadAll(f, targets...); err != nil {
		return err
	}
	for _, t := range targets {
		if err := b.compactFiles(t); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	where := series{Name: "restart", Metric: seconds, Value: f.value, Keys: f.total(), Namespaces: f.namespaces}
	return turns(rounds, targets, func(round int, t *target) error {
		// The tail: writes that no snapshot has yet, a fiftieth of all.
		tail := f.total() / 50
		begin := tail * round
		if err := t.loadPart(b.ctx, f, begin, begin+tail); err != nil {
			return err
		}
		disk := where
		disk.Name, disk.Metric = "files", megabytes
		b.add(disk, t.name, float64(t.diskBytes())/1e6)
		t.kill()
		began := time.Now()
		if err := t.exec(); err != nil {
			return err
		}
		namespace := (round*7919 + 1) % f.namespaces
		err := t.retry(5*time.Minute, time.Millisecond, func() error { return t.readOne(namespace, f) })
		took := time.Since(began)
		b.add(where, t.name, took.Seconds())
		progress("  %-14s %d keys: first answer after %.2f s", t.name, f.total(), took.Seconds())
		return err
	})
}

// readOne gets one key over a connection of its own.
func (t *target) readOne(namespace int, f fill) error {
	c, prefix, err := t.signIn(namespace)
	if err != nil {
		return err
	}
	defer c.Close()
	words, err := c.command("GET", prefix+"key:0")
	if err == nil && (len(words) != 1 || len(words[0]) != f.value) {
		err = fmt.Errorf("GET after the restart answered %q", words)
	}
	return err
}

// compactFiles lets Redis rewrite its log, with an RDB preamble, as it does by
// itself once the log has grown enough, and waits for background work.
func (b *bench) compactFiles(t *target) error {
	if t.name == nameRedis {
		c, err := t.admin()
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.rewriteLog(); err != nil {
			return err
		}
		return t.retry(5*time.Minute, 50*time.Millisecond, c.rewriteDone)
	}
	t.settle(time.Duration(b.sized(3000, 400))*time.Millisecond, time.Minute)
	return nil
}

func (c *client) rewriteLog() error {
	_, err := c.command("BGREWRITEAOF")
	if err != nil && strings.Contains(err.Error(), "already in progress") {
		return nil // one that Redis began by itself does as well
	}
	return err
}

var errRewriting = errors.New("the log is being rewritten")

func (c *client) rewriteDone() error {
	words, err := c.command("INFO", "persistence")
	if err != nil {
		return err
	}
	for _, busy := range []string{"aof_rewrite_in_progress:1", "aof_rewrite_scheduled:1"} {
		if len(words) > 0 && strings.Contains(words[0], busy) {
			return errRewriting
		}
	}
	return nil
}
