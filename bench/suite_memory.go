package main

import (
	"context"
	"time"
)

const (
	kindPlain = "without TTL"
	kindTTL   = "with TTL"

	caseEmpty  = "empty"
	caseLoaded = "after load"
	caseIdle   = "idle"
)

// The collector of an idle Go program runs after two minutes and gives memory
// back in the minute after.
const idleCollection = 130 * time.Second

// runMemory reads the resident memory of servers that hold a million keys:
// after the load, and when the servers have been idle for a while.
func runMemory(b *bench) error {
	f := fill{namespaces: b.sized(1000, 50), keys: b.sized(1000, 100), value: 64}
	withTTL := f
	withTTL.append = func(buf []byte, l *lane, key int) []byte {
		return appendCommand(buf, "SET", l.key("key:", key, 0), l.value, argEX, argHour)
	}
	type subject struct {
		*target
		series
	}
	var all []subject
	read := func(s subject, when string) error {
		mb, err := s.residentMB()
		if err != nil {
			return err
		}
		s.series.Case, s.Metric, s.Value, s.Keys, s.Namespaces = when, megabytes, f.value, f.total(), f.namespaces
		b.add(s.series, s.target.name, mb)
		progress("  %-14s %-12s %-12s %.0f MB", s.target.name, s.series.Name, when, mb)
		return nil
	}
	for _, kind := range []struct {
		name string
		fill fill
	}{{kindPlain, f}, {kindTTL, withTTL}} {
		targets, err := b.pair(everysec, f.namespaces)
		if err != nil {
			return err
		}
		for _, t := range targets {
			s := subject{t, series{Name: kind.name}}
			all = append(all, s)
			if err := read(s, caseEmpty); err != nil {
				return err
			}
			if err := t.load(b.ctx, kind.fill); err != nil {
				return err
			}
			// Snapshots and collections that the load set off come to their end.
			t.settle(2*time.Second, time.Duration(b.sized(20, 1))*time.Second)
			if err := read(s, caseLoaded); err != nil {
				return err
			}
		}
	}
	if b.quick {
		return nil // nobody waits two minutes for a look
	}
	if err := sleep(b.ctx, idleCollection); err != nil {
		return err
	}
	for _, s := range all {
		if err := read(s, caseIdle); err != nil {
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
