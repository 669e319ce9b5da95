package main

// op is a command with its workload.
type op struct {
	name string
	work *workload
}

var (
	opGet    = op{"GET", workGet}
	opSet    = op{"SET overwrite", workSet}
	opSetEX  = op{"SET EX overwrite", workSetEX}
	opIncr   = op{"INCR", workIncr}
	opMGet   = op{"MGET of 10", workMGet}
	opInsert = op{"SET insert", workInsert}
)

const (
	pipelined   = 16
	usualConns  = 50
	everysec    = "everysec"
	fsyncAlways = "always"
)

// grid makes a cell of each op at pipeline 1 and 16. Inserts come last of all:
// they change what the others measure.
func grid(fsync string, conns []int, work func(w *workload, conns int) map[string]*workload, ops ...op) []cell {
	var cells, last []cell
	for _, c := range conns {
		for _, o := range ops {
			for _, p := range []int{1, pipelined} {
				x := cell{series{Name: o.name, Pipeline: p, Conns: c, Fsync: fsync}, work(o.work, c)}
				if o.work == workInsert {
					last = append(last, x)
				} else {
					cells = append(cells, x)
				}
			}
		}
	}
	return append(cells, last...)
}

func plain(w *workload, _ int) map[string]*workload { return both(w) }

// withFloor adds the empty handler where the budget asks for it: with the usual
// connections, and for GET and SET, which stands for all writes.
func withFloor(w *workload, conns int) map[string]*workload {
	work := both(w)
	if conns == usualConns && (w == workGet || w == workSet) {
		work[nameRedcon] = w
	}
	return work
}

// runThroughput measures the plain commands.
func runThroughput(b *bench) error {
	groups := []struct {
		fill  fill
		fsync string
		cells []cell
	}{
		{fill{b.sized(1000, 50), b.sized(1000, 100), 64, nil}, everysec,
			grid(everysec, []int{usualConns, 1, b.sized(500, 100)}, withFloor, opGet, opSet, opSetEX, opIncr, opMGet, opInsert)},
		{fill{b.sized(1000, 50), b.sized(1000, 100), 1024, nil}, everysec,
			grid(everysec, []int{usualConns}, withFloor, opGet, opSet, opSetEX, opMGet, opInsert)},
		{fill{b.sized(100, 50), 10, 64 << 10, nil}, everysec,
			grid(everysec, []int{usualConns}, plain, opGet, opSet)},
		{fill{b.sized(1000, 50), b.sized(100, 10), 64, nil}, fsyncAlways,
			grid(fsyncAlways, []int{usualConns}, plain, opSet, opSetEX, opIncr, opInsert)},
	}
	for _, g := range groups {
		err := b.fresh(func() error {
			targets, err := b.pair(g.fsync, g.fill.namespaces)
			if err != nil {
				return err
			}
			if err := b.loadAll(g.fill, targets...); err != nil {
				return err
			}
			empty, err := b.redcon(g.fill.value)
			if err != nil {
				return err
			}
			return b.measureCells(g.cells, g.fill, append(targets, empty))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// fresh runs a part of a suite with servers of its own.
func (b *bench) fresh(part func() error) error {
	outer := b.lab
	inner, err := newLab(outer.ctx, outer.binary, outer.dir)
	if err != nil {
		return err
	}
	b.lab = inner
	defer func() {
		inner.close()
		b.lab = outer
	}()
	if err := part(); err != nil {
		return inner.explain(err)
	}
	return nil
}
