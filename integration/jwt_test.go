package integration

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// minter signs tokens as a platform does.
type minter struct {
	kid    string
	secret ed25519.PrivateKey
}

func newMinter(t testing.TB, kid string) minter {
	t.Helper()
	_, secret, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	return minter{kid, secret}
}

// jwk is the public half, as a key set lists it.
func (m minter) jwk() string {
	return fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":%q,"x":%q}`,
		m.kid, base64.RawURLEncoding.EncodeToString(m.secret.Public().(ed25519.PublicKey)))
}

func (m minter) mint(t testing.TB, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header["kid"] = m.kid
	text, err := token.SignedString(m.secret)
	require.NoError(t, err)
	return text
}

// go-redis signs in with a JWT, and SIGHUP replaces the key under it.
func TestJWT(t *testing.T) {
	t.Parallel()
	old, next := newMinter(t, "old"), newMinter(t, "next")
	path := filepath.Join(t.TempDir(), "keys.json")
	keys := func(list ...string) {
		require.NoError(t, os.WriteFile(path, []byte(`{"keys":[`+strings.Join(list, ",")+`]}`), 0o600))
	}
	keys(old.jwk())
	s := start(t, "--jwt-keys-file", path)
	s.app(t, "acme/notes", "max-keys", 2)
	s.app(t, "acme/other")
	claims := jwt.MapClaims{"tenant": "acme", "app": "notes", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "jti": "login-1"}
	token := old.mint(t, claims)
	overBoth(t, func(t *testing.T, protocol int) {
		for user, refused := range map[string]string{"": "", "default": "", "acme/notes": "", "acme/other": wrongPass, "admin": wrongPass} {
			kv := s.dial(t, func(o *redis.Options) { o.Username, o.Password, o.Protocol = user, token, protocol })
			err := kv.Ping(background).Err()
			if refused != "" {
				require.ErrorContains(t, err, refused, user)
				continue
			}
			require.NoError(t, err, user)
			require.NoError(t, kv.MSet(background, "a", "1", "b", "2").Err())
			require.ErrorContains(t, kv.Set(background, "c", "3", 0).Err(), "CAP_REACHED", "the app's limits hold")
			who, err := kv.Do(background, "ACL", "WHOAMI").Text()
			require.NoError(t, err)
			require.Equal(t, "acme/notes jwt:login-1", who)
		}
	})

	open := s.client(t, token, 3)
	require.NoError(t, open.Ping(background).Err())
	hangup := func(logged string) {
		s.signal(syscall.SIGHUP)
		require.Eventually(t, func() bool { return strings.Contains(s.stderr.String(), logged) }, patience, pollEvery)
	}
	keys(next.jwk(), old.jwk())
	hangup("read the keys for JWTs again")
	require.NoError(t, s.client(t, next.mint(t, claims), 3).Ping(background).Err())
	require.NoError(t, open.Ping(background).Err(), "the old key is still there")

	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	hangup("the keys for JWTs stay what they were")
	require.NoError(t, s.client(t, token, 3).Ping(background).Err())

	keys(next.jwk())
	require.NoError(t, s.admin(t).ConfigSet(background, "jwt-keys-file", path).Err())
	require.ErrorContains(t, open.Ping(background).Err(), "NOAUTH")
	require.ErrorContains(t, s.client(t, token, 3).Ping(background).Err(), wrongPass)
	require.Contains(t, s.stderr.String(), "a JWT was refused")
	require.NotContains(t, s.stderr.String(), strings.Split(token, ".")[2])
}
