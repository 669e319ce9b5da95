package server

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/storage"
)

// A loop that always has a task looks after its connections all the same: one that
// is told things from elsewhere, again and again, would never read a request.
func TestLoopLooksForEventsBesideTasks(t *testing.T) {
	l := newStillLoop(t)
	p := l.connect("app")
	l.step()
	p.say(command("PING"))
	l.post(func() {})
	require.Equal(t, 1, l.poll())
}

// hearEnd requires that the connection was closed by the loop's side.
func (p *party) hearEnd() {
	p.l.t.Helper()
	n, err := unix.Read(p.fd, make([]byte, 1))
	require.NoError(p.l.t, err)
	require.Zero(p.l.t, n)
}

// A connection may be cut off before its loop has heard of it: CLIENT KILL finds
// its session.
func TestLoopConnKilledBeforeItBegins(t *testing.T) {
	l := newStillLoop(t)
	p := l.arrive("app")
	p.conn.kill()
	l.step()
	p.conn.begin(p.far)
	p.hearEnd()
	require.Empty(t, l.conns)
	require.Empty(t, l.shares)
	receive(t, p.peer.ended)
}

// So may the server stop meanwhile, even before there is a session.
func TestLoopConnBeginsWhenTheServerStops(t *testing.T) {
	l := newStillLoop(t)
	p := l.arrive("app")
	peer := p.conn.peer
	p.conn.peer = nil
	close(l.server.stopped)
	p.conn.drain()
	l.step()
	p.conn.peer = peer
	p.conn.begin(p.far)
	for range 2 {
		l.step()
	}
	p.hearEnd()
	receive(t, p.peer.ended)
	require.NotContains(t, p.l.log.String(), "panic")
	p.conn.close() // it lingers
	require.Empty(t, l.conns)
}

// A sign-in that ends while the server stops is answered at once, and last.
func TestLoopHoldsNoAnswersWhenTheServerStops(t *testing.T) {
	l := newStillLoop(t)
	p := l.connect("app")
	l.step()
	p.peer.seen = func([][]byte) { p.peer.holds = time.Hour }
	p.say(command("PING") + command("ECHO", "not run"))
	l.step()
	require.NotNil(t, p.conn.held)
	require.Empty(t, p.hear())
	close(l.server.stopped)
	p.conn.drain()
	l.step()
	require.Equal(t, "+PONG\r\n", p.hear(), "and no other command is run")
	p.hearEnd()

	late := l.arrive("app")
	late.peer.seen = func([][]byte) { late.peer.holds = time.Hour }
	late.conn.fd = late.far
	l.join(late.conn)
	late.conn.todo = []commands.Request{{Argv: [][]byte{[]byte("PING")}}}
	late.conn.answer() // was away when the server began to stop
	l.settle()
	require.Equal(t, "+PONG\r\n", late.hear())
	late.hearEnd()
}

// That a message is not sent, because what it tells of did not last, is no failure
// of what the connection did last.
func TestLoopFailedMessageFailsNoCommand(t *testing.T) {
	l := newStillLoop(t)
	p := l.connect("app")
	p.peer.failed = func(n int) { require.Fail(t, "failed", n) }
	p.say(command("PING"))
	l.step()
	require.Equal(t, "+PONG\r\n", p.hear())
	p.peer.waitErr = errors.New("no disk")
	p.conn.push([]byte("+lost\r\n"), 7)
	for range 3 {
		l.step()
	}
	require.Empty(t, p.hear())
	p.peer.waitErr = nil
	p.say(command("PING"))
	l.step()
	require.Equal(t, "+PONG\r\n", p.hear())
}

// faultyPeer has a fault that shows after the replies.
type faultyPeer struct{ *fakePeer }

func (p faultyPeer) closing() bool { panic("a fault of ours") }

