package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// suites in the order in which they run and are reported.
var suites = []struct {
	name string
	run  func(*bench) error
}{
	{"throughput", runThroughput},
	{"lua", runLua},
	{"listing", runListing},
	{"memory", runMemory},
	{"restart", runRestart},
	{"stalls", runStalls},
	{"namespaces", runNamespaces},
	{"neighbours", runNeighbours},
	{"http", runHTTP},
}

func suiteNames() []string {
	names := make([]string, len(suites))
	for i, s := range suites {
		names[i] = s.name
	}
	return names
}

// bench is a suite while it runs: its servers, its sizes, its results.
type bench struct {
	*lab
	*suiteResult
	quick    bool
	duration time.Duration
	idle     *target // an idle server to compare with
}

func newBench(ctx context.Context, o options, name, binary, dir string) (*bench, error) {
	l, err := newLab(ctx, binary, dir)
	if err != nil {
		return nil, err
	}
	return &bench{lab: l, quick: o.quick, duration: o.duration, suiteResult: &suiteResult{
		When: time.Now().UTC().Truncate(time.Second), Load: loadAverage(), Rounds: o.rounds,
		Each: o.duration.Seconds(), Commit: commit(ctx), Machine: describeMachine(ctx),
	}}, nil
}

// sized is the full size, or the one of a quick look.
func (b *bench) sized(full, quick int) int {
	if b.quick {
		return quick
	}
	return full
}

// slowRounds bounds the rounds of measurements that take many seconds each.
func (b *bench) slowRounds() int { return min(b.Rounds, 3) }

// turns calls do for each target, in another order in each round so that
// nobody always goes first.
func turns(rounds int, targets []*target, do func(round int, t *target) error) error {
	for round := range rounds {
		for i := range targets {
			t := targets[(i+round)%len(targets)]
			if err := do(round, t); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
	}
	return nil
}

// loadAll loads every target with the same.
func (b *bench) loadAll(f fill, targets ...*target) error {
	for _, t := range targets {
		began := time.Now()
		if err := t.load(b.ctx, f); err != nil {
			return err
		}
		mb, err := t.residentMB()
		if err != nil {
			return err
		}
		progress("  %s: %d keys loaded in %.1f s, %.0f MB resident", t.name, f.total(), time.Since(began).Seconds(), mb)
	}
	return nil
}

// cell is one measurement of throughput, on every server that has a workload.
type cell struct {
	series
	work map[string]*workload
}

// both lets Redis and Cubby do the same.
func both(w *workload) map[string]*workload {
	return map[string]*workload{nameRedis: w, nameCubby: w}
}

// measureCells runs all cells on all targets, in turns. Connections stay open
// from one cell to the next; each measurement warms up a tenth of its time.
func (b *bench) measureCells(cells []cell, f fill, targets []*target) error {
	type laneKey struct {
		t     *target
		conns int
	}
	open := map[laneKey][]*lane{}
	defer func() {
		for _, lanes := range open {
			closeLanes(lanes)
		}
	}()
	for _, c := range cells {
		c.series.Value, c.series.Keys, c.series.Namespaces = f.value, f.total(), f.namespaces
		err := turns(b.Rounds, targets, func(_ int, t *target) error {
			w := c.work[t.name]
			if w == nil {
				return nil
			}
			key := laneKey{t, c.Conns}
			for len(open[key]) < c.Conns {
				l, err := t.lane(len(open[key])*f.namespaces/c.Conns, f)
				if err != nil {
					return err
				}
				open[key] = append(open[key], l)
			}
			if _, _, err := drive(b.ctx, open[key], w, c.Pipeline, b.duration/10); err != nil {
				return err
			}
			rate, hist, err := drive(b.ctx, open[key], w, c.Pipeline, b.duration)
			if err != nil {
				return err
			}
			if hist.total == 0 {
				return errors.New("no batch was finished in time; give it a longer -duration")
			}
			c.Metric = perSecond
			b.add(c.series, t.name, rate)
			c.Metric = p99
			b.add(c.series, t.name, float64(hist.quantile(0.99).Nanoseconds())/1e3)
			return nil
		})
		if err != nil {
			return fmt.Errorf("%s, pipeline %d, %d connections: %w", c.Name, c.Pipeline, c.Conns, err)
		}
		c.Metric = perSecond
		for _, x := range b.rows(func(s series) bool { return s.id() == c.series.id() }) {
			r := x.ratio()
			progress("  %-24s P%-3d c%-4d %6d B %-9s %.2f (%.2f to %.2f)", c.Name, c.Pipeline, c.Conns, f.value, c.Fsync, r.Median, r.Min, r.Max)
		}
	}
	return nil
}
