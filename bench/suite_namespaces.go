package main

import (
	"fmt"
	"time"
)

const hopName = "GET, another namespace each batch"

// runNamespaces asks what namespaces cost: the same keys in one, in many and in
// very many of them.
func runNamespaces(b *bench) error {
	total := b.sized(1_000_000, 10_000)
	for _, n := range []int{1, b.sized(1000, 10), b.sized(100_000, 500)} {
		f := fill{namespaces: n, keys: total / n, value: 64}
		err := b.fresh(func() error {
			began := time.Now()
			targets, err := b.pair(everysec, n)
			if err != nil {
				return err
			}
			cubby := targets[1]
			progress("  %d namespaces opened in %.1f s", n, time.Since(began).Seconds())
			where := series{Name: "memory", Metric: megabytes, Value: f.value, Keys: total, Namespaces: n}
			mb, err := cubby.residentMB()
			if err != nil {
				return err
			}
			empty := where
			empty.Case = caseEmpty
			b.add(empty, cubby.name, mb)
			if err := b.loadAll(f, targets...); err != nil {
				return err
			}
			for _, t := range targets {
				t.settle(time.Second, time.Duration(b.sized(20, 1))*time.Second)
				if mb, err = t.residentMB(); err != nil {
					return err
				}
				b.add(where, t.name, mb)
			}
			return b.measureCells(namespaceCells(), f, targets)
		})
		if err != nil {
			return fmt.Errorf("%d namespaces: %w", n, err)
		}
	}
	return nil
}

func namespaceCells() []cell {
	var cells []cell
	for _, o := range []op{opGet, opSet, {hopName, workHop}} {
		cells = append(cells, cell{series{Name: o.name, Pipeline: pipelined, Conns: usualConns, Fsync: everysec}, both(o.work)})
	}
	return cells
}
