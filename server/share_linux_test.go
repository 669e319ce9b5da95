package server

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// stillLoop is a loop that takes a turn when a test says so.
type stillLoop struct {
	*loop
	t   *testing.T
	log *logBuffer
	ran map[any]int // commands by owner
}

func newStillLoop(t *testing.T) *stillLoop {
	d := newDoor(t, Options{}, nil)
	l, err := newLoop(d.Server)
	require.NoError(t, err)
	t.Cleanup(l.close)
	return &stillLoop{loop: l, t: t, log: d.log, ran: map[any]int{}}
}

func (l *stillLoop) step() { l.turn(l.ready()) }

// boundedPeer runs as many commands at once as the engine would.
type boundedPeer struct{ *fakePeer }

const boundedCommands = 256

func (p boundedPeer) tryDo(ctx context.Context, batch []commands.Request, out *resp.Writer) (int, storage.Seq, bool) {
	return p.fakePeer.tryDo(ctx, batch[:min(len(batch), boundedCommands)], out)
}

// party is a client's end of a connection on a stillLoop.
type party struct {
	l    *stillLoop
	fd   int
	far  int // the loop's end
	conn *loopConn
	peer *fakePeer
}

func (l *stillLoop) connect(owner any) *party {
	l.t.Helper()
	p := l.arrive(owner)
	p.conn.begin(p.far)
	return p
}

// arrive is connect for a connection that the loop has not got yet.
func (l *stillLoop) arrive(owner any) *party {
	l.t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	require.NoError(l.t, err)
	for _, fd := range ends { // room for all that a test sends at once
		require.NoError(l.t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<20))
	}
	nc, _ := net.Pipe()
	c := &loopConn{loop: l.loop, fd: -1, guard: newGuard(), log: logger{l.server.log, nc}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	p := &fakePeer{signed: true, of: owner, values: map[string][]byte{}, ended: make(chan struct{})}
	p.seen = func([][]byte) { l.ran[p.of]++ }
	c.peer = boundedPeer{p}
	l.t.Cleanup(func() {
		c.close()
		_ = unix.Close(ends[1])
	})
	return &party{l, ends[1], ends[0], c, p}
}

func (p *party) say(text string) {
	p.l.t.Helper()
	n, err := unix.Write(p.fd, []byte(text))
	require.NoError(p.l.t, err)
	require.Equal(p.l.t, len(text), n)
}

// hear returns what has arrived.
func (p *party) hear() string {
	buf := make([]byte, 64<<10)
	n, err := unix.Read(p.fd, buf)
	if err == unix.EAGAIN {
		return ""
	}
	require.NoError(p.l.t, err)
	return string(buf[:n])
}

const floodBatch = 2000

func (l *stillLoop) flood(owner any, conns int) (parties []*party) {
	for range conns {
		p := l.connect(owner)
		p.say(strings.Repeat(command("PING"), floodBatch))
		parties = append(parties, p)
	}
	return parties
}

// The one that floods gets a bounded part of each turn, with however many
// connections, and who sends little is answered in the turn that finds it.
func TestLoopSharesItsTurns(t *testing.T) {
	for conns, most := range map[int]int{1: boundedCommands, 50: turnUnits + boundedCommands} {
		t.Run(fmt.Sprint(conns), func(t *testing.T) {
			l := newStillLoop(t)
			light := l.connect("light")
			l.flood("flood", conns)
			for turn := range 15 {
				before, between := l.ran["flood"], -1
				light.peer.seen = func([][]byte) { between = l.ran["flood"] - before }
				light.say(command("PING"))
				l.step()
				require.Equal(t, "+PONG\r\n", light.hear(), "turn %d", turn)
				require.LessOrEqual(t, l.ran["flood"]-before, most, "turn %d", turn)
				if conns > 1 && turn > 0 {
					require.Zero(t, between, "turn %d: what waits already came first", turn)
				}
			}
			require.Greater(t, l.ran["flood"], 15*most/2, "it goes on all the same")
		})
	}
}

// Two that flood get the same, with many connections and with few; all is done
// in the end.
func TestLoopSharesAreEqual(t *testing.T) {
	l := newStillLoop(t)
	const some, more = 16, 50
	parties := append(l.flood("many", more), l.flood("few", some)...)
	for l.ran["few"] < some*floodBatch/2 {
		l.step()
	}
	require.InEpsilon(t, l.ran["few"], l.ran["many"], 0.25)
	for turns := 0; l.ran["few"] < some*floodBatch || l.ran["many"] < more*floodBatch || len(l.backlog) > 0; turns++ {
		require.Less(t, turns, 10_000)
		l.step()
	}
	for _, p := range parties {
		require.Equal(t, strings.Repeat("+PONG\r\n", floodBatch), p.hear())
	}
}

// Bytes count as well: values that are read, and replies.
func TestLoopSharesCountBytes(t *testing.T) {
	l := newStillLoop(t)
	for range 20 {
		l.connect("flood").say(command("SET", "k", strings.Repeat("v", 500_000)) + command("GET", "k"))
	}
	light := l.connect("light")
	for turn := 0; l.ran["flood"] < 40; turn++ {
		require.Less(t, turn, 1000)
		before := l.loop.server.stats.read.Load() + l.loop.server.stats.written.Load()
		light.say(command("PING"))
		l.step()
		require.Equal(t, "+PONG\r\n", light.hear())
		moved := l.loop.server.stats.read.Load() + l.loop.server.stats.written.Load() - before
		require.LessOrEqual(t, moved, int64(turnUnits*unitBytes+2_000_000), "turn %d", turn)
	}
}

// A share lasts as long as its connections, and follows the sign-in.
func TestLoopSharesComeAndGo(t *testing.T) {
	l := newStillLoop(t)
	a, b := l.connect(nil), l.connect(nil)
	require.Equal(t, 2, l.shares[nil].conns)
	a.peer.of = "app"
	a.say(command("PING"))
	l.step()
	require.Equal(t, 1, l.shares[nil].conns)
	require.Equal(t, 1, l.shares["app"].conns)
	b.peer.of = "app"
	b.say(command("PING"))
	l.step()
	require.NotContains(t, l.shares, nil)
	require.Equal(t, 2, l.shares["app"].conns)
	// One that is closed while it waits for its share.
	flood := append(l.flood("app", 8), a, b)
	l.step()
	require.NotEmpty(t, l.backlog)
	for _, p := range flood {
		p.conn.close()
	}
	require.Empty(t, l.shares)
	for range 4 {
		l.step()
	}
	require.Empty(t, l.backlog)
}

// What is owed is paid back while others go on, and forgiven after a while.
func TestLoopSharesOwe(t *testing.T) {
	l := newStillLoop(t)
	s := &share{}
	l.turns = 100
	l.charge(s, 3*turnUnits)
	for range 2 {
		require.True(t, l.exhausted(s))
		l.turns++
	}
	require.True(t, l.exhausted(s))
	l.turns++
	require.False(t, l.exhausted(s))
	l.charge(s, 1_000_000*turnUnits)
	l.turns += mostOwed/turnUnits - 1
	require.True(t, l.exhausted(s))
	l.turns++
	require.False(t, l.exhausted(s))
}
