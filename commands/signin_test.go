package commands

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

var shop = storage.ID{Tenant: "acme", App: "shop"}

// from returns a client that connects from an address.
func (h *harness) from(remote string) *client {
	box := new(inbox)
	s := h.engine.NewSession(SessionOptions{Door: "resp", Remote: remote, Push: box.push, TakePushed: box.take})
	h.t.Cleanup(func() { h.engine.EndSession(s) })
	return &client{t: h.t, e: h.engine, s: s, inbox: box}
}

// fails lets a client fail to sign in, and returns how long the answer waits.
func (c *client) fails(user string) time.Duration {
	c.t.Helper()
	require.Equal(c.t, wrongPass, c.run("AUTH "+user+" wrong"))
	return c.s.Hold()
}

func TestFailuresFromOneAddressAreSlowed(t *testing.T) {
	h := newHarness(t)
	secret, _ := h.token(shop, auth.Scope{})
	var waits []time.Duration
	for i := range 12 {
		// Neither another connection nor another name begins anew.
		user := []string{"admin", "default", "acme/shop", "no/body"}[i%4]
		waits = append(waits, h.from("192.0.2.7:"+decimal(int64(1000+i))).fails(user))
	}
	const ms = time.Millisecond
	require.Equal(t, []time.Duration{0, 0, 0, 50 * ms, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 1600 * ms, 1600 * ms, 1600 * ms}, waits)

	neighbour := h.from("192.0.2.7:2000")
	require.Equal(t, "+OK", neighbour.run("AUTH "+secret))
	require.Zero(t, neighbour.s.Hold(), "a right token is answered at once")
	require.Equal(t, "+OK", neighbour.run("SET k v"))
	require.Zero(t, neighbour.s.Hold())
	// Nor does it take back what others did.
	require.Equal(t, longestDelay, h.from("192.0.2.7:3000").fails("admin"))

	for _, other := range []string{"192.0.2.8:1", "[2001:db8::1]:1", "/run/cubby.sock:0"} {
		require.Zero(t, h.from(other).fails("admin"), other)
	}

	h.clock.Advance(forgottenAfter)
	require.Equal(t, longestDelay, h.from("192.0.2.7:1").fails("admin"))
	h.clock.Advance((mostFailures - freeFailures + 1) * forgottenAfter)
	require.Zero(t, h.from("192.0.2.7:1").fails("admin"))
}

func TestIPv6IsSlowedByNetwork(t *testing.T) {
	h := newHarness(t)
	for i := range 4 {
		h.from(fmt.Sprintf("[2001:db8:1:2::%x]:1", i)).fails("admin")
	}
	require.NotZero(t, h.from("[2001:db8:1:2:ffff::1]:1").fails("admin"))
	require.Zero(t, h.from("[2001:db8:1:3::1]:1").fails("admin"))
	// An IPv4 address that is written as an IPv6 address is what it is.
	for range 4 {
		h.from("[::ffff:192.0.2.7]:1").fails("admin")
	}
	require.NotZero(t, h.from("192.0.2.7:1").fails("admin"))
	require.Zero(t, h.from("[::ffff:192.0.2.8]:1").fails("admin"))
}

// Who guesses the admin's password must not learn from silence, so the right one
// waits like a wrong one would.
func TestTheAdminWaitsWhereOthersGuess(t *testing.T) {
	h := newHarness(t)
	signIn := func() time.Duration {
		c := h.from("192.0.2.7:1")
		require.Equal(t, "+OK\r\n", c.do("AUTH", "admin", testAdminPassword))
		return c.s.Hold()
	}
	require.Zero(t, signIn())
	for range 3 {
		require.Zero(t, h.from("192.0.2.7:1").fails("admin"))
	}
	for range 3 { // it does not add to the wait either
		require.Equal(t, 50*time.Millisecond, signIn())
	}
	require.Equal(t, 50*time.Millisecond, h.from("192.0.2.7:1").fails("admin"))
	require.Equal(t, 100*time.Millisecond, signIn())
}

