package server

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestServesCommands(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	c := d.dial()
	c.say(command("PING"))
	c.hears("+PONG\r\n")
	c.say(command("SET", "k", "v") + command("GET", "k") + command("GET", "none") + "PING\r\n")
	c.hears("+OK\r\n$1\r\nv\r\n$-1\r\n+PONG\r\n")
}

// Values of all sizes around the buffers' arrive unharmed, alone and with
// neighbours, in one piece and in many.
func TestValuesOfAllSizes(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	c := d.dial()
	for _, size := range []int{0, 1, 4000, 4050, 4060, 4070, 4095, 4096, 4097, 8192, 32 << 10, 65000, 65536, 70000, 1 << 20} {
		v := strings.Repeat("x", size)
		c.say(command("SET", "k", v) + command("GET", "k") + "PING\r\n" + command("ECHO", v))
		c.hears("+OK\r\n" + bulk(v) + "+PONG\r\n" + bulk(v))
	}
}

func TestSessionKnowsItsConnection(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	c := d.dial()
	o := d.peer(0).opts
	require.Equal(t, "resp", o.Door)
	require.Equal(t, c.LocalAddr().String(), o.Remote)
	require.Equal(t, c.RemoteAddr().String(), o.Local)
	o.Kill() // from another goroutine
	c.hearsEnd("")
	receive(t, d.peer(0).ended)
}

// A client that is being served when it is killed does not hold anything up.
func TestKillDuringCommand(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	c := d.dial()
	c.say("HANG\r\n")
	p := d.peer(0)
	receive(t, p.hanging)
	p.opts.Kill()
	c.hearsEnd("")
	receive(t, p.ended)
	eventually(t, func() bool { return d.Stats().Open == 0 })
}

func TestQuit(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	c := d.dial()
	c.say("PING\r\n" + command("QUIT") + command("PING") + command("PING"))
	c.hearsEnd("+PONG\r\n+OK\r\n")
	receive(t, d.peer(0).ended)
}

// When the store cannot vouch for a batch, its replies are not sent.
func TestFailedWait(t *testing.T) {
	d := openDoor(t, Options{}, func(p *fakePeer) { p.waitErr = errors.New("no disk") })
	c := d.dial()
	c.say(command("PING"))
	c.hears("-MISCONF waiting for the store: no disk\r\n")
}

func TestIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := listenPipe()
		d := newDoor(t, Options{Timeout: time.Minute}, nil)
		d.serve(ln)
		c := ln.dial(t)
		start := time.Now()
		for range 5 {
			pass(50 * time.Second)
			go c.say("PING\r\n")
			c.hears("+PONG\r\n")
		}
		c.hearsEnd("")
		require.Equal(t, 5*50*time.Second+time.Minute, time.Since(start))
		<-d.peer(0).ended
	})
}

func TestReconfigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := listenPipe()
		d := newDoor(t, Options{}, nil)
		d.serve(ln)
		c := ln.dial(t)
		pass(24 * time.Hour)
		go c.say(command("ECHO", "12345"))
		c.hears("$5\r\n12345\r\n")
		synctest.Wait()
		d.Reconfigure(func(o *Options) { o.Timeout, o.MaxBulkBytes = time.Minute, 4 })
		go c.say(command("ECHO", "1234") + command("ECHO", "12345"))
		c.hears("$4\r\n1234\r\n-SIZE_EXCEEDED the argument is 5 bytes; at most 4 are allowed (proto-max-bulk-len)\r\n")
		start := time.Now()
		c.hearsEnd("")
		require.Equal(t, time.Minute, time.Since(start))
	})
}

