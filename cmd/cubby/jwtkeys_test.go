package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

const jwtSecret = "0123456789 abcdefghijklmnopqrstu"

// octSet is a key set with one secret.
func octSet(kid, secret string) string {
	return `{"keys":[{"kty":"oct","kid":"` + kid + `","k":"` + base64.RawURLEncoding.EncodeToString([]byte(secret)) + `"}]}`
}

func writeKeys(t *testing.T, text string, mode os.FileMode) {
	t.Helper()
	require.NoError(t, os.WriteFile("keys.json", []byte(text), 0o600))
	require.NoError(t, os.Chmod("keys.json", mode))
}

func signJWT(t *testing.T, kid, secret string, more jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"tenant": "acme", "app": "shop", "exp": time.Now().Unix() + 600})
	for name, value := range more {
		token.Claims.(jwt.MapClaims)[name] = value
	}
	token.Header["kid"] = kid
	text, err := token.SignedString([]byte(secret))
	require.NoError(t, err)
	return text
}

func TestReadJWTKeys(t *testing.T) {
	t.Chdir(t.TempDir())
	public := `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` +
		base64.RawURLEncoding.EncodeToString(ed25519.NewKeyFromSeed([]byte(jwtSecret)).Public().(ed25519.PublicKey)) + `"}]}`
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string // empty is no error
	}{
		"secret":                        {octSet("1", jwtSecret), 0o600, ""},
		"secret for the group":          {octSet("1", jwtSecret), 0o640, ""},
		"secret for all":                {octSet("1", jwtSecret), 0o644, "everybody on this machine can read the secrets in keys.json"},
		"public key for all":            {public, 0o644, ""},
		"public key for all to replace": {public, 0o646, "everybody on this machine can write keys.json"},
		"empty":                         {"", 0o600, "keys.json is empty"},
		"no JSON":                       {"secret", 0o600, "keys.json: the key set is not JSON"},
		"too large":                     {strings.Repeat(" ", maxJWTKeysFile+1), 0o600, "larger than 1 MB"},
		"weak":                          {octSet("1", "secret"), 0o600, "keys.json: key 1 of the set has a secret of 6 bytes"},
	} {
		writeKeys(t, c.text, c.mode)
		keys, err := readJWTKeys("keys.json")
		if c.want == "" {
			require.NoError(t, err, name)
			require.NotNil(t, keys)
			continue
		}
		require.ErrorContains(t, err, c.want, name)
		require.NotContains(t, err.Error(), base64.RawURLEncoding.EncodeToString([]byte(jwtSecret)))
	}
	_, err := readJWTKeys("missing.json")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = readJWTKeys(".")
	require.ErrorContains(t, err, "no regular file")
}

func TestBadJWTKeysStopTheStart(t *testing.T) {
	w := newWorld(t)
	writeKeys(t, octSet("1", "secret"), 0o600)
	r := w.cubby("serve", "--port", "0", "--unixsocket", "s.sock", "--jwt-keys-file", "keys.json")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "jwt-keys-file: keys.json: key 1 of the set has a secret of 6 bytes")
}

// TestJWTDirectivesOfARunningServer changes them, and the file under them.
func TestJWTDirectivesOfARunningServer(t *testing.T) {
	w := newWorld(t)
	writeKeys(t, octSet("1", jwtSecret), 0o600)
	r := w.serve("--port", "0", "--requirepass", testPassword)
	ctx := t.Context()
	admin := r.client("admin", testPassword)
	require.NoError(t, admin.Do(ctx, "APP.CREATE", "acme/shop").Err())
	set := func(words ...any) error { return admin.Do(ctx, append([]any{"CONFIG", "SET"}, words...)...).Err() }
	token := signJWT(t, "1", jwtSecret, nil)
	signIn := func(token string) error { return r.client("acme/shop", token).Ping(ctx).Err() }

	require.ErrorContains(t, signIn(token), "WRONGPASS")
	require.NoError(t, set("jwt-keys-file", "keys.json"))
	require.NoError(t, signIn(token))
	open := r.client("", token)
	require.NoError(t, open.Ping(ctx).Err())

	// A file that cannot be used changes nothing, and says why.
	writeKeys(t, octSet("1", "short"), 0o600)
	require.EqualError(t, set("max-keys", "7", "jwt-keys-file", "keys.json"),
		"ERR CONFIG SET failed (possibly related to argument 'jwt-keys-file') - "+
			"keys.json: key 1 of the set has a secret of 5 bytes; 32 to 4096 are allowed (head -c 32 /dev/urandom | basenc --base64url | tr -d = makes one)")
	require.NoError(t, signIn(token))
	require.Equal(t, "10000", admin.ConfigGet(ctx, "max-keys").Val()["max-keys"])
	require.NoError(t, set("max-keys", "8"), "other directives do not read the file")

	writeKeys(t, octSet("2", jwtSecret), 0o600)
	require.NoError(t, set("jwt-keys-file", "keys.json"))
	require.ErrorContains(t, signIn(token), "WRONGPASS")
	require.ErrorContains(t, open.Ping(ctx).Err(), "NOAUTH the token has expired or was revoked")
	require.NoError(t, signIn(signJWT(t, "2", jwtSecret, nil)))

	late := signJWT(t, "2", jwtSecret, jwt.MapClaims{"exp": time.Now().Unix() - 100})
	require.ErrorContains(t, signIn(late), "WRONGPASS")
	require.NoError(t, set("jwt-leeway", "5m"))
	require.NoError(t, signIn(late))

	require.NoError(t, set("jwt-audience", "cubby", "jwt-issuer", "me"))
	require.ErrorContains(t, signIn(signJWT(t, "2", jwtSecret, jwt.MapClaims{"aud": "cubby"})), "WRONGPASS")
	require.NoError(t, signIn(signJWT(t, "2", jwtSecret, jwt.MapClaims{"aud": "cubby", "iss": "me"})))

	require.NoError(t, set("jwt-keys-file", ""))
	require.ErrorContains(t, signIn(signJWT(t, "2", jwtSecret, jwt.MapClaims{"aud": "cubby", "iss": "me"})), "WRONGPASS")
	require.Contains(t, r.err.String(), `msg="a JWT was refused" reason=`)
	require.NotContains(t, r.err.String(), strings.Split(token, ".")[2])
}
