package commands

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/storage"
)

const wrongPass = "-WRONGPASS invalid username-password pair or user is disabled."

// token makes an app, if there is none yet, and a secret that opens it.
func (h *harness) token(id storage.ID, scope auth.Scope) (secret, tokenID string) {
	h.t.Helper()
	ctx := context.Background()
	if _, err := h.dir.App(ctx, id); err != nil {
		_, err = h.dir.CreateApp(ctx, id, nil)
		require.NoError(h.t, err)
	}
	secret, token, err := h.dir.CreateToken(ctx, id, "", scope)
	require.NoError(h.t, err)
	return secret, token.ID
}

func TestWaysToSignIn(t *testing.T) {
	h := newHarness(t)
	shop, blog := storage.ID{Tenant: "acme", App: "shop"}, storage.ID{Tenant: "acme", App: "blog"}
	secret, _ := h.token(shop, auth.Scope{})
	other, _ := h.token(blog, auth.Scope{})
	for _, tc := range []struct{ line, want string }{
		{"AUTH " + secret, "+OK"},
		{"AUTH acme/shop " + secret, "+OK"},
		{"AUTH default " + secret, "+OK"},
		{"AUTH admin " + secret, wrongPass},
		{"AUTH acme/blog " + secret, wrongPass},
		{"AUTH acme/nosuch " + secret, wrongPass},
		{"AUTH acme " + secret, wrongPass},
		{"AUTH acme/shop " + other, wrongPass},
		{"AUTH " + secret + "x", wrongPass},
		{"AUTH " + secret[:len(secret)-1], wrongPass},
		{"AUTH default", wrongPass},
		{"AUTH admin", wrongPass},
		{"AUTH", "-ERR wrong number of arguments for 'auth' command"},
		{"AUTH a b c", "-ERR syntax error"},
		{"HELLO 2 AUTH acme/blog " + secret, wrongPass},
	} {
		c := h.connect()
		require.Equal(t, tc.want, c.run(tc.line), tc.line)
		if tc.want == "+OK" {
			require.Equal(t, "+OK", c.run("SET k v"), tc.line)
		} else {
			require.Equal(t, "-NOAUTH Authentication required.", c.run("SET k v"), tc.line)
		}
	}
	c := h.connect()
	require.Equal(t, byte('%'), c.do("HELLO", "3", "AUTH", "acme/shop", secret, "SETNAME", "worker")[0])
	require.Equal(t, "$1\r\nv", c.run("GET k"))
	require.Equal(t, "_", c.run("GET none"))
	require.Equal(t, "worker", c.s.snapshot().name)
}

// TestAFailedSignInChangesNothing of who the session was.
func TestAFailedSignInChangesNothing(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	require.Equal(t, "+OK", c.run("SELECT 1", "SET k v", "WATCH k"))
	require.Equal(t, wrongPass, c.run("AUTH wrong"))
	require.Equal(t, wrongPass, c.run("HELLO 3 AUTH default wrong SETNAME x"))
	require.Equal(t, "-NOPROTO unsupported protocol version", c.run("HELLO 4"))
	require.Equal(t, "$1\r\nv", c.run("GET k"))
	require.Equal(t, "$-1", c.run("GET none"), "still RESP2")
	require.Empty(t, c.s.snapshot().name)
	h.open().run("SELECT 1", "SET k w")
	require.Equal(t, "*-1", c.run("MULTI", "PING", "EXEC"), "still watching")
}

// TestSigningInAgainLeavesNothingBehind of the former namespace.
func TestSigningInAgainLeavesNothingBehind(t *testing.T) {
	h := newHarness(t)
	shop, _ := h.token(storage.ID{Tenant: "acme", App: "shop"}, auth.Scope{})
	blog, _ := h.token(storage.ID{Tenant: "acme", App: "blog"}, auth.Scope{})
	c, other := h.connect(), h.connect()
	c.run("AUTH "+shop, "SET k shop", "SELECT 1", "SET e v", "WATCH e")
	require.Equal(t, "+OK", c.run("AUTH "+blog))
	require.Equal(t, "$-1", c.run("GET k"))
	require.Equal(t, "+OK", c.run("SET k blog"))
	other.run("AUTH "+shop, "SELECT 1", "SET e w", "SELECT 0")
	require.Equal(t, "*1\r\n$4\r\nblog", c.run("MULTI", "GET k", "EXEC"), "watched keys are forgotten, database 0 is in use")
	require.Equal(t, "$4\r\nshop", other.run("GET k"))
	require.Equal(t, "-ERR Command not allowed inside a transaction", c.run("MULTI", "AUTH "+shop))
	require.Equal(t, "-EXECABORT Transaction discarded because of previous errors.", c.run("EXEC"))
	require.Equal(t, "$4\r\nblog", c.run("GET k"))
}

