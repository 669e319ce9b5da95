package server

import (
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func unsigned(p *fakePeer) { p.signed = false }

// patientDoor is one on which a stranger makes way only after grace.
func patientDoor(t *testing.T, grace time.Duration, o Options) *door {
	d := openDoor(t, o, unsigned)
	d.Server.mu.Lock()
	d.grace = grace
	d.Server.mu.Unlock()
	return d
}

// arrive dials and waits until the server has made a session of it.
func (d *door) arrive() *client {
	d.t.Helper()
	before := d.Stats().Accepted
	c := d.dial()
	eventually(d.t, func() bool { return d.Stats().Accepted == before+1 })
	return c
}

func (c *client) signIn() {
	c.t.Helper()
	c.say(command("AUTH", "right"))
	c.hears("+OK\r\n")
}

func TestStrangersAreBounded(t *testing.T) {
	d := patientDoor(t, time.Hour, Options{MaxClients: 10, MaxStrangers: 3})
	var in []*client
	for range 4 { // who signs in is none any more
		c := d.arrive()
		c.signIn()
		in = append(in, c)
	}
	eventually(t, func() bool { return d.Stats().Strangers == 0 })
	first := d.arrive()
	d.arrive()
	d.arrive()
	d.dial().hearsEnd(replyFull)
	require.Equal(t, 3, d.Stats().Strangers)
	require.Zero(t, d.Stats().Evicted)

	first.signIn()
	eventually(t, func() bool { return d.Stats().Strangers == 2 })
	d.arrive()
	d.dial().hearsEnd(replyFull)
	for _, c := range append(in, first) {
		c.say(command("PING"))
		c.hears("+PONG\r\n")
	}
	require.EqualValues(t, 2, d.Stats().Refused)
}

// Strangers that have had their time make way, the one that came first before the
// others. So those who only wait keep nobody out.
func TestStrangersMakeWay(t *testing.T) {
	for name, o := range map[string]Options{
		"signin-maxclients":             {MaxStrangers: 3},
		"maxclients":                    {MaxClients: 4},
		"signin-maxclients-per-address": {MaxStrangersPerAddress: 3},
	} {
		t.Run(name, func(t *testing.T) {
			d := patientDoor(t, 0, o)
			tenant := d.arrive()
			tenant.signIn()
			eventually(t, func() bool { return d.Stats().Strangers == 0 })
			var crowd []*client
			for range 3 {
				crowd = append(crowd, d.arrive())
			}
			for i := range 3 {
				other := d.arrive()
				crowd[i].hearsEnd("")
				other.signIn()
				crowd = append(crowd, d.arrive())
				require.NoError(t, other.Close())
				eventually(t, func() bool { return d.Stats().Open <= 4 })
			}
			tenant.say(command("PING"))
			tenant.hears("+PONG\r\n")
			require.Zero(t, d.Stats().Refused)
			require.GreaterOrEqual(t, d.Stats().Evicted, int64(3))
			require.LessOrEqual(t, d.Stats().Strangers, 3)
			require.NoError(t, tenant.Close())
		})
	}
}

// Full of clients that have signed in is full.
func TestNobodyMakesWayWhoHasSignedIn(t *testing.T) {
	d := patientDoor(t, 0, Options{MaxClients: 2})
	for range 2 {
		d.arrive().signIn()
	}
	eventually(t, func() bool { return d.Stats().Strangers == 0 })
	d.dial().hearsEnd(replyFull)
	require.Zero(t, d.Stats().Evicted)
}

func TestStrangersOfOneAddress(t *testing.T) {
	d := patientDoor(t, time.Hour, Options{MaxStrangersPerAddress: 2})
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	require.NoError(t, err)
	d.serve(ln)
	d.arrive()
	d.arrive()
	d.dial().hearsEnd(replyFull)
	for range 4 { // whoever may open the socket
		dial(t, "unix", path).signIn()
	}
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	nc, err := from.DialContext(t.Context(), "tcp", d.addr)
	if err != nil {
		t.Skip("this system has one loopback address only:", err)
	}
	newClient(t, nc).signIn()
	d.Reconfigure(func(o *Options) { o.MaxStrangersPerAddress = 0 })
	d.dial().signIn()
}

// Who signs out is a stranger again, and finds a place or none.
func TestSigningOutMakesAStranger(t *testing.T) {
	d := patientDoor(t, time.Hour, Options{MaxStrangers: 1})
	a := d.arrive()
	a.signIn()
	eventually(t, func() bool { return d.Stats().Strangers == 0 })
	b := d.arrive()
	b.signIn()
	a.say(command("RESET"))
	a.hears("+RESET\r\n")
	eventually(t, func() bool { return d.Stats().Strangers == 1 })
	b.say(command("RESET"))
	b.hearsEnd("+RESET\r\n")
	a.signIn()
	eventually(t, func() bool { return d.Stats().Strangers == 0 && d.Stats().Open == 1 })
}

// However a stranger spends its time, it ends.
func TestSignInTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := listenPipe()
		d := newDoor(t, Options{SignInTimeout: 10 * time.Second}, unsigned)
		d.serve(ln)
		start := time.Now()
		silent, slow, busy, in := ln.dial(t), ln.dial(t), ln.dial(t), ln.dial(t)
		go in.say(command("AUTH", "right"))
		in.hears("+OK\r\n")
		go func() { // a byte at a time
			for i := range command("AUTH", "right") {
				if _, err := slow.Write([]byte{command("AUTH", "right")[i]}); err != nil {
					return
				}
				pass(time.Second)
			}
		}()
		go func() {
			for {
				if _, err := busy.Write([]byte(command("AUTH", "wrong"))); err != nil {
					return
				}
				pass(3 * time.Second)
			}
		}()
		busy.hearsEnd("-WRONGPASS no\r\n-WRONGPASS no\r\n-WRONGPASS no\r\n-WRONGPASS no\r\n")
		require.Equal(t, 10*time.Second, time.Since(start))
		silent.hearsEnd("")
		slow.hearsEnd("")
		require.Equal(t, 10*time.Second, time.Since(start))
		pass(time.Hour)
		go in.say(command("PING"))
		in.hears("+PONG\r\n")

		// Signed out, the time begins anew.
		go in.say(command("RESET"))
		in.hears("+RESET\r\n")
		start = time.Now()
		in.hearsEnd("")
		require.Equal(t, 10*time.Second, time.Since(start))
	})
}

