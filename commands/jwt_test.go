package commands

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/storage"
)

var jwtSecret = []byte("0123456789 abcdefghijklmnopqrstu")

// acceptJWTs makes an app and returns what signs tokens for it that end after
// a minute.
func (h *harness) acceptJWTs(id storage.ID) func(more jwt.MapClaims) string {
	h.t.Helper()
	h.token(id, auth.Scope{})
	keys, err := auth.ParseJWTKeys([]byte(`{"keys":[{"kty":"oct","k":"` + base64.RawURLEncoding.EncodeToString(jwtSecret) + `"}]}`))
	require.NoError(h.t, err)
	h.dir.SetJWT(auth.JWTOptions{Keys: keys})
	return func(more jwt.MapClaims) string {
		claims := jwt.MapClaims{"tenant": id.Tenant, "app": id.App, "exp": h.clock.Now()/1000 + 60}
		for name, value := range more {
			claims[name] = value
		}
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(jwtSecret)
		require.NoError(h.t, err)
		return token
	}
}

func TestSigningInWithAJWT(t *testing.T) {
	h := newHarness(t)
	h.token(storage.ID{Tenant: "acme", App: "blog"}, auth.Scope{})
	sign := h.acceptJWTs(storage.ID{Tenant: "acme", App: "shop"})
	token := sign(jwt.MapClaims{"jti": "login-7"})
	for _, line := range []string{"AUTH %s", "AUTH acme/shop %s", "AUTH default %s", "HELLO 2 AUTH acme/shop %s", "HELLO 2 AUTH default %s"} {
		c := h.connect()
		require.NotContains(t, c.run(fmt.Sprintf(line, token)), "-", line)
		require.Equal(t, "+OK", c.run("SET k v"), line)
		require.Equal(t, "$21\r\nacme/shop jwt:login-7", c.run("ACL WHOAMI"))
		info := c.run("CLIENT INFO")
		require.Contains(t, info, " user=acme/shop ")
		require.True(t, strings.HasSuffix(info, " auth=jwt:login-7\n"), info)
		require.NotContains(t, c.run("CLIENT LIST")+info, token)
	}
	for _, line := range []string{"AUTH acme/blog %s", "AUTH acme/none %s", "AUTH admin %s", "AUTH %sx", "HELLO 3 AUTH acme/blog %s"} {
		c := h.connect()
		require.Equal(t, wrongPass, c.run(fmt.Sprintf(line, token)), line)
		require.Equal(t, "-NOAUTH Authentication required.", c.run("GET k"), line)
	}
	require.NotContains(t, h.log.String(), token)
}

// What the claims allow is judged where an opaque token's scope is.
func TestTheScopeOfAJWT(t *testing.T) {
	h := newHarness(t)
	sign := h.acceptJWTs(storage.ID{Tenant: "acme", App: "shop"})
	c := h.connect()
	require.Equal(t, "+OK", c.run("AUTH "+sign(jwt.MapClaims{"ro": true})))
	require.Equal(t, "-NOPERM this token is read-only and may not run the 'set' command", c.run("SET k v"))
	require.Equal(t, "$-1", c.run("GET k"))
	require.Equal(t, "$13\r\nacme/shop jwt", c.run("ACL WHOAMI"))
	require.Equal(t, "+OK", c.run("AUTH "+sign(jwt.MapClaims{"prefix": "mine:"})))
	require.Equal(t, "+OK", c.run("SET mine:k v"))
	require.Contains(t, c.run("SET k v"), "-NOPERM")
	require.Contains(t, c.run("KV.PURGE"), "-NOPERM")
	require.Contains(t, c.run("APP.LIST"), "-NOPERM")
}

func TestAJWTEndsWhileConnected(t *testing.T) {
	h := newHarness(t)
	sign := h.acceptJWTs(storage.ID{Tenant: "acme", App: "shop"})
	const ended = "-NOAUTH the token has expired or was revoked; sign in again"
	token := sign(jwt.MapClaims{"exp": h.clock.Now()/1000 + 5})
	c, d := h.connect(), h.connect()
	require.Equal(t, "+OK", c.run("AUTH "+token, "SET k v"))
	require.Equal(t, "+OK", d.run("AUTH "+sign(nil)))
	h.clock.Advance(6 * time.Second)
	require.Equal(t, ended, c.run("GET k"))
	require.Equal(t, wrongPass, c.run("AUTH "+token))
	require.Equal(t, "$1\r\nv", d.run("GET k"))
	h.dir.SetJWT(auth.JWTOptions{})
	require.Equal(t, ended, d.run("GET k"), "its key was withdrawn")
}

// A restricted JWT closes only connections that were opened with itself, and
// revoking nothing closes none.
func TestJWTsAndTheConnectionsOfOthers(t *testing.T) {
	h := newHarness(t)
	sign := h.acceptJWTs(storage.ID{Tenant: "acme", App: "shop"})
	signedIn := func(token, remote string) (*client, *bool) {
		p, err := h.dir.Authenticate(context.Background(), "", token)
		require.NoError(t, err)
		return h.killable(p, remote)
	}
	mine, others := sign(jwt.MapClaims{"ro": true, "jti": "1"}), sign(jwt.MapClaims{"ro": true, "jti": "2"})
	me, _ := signedIn(mine, "1:1")
	_, twin := signedIn(mine, "1:2")
	_, other := signedIn(others, "1:3")
	require.Equal(t, ":0", h.admin().run("TOKEN.REVOKE 0"))
	require.Equal(t, ":0\r\n", h.admin().do("TOKEN.REVOKE", ""))
	require.False(t, *twin || *other)
	require.Equal(t, ":1", me.run("CLIENT KILL TYPE normal"))
	require.True(t, *twin)
	require.False(t, *other)
}