func TestResetSignsOut(t *testing.T) {
	h := newHarness(t)
	secret, _ := h.token(storage.ID{Tenant: "acme", App: "shop"}, auth.Scope{})
	c := h.connect()
	c.run("HELLO 3 AUTH default "+secret+" SETNAME worker", "SELECT 1", "SET k v", "MULTI", "SET k w")
	require.Equal(t, "+RESET", c.run("RESET"))
	require.Equal(t, "-NOAUTH Authentication required.", c.run("GET k"))
	require.Equal(t, "$-1", c.run("AUTH "+secret, "GET k"), "RESP2, database 0, no transaction")
	require.Equal(t, "$1\r\nv", c.run("SELECT 1", "GET k"))
	require.Empty(t, c.s.snapshot().name)
}

func TestTokensEndWhileConnected(t *testing.T) {
	h := newHarness(t)
	id := storage.ID{Tenant: "acme", App: "shop"}
	short, _ := h.token(id, auth.Scope{ExpiresAt: h.clock.Now() + 1000})
	long, longID := h.token(id, auth.Scope{})
	const ended = "-NOAUTH the token has expired or was revoked; sign in again"
	a, b := h.connect(), h.connect()
	require.Equal(t, "+OK", a.run("AUTH "+short, "SET k v"))
	require.Equal(t, "+OK", b.run("AUTH "+long, "SET k v"))
	h.clock.Advance(time.Second)
	require.Equal(t, ended, a.run("GET k"))
	require.Equal(t, wrongPass, h.connect().run("AUTH "+short))
	require.Equal(t, "$1\r\nv", b.run("GET k"))
	revoked, err := h.dir.RevokeToken(context.Background(), longID)
	require.NoError(t, err)
	require.True(t, revoked)
	require.Equal(t, ended, b.run("GET k"))
	fresh, _ := h.token(id, auth.Scope{})
	require.Equal(t, "$1\r\nv", b.run("AUTH "+fresh, "GET k"))
	_, err = h.dir.DropApp(context.Background(), id)
	require.NoError(t, err)
	require.Equal(t, ended, b.run("GET k"))
}

// TestHelloInTheMiddleOfABatch changes the protocol from its own reply on.
func TestHelloInTheMiddleOfABatch(t *testing.T) {
	c := newHarness(t).open()
	replies := c.pipeline([]string{"GET", "k"}, []string{"HELLO", "3"}, []string{"GET", "k"}, []string{"HELLO", "2"}, []string{"GET", "k"})
	require.Equal(t, "$-1\r\n", replies[0])
	require.Equal(t, byte('%'), replies[1][0])
	require.Equal(t, "_\r\n", replies[2])
	require.Equal(t, byte('*'), replies[3][0])
	require.Equal(t, "$-1\r\n", replies[4])
}

func TestHelloTellsAboutTheServer(t *testing.T) {
	c := newHarness(t).open()
	fields := elements(t, c.do("HELLO", "3"))
	require.Equal(t, []string{"$6\r\nserver\r\n", "$5\r\nredis\r\n", "$7\r\nversion\r\n", "$6\r\n7.0.15\r\n", "$5\r\nproto\r\n", ":3\r\n", "$2\r\nid\r\n"}, fields[:7])
	require.Equal(t, []string{"$4\r\nmode\r\n", "$10\r\nstandalone\r\n", "$4\r\nrole\r\n", "$6\r\nmaster\r\n", "$7\r\nmodules\r\n", "*0\r\n"}, fields[8:])
	require.Equal(t, fields, elements(t, c.do("HELLO")))
	require.Equal(t, "-ERR Protocol version is not an integer or out of range", c.run("HELLO x"))
	require.Equal(t, "-ERR Syntax error in HELLO option 'FOO'", c.run("HELLO 3 FOO"))
	require.Equal(t, "-ERR Client names cannot contain spaces, newlines or special characters.\r\n", c.do("HELLO", "3", "SETNAME", "a b"))
}

func TestEachConnectionHasItsDatabase(t *testing.T) {
	h := newHarness(t)
	a, b := h.open(), h.open()
	require.Equal(t, "+OK", a.run("SELECT 1", "SET k 1"))
	require.Equal(t, "$-1", b.run("GET k"))
	require.Equal(t, "$1\r\n1", b.run("SELECT 1", "GET k"))
}
