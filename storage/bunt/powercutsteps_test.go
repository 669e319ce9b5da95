package bunt

import (
	"fmt"
	"math"
	"strings"
	"syscall"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// dieInside stops the disk at the n-th operation from now on, for good.
func (c *crashRun) dieInside(n int) {
	c.disk.fault = func(op, name string) error {
		if n--; n >= 0 {
			return nil
		}
		c.disk.dead = true
		c.note("  the disk dies at: %s %s", op, strings.TrimPrefix(name, c.opts.Dir))
		return syscall.EIO
	}
}

// failOnce lets the next operations of a kind fail, once or for a while.
func (c *crashRun) failOnce(kind string, times int) {
	inner := c.disk.fault
	c.disk.fault = func(op, name string) error {
		if op == kind && times > 0 && !c.disk.dead {
			times--
			c.torn = c.torn || kind == "truncate"
			c.note("  fails: %s %s", op, strings.TrimPrefix(name, c.opts.Dir))
			return syscall.EIO
		}
		if inner != nil {
			return inner(op, name)
		}
		return nil
	}
}

func (c *crashRun) step() {
	switch n := c.rnd.IntN(100); {
	case n < 60:
		c.update()
	case n < 61:
		c.drop()
	case n < 64:
		c.fill()
	case n < 73:
		c.note("tick")
		c.s.journal.tick()
	case n < 75:
		c.note("sync")
		if err := c.s.Sync(c.t.Context()); err == nil {
			c.model.sync(c.model.newest())
		} else {
			c.refused(err)
		}
	case n < 79:
		c.note("rotate")
		c.mayFail(c.s.journal.rotate(c.t.Context()))
	case n < 82:
		c.note("compact what is closed")
		c.mayFail(c.s.compactClosed(c.t.Context()))
	case n < 83:
		c.note("compact what is over budget")
		c.mayFail(c.s.compactOver(c.t.Context()))
	case n < 84:
		_, err := c.s.unloadColdest(c.t.Context(), math.MaxInt64, nil, func() bool { return c.rnd.IntN(3) > 0 })
		c.note("unload")
		c.mayFail(err)
	case n < 85:
		c.note("compact")
		c.mayFail(c.s.Compact(c.t.Context()))
	case n < 88:
		c.note("unload")
		_, err := c.s.unloadColdest(c.t.Context(), c.clock.Now()+100_000, nil, func() bool { return true })
		c.mayFail(err)
	case n < 90:
		by := int64(c.rnd.IntN(5000) - 2000)
		c.note("clock by %d ms", by)
		c.clock.Set(c.clock.Now() + by)
		c.model.latest = max(c.model.latest, c.clock.Now())
	case n < 92:
		kinds := []string{"write", "sync", "create", "rename", "remove", "syncdir", "mkdir", "truncate"}
		kind := kinds[c.rnd.IntN(len(kinds))]
		c.note("%s will fail", kind)
		c.failOnce(kind, 1+c.rnd.IntN(2))
	case n < 94:
		c.disk.space = int64(c.rnd.IntN(3000))
		c.note("space for %d bytes", c.disk.space)
	default:
		c.disk.space = -1
		if c.s.journal.failed.Load() {
			c.s.mend()
			if !c.s.journal.failed.Load() {
				c.note("healed")
				c.tally.healed++
			}
		}
	}
}

// fill does what the goroutine that writes zeros ahead does.
func (c *crashRun) fill() {
	c.s.journal.fill()
	ahead := c.s.journal.ahead.filled.Load() - c.s.journal.ahead.used.Load()
	c.note("%d zeros ahead", ahead)
	if ahead > 0 {
		c.tally.filled++
	}
}

func (c *crashRun) update() {
	if c.opts.Sync == SyncAlways && c.rnd.IntN(4) == 0 {
		c.fill()
	}
	id := crashSpaces[c.rnd.IntN(len(crashSpaces))]
	ns, err := c.s.Namespace(c.t.Context(), storage.Durable, id)
	if err != nil {
		c.refused(err)
		return
	}
	var after state
	var what string
	seq, err := ns.Update(c.t.Context(), nil, func(tx storage.Tx) error {
		after, what = c.model.last(id).clone(), id.String()
		for range 1 + c.rnd.IntN(4) {
			what += " " + c.change(tx, after)
		}
		return nil
	})
	c.note("%s", what)
	if err != nil {
		c.refused(err)
		return
	}
	n := uint64(seq) & numberMask
	if n > c.model.newest() {
		c.model.add(n, id, after)
	}
	if c.rnd.IntN(3) == 0 {
		return
	}
	if err := c.s.Wait(c.t.Context(), seq); err != nil {
		c.refused(err)
		return
	}
	c.note("  acknowledged %d", n)
	c.tally.acked++
	c.model.acked = max(c.model.acked, n)
}

// change does one thing to a namespace and to what the model expects of it.
func (c *crashRun) change(tx storage.Tx, after state) string {
	key := fmt.Sprintf("k%d", c.rnd.IntN(8))
	switch n := c.rnd.IntN(20); {
	case n < 12:
		size := c.rnd.IntN(40)
		if c.rnd.IntN(8) == 0 {
			size = c.rnd.IntN(9000)
		}
		// Zeros in values look like lost sectors.
		v := value{text: fmt.Sprint(c.rnd.Uint32()) + strings.Repeat("\x00", size)}
		if c.rnd.IntN(3) == 0 {
			v.until = tx.Now() + 1 + int64(c.rnd.IntN(4000))
		}
		require.NoError(c.t, tx.Set(key, storage.Entry{Value: []byte(v.text), ExpiresAt: v.until}))
		after[key] = v
		return fmt.Sprintf("%s=%s", key, v)
	case n < 17:
		if err := tx.Delete(key); err == nil {
			delete(after, key)
		}
		return "-" + key
	case n < 19:
		_, err := tx.Purge(3)
		require.NoError(c.t, err)
		return "purge"
	default:
		require.NoError(c.t, tx.Clear())
		clear(after)
		return "clear"
	}
}

func (c *crashRun) drop() {
	id := crashSpaces[c.rnd.IntN(len(crashSpaces))]
	c.note("drop %s", id)
	before := c.s.journal.newest()
	err := c.s.Drop(c.t.Context(), id)
	n := c.s.journal.newest()
	if n > before { // if it is lost, settle takes it back
		c.model.add(n, id, state{})
	}
	if err != nil {
		c.refused(err)
		return
	}
	c.model.sync(n)
}

// refused is what an operation may answer when the disk does not do its part.
func (c *crashRun) refused(err error) {
	c.note("  refused: %v", err)
	if !c.disk.dead {
		require.ErrorIs(c.t, err, storage.ErrWriteFailed, c.where())
	}
}

func (c *crashRun) mayFail(err error) {
	if err != nil {
		c.note("  error: %v", err)
	}
}
