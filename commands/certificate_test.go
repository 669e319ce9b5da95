package commands

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// withCertificate returns a connection whose client a door has verified.
func (h *harness) withCertificate(name string, lasts time.Duration) *client {
	box := new(inbox)
	s := h.engine.NewSession(SessionOptions{Door: "resp", Remote: "127.0.0.1:50000", Push: box.push, TakePushed: box.take,
		Certificate: &Certificate{Name: name, EndsAt: h.clock.Now() + lasts.Milliseconds()}})
	h.t.Cleanup(func() { h.engine.EndSession(s) })
	return &client{t: h.t, e: h.engine, s: s, inbox: box}
}

func TestCertificateSignsIn(t *testing.T) {
	h := newHarness(t)
	admin := h.admin()
	for _, name := range []string{"acme/shop", "acme/other"} {
		require.NotContains(t, admin.do("APP.CREATE", name, "max-keys", "1"), "ERR")
	}
	c := h.withCertificate("acme/shop", time.Hour)
	require.True(t, c.s.SignedIn())
	require.Equal(t, "$9\r\nacme/shop\r\n", c.do("ACL", "WHOAMI"))
	require.Equal(t, "+OK\r\n", c.do("SET", "k", "shop"))
	require.Contains(t, c.do("SET", "l", "1"), "-CAP_REACHED", "the app's limits hold")
	require.Contains(t, c.do("APP.LIST"), "-NOPERM only the admin")
	require.Contains(t, admin.do("CLIENT", "LIST"), " user=acme/shop ")

	// AUTH stands above it, RESET takes that back.
	require.Contains(t, c.do("AUTH", "acme/shop", "wrong"), "-WRONGPASS")
	require.Equal(t, "$4\r\nshop\r\n", c.do("GET", "k"))
	require.Equal(t, "+OK\r\n", c.do("AUTH", "admin", testAdminPassword))
	require.Contains(t, c.do("GET", "k"), "-ERR the admin has no keys")
	require.Equal(t, "+RESET\r\n", c.do("RESET"))
	require.Equal(t, "$4\r\nshop\r\n", c.do("GET", "k"))

	other := h.withCertificate("acme/other", time.Hour)
	require.Equal(t, "$-1\r\n", other.do("GET", "k"))
}

func TestCertificateOfNobody(t *testing.T) {
	h := newHarness(t)
	for _, name := range []string{"acme/shop", "", "admin", "default", "acme", "acme/shop/x", "../shop", "acme/shop\x00", "ACME/*"} {
		c := h.withCertificate(name, time.Hour)
		require.False(t, c.s.SignedIn(), name)
		require.Contains(t, c.do("GET", "k"), "-NOAUTH", name)
		require.Contains(t, c.do("ACL", "WHOAMI"), "-NOAUTH", name)
		require.Equal(t, "+OK\r\n", c.do("AUTH", "admin", testAdminPassword), "AUTH works all the same")
	}
	require.Contains(t, h.log.String(), "signs in to nothing")

	// It is looked up when the connection begins, and at RESET.
	c := h.withCertificate("acme/shop", time.Hour)
	h.admin().do("APP.CREATE", "acme/shop")
	require.Contains(t, c.do("GET", "k"), "-NOAUTH")
	require.Equal(t, "+RESET\r\n", c.do("RESET"))
	require.Equal(t, "$-1\r\n", c.do("GET", "k"))
}

func TestCertificateEnds(t *testing.T) {
	h := newHarness(t)
	admin := h.admin()
	admin.do("APP.CREATE", "acme/shop")
	c := h.withCertificate("acme/shop", time.Minute)
	h.clock.Advance(time.Minute - time.Millisecond)
	require.Equal(t, "$-1\r\n", c.do("GET", "k"))
	h.clock.Advance(time.Millisecond)
	require.Contains(t, c.do("GET", "k"), "-NOAUTH")
	require.Equal(t, "+RESET\r\n", c.do("RESET"))
	require.Contains(t, c.do("GET", "k"), "-NOAUTH")

	// An app that is made again under the name of a dropped one is another's.
	c = h.withCertificate("acme/shop", time.Minute)
	admin.do("APP.DROP", "acme/shop")
	admin.do("APP.CREATE", "acme/shop")
	require.Contains(t, c.do("GET", "k"), "-NOAUTH")
}
