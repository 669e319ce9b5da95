package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/redcon"

	"github.com/cubbykv/cubby/commands"
)

// The tests of this file show what redcon does when it meets clients alone,
// as far as a test survives it, and that the door does not.

// guarded is a connection that reads from wire, without a socket.
func guarded(o Options, wire net.Conn) (*conn, *recorder) {
	p := &recorder{signed: true}
	s := newServer(o, func(commands.SessionOptions) peer { return p })
	return s.newConn(wire), p
}

// drink serves everything that the wire has.
func drink(t *testing.T, c *conn) {
	rd := redcon.NewReader(c)
	for {
		cmds, err := rd.ReadCommands()
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			return
		}
		for _, cmd := range cmds {
			require.True(t, c.serve(cmd))
		}
	}
}

func TestPoisonLength(t *testing.T) {
	const poison = "*1\r\n$9223372036854775807\r\nab\r\n"
	require.Panics(t, func() { _, _ = redcon.NewReader(strings.NewReader(poison)).ReadCommands() })

	d := openDoor(t, Options{}, func(p *fakePeer) { p.signed = false })
	c := d.dial()
	c.say(poison)
	c.hearsEnd("-ERR Protocol error: invalid bulk length\r\n")
}

// redcon counts to the number in the header, whether or not anything follows.
// The greatest one takes centuries; this one is finished in a moment.
func TestSpinningCount(t *testing.T) {
	start := time.Now()
	_, err := redcon.NewReader(strings.NewReader("*100000000\r\n")).ReadCommands()
	require.ErrorIs(t, err, io.EOF)
	require.Greater(t, time.Since(start), 5*time.Millisecond)

	wire := &scriptedConn{data: []byte("*9223372036854775807\r\n")}
	c, _ := guarded(Options{}, wire)
	drink(t, c)
	require.Equal(t, "-ERR Protocol error: invalid multibulk length\r\n", wire.written.String())
}

// trickle gives one byte at a time and notes how deep the callers' stack is.
type trickle struct {
	scriptedConn
	depth int
}

func (c *trickle) Read(p []byte) (int, error) {
	if len(c.data) == 1 {
		c.depth = runtime.Callers(0, make([]uintptr, 1<<20))
	}
	return c.scriptedConn.Read(p[:1])
}

// redcon calls itself for each read that brings no command, until the stack
// is full and the process dies.
func TestNewlineTrickle(t *testing.T) {
	lines := []byte(strings.Repeat("\n", 10000))
	bare := &trickle{scriptedConn: scriptedConn{data: lines}}
	_, err := redcon.NewReader(bare).ReadCommands()
	require.ErrorIs(t, err, io.EOF)
	require.Greater(t, bare.depth, 10000)

	wire := &trickle{scriptedConn: scriptedConn{data: lines}}
	c, _ := guarded(Options{}, wire)
	drink(t, c)
	require.Less(t, wire.depth, 100)
}

// Bytes that come one by one are looked at once each: the guard's place
// follows what has arrived.
func TestTrickleIsParsedOnce(t *testing.T) {
	for _, in := range []string{
		strings.Repeat("a", 60000),
		"*" + strings.Repeat("1", 60000),
		"*2\r\n$4\r\nECHO\r\n$60000\r\n" + strings.Repeat("x", 60000) + "\r\n",
		command(strings.Fields("MGET " + strings.Repeat("k ", 9999))...),
	} {
		g := newGuard()
		lim := bounds{request: 1 << 20, bulk: 1 << 20, signedIn: true}
		for i := range len(in) {
			g.space()[0] = in[i]
			g.arrived(1)
			if g.next(lim) {
				g.consume()
			}
			if g.bulk < 0 {
				require.LessOrEqual(t, g.end-max(g.pos, g.scan), 1, "bytes left to look at again")
			}
		}
		require.Empty(t, g.fault)
	}
}

// unaligned gives pieces that never end with a frame.
type unaligned struct{ n int }

func (r *unaligned) Read(p []byte) (int, error) {
	frame := command("SET", "key", "value")
	if r.n += len(p); r.n > 1<<20 {
		return 0, io.EOF
	}
	whole := strings.Repeat(frame, len(p)/len(frame)+2)
	off := (r.n - len(p)) % len(frame)
	return copy(p, whole[off:]), nil
}