// heldAfterAuth lets the answer to AUTH wait for an hour, and counts them.
func heldAfterAuth(ran *atomic.Int64) func(*fakePeer) {
	return func(p *fakePeer) {
		p.seen = func(argv [][]byte) {
			if string(argv[0]) == "AUTH" {
				p.holds = time.Hour
				ran.Add(1)
			}
		}
	}
}

// An answer that has to wait keeps back the commands behind it, and nobody else.
// Neither a stop nor a kill waits for it.
func TestHeldAnswersHoldUpNobodyElse(t *testing.T) {
	var ran atomic.Int64
	d := openDoor(t, Options{EventLoops: 1}, func(p *fakePeer) {
		heldAfterAuth(&ran)(p)
		p.signed = false
	})
	flood := d.arrive()
	flood.say(strings.Repeat(command("AUTH", "wrong"), 10_000))
	eventually(t, func() bool { return ran.Load() == 1 })
	other := d.arrive()
	for range 1000 {
		other.say(command("PING"))
		other.hears("-NOAUTH Authentication required.\r\n")
	}
	require.EqualValues(t, 1, ran.Load())

	killed := d.arrive()
	killed.say(command("AUTH", "wrong"))
	eventually(t, func() bool { return ran.Load() == 2 })
	d.peer(2).opts.Kill()
	receive(t, d.peer(2).ended)

	require.NoError(t, d.shutdown())
	flood.hears("-WRONGPASS no\r\n")
	require.EqualValues(t, 2, ran.Load())
	require.Zero(t, d.Stats().Strangers)
}

// Its wait is as long as it should be.
func TestHeldAnswersGoInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int64
		ln := listenPipe()
		d := newDoor(t, Options{}, heldAfterAuth(&ran))
		d.serve(ln)
		c := ln.dial(t)
		start := time.Now()
		go c.say(command("AUTH", "wrong") + command("PING") + command("AUTH", "wrong"))
		c.hears("-WRONGPASS no\r\n+PONG\r\n-WRONGPASS no\r\n")
		require.Equal(t, 2*time.Hour, time.Since(start))
	})
}