// The commands behind a failure wait with its answer, so that a pipeline gains
// nothing; and after ten in a row the connection ends.
func TestPipelinedFailures(t *testing.T) {
	h := newHarness(t)
	secret, _ := h.token(shop, auth.Scope{})
	c := h.from("192.0.2.7:1")
	require.Equal(t, "+OK", c.run("AUTH "+secret))
	auths := make([]Request, 10_000)
	for i := range auths {
		auths[i].Argv = [][]byte{[]byte("AUTH"), []byte("wrong")}
		if i%2 == 1 {
			auths[i].Argv = [][]byte{[]byte("HELLO"), []byte("3"), []byte("AUTH"), []byte("default"), []byte("wrong")}
		}
	}
	var turns []int
	out := resp.NewWriter(resp.V2)
	for todo := auths; !c.s.Closing(); {
		n, _ := h.engine.Do(t.Context(), c.s, todo, out)
		turns = append(turns, n)
		todo = todo[n:]
	}
	require.Equal(t, []int{4, 1, 1, 1, 1, 1, 1}, turns)
	require.Equal(t, strings.Repeat(wrongPass+"\r\n", maxFailures), string(out.Bytes()))

	// A success in between begins anew.
	c = h.from("192.0.2.8:1")
	for range 3 {
		for range maxFailures - 1 {
			c.fails("default")
		}
		require.Equal(t, "+OK", c.run("AUTH "+secret))
	}
	require.False(t, c.s.Closing())
}