func redconBuffer(rd *redcon.Reader) int {
	return reflect.ValueOf(rd).Elem().FieldByName("buf").Len()
}

// redcon keeps whatever it is sent: a frame without bounds, and a pipeline
// whose reads do not end with its frames.
func TestMemoryBounds(t *testing.T) {
	endless := "*2\r\n$4\r\nECHO\r\n$536870912\r\n" + strings.Repeat("x", 4<<20)
	rd := redcon.NewReader(strings.NewReader(endless))
	_, err := rd.ReadCommands()
	require.ErrorIs(t, err, io.EOF)
	require.GreaterOrEqual(t, redconBuffer(rd), 4<<20)

	rd = redcon.NewReader(&unaligned{})
	for err = nil; err == nil; {
		_, err = rd.ReadCommands()
	}
	require.GreaterOrEqual(t, redconBuffer(rd), 256<<10)

	o := Options{MaxRequestBytes: 256 << 10, MaxBulkBytes: 64 << 10}
	pipeline := strings.Repeat(command("SET", "key", "value"), 20000)
	for _, in := range []string{
		endless,
		pipeline,
		"*1000000\r\n" + strings.Repeat("$1\r\nx\r\n", 100000),
		"*1000\r\n" + strings.Repeat("$60000\r\n"+strings.Repeat("x", 60000)+"\r\n", 20),
		strings.Repeat(command("SET", "key", strings.Repeat("x", 60000)), 20),
	} {
		for _, pieces := range [][]byte{nil, {255, 17}} {
			c, p := guarded(o, &scriptedConn{data: []byte(in), pieces: pieces})
			p.forgets = true
			largest := 0
			rd := redcon.NewReader(c)
			for {
				cmds, err := rd.ReadCommands()
				if err != nil {
					break
				}
				c.serve(cmds[0])
				largest = max(largest, cap(c.guard.buf))
			}
			require.LessOrEqual(t, max(largest, cap(c.guard.buf)), 2*o.MaxRequestBytes+busyBuffer)
			require.LessOrEqual(t, cap(c.guard.marks), 2*o.MaxRequestBytes/len("$0\r\n\r\n"))
			require.LessOrEqual(t, cap(c.batch), keptRequests)
			require.LessOrEqual(t, cap(c.guard.args), keptArgs)
			require.Equal(t, redconWindow, redconBuffer(rd))
		}
	}
	// As much is read ahead as a busy buffer holds, and run as one batch.
	wire := &scriptedConn{data: []byte(pipeline)}
	c, p := guarded(o, wire)
	drink(t, c)
	require.Len(t, p.got, 20000)
	require.LessOrEqual(t, wire.largest, busyBuffer)
	require.LessOrEqual(t, p.largest, busyBuffer/len(command("SET", "key", "value"))+1)
}

// A client that only announces much gets no memory for it.
func TestAnnouncedLengthTakesNoMemory(t *testing.T) {
	g := newGuard()
	lim := bounds{request: 512 << 20, bulk: 512 << 20, signedIn: true}
	g.arrived(copy(g.space(), "*1000000\r\n$500000000\r\nabc"))
	require.False(t, g.next(lim))
	g.space()
	require.LessOrEqual(t, cap(g.buf), busyBuffer)
	require.LessOrEqual(t, cap(g.marks), 8)
}

// What a large request took is not kept afterwards.
func TestBufferShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := listenPipe()
		d := newDoor(t, Options{}, nil)
		d.serve(ln)
		c := ln.dial(t)
		large := strings.Repeat("x", 1<<20)
		go c.say(command("ECHO", large))
		c.hears(bulk(large))
		pass(2 * quietAfter)
		synctest.Wait()
		require.Equal(t, quietBuffer, cap(d.only().guard.buf))
		require.Less(t, cap(d.only().out.Bytes()), 1<<20)
	})
}

// redcon waits for ever for a client that does not take its replies.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := listenPipe()
		d := newDoor(t, Options{WriteTimeout: 10 * time.Second}, nil)
		d.serve(ln)
		c := ln.dial(t)
		c.say(command("BIG"))
		p := d.peer(0)
		start := time.Now()
		<-p.ended
		require.Contains(t, d.log.String(), "does not take its replies")
		require.GreaterOrEqual(t, time.Since(start), 10*time.Second)
		require.LessOrEqual(t, time.Since(start), 20*time.Second)
	})
}

