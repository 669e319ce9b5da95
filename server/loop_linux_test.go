package server

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// onLoop opens a door whose connections share one loop.
func onLoop(t *testing.T, o Options, prepare ...func(*fakePeer)) *door {
	o.EventLoops = 1
	d := openDoor(t, o, func(p *fakePeer) {
		for _, f := range prepare {
			f(p)
		}
	})
	if len(d.eventLoops()) == 0 {
		t.Skip("this run is without loops")
	}
	return d
}

// inLoop runs f on the loop at a time that is so much later.
func (d *door) inLoop(later time.Duration, f func(*loop)) {
	d.t.Helper()
	l, done := d.eventLoops()[0], make(chan struct{})
	l.post(func() {
		l.now = l.now.Add(later)
		f(l)
		close(done)
	})
	receive(d.t, done)
}

// A command that waits holds up its own connection, in order, and no other.
func TestLoopGoesOnBesideASlowCommand(t *testing.T) {
	d := onLoop(t, Options{})
	slow, quick := d.dial(), d.dial()
	slow.say(command("ECHO", "1") + command("HANG") + command("ECHO", "2") + command("ECHO", "3"))
	slow.hears(bulk("1"))
	slow.say(command("ECHO", "4"))
	p := d.hanging()
	for range 10 {
		quick.say(command("PING"))
		quick.hears("+PONG\r\n")
	}
	close(p.hang)
	slow.hears("+DONE\r\n" + bulk("2") + bulk("3") + bulk("4"))
}

// Replies that the client does not take at once wait, without holding anybody
// up, and are taken later.
func TestLoopWaitsForSlowReaders(t *testing.T) {
	d := onLoop(t, Options{})
	slow, quick := d.dial(), d.dial()
	const n = 8
	slow.say(strings.Repeat(command("BIG"), n) + command("PING"))
	c := d.loopConnOf(slow)
	eventually(t, func() (sending bool) {
		d.inLoop(0, func(*loop) { sending = c.sending })
		return sending
	})
	quick.say(command("PING"))
	quick.hears("+PONG\r\n")
	for range n {
		slow.hears("$4194304\r\n")
		read, err := io.CopyN(io.Discard, slow.r, 4<<20+2)
		require.NoError(t, err)
		require.Equal(t, int64(4<<20+2), read)
	}
	slow.hears("+PONG\r\n")
}

// loopConnOf finds the server's end of a client's connection.
func (d *door) loopConnOf(cl *client) *loopConn {
	var found *loopConn
	eventually(d.t, func() bool {
		d.inLoop(0, func(l *loop) {
			for _, c := range l.conns {
				if c.log.nc.RemoteAddr().String() == cl.LocalAddr().String() {
					found = c
				}
			}
		})
		return found != nil
	})
	return found
}

func TestLoopClosesIdleConnections(t *testing.T) {
	d := onLoop(t, Options{Timeout: time.Hour})
	c := d.dial()
	c.say(command("PING"))
	c.hears("+PONG\r\n")
	d.inLoop(59*time.Minute, (*loop).tick)
	c.say(command("PING"))
	c.hears("+PONG\r\n")
	d.inLoop(61*time.Minute, (*loop).tick)
	c.hearsEnd("")
	receive(t, d.peer(0).ended)
}

func TestLoopCutsOffWhoDoesNotRead(t *testing.T) {
	d := onLoop(t, Options{WriteTimeout: time.Hour})
	c := d.dial()
	c.say(strings.Repeat(command("BIG"), 8))
	lc := d.loopConnOf(c)
	eventually(t, func() (sending bool) {
		d.inLoop(0, func(*loop) { sending = lc.sending })
		return sending
	})
	d.inLoop(59*time.Minute, (*loop).tick)
	closed := false
	d.inLoop(0, func(*loop) { closed = lc.closed })
	require.False(t, closed, d.log.String())
	d.inLoop(61*time.Minute, (*loop).tick)
	receive(t, d.peer(0).ended)
	require.Contains(t, d.log.String(), "does not take its replies")
}

