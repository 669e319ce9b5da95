package server

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// onSlowDisk opens a door on a loop that has found the disk to be slow. After
// arm, each wait for the store says so and ends with what is sent to it.
func onSlowDisk(t *testing.T, durable func(n int) bool) (d *door, waits chan chan error, arm func()) {
	waits = make(chan chan error, 16)
	var armed bool // set and read on the loop and, once set, by its goroutine
	n := 0
	d = onLoop(t, Options{SlowWaits: true}, func(p *fakePeer) {
		p.durable = durable(n)
		n++
		p.waiting = func(storage.Seq) error {
			if !armed {
				return nil
			}
			end := make(chan error)
			waits <- end
			return <-end
		}
	})
	return d, waits, func() {
		d.inLoop(0, func(l *loop) { armed, l.waits.usual = true, time.Hour })
	}
}

// While an fsync takes its time, others are served: those whose replies are
// durable are answered, and those whose are not share the next fsync.
func TestLoopGoesOnDuringASlowFsync(t *testing.T) {
	d, waits, arm := onSlowDisk(t, func(n int) bool { return n == 1 })
	writer, reader, later, last := d.dial(), d.dial(), d.dial(), d.dial()
	arm()
	writer.say(command("ECHO", "written"))
	first := receive(t, waits)
	later.say(command("ECHO", "later"))
	last.say(command("ECHO", "last"))
	for range 10 {
		reader.say(command("PING"))
		reader.hears("+PONG\r\n")
	}
	lc, wc := d.loopConnOf(later), d.loopConnOf(last)
	eventually(t, func() (held bool) {
		d.inLoop(0, func(*loop) { held = lc.replying && wc.replying })
		return held
	})
	first <- nil
	writer.hears(bulk("written"))
	second := receive(t, waits)
	second <- nil
	later.hears(bulk("later"))
	last.hears(bulk("last"))
	require.Empty(t, waits, "one fsync for both")
}

// Who waits for a disk that fails hears of it, and is served afterwards.
func TestLoopSlowFsyncFails(t *testing.T) {
	d, waits, arm := onSlowDisk(t, func(int) bool { return false })
	a, _ := d.dial(), d.dial()
	arm()
	a.say(command("ECHO", "lost"))
	receive(t, waits) <- errors.New("no space")
	receive(t, waits) <- errors.New("no space") // it asks for itself
	a.hears("-MISCONF waiting for the store: no space\r\n")
	a.say(command("ECHO", "kept"))
	receive(t, waits) <- nil
	a.hears(bulk("kept"))
}

// A connection may go while its replies are held, and so may the server.
func TestLoopEndsDuringASlowFsync(t *testing.T) {
	d, waits, arm := onSlowDisk(t, func(int) bool { return false })
	gone, stays, _ := d.dial(), d.dial(), d.dial()
	arm()
	gone.say(command("ECHO", "1"))
	stays.say(command("ECHO", "2"))
	end := receive(t, waits)
	d.inLoop(0, func(l *loop) { l.tick() })
	c := d.loopConnOf(gone)
	c.kill()
	gone.hearsEnd("")
	stopped := make(chan error)
	go func() { stopped <- d.Shutdown(context.Background()) }()
	end <- nil
	select {
	case end := <-waits: // the second was late for the first
		end <- nil
	case err := <-stopped:
		require.NoError(t, err)
		stopped = nil
	}
	stays.hears(bulk("2"))
	if stopped != nil {
		require.NoError(t, receive(t, stopped))
	}
	l := d.eventLoops()[0]
	receive(t, l.waits.ended)
}

// A fault of ours while waiting costs the connections concerned, and no more.
func TestLoopPanicDuringASlowFsync(t *testing.T) {
	panics := false
	d := onLoop(t, Options{SlowWaits: true}, func(p *fakePeer) {
		p.waiting = func(storage.Seq) error {
			if panics {
				panic("a fault of ours")
			}
			return nil
		}
	})
	a, b := d.dial(), d.dial()
	d.inLoop(0, func(l *loop) { panics, l.waits.usual = true, time.Hour })
	a.say(command("PING"))
	a.hearsEnd("")
	d.inLoop(0, func(*loop) { panics = false })
	b.say(command("PING"))
	b.hears("+PONG\r\n")
}

// A quick disk is waited for by the loop itself, which notices when it is not.
func TestLoopMeasuresItsWaits(t *testing.T) {
	var w waits
	require.False(t, w.apart(1, 2))
	for range 100 {
		w.took(10 * time.Millisecond)
	}
	require.True(t, w.apart(1, 2))
	require.False(t, w.apart(2, 2), "there is nobody else")
	for range 100 {
		w.took(100 * time.Microsecond)
	}
	require.False(t, w.apart(1, 2))
	w.under = []*loopConn{nil}
	require.True(t, w.apart(2, 2), "one is under way")
}
