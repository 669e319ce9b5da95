package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// How the server is disturbed while the probes watch.
const (
	caseQuiet    = "quiet"
	caseMany     = "expiry in many namespaces"
	caseOne      = "expiry in one namespace"
	caseSnapshot = "snapshots under writes"
)

const (
	probeEvery = time.Millisecond
	expiryTime = 3 * time.Second // in which all keys expire
)

// runStalls watches single requests while the server has a lot to do in the
// background.
func runStalls(b *bench) error {
	// Two namespaces more: one for expiry in one namespace, one for the probe
	// that writes. Namespace 0 is where the reading probe is.
	n := b.sized(1000, 20)
	expiring := fill{namespaces: n, keys: b.sized(1000, 100), value: 64}
	alone := fill{namespaces: 1, keys: expiring.total(), value: 64}
	targets, err := b.pair(everysec, n+2)
	if err != nil {
		return err
	}
	small, err := b.cubby(everysec, n, "--journal-segment-size", "1mb")
	if err != nil {
		return err
	}
	plain, err := b.redis(everysec)
	if err != nil {
		return err
	}
	idle, err := b.redcon(64)
	if err != nil {
		return err
	}
	b.idle = idle
	written := fill{namespaces: n, keys: b.sized(1000, 100), value: 64}
	writers := []*target{plain, small}
	if err := b.loadAll(written, writers...); err != nil {
		return err
	}
	for _, t := range writers {
		t.settle(time.Second, time.Duration(b.sized(20, 1))*time.Second)
	}
	return turns(b.slowRounds(), []*target{targets[0], targets[1]}, func(round int, t *target) error {
		quiet := time.Duration(b.sized(4000, 200)) * time.Millisecond
		err := b.probed(t, caseQuiet, 0, n+1, func() error { return sleep(b.ctx, quiet) })
		if err == nil {
			err = b.expire(t, caseMany, expiring, 0, n+1)
		}
		if err == nil && t.name == nameCubby {
			// To Redis one namespace is as good as many.
			err = b.expire(t.shifted(n), caseOne, alone, 0, 1)
		}
		if err != nil {
			return err
		}
		w := writers[0]
		if t.name == nameCubby {
			w = writers[1]
		}
		return b.probed(w, caseSnapshot, 0, n-1, func() error { return b.writeSteadily(w, written) })
	})
}

// shifted is the same server, its namespaces counted from another one on.
func (t *target) shifted(by int) *target {
	other := *t
	other.login = func(n int) ([]string, string) { return t.login(n + by) }
	return &other
}

// expire loads keys that expire within a short time and probes while they do.
func (b *bench) expire(t *target, which string, f fill, get, set int) error {
	began := time.Now()
	if err := t.loadPart(b.ctx, f, 0, f.total()/10); err != nil {
		return err
	}
	// All of it has to be loaded before the first key expires. A key with an end
	// costs more than one without, so the first guess is a generous one.
	needed := 20 * time.Since(began)
	for attempt := 1; ; attempt++ {
		began = time.Now()
		start := began.Add(needed + time.Second)
		f.append = func(buf []byte, l *lane, key int) []byte {
			at := start.Add(time.Duration(l.rng.Int64N(int64(expiryTime)))).UnixMilli()
			return appendCommand(buf, "SET", l.key("key:", key, 0), l.value, []byte("PXAT"), strconv.AppendInt(nil, at, 10))
		}
		if err := t.load(b.ctx, f); err != nil {
			return err
		}
		wait := time.Until(start) - 200*time.Millisecond
		if wait < 0 && attempt < 3 {
			needed = 2 * time.Since(began)
			continue
		}
		if wait < 0 {
			return errors.New("keys expire faster than they can be loaded")
		}
		if err := sleep(b.ctx, wait); err != nil {
			return err
		}
		return b.probed(t, which, get, set, func() error {
			return sleep(b.ctx, time.Until(start.Add(expiryTime))+time.Duration(b.sized(3000, 300))*time.Millisecond)
		})
	}
}

// writeSteadily overwrites keys at a bounded rate: what is looked for is what
// the background does to others, not what happens at full speed. Redis is asked
// for its own background work once.
func (b *bench) writeSteadily(t *target, f fill) error {
	const conns, batchesPerSecond = 50, 50 // times 16: 40,000 writes per second
	if t.name == nameRedis {
		c, err := t.admin()
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.rewriteLog(); err != nil {
			return err
		}
	}
	length := time.Duration(b.sized(6000, 400)) * time.Millisecond
	until := time.Now().Add(length)
	return split(f.namespaces, min(conns, f.namespaces), func(namespace, _ int) error {
		l, err := t.lane(namespace, f)
		if err != nil {
			return err
		}
		defer l.conn.Close()
		tick := time.NewTicker(time.Second / batchesPerSecond)
		defer tick.Stop()
		for time.Now().Before(until) && b.ctx.Err() == nil {
			if err := l.exchange(workSet, pipelined); err != nil {
				return err
			}
			<-tick.C
		}
		return b.ctx.Err()
	})
}

// controlOf names the probe of an idle server while another one is disturbed.
func controlOf(server string) string { return "idle beside " + server }

// probed runs something while two connections measure what a client notices:
// one reads in a namespace, one writes in another. A third one asks an idle server.
func (b *bench) probed(t *target, which string, get, set int, disturb func() error) error {
	ctx, stop := context.WithCancel(b.ctx)
	defer stop()
	doGet := func(c *client, key string) error { return c.expect(1, "GET", key) }
	doSet := func(c *client, key string) error { return c.expect(1, "SET", key, "probe") }
	probes := []struct {
		target    *target
		server    string
		name      string
		namespace int
		request   func(c *client, key string) error
		hist      histogram
	}{
		{target: t, server: t.name, name: "GET", namespace: get, request: doGet},
		{target: t, server: t.name, name: "SET", namespace: set, request: doSet},
		{target: b.idle, server: controlOf(t.name), name: "GET", request: doGet},
	}
	errs := make([]error, len(probes)+1)
	var wg sync.WaitGroup
	for i := range probes {
		p := &probes[i]
		c, prefix, err := p.target.signIn(p.namespace)
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.command("SET", prefix+"probe", "probe"); err != nil {
			return err
		}
		wg.Go(func() {
			tick := time.NewTicker(probeEvery)
			defer tick.Stop()
			for ctx.Err() == nil {
				began := time.Now()
				if err := p.request(c, prefix+"probe"); err != nil {
					errs[i] = fmt.Errorf("probe: %w", err)
					return
				}
				p.hist.recordPaced(time.Since(began), probeEvery)
				<-tick.C
			}
		})
	}
	errs[len(probes)] = disturb()
	stop()
	wg.Wait()
	for i := range probes {
		p := &probes[i]
		where := series{Name: p.name, Case: which, Metric: worst, Keys: b.sized(1_000_000, 2000)}
		b.add(where, p.server, p.hist.worst.Seconds()*1e3)
		where.Metric = p999
		b.add(where, p.server, p.hist.quantile(0.999).Seconds()*1e3)
		progress("  %-26s %-26s %s: worst %.1f ms", p.server, which, p.name, p.hist.worst.Seconds()*1e3)
	}
	return errors.Join(errs...)
}
