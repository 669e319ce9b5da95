package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

const (
	// lightEvery is how often each neighbour sends a request.
	lightEvery = 200 * time.Millisecond
	lightKeys  = 100
	lightRows  = 10 // of a listing

	nameLight = "request of a neighbour"
	nameFlood = "command of the one that floods"

	medianLight = "p50 us"
)

// runNeighbours asks what a namespace that floods does to the others: each of
// them sends a request now and then, first without the flood and then with it,
// in each of several ways.
func runNeighbours(b *bench) error {
	n := b.sized(1000, 50)
	targets, err := b.pair(everysec, n)
	if err != nil {
		return err
	}
	f := fill{namespaces: n, keys: lightKeys, value: 64}
	if err := b.loadAll(f, targets...); err != nil {
		return err
	}
	clients := map[*target][]*lane{}
	for _, t := range targets {
		if err := t.load(b.ctx, fill{namespaces: 1, keys: floodKeys, value: 64}); err != nil { // the first is the one that floods
			return err
		}
		for i := 1; i < n; i++ {
			l, err := t.lane(i, f)
			if err != nil {
				return err
			}
			clients[t] = append(clients[t], l)
		}
		defer closeLanes(clients[t])
		t.settle(time.Second/2, time.Duration(b.sized(5, 1))*time.Second)
	}
	return turns(b.Rounds, targets, func(round int, t *target) error {
		if round == 0 { // whoever is asked first warms up
			if _, err := b.light(t, clients[t], b.duration); err != nil {
				return err
			}
		}
		quiet, err := b.light(t, clients[t], 2*b.duration)
		if err != nil {
			return err
		}
		b.addLight(t, caseQuiet, quiet)
		for i := range floods {
			hist, err := b.beside(&floods[i], t, clients[t])
			if err != nil {
				return fmt.Errorf("%s: %w", floods[i].name, err)
			}
			b.addLight(t, floods[i].name, hist)
			progress("  %-14s %-52s p50 %s (%.1f of quiet), p99 %s (%.1f)", t.name, floods[i].name,
				hist.quantile(0.5).Round(time.Microsecond), float64(hist.quantile(0.5))/float64(quiet.quantile(0.5)),
				hist.quantile(0.99).Round(time.Microsecond), float64(hist.quantile(0.99))/float64(quiet.quantile(0.99)))
		}
		return nil
	})
}

func (b *bench) addLight(t *target, which string, h *histogram) {
	where := series{Name: nameLight, Case: which, Namespaces: b.sized(1000, 50)}
	for _, m := range []struct {
		metric string
		value  time.Duration
	}{{medianLight, h.quantile(0.5)}, {p99, h.quantile(0.99)}, {p999, h.quantile(0.999)}} {
		unit := time.Microsecond
		if m.metric == p999 {
			unit = time.Millisecond
		}
		where.Metric = m.metric
		b.add(where, t.name, float64(m.value)/float64(unit))
	}
}

// beside measures the neighbours while namespace 0 floods.
func (b *bench) beside(f *flood, t *target, clients []*lane) (h *histogram, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(b.ctx, self, floodArgs(f, t, 0)...)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	dieWithParent(cmd)
	stop, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err = sleep(b.ctx, b.duration/2); err == nil { // until all of it flows
		h, err = b.light(t, clients, 2*b.duration)
	}
	_ = stop.Close()
	if werr := cmd.Wait(); werr != nil {
		return nil, errors.Join(err, fmt.Errorf("the flood: %w: %s", werr, errOut.String()))
	}
	took := time.Since(began)
	if err != nil {
		return nil, err
	}
	answered, err := parseAnswered(out.String())
	if err != nil {
		return nil, err
	}
	b.add(series{Name: nameFlood, Case: f.name, Metric: perSecond, Namespaces: b.sized(1000, 50)}, t.name, float64(answered)/took.Seconds())
	return h, sleep(b.ctx, b.duration/4)
}

// light lets every neighbour send a request each lightEvery for a while. While
// one takes longer than that, those that would have been sent count as late too.
func (b *bench) light(t *target, clients []*lane, d time.Duration) (*histogram, error) {
	ctx, stop := context.WithTimeout(b.ctx, d)
	defer stop()
	errs := make([]error, len(clients))
	began := time.Now()
	var wg sync.WaitGroup
	for i, l := range clients {
		l.hist = histogram{}
		_ = l.conn.SetDeadline(began.Add(d + patience))
		wg.Go(func() {
			offset := lightEvery * time.Duration(i) / time.Duration(len(clients))
			for next := began.Add(offset); sleep(ctx, time.Until(next)) == nil; next = next.Add(lightEvery) {
				sent := time.Now()
				if errs[i] = l.lightRequest(t.name == nameRedis); errs[i] != nil {
					stop()
					return
				}
				took := time.Since(sent)
				l.hist.recordPaced(took, lightEvery)
				next = next.Add(took / lightEvery * lightEvery)
			}
		})
	}
	wg.Wait()
	all := new(histogram)
	for _, l := range clients {
		all.add(&l.hist)
	}
	if err := errors.Join(errors.Join(errs...), b.ctx.Err()); err != nil {
		return nil, err
	}
	if all.total == 0 {
		return nil, errors.New("no request was answered in time; give it a longer -duration")
	}
	return all, nil
}

// lightRequest is a GET in six of ten, a SET in three, and a listing. Redis reads
// as many values by their names in a listing's place: it has none.
func (l *lane) lightRequest(redis bool) error {
	switch kind := l.rng.IntN(10); {
	case kind < 6:
		l.out = workGet.append(l.out[:0], l)
	case kind < 9:
		l.out = workSet.append(l.out[:0], l)
	case redis:
		l.out = appendMGet(l.out[:0], l, lightRows)
	default:
		l.out = appendCommand(l.out[:0], "KV.LIST", []byte("LIMIT"), []byte("10"))
	}
	if _, err := l.conn.Write(l.out); err != nil {
		return err
	}
	return skipReplies(l.r, 1)
}