func TestLoopGivesBuffersBack(t *testing.T) {
	d := onLoop(t, Options{})
	c := d.dial()
	large := strings.Repeat("x", 1<<20)
	c.say(command("ECHO", large))
	c.hears(bulk(large))
	lc := d.loopConnOf(c)
	d.inLoop(2*quietAfter, (*loop).tick)
	d.inLoop(0, func(*loop) {
		require.LessOrEqual(t, cap(lc.guard.buf), quietBuffer)
		require.Less(t, cap(lc.out.Bytes()), 1<<20)
	})
}

// A client that sends and hangs up at once is served to the end.
func TestLoopServesWhoHangsUp(t *testing.T) {
	d := onLoop(t, Options{})
	for range 50 {
		c := d.dial()
		c.say(strings.Repeat(command("PING"), 100))
		require.NoError(t, c.Conn.(*net.TCPConn).CloseWrite())
		c.hearsEnd(strings.Repeat("+PONG\r\n", 100))
	}
	eventually(t, func() bool { return d.Stats().Open == 0 })
}

// A fault of ours costs the connection that met it, not the loop.
func TestLoopSurvivesAPanic(t *testing.T) {
	d := onLoop(t, Options{})
	broken, other := d.dial(), d.dial()
	lc := d.loopConnOf(broken)
	broken.say("*1\r\n$4\r\nPI")
	eventually(t, func() (arrived bool) {
		d.inLoop(0, func(*loop) { arrived = lc.guard.bulk == 4 })
		return arrived
	})
	d.inLoop(0, func(*loop) { lc.guard.pos = -5 })
	broken.say("NG\r\n")
	_, err := io.ReadAll(broken.r)
	require.Error(t, err, "unread bytes: a reset")
	other.say(command("PING"))
	other.hears("+PONG\r\n")
}

// What tells of a write that the store did not keep is not sent.
func TestLoopDropsMessagesAboutFailedWrites(t *testing.T) {
	d := onLoop(t, Options{}, func(p *fakePeer) {
		p.waiting = func(s storage.Seq) error {
			if s == 7 {
				return errors.New("no disk")
			}
			return nil
		}
	})
	c := d.dial()
	c.say(command("PING"))
	c.hears("+PONG\r\n")
	push := d.peer(0).opts.Push
	d.inLoop(0, func(*loop) {
		push([]byte("+lost\r\n"), 7)
		push([]byte("+kept\r\n"), 8)
		push([]byte("+last\r\n"), 0)
	})
	c.hears("+kept\r\n+last\r\n")
}

// More messages than fit into one turn, and a command beside them.
func TestLoopSendsMessagesBesideReplies(t *testing.T) {
	d := onLoop(t, Options{})
	c := d.dial()
	c.say(command("PING"))
	c.hears("+PONG\r\n")
	lc := d.loopConnOf(c)
	d.inLoop(0, func(*loop) {
		for range 10 {
			lc.push(append(make([]byte, pushBytes-2), "\r\n"...), 0)
		}
	})
	c.say(command("ECHO", "between"))
	message := string(append(make([]byte, pushBytes-2), "\r\n"...))
	for range 11 {
		first, err := c.r.Peek(1)
		require.NoError(t, err)
		if first[0] == '$' {
			c.hears(bulk("between"))
		} else {
			c.hears(message)
		}
	}
}

// Messages for many go out a few connections at a time, so that the requests of
// others come in between.
func TestLoopTellsAFewAtATime(t *testing.T) {
	d := onLoop(t, Options{})
	var conns []*client
	for range 2*tellsPerTurn + 1 {
		c := d.dial()
		c.say(command("PING"))
		c.hears("+PONG\r\n")
		conns = append(conns, c)
	}
	d.inLoop(0, func(l *loop) {
		for _, c := range l.conns {
			c.box.push([]byte("+hello\r\n"), 0, BufferLimit{}, time.Now)
			c.told.Store(true)
			c.enqueueToTell()
			c.enqueueToTell()
		}
		require.Len(t, l.telling, 2*tellsPerTurn+1)
		l.tell()
		require.Len(t, l.telling, tellsPerTurn+1)
		require.Len(t, l.answered, tellsPerTurn)
	})
	for _, c := range conns {
		c.hears("+hello\r\n")
	}
}