// Shutdown answers what is under way, and nothing that comes later.
func TestShutdownDrains(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	idle, partial, working := d.dial(), d.dial(), d.dial()
	idle.say("PING\r\n")
	idle.hears("+PONG\r\n")
	partial.say("PING\r\n*2\r\n$4\r\nEC")
	partial.hears("+PONG\r\n")
	working.say("HANG\r\n")
	p := d.hanging()

	down := make(chan error, 1)
	go func() { down <- d.Shutdown(context.Background()) }()
	idle.hearsEnd("")
	partial.hearsEnd("")
	_, err := net.Dial("tcp", d.addr)
	require.Error(t, err)
	select {
	case <-down:
		require.Fail(t, "Shutdown did not wait for the batch under way")
	default:
	}
	working.say("PING\r\n") // too late
	close(p.hang)
	working.hearsEnd("+DONE\r\n")
	require.NoError(t, receive(t, down))
	require.Zero(t, d.Stats().Open)
	require.ErrorIs(t, d.Serve(listenPipe()), ErrClosed)
	require.NoError(t, d.Shutdown(context.Background()), "once more does no harm")
}

func TestShutdownForces(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	c := d.dial()
	c.say("HANG\r\n")
	p := d.peer(0)
	receive(t, p.hanging)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, d.Shutdown(ctx), context.Canceled)
	c.hearsEnd("")
	receive(t, p.ended)
}

// Clients that are being served lose no reply and get no half of one.
func TestShutdownOfBusyClients(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	broken := make(chan string, 8)
	for range cap(broken) {
		c := d.dial()
		go func() {
			defer c.Close()
			for {
				if _, err := io.WriteString(c, strings.Repeat("PING\r\n", 10)); err != nil {
					broken <- ""
					return
				}
				for range 10 {
					if line, err := c.r.ReadString('\n'); err != nil || line != "+PONG\r\n" {
						broken <- line
						return
					}
				}
			}
		}()
	}
	eventually(t, func() bool { return d.Stats().Written > 1<<16 })
	require.NoError(t, d.shutdown())
	for range cap(broken) {
		require.Empty(t, receive(t, broken))
	}
}

// Several goroutines may write; each of their messages stays in one piece.
func TestWritesDoNotInterleave(t *testing.T) {
	d := openDoor(t, Options{EventLoops: -1}, nil)
	c := d.dial()
	c.say("PING\r\n")
	c.hears("+PONG\r\n")
	conn := d.only()
	push := []byte(">2\r\n+message\r\n" + bulk(strings.Repeat("p", 3000)))
	go func() {
		for range 200 {
			_ = conn.send(push)
		}
	}()
	go c.say(strings.Repeat(command("ECHO", "reply"), 2000))
	for pushes, replies := 0, 0; pushes < 200 || replies < 2000; {
		first, err := c.r.Peek(1)
		require.NoError(t, err)
		if first[0] == '>' {
			c.hears(string(push))
			pushes++
		} else {
			c.hears("$5\r\nreply\r\n")
			replies++
		}
	}
}

func TestSeveralListeners(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	path := filepath.Join(t.TempDir(), "s")
	unix, err := net.Listen("unix", path)
	require.NoError(t, err)
	d.serve(unix)
	for _, at := range [][2]string{{"tcp", d.addr}, {"unix", path}} {
		c := dial(t, at[0], at[1])
		c.say("PING\r\n")
		c.hears("+PONG\r\n")
	}
	require.Equal(t, path+":0", d.peer(1).opts.Remote)
	require.Equal(t, path+":0", d.peer(1).opts.Local)
	// The count of what was written may come after its arrival.
	eventually(t, func() bool { return d.Stats() == Stats{Open: 2, Accepted: 2, Read: 12, Written: 14} })
}

// A listener that somebody else closes ends its Serve; clients stay.
func TestLostListener(t *testing.T) {
	d := newDoor(t, Options{}, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := d.serve(ln)
	c := dial(t, "tcp", ln.Addr().String())
	c.say("PING\r\n")
	c.hears("+PONG\r\n")
	require.NoError(t, ln.Close())
	require.ErrorIs(t, receive(t, served), net.ErrClosed)
	c.say("PING\r\n")
	c.hears("+PONG\r\n")
}