func TestRepliesHaveABound(t *testing.T) {
	d := openDoor(t, Options{MaxReplyBytes: 1 << 20}, nil)
	c := d.dial()
	c.say("PING\r\n")
	c.hears("+PONG\r\n")
	c.say("BIG\r\n")
	c.hearsEnd("")
	require.Contains(t, d.log.String(), "client-output-buffer-limit")
}

// redcon asks a listener that fails again at once, for as long as it fails.
func TestAcceptErrors(t *testing.T) {
	full := &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", errors.New("too many open files"))}
	bare := listenPipe()
	for range cap(bare.errs) {
		bare.errs <- full
	}
	require.NoError(t, bare.Close())
	start := time.Now()
	require.NoError(t, redcon.Serve(bare, func(redcon.Conn, redcon.Command) {}, nil, nil))
	require.Equal(t, cap(bare.errs)+1, bare.tries)
	require.Less(t, time.Since(start), time.Second)

	synctest.Test(t, func(t *testing.T) {
		ln := listenPipe()
		for range 20 {
			ln.errs <- full
		}
		d := newDoor(t, Options{}, nil)
		start := time.Now()
		d.serve(ln)
		c := ln.dial(t)
		// 5 ms, 10, 20 ... 640, then 1 s each.
		require.Greater(t, time.Since(start), 13*time.Second)
		go c.say("PING\r\n")
		c.hears("+PONG\r\n")
		require.Equal(t, 1, strings.Count(d.log.String(), "cannot accept connections"))
		require.Equal(t, 1, strings.Count(d.log.String(), "accepting connections again"))
	})
}

// Shutdown does not wait for a back-off, and not for clients that linger.
func TestShutdownDuringAcceptErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := listenPipe()
		for range cap(ln.errs) {
			ln.errs <- errors.New("too many open files")
		}
		d := newDoor(t, Options{}, nil)
		served := d.serve(ln)
		pass(time.Minute)
		require.NoError(t, d.Shutdown(context.Background()))
		require.NoError(t, <-served)
	})
}

// A panic in a handler ends a process that serves with redcon alone: it has no
// recover. That cannot be shown here.
func TestPanicInHandler(t *testing.T) {
	const broken = "-PLATFORM_ERROR the server could not complete the command (hint: try again; the operator's log has the details)\r\n"
	d := openDoor(t, Options{}, nil)
	c := d.dial()
	c.say(command("PING"))
	c.hears("+PONG\r\n")
	c.say(command("PANIC"))
	c.hears(broken)
	c.say(command("PING") + command("PANIC") + command("PING"))
	c.hears(strings.Repeat(broken, 3))
	c.say(command("PING"))
	c.hears("+PONG\r\n")
	require.Contains(t, d.log.String(), "panic while answering")
	require.Contains(t, d.log.String(), "harness_test.go", "the stack is in the log")
}

// Should the guard itself have a fault, it costs that connection only.
func TestPanicInGuard(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	c := d.dial()
	c.say("PING\r\n")
	c.hears("+PONG\r\n")
	wire := &scriptedConn{data: []byte("PING\r\n")}
	broken, _ := guarded(Options{}, wire)
	broken.guard.window = 2 * redconWindow
	n, err := broken.Read(make([]byte, redconWindow))
	require.Zero(t, n)
	require.ErrorIs(t, err, io.EOF)
}

// redcon's own inline and length rules differ from Redis's.
func TestRedconDiffersFromRedis(t *testing.T) {
	for _, in := range []string{"*0\r\n", "*-1\r\n", "ECHO foo\"b c\"\r\n", "*1\rX$4\rYPINGzz"} {
		_, err := redcon.NewReader(strings.NewReader(in)).ReadCommands()
		require.Error(t, err)
	}
	cmd, err := redcon.NewReader(strings.NewReader(`ECHO "\x41"` + "\r\n")).ReadCommand()
	require.NoError(t, err)
	require.Equal(t, "x41", string(bytes.Join(cmd.Args[1:], nil)))
}