// With addresses by the million there is no more memory, and no address that is
// forgotten.
func TestManyAddressesMakeNobodyForgotten(t *testing.T) {
	var w slowdown
	now := time.UnixMilli(1_700_000_000_000)
	mine := netip.MustParseAddr("192.0.2.7")
	for range mostFailures {
		w.fail(mine, now)
	}
	for i := range 200_000 {
		w.fail(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	require.Len(t, w.cells, slowdownCells)
	require.Equal(t, longestDelay, w.fail(mine, now))
	require.Equal(t, longestDelay, w.fail(mine, now.Add(-time.Hour)), "the clock was set back")
	require.Zero(t, w.fail(mine, now.Add(time.Hour)))
}

func TestFailedCertificatesAreSlowed(t *testing.T) {
	h := newHarness(t)
	for range 3 {
		require.Zero(t, h.withCertificate("no/body", time.Hour).s.owed)
	}
	c := h.withCertificate("no/body", time.Hour)
	require.Equal(t, "-NOAUTH Authentication required.", c.run("PING"))
	require.Equal(t, 50*time.Millisecond, c.s.Hold(), "its first answer waits")
	require.Equal(t, "-NOAUTH Authentication required.", c.run("PING"))
	require.Zero(t, c.s.Hold())
	require.Equal(t, "+RESET", c.run("RESET"))
	require.Equal(t, 100*time.Millisecond, c.s.Hold(), "it was looked up again")
}

func TestAnEndedCertificateIsCalledByItsName(t *testing.T) {
	h := newHarness(t)
	h.admin().do("APP.CREATE", "acme/shop")
	c := h.withCertificate("acme/shop", time.Minute)
	require.Equal(t, "+OK", c.run("SET k v"))
	h.clock.Advance(time.Minute)
	const ended = "-NOAUTH the certificate has expired or its app was dropped; sign in again, or connect with another certificate"
	require.Equal(t, ended, c.run("GET k"))
	other := h.withCertificate("acme/shop", time.Minute)
	_, err := h.dir.DropApp(t.Context(), shop)
	require.NoError(t, err)
	require.Equal(t, ended, other.run("GET k"))
}

func TestMaxConnections(t *testing.T) {
	h := newHarness(t)
	secret, _ := h.token(shop, auth.Scope{})
	other, _ := h.token(storage.ID{Tenant: "acme", App: "other"}, auth.Scope{})
	admin := h.admin()
	require.Equal(t, "+OK", admin.run("APP.SET acme/shop max-connections 2"))
	app, err := h.dir.App(t.Context(), shop)
	require.NoError(t, err)
	full := "-ERR max number of clients reached: acme/shop may have 2 connections"

	a, b, c := h.connect(), h.connect(), h.connect()
	require.Equal(t, "+OK", a.run("AUTH "+secret))
	require.Equal(t, "+OK", b.run("AUTH "+secret))
	require.Equal(t, full, c.run("AUTH "+secret))
	require.Equal(t, full, c.run("HELLO 3 AUTH acme/shop "+secret))
	require.Equal(t, "-NOAUTH Authentication required.", c.run("GET k"))
	require.Zero(t, c.s.Hold(), "nothing was guessed")
	require.False(t, c.s.Closing())

	// Who has a place keeps it, and who cannot have one stays what he was.
	require.Equal(t, "+OK", a.run("AUTH "+secret))
	require.Equal(t, "+OK", c.run("AUTH "+other, "SET k mine"))
	require.Equal(t, full, c.run("AUTH "+secret))
	require.Equal(t, "$4\r\nmine", c.run("GET k"))

	// The admin gets in, and takes no place.
	require.Equal(t, "+OK", admin.run("APP.USE acme/shop"))
	require.EqualValues(t, 2, app.Connections())

	// Each way to leave frees one.
	require.Equal(t, "+RESET", a.run("RESET"))
	require.Equal(t, "+OK", c.run("AUTH "+secret))
	require.Equal(t, full, a.run("AUTH "+secret))
	require.Equal(t, "+OK", b.run("AUTH "+other))
	require.Equal(t, "+OK", a.run("AUTH "+secret))
	h.engine.EndSession(c.s)
	h.engine.EndSession(c.s) // once
	require.EqualValues(t, 1, app.Connections())
	require.Equal(t, "+OK", b.run("AUTH "+secret))
	require.Equal(t, "+OK\r\n", b.do("AUTH", "admin", testAdminPassword))
	require.EqualValues(t, 1, app.Connections())

	// A limit that is lowered ends nobody.
	require.Equal(t, "+OK", b.run("AUTH "+secret))
	require.Equal(t, "+OK", admin.run("APP.SET acme/shop max-connections 1"))
	require.Equal(t, "$-1", b.run("GET k"))
	require.Equal(t, "+OK", admin.run("APP.SET acme/shop max-connections default"))
	require.Equal(t, "+OK", h.connect().run("AUTH "+secret))
}

func TestMaxConnectionsOfCertificates(t *testing.T) {
	h := newHarness(t)
	h.admin().do("APP.CREATE", "acme/shop", "max-connections", "1")
	a, b := h.withCertificate("acme/shop", time.Hour), h.withCertificate("acme/shop", time.Hour)
	require.Equal(t, "+OK", a.run("SET k v"))
	const full = "-ERR max number of clients reached: acme/shop may have 1 connections"
	require.Equal(t, full, b.run("GET k"))
	require.Equal(t, full, b.run("HELLO 3"))
	require.False(t, b.s.SignedIn())
	require.Equal(t, "+RESET", b.run("RESET"))
	require.Equal(t, full, b.run("GET k"))
	h.engine.EndSession(a.s)
	require.Equal(t, "$1\r\nv", b.run("RESET", "GET k"))
	require.Equal(t, "$1\r\nv", b.run("RESET", "GET k"), "it keeps its own place")
}

// Whatever sessions do at the same time, no namespace has more than it may, and in
// the end none is left.
func TestConnectionsAreCountedExactly(t *testing.T) {
	h := newHarness(t)
	const most = 3
	apps, secrets := make([]*auth.App, 2), make([]string, 2)
	for i := range apps {
		id := storage.ID{Tenant: "acme", App: decimal(int64(i))}
		secrets[i], _ = h.token(id, auth.Scope{})
		app, err := h.dir.SetLimits(t.Context(), id, auth.Overrides{"max-connections": decimal(most)})
		require.NoError(t, err)
		apps[i] = app
	}
	seed := chooseSeed(t)
	var wg sync.WaitGroup
	for worker := range 8 {
		rng := rand.New(rand.NewPCG(seed, uint64(worker)))
		wg.Go(func() {
			for range 50 {
				s := h.engine.NewSession(SessionOptions{Door: "resp", Remote: "192.0.2.7:1"})
				out := resp.NewWriter(resp.V2)
				for range rng.IntN(6) {
					argv := [][]byte{[]byte("RESET")}
					switch rng.IntN(5) {
					case 0, 1, 2:
						argv = [][]byte{[]byte("AUTH"), []byte(secrets[rng.IntN(2)])}
					case 3:
						argv = [][]byte{[]byte("AUTH"), []byte("wrong")}
					}
					h.engine.Do(t.Context(), s, []Request{{Argv: argv}}, out)
					for _, app := range apps {
						if n := app.Connections(); n < 0 || n > most {
							t.Errorf("%d connections", n)
						}
					}
				}
				h.engine.EndSession(s)
			}
		})
	}
	wg.Wait()
	for _, app := range apps {
		require.Zero(t, app.Connections())
	}
}