// A fault of ours costs the connection that met it, wherever that was; the others,
// what they wait for, and what was posted to the loop go on.
func TestLoopFaultsCostOneConnection(t *testing.T) {
	for name, provoke := range map[string]func(l *stillLoop, broken *party){
		"at its end": func(_ *stillLoop, broken *party) {
			broken.peer.ending = func() { panic("a fault of ours") }
			broken.conn.kill()
		},
		"in a task": func(l *stillLoop, broken *party) {
			l.post(func() { panic("a fault of ours") })
			broken.conn.kill()
		},
		"after its replies": func(_ *stillLoop, broken *party) {
			broken.conn.peer = faultyPeer{broken.peer}
			broken.say(command("PING"))
		},
		"while the loop waits for the store": func(_ *stillLoop, broken *party) {
			broken.peer.waiting = func(s storage.Seq) error {
				if s == 7 {
					panic("a fault of ours")
				}
				return nil
			}
			broken.conn.push([]byte("+lost\r\n"), 7)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newStillLoop(t)
			broken := l.connect("broken")
			l.step()
			flood := l.flood("flood", 8)
			light := l.connect("light")
			l.step()
			require.NotEmpty(t, l.backlog)
			provoke(l, broken)
			ran := 0
			l.post(func() { ran++ })
			for range 8 {
				l.step()
			}
			require.Contains(t, l.log.String(), "panic")
			require.True(t, broken.conn.closed)
			require.Equal(t, 1, ran)
			light.say(command("PING"))
			l.step()
			require.Equal(t, "+PONG\r\n", light.hear())
			for turns := 0; l.ran["flood"] < len(flood)*floodBatch; turns++ {
				require.Less(t, turns, 1000)
				l.step()
			}
			require.NotContains(t, l.conns, broken.far)
		})
	}
}

// Even if a turn is lost in the middle, nobody who was to have a part of it is.
func TestLoopTurnIsLost(t *testing.T) {
	l := newStillLoop(t)
	flood, light := l.flood("flood", 8), l.connect("light")
	l.step()
	require.NotEmpty(t, l.backlog)
	told := l.connect("told")
	told.conn.push([]byte("+message\r\n"), 0)
	l.busy = append(l.busy, nil) // nothing that happens
	light.say(command("PING"))
	for range 3 {
		l.step()
	}
	require.Equal(t, "+PONG\r\n", light.hear())
	require.Equal(t, "+message\r\n", told.hear())
	for turns := 0; l.ran["flood"] < len(flood)*floodBatch; turns++ {
		require.Less(t, turns, 1000)
		l.step()
	}
}

// A connection that is cut off while a goroutine runs its commands ends when that
// comes back, and what the commands wait for is told at once.
func TestLoopConnKilledWhileAway(t *testing.T) {
	l := newStillLoop(t)
	p := l.connect("app")
	p.say(command("HANG"))
	l.step()
	require.True(t, p.conn.away)
	require.Equal(t, 1, l.loop.away)
	p.conn.kill()
	eventually(t, func() bool {
		l.step()
		return p.conn.closed
	})
	require.Zero(t, l.loop.away)
	require.Empty(t, l.conns)
	require.Equal(t, context.Canceled, p.conn.ctx.Err())
}

// Who goes on sending when he has been hung up on keeps nobody waiting: what
// nobody will look at is read a little at a time.
func TestLoopDiscardsALittleAtATime(t *testing.T) {
	l := newStillLoop(t)
	p, light := l.connect("app"), l.connect("light")
	l.step()
	p.say(command("QUIT"))
	l.step()
	require.Equal(t, "+OK\r\n", p.hear())
	require.True(t, p.conn.leaving)
	p.say(strings.Repeat("x", 500_000))
	light.say(command("PING"))
	l.step()
	require.True(t, p.conn.readable, "all was read at once")
	require.Equal(t, "+PONG\r\n", light.hear())
	for turns := 0; p.conn.readable; turns++ {
		require.Less(t, turns, 100)
		l.step()
	}
	require.Empty(t, l.busy)
}

// A large reply goes out in pieces, however quickly the client takes it: others
// come in between.
func TestLoopSendsALittleAtATime(t *testing.T) {
	l := newStillLoop(t)
	p, light := l.connect("app"), l.connect("light")
	l.step()
	p.say(command("BIG") + command("PING"))
	var got strings.Builder
	for turns := 0; got.Len() < 4<<20; turns++ {
		require.Less(t, turns, 1000)
		light.say(command("PING"))
		l.step()
		require.Equal(t, "+PONG\r\n", light.hear())
		for before := got.Len(); ; {
			text := p.hear()
			if got.WriteString(text); text == "" {
				require.LessOrEqual(t, got.Len()-before, flushBytes)
				break
			}
		}
	}
	for range 2 {
		l.step()
		got.WriteString(p.hear())
	}
	require.True(t, strings.HasSuffix(got.String(), "\r\n+PONG\r\n"))
	require.Equal(t, len("$4194304\r\n")+4<<20+len("\r\n+PONG\r\n"), got.Len())
	require.Empty(t, l.busy)
}
