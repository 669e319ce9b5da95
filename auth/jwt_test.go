package auth

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// The keys of these tests are always the same, so that a corpus stays good.
var (
	testSecret  = sum("a secret")
	otherSecret = sum("another secret")
	testPrivate = ed25519.NewKeyFromSeed(sum("a private key"))
	testPublic  = testPrivate.Public().(ed25519.PublicKey)
)

func sum(s string) []byte {
	b := sha256.Sum256([]byte(s))
	return b[:]
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func octKey(id string, secret []byte) string {
	return fmt.Sprintf(`{"kty":"oct","kid":%q,"alg":"HS256","k":%q}`, id, b64(secret))
}

func okpKey(id string, public []byte) string {
	return fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":%q,"use":"sig","x":%q}`, id, b64(public))
}

func keySet(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

func mustKeys(t testing.TB, keys ...string) *JWTKeys {
	t.Helper()
	k, err := ParseJWTKeys([]byte(keySet(keys...)))
	require.NoError(t, err)
	return k
}

func bothKeys(t testing.TB) *JWTKeys {
	return mustKeys(t, octKey("h", testSecret), okpKey("e", testPublic))
}

// jwtRig is a rig with the app acme/shop that accepts the two test keys.
func jwtRig(t *testing.T) *rig {
	r := newRig(t)
	r.create(shop)
	r.SetJWT(JWTOptions{Keys: bothKeys(t), Leeway: 30 * time.Second})
	return r
}

func (r *rig) claims(more jwt.MapClaims) jwt.MapClaims {
	c := jwt.MapClaims{"tenant": "acme", "app": "shop", "exp": r.now.Unix() + 60}
	for name, value := range more {
		if value == nil {
			delete(c, name)
		} else {
			c[name] = value
		}
	}
	return c
}

// hs signs with the shared secret.
func (r *rig) hs(more jwt.MapClaims) string {
	return signHS(`{"alg":"HS256","kid":"h","typ":"JWT"}`, mustJSON(r.claims(more)), testSecret)
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// signHS signs any header and payload with HMAC-SHA-256, whatever they say.
func signHS(header, payload string, secret []byte) string {
	text := b64([]byte(header)) + "." + b64([]byte(payload))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + b64(mac.Sum(nil))
}

func signEd(header, payload string) string {
	text := b64([]byte(header)) + "." + b64([]byte(payload))
	return text + "." + b64(ed25519.Sign(testPrivate, []byte(text)))
}

func TestJWTSignsIn(t *testing.T) {
	r := jwtRig(t)
	app, err := r.App(r.ctx, shop)
	require.NoError(t, err)
	full := r.claims(jwt.MapClaims{
		"ro": true, "prefix": "u:7:", "origins": []string{"https://app.example.com"}, "jti": "abc-1",
		"iss": "https://id.example.com", "sub": "user 7", "nbf": r.now.Unix() - 1, "iat": float64(r.now.Unix()) - 0.5,
	})
	byLibrary := jwt.NewWithClaims(jwt.SigningMethodEdDSA, full)
	byLibrary.Header["kid"] = "e"
	ed, err := byLibrary.SignedString(testPrivate)
	require.NoError(t, err)
	for name, token := range map[string]string{
		"EdDSA":          ed,
		"EdDSA, by hand": signEd(`{"alg":"EdDSA","kid":"e"}`, mustJSON(full)),
		"HS256":          r.hs(full),
	} {
		for _, user := range []string{"", "default", "acme/shop"} {
			p, err := r.Authenticate(r.ctx, user, token)
			require.NoError(t, err, "%s as %q", name, user)
			require.Same(t, app, p.App, "its limits are the app's")
			require.False(t, p.Admin)
			require.Equal(t, Scope{ReadOnly: true, Prefix: "u:7:", Origins: []string{"https://app.example.com"},
				ExpiresAt: r.now.UnixMilli() + 90_000}, p.Token.Scope)
			require.Empty(t, p.Token.ID, "TOKEN.REVOKE does not know it")
			require.Equal(t, "jwt:abc-1", p.SignIn())
			require.Equal(t, "acme/shop", p.Name())
		}
		r.denied("acme/blog", token)
		r.denied("admin", token)
		r.denied("acme", token)
	}
	p, err := r.Authenticate(r.ctx, "", r.hs(nil))
	require.NoError(t, err)
	require.Equal(t, Scope{ExpiresAt: r.now.UnixMilli() + 90_000}, p.Token.Scope)
	require.Equal(t, "jwt", p.SignIn())
}

// Each case differs from an accepted token in one claim.
func TestJWTClaims(t *testing.T) {
	r := jwtRig(t)
	now := r.now.Unix()
	for name, c := range map[string]struct {
		claims jwt.MapClaims
		ok     bool
	}{
		"as it is":                     {nil, true},
		"no tenant":                    {jwt.MapClaims{"tenant": nil}, false},
		"no app":                       {jwt.MapClaims{"app": nil}, false},
		"no exp":                       {jwt.MapClaims{"exp": nil}, false},
		"empty tenant":                 {jwt.MapClaims{"tenant": ""}, false},
		"tenant and app swapped":       {jwt.MapClaims{"tenant": "shop", "app": "acme"}, false},
		"tenant with the app":          {jwt.MapClaims{"tenant": "acme/shop", "app": ""}, false},
		"an unknown app":               {jwt.MapClaims{"app": "nope"}, false},
		"the directory itself":         {jwt.MapClaims{"tenant": "_cubby", "app": "directory"}, false},
		"tenant as a number":           {jwt.MapClaims{"tenant": 7}, false},
		"tenant as a list":             {jwt.MapClaims{"tenant": []string{"acme"}}, false},
		"an unknown claim":             {jwt.MapClaims{"readonly": true}, false},
		"a claim in another case":      {jwt.MapClaims{"Prefix": "a:"}, false},
		"ro false":                     {jwt.MapClaims{"ro": false}, true},
		"ro as a text":                 {jwt.MapClaims{"ro": "false"}, false},
		"ro as a number":               {jwt.MapClaims{"ro": 0}, false},
		"an empty prefix":              {jwt.MapClaims{"prefix": ""}, false},
		"the longest prefix":           {jwt.MapClaims{"prefix": strings.Repeat("p", 256)}, true},
		"a prefix longer than keys":    {jwt.MapClaims{"prefix": strings.Repeat("p", 257)}, false},
		"prefix as a list":             {jwt.MapClaims{"prefix": []string{"a:"}}, false},
		"no origins in a list":         {jwt.MapClaims{"origins": []string{}}, true},
		"origin with a path":           {jwt.MapClaims{"origins": []string{"https://app.example.com/x"}}, false},
		"any origin":                   {jwt.MapClaims{"origins": []string{"*"}}, false},
		"origins as a text":            {jwt.MapClaims{"origins": "https://app.example.com"}, false},
		"origins with null":            {jwt.MapClaims{"origins": []any{nil}}, false},
		"an empty jti":                 {jwt.MapClaims{"jti": ""}, false},
		"the longest jti":              {jwt.MapClaims{"jti": strings.Repeat("j", 128)}, true},
		"a longer jti":                 {jwt.MapClaims{"jti": strings.Repeat("j", 129)}, false},
		"a jti that fakes a field":     {jwt.MapClaims{"jti": "x user=admin"}, false},
		"a jti that fakes a line":      {jwt.MapClaims{"jti": "x\nid=7"}, false},
		"jti as a number":              {jwt.MapClaims{"jti": 7}, false},
		"ended, within the leeway":     {jwt.MapClaims{"exp": now - 29}, true},
		"ended":                        {jwt.MapClaims{"exp": now - 30}, false},
		"ended in 1970":                {jwt.MapClaims{"exp": 0}, false},
		"a negative exp":               {jwt.MapClaims{"exp": -1}, false},
		"exp in milliseconds":          {jwt.MapClaims{"exp": (now + 60) * 1000}, false},
		"exp without end":              {jwt.MapClaims{"exp": 1e300}, false},
		"exp as a text":                {jwt.MapClaims{"exp": fmt.Sprint(now + 60)}, false},
		"exp true":                     {jwt.MapClaims{"exp": true}, false},
		"not yet, within the leeway":   {jwt.MapClaims{"nbf": now + 30}, true},
		"not yet":                      {jwt.MapClaims{"nbf": now + 31}, false},
		"nbf as a text":                {jwt.MapClaims{"nbf": "0"}, false},
		"issued a little ahead":        {jwt.MapClaims{"iat": now + 30}, true},
		"issued in the future":         {jwt.MapClaims{"iat": now + 31}, false},
		"issued before the app, a bit": {jwt.MapClaims{"iat": now - 30}, true},
		"issued before the app":        {jwt.MapClaims{"iat": now - 31}, false},
		"an audience nobody asked for": {jwt.MapClaims{"aud": "somebody"}, false},
		"an empty audience":            {jwt.MapClaims{"aud": ""}, false},
		"an empty list of audiences":   {jwt.MapClaims{"aud": []string{}}, false},
		"any issuer":                   {jwt.MapClaims{"iss": "whoever"}, true},
		"an issuer that is no text":    {jwt.MapClaims{"iss": 1}, false},
		"a subject":                    {jwt.MapClaims{"sub": "7"}, true},
		"a subject that is no text":    {jwt.MapClaims{"sub": 7}, false},
	} {
		for kind, token := range map[string]string{
			"HS256": r.hs(c.claims),
			"EdDSA": signEd(`{"alg":"EdDSA","kid":"e","typ":"jwt"}`, mustJSON(r.claims(c.claims))),
		} {
			p, err := r.Authenticate(r.ctx, "", token)
			if c.ok {
				require.NoError(t, err, "%s, %s", name, kind)
				require.True(t, p.Valid(r.now.UnixMilli()))
			} else {
				require.Equal(t, ErrWrongPass, err, "%s, %s", name, kind)
				require.Nil(t, p)
			}
		}
	}
	for name := range r.claims(jwt.MapClaims{"ro": 1, "prefix": 1, "origins": 1, "jti": 1, "iss": 1, "sub": 1, "aud": 1, "nbf": 1, "iat": 1}) {
		claims := maps.Clone(r.claims(nil))
		claims[name] = json.RawMessage("null")
		r.denied("", signHS(`{"alg":"HS256","kid":"h"}`, mustJSON(claims), testSecret))
	}
}

// Signed with the right key, but not what everybody would read alike.
func TestJWTPayloads(t *testing.T) {
	r := jwtRig(t)
	exp := fmt.Sprintf(`"exp":%d`, r.now.Unix()+60)
	good := `{"tenant":"acme","app":"shop",` + exp + `}`
	header := `{"alg":"HS256","kid":"h"}`
	_, err := r.Authenticate(r.ctx, "", signHS(header, good, testSecret))
	require.NoError(t, err)
	for name, payload := range map[string]string{
		"nothing":             "",
		"null":                "null",
		"an array":            "[" + good + "]",
		"a text":              `"acme/shop"`,
		"an empty object":     "{}",
		"something behind":    good + "{}",
		"half of it":          good[:len(good)-1],
		"a tenant twice":      `{"tenant":"globex","tenant":"acme","app":"shop",` + exp + `}`,
		"twice with escapes":  `{"tenant":"acme","t\u0065nant":"acme","app":"shop",` + exp + `}`,
		"exp twice":           `{"tenant":"acme","app":"shop","exp":9999999999,` + exp + `}`,
		"not UTF-8":           `{"tenant":"acme","app":"shop","prefix":"` + "\xff" + `",` + exp + `}`,
		"half a surrogate":    `{"tenant":"acme","app":"shop","prefix":"\ud800",` + exp + `}`,
		"other case":          `{"Tenant":"acme","app":"shop",` + exp + `}`,
		"exp in hexadecimals": `{"tenant":"acme","app":"shop","exp":0xffffffff}`,
		"exp beyond float64":  `{"tenant":"acme","app":"shop","exp":1e999}`,
		"deep":                `{"tenant":"acme","app":"shop","origins":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `,` + exp + `}`,
	} {
		p, err := r.Authenticate(r.ctx, "", signHS(header, payload, testSecret))
		require.Equal(t, ErrWrongPass, err, name)
		require.Nil(t, p)
	}
}

func TestJWTHeadersAndSignatures(t *testing.T) {
	r := jwtRig(t)
	payload := mustJSON(r.claims(nil))
	good := r.hs(nil)
	parts := strings.Split(good, ".")
	unsigned := func(header string) string { return b64([]byte(header)) + "." + b64([]byte(payload)) + "." }
	last := good[:len(good)-1]
	for name, token := range map[string]string{
		"none":                          unsigned(`{"alg":"none"}`),
		"none with a key":               unsigned(`{"alg":"none","kid":"h"}`),
		"None":                          unsigned(`{"alg":"None","kid":"h"}`),
		"none with a good signature":    signHS(`{"alg":"none","kid":"h"}`, payload, testSecret),
		"no signature":                  parts[0] + "." + parts[1] + ".",
		"the public key as a secret":    signHS(`{"alg":"HS256","kid":"e"}`, payload, testPublic),
		"its text as a secret":          signHS(`{"alg":"HS256","kid":"e"}`, payload, []byte(b64(testPublic))),
		"the public key, other kid":     signHS(`{"alg":"HS256","kid":"h"}`, payload, testPublic),
		"EdDSA claimed, HMAC with x":    signHS(`{"alg":"EdDSA","kid":"e"}`, payload, testPublic),
		"an empty secret":               signHS(`{"alg":"HS256","kid":"h"}`, payload, nil),
		"another secret":                signHS(`{"alg":"HS256","kid":"h"}`, payload, otherSecret),
		"EdDSA under the secret's kid":  signEd(`{"alg":"EdDSA","kid":"h"}`, payload),
		"HS256 claimed, EdDSA made":     signEd(`{"alg":"HS256","kid":"e"}`, payload),
		"HS384 claimed":                 signHS(`{"alg":"HS384","kid":"h"}`, payload, testSecret),
		"RS256 claimed":                 signHS(`{"alg":"RS256","kid":"h"}`, payload, testSecret),
		"alg in another case":           signHS(`{"alg":"hs256","kid":"h"}`, payload, testSecret),
		"no alg":                        signHS(`{"kid":"h"}`, payload, testSecret),
		"alg null":                      signHS(`{"alg":null,"kid":"h"}`, payload, testSecret),
		"alg as a list":                 signHS(`{"alg":["HS256"],"kid":"h"}`, payload, testSecret),
		"alg twice":                     signHS(`{"alg":"none","alg":"HS256","kid":"h"}`, payload, testSecret),
		"no kid, two keys":              signHS(`{"alg":"HS256"}`, payload, testSecret),
		"an empty kid":                  signHS(`{"alg":"HS256","kid":""}`, payload, testSecret),
		"an unknown kid":                signHS(`{"alg":"HS256","kid":"H"}`, payload, testSecret),
		"kid as a number":               signHS(`{"alg":"HS256","kid":1}`, payload, testSecret),
		"a kid that is a path":          signHS(`{"alg":"HS256","kid":"../../dev/null"}`, payload, nil),
		"its own key":                   signHS(`{"alg":"HS256","kid":"h","jwk":`+octKey("h", otherSecret)+`}`, payload, otherSecret),
		"crit":                          signHS(`{"alg":"HS256","kid":"h","crit":["exp"]}`, payload, testSecret),
		"b64 false":                     signHS(`{"alg":"HS256","kid":"h","b64":false}`, payload, testSecret),
		"another typ":                   signHS(`{"alg":"HS256","kid":"h","typ":"JOSE"}`, payload, testSecret),
		"a header that is null":         signHS(`null`, payload, testSecret),
		"a header that is an array":     signHS(`["HS256"]`, payload, testSecret),
		"something behind the header":   signHS(`{"alg":"HS256","kid":"h"} {}`, payload, testSecret),
		"padding":                       good + "=",
		"a line break":                  good[:20] + "\n" + good[20:],
		"a line break at the end":       good + "\n",
		"a blank before":                " " + good,
		"a shortened signature":         last,
		"other bits beyond the last":    last + string(good[len(good)-1]+1),
		"standard base64":               strings.NewReplacer("-", "+", "_", "/").Replace(good) + "+",
		"two parts":                     parts[0] + "." + parts[1],
		"four parts":                    good + ".",
		"five parts, as encrypted":      good + "." + parts[0] + "." + parts[1],
		"another payload":               parts[0] + "." + b64([]byte(mustJSON(r.claims(jwt.MapClaims{"ro": true})))) + "." + parts[2],
		"only dots":                     "..",
		"many dots":                     strings.Repeat(".", 16000),
		"signed and too long":           signHS(`{"alg":"HS256","kid":"h"}`, payload+strings.Repeat(" ", maxJWT), testSecret),
		"a bearer":                      "Bearer " + good,
		"a payload that is not encoded": parts[0] + "." + payload + "." + parts[2],
	} {
		p, err := r.Authenticate(r.ctx, "", token)
		require.Equal(t, ErrWrongPass, err, name)
		require.Nil(t, p, name)
	}
	_, err := r.Authenticate(r.ctx, "", good)
	require.NoError(t, err, "and it was good")
}

// A longest token is one byte shorter than one that is too long.
func TestJWTLength(t *testing.T) {
	r := jwtRig(t)
	payload := mustJSON(r.claims(nil))
	padded := func(length int) string {
		for blanks := 0; ; blanks++ {
			if token := signHS(`{"alg":"HS256","kid":"h"}`, payload+strings.Repeat(" ", blanks), testSecret); len(token) >= length {
				return token
			}
		}
	}
	_, err := r.Authenticate(r.ctx, "", padded(maxJWT-1))
	require.NoError(t, err)
	r.denied("", padded(maxJWT+1))
}

func TestJWTAudienceAndIssuer(t *testing.T) {
	r := jwtRig(t)
	r.SetJWT(JWTOptions{Keys: bothKeys(t), Audience: "cubby", Issuer: "https://id.example.com"})
	for name, c := range map[string]struct {
		claims jwt.MapClaims
		ok     bool
	}{
		"both":             {jwt.MapClaims{"aud": "cubby", "iss": "https://id.example.com"}, true},
		"one of several":   {jwt.MapClaims{"aud": []string{"x", "cubby"}, "iss": "https://id.example.com"}, true},
		"no audience":      {jwt.MapClaims{"iss": "https://id.example.com"}, false},
		"another audience": {jwt.MapClaims{"aud": "Cubby", "iss": "https://id.example.com"}, false},
		"no issuer":        {jwt.MapClaims{"aud": "cubby"}, false},
		"another issuer":   {jwt.MapClaims{"aud": "cubby", "iss": "https://id.example.com/"}, false},
		"an empty issuer":  {jwt.MapClaims{"aud": "cubby", "iss": ""}, false},
	} {
		_, err := r.Authenticate(r.ctx, "", r.hs(c.claims))
		require.Equal(t, c.ok, err == nil, name)
	}
}

func TestJWTEndsWhileInUse(t *testing.T) {
	r := jwtRig(t)
	p, err := r.Authenticate(r.ctx, "", r.hs(nil))
	require.NoError(t, err)
	start := r.now
	r.now = start.Add(90*time.Second - time.Millisecond)
	require.True(t, p.Valid(r.now.UnixMilli()))
	_, err = r.Authenticate(r.ctx, "", signHS(`{"alg":"HS256","kid":"h"}`, mustJSON(jwt.MapClaims{"tenant": "acme", "app": "shop", "exp": start.Unix() + 60}), testSecret))
	require.NoError(t, err, "signing in and staying agree")
	r.now = start.Add(90 * time.Second)
	require.False(t, p.Valid(r.now.UnixMilli()))
	r.denied("", signHS(`{"alg":"HS256","kid":"h"}`, mustJSON(jwt.MapClaims{"tenant": "acme", "app": "shop", "exp": start.Unix() + 60}), testSecret))
}

// What was issued for an app must not open another that came to its name.
func TestJWTOfAnAppThatWasReplaced(t *testing.T) {
	r := jwtRig(t)
	r.SetJWT(JWTOptions{Keys: bothKeys(t)})
	token := r.hs(jwt.MapClaims{"iat": r.now.Unix(), "exp": r.now.Unix() + 3600})
	p, err := r.Authenticate(r.ctx, "", token)
	require.NoError(t, err)
	require.NoError(t, r.DropApp(r.ctx, shop))
	require.False(t, p.Valid(r.now.UnixMilli()))
	r.denied("", token)
	r.now = r.now.Add(time.Minute)
	r.create(shop)
	r.denied("", token)
	require.False(t, p.Valid(r.now.UnixMilli()))
	_, err = r.Authenticate(r.ctx, "", r.hs(jwt.MapClaims{"iat": r.now.Unix()}))
	require.NoError(t, err)
}

func TestJWTKeysChange(t *testing.T) {
	r := jwtRig(t)
	with := func(header string, secret []byte) string { return signHS(header, mustJSON(r.claims(nil)), secret) }
	byH, byE := with(`{"alg":"HS256","kid":"h"}`, testSecret), signEd(`{"alg":"EdDSA","kid":"e"}`, mustJSON(r.claims(nil)))
	signIn := func(token string) *Principal {
		t.Helper()
		p, err := r.Authenticate(r.ctx, "", token)
		require.NoError(t, err)
		return p
	}
	h, e := signIn(byH), signIn(byE)
	now := r.now.UnixMilli()

	// The same keys again, and a new one: nobody notices.
	r.SetJWT(JWTOptions{Keys: mustKeys(t, okpKey("e", testPublic), octKey("n", otherSecret), octKey("h", testSecret))})
	require.True(t, h.Valid(now))
	require.True(t, e.Valid(now))
	n := signIn(with(`{"alg":"HS256","kid":"n"}`, otherSecret))
	signIn(byH)

	// A key goes, and another secret takes its kid.
	changed := mustKeys(t, okpKey("e", testPublic), octKey("h", otherSecret))
	r.SetJWT(JWTOptions{Keys: changed})
	require.False(t, h.Valid(now), "its key was withdrawn")
	require.False(t, n.Valid(now))
	require.True(t, e.Valid(now))
	r.denied("", byH)
	signIn(with(`{"alg":"HS256","kid":"h"}`, otherSecret))

	// A single key needs no kid.
	single := mustKeys(t, `{"kty":"oct","k":"`+b64(testSecret)+`"}`)
	r.SetJWT(JWTOptions{Keys: single})
	require.False(t, e.Valid(now))
	s := signIn(with(`{"alg":"HS256"}`, testSecret))
	r.denied("", byH) // whose kid it does not have
	r.SetJWT(JWTOptions{Keys: mustKeys(t, octKey("h", testSecret))})
	require.False(t, s.Valid(now), "a key is its kid as well")
	signIn(with(`{"alg":"HS256"}`, testSecret))

	// None, and a set that was in use before.
	r.SetJWT(JWTOptions{})
	r.denied("", byH)
	r.SetJWT(JWTOptions{Keys: changed})
	require.True(t, signIn(byE).Valid(now))
	require.False(t, e.Valid(now), "what has ended does not come back")
}

// Opaque tokens and the admin do not depend on JWTs.
func TestOpaqueTokensBesideJWTs(t *testing.T) {
	r := jwtRig(t)
	secret, token := r.token(shop, Scope{})
	p, err := r.Authenticate(r.ctx, "", secret)
	require.NoError(t, err)
	require.Equal(t, "token:"+token.ID, p.SignIn())
	require.True(t, p.Token.Same(token))
	r.SetJWT(JWTOptions{})
	require.True(t, p.Valid(r.now.UnixMilli()))
	_, err = r.Authenticate(r.ctx, "admin", "correct horse")
	require.NoError(t, err)
	require.Equal(t, "admin", (&Principal{Admin: true}).SignIn())
	require.Equal(t, "none", (*Principal)(nil).SignIn())
	require.Equal(t, "certificate", (&Principal{App: p.App, Until: 1}).SignIn())
	require.Equal(t, "anonymous", (&Principal{App: p.App}).SignIn())
}

func TestSameToken(t *testing.T) {
	r := jwtRig(t)
	of := func(token string) *Token {
		p, err := r.Authenticate(r.ctx, "", token)
		require.NoError(t, err)
		return p.Token
	}
	one := r.hs(jwt.MapClaims{"jti": "1"})
	require.True(t, of(one).Same(of(one)))
	require.False(t, of(one).Same(of(r.hs(jwt.MapClaims{"jti": "2"}))))
	require.False(t, of(one).Same(nil))
	require.True(t, (*Token)(nil).Same(nil))
}

// The operator learns why, nobody learns the token, and nobody fills the disk.
func TestJWTRefusalsInTheLog(t *testing.T) {
	r := newRig(t)
	var out bytes.Buffer
	r.reopen(Options{Log: slog.New(slog.NewTextHandler(&out, nil))})
	r.create(shop)
	r.denied("", r.hs(nil))
	require.Contains(t, out.String(), "no keys for JWTs are configured")
	r.SetJWT(JWTOptions{Keys: bothKeys(t)})
	for name, c := range map[string]struct{ user, token, want string }{
		"ended":         {"", r.hs(jwt.MapClaims{"exp": r.now.Unix()}), "token is expired"},
		"no app":        {"", r.hs(jwt.MapClaims{"app": "nope"}), `there is no app \"acme/nope\"`},
		"unknown claim": {"", r.hs(jwt.MapClaims{"scope": "all"}), `the claim \"scope\" is unknown`},
		"other name":    {"acme/hunter2", r.hs(nil), "another namespace"},
		"wrong key":     {"", signHS(`{"alg":"HS256","kid":"h"}`, mustJSON(r.claims(nil)), otherSecret), "signature is invalid"},
		"long name":     {"", r.hs(jwt.MapClaims{strings.Repeat("x\n", 2000): 1}), "is unknown"},
	} {
		r.now = r.now.Add(time.Second)
		out.Reset()
		r.denied(c.user, c.token)
		require.Contains(t, out.String(), "level=INFO", name)
		require.Contains(t, out.String(), c.want, name)
		require.Less(t, out.Len(), 700, name)
		require.NotContains(t, out.String(), "hunter2")
		for _, part := range strings.Split(c.token, ".") {
			require.NotContains(t, out.String(), part, name)
		}
	}
	r.now = r.now.Add(time.Minute)
	out.Reset()
	for range 1000 {
		r.denied("", "a.b.c")
	}
	require.Equal(t, refusalBurst, strings.Count(out.String(), "\n"))
	r.now = r.now.Add(time.Second)
	r.denied("", "a.b.c")
	require.Contains(t, out.String(), "refusals_not_logged=980")

	out.Reset()
	r.denied("", "cub_nonsense")
	require.Empty(t, out.String())
}

func TestParseJWTKeys(t *testing.T) {
	low := make([]byte, 32) // the point with y 0, of order 4
	neutral := append([]byte{1}, make([]byte, 31)...)
	for name, c := range map[string]struct{ text, want string }{
		"nothing":              {"", "is not JSON"},
		"a bare key":           {octKey("h", testSecret), "has no keys"},
		"no keys":              {keySet(), "has no keys"},
		"keys null":            {`{"keys":null}`, "has no keys"},
		"keys twice":           {`{"keys":[],"keys":[]}`, `has "keys" twice`},
		"too many keys":        {keySet(strings.Repeat("1,", 100) + "1"), "has 101 keys; at most 100"},
		"a key that is a text": {`{"keys":["x"]}`, "key 1 of the set is no JSON object"},
		"RSA":                  {keySet(`{"kty":"RSA","n":"AQAB","e":"AQAB"}`), `has the kty "RSA"`},
		"X25519":               {keySet(`{"kty":"OKP","crv":"X25519","x":"` + b64(testPublic) + `"}`), `the crv "X25519"`},
		"no secret":            {keySet(`{"kty":"oct"}`), "has no k"},
		"an empty secret":      {keySet(octKey("h", nil)), "has a secret of 0 bytes; 32 to 4096 are allowed"},
		"a short secret":       {keySet(octKey("h", testSecret[:31])), "has a secret of 31 bytes"},
		"a huge secret":        {keySet(octKey("h", bytes.Repeat(testSecret, 129))), "has a secret of 4128 bytes"},
		"a guessable secret":   {keySet(octKey("h", bytes.Repeat([]byte("secret"), 9))), "only 5 different bytes"},
		"zeros":                {keySet(octKey("h", make([]byte, 64))), "only 1 different bytes"},
		"a secret with blanks": {keySet(`{"kty":"oct","k":"not base64 at all"}`), "is not base64url"},
		"a padded secret":      {keySet(`{"kty":"oct","k":"` + b64(testSecret) + `="}`), "is not base64url"},
		"another alg":          {keySet(`{"kty":"oct","alg":"HS512","k":"` + b64(testSecret) + `"}`), `has the alg "HS512"`},
		"EdDSA for a secret":   {keySet(`{"kty":"oct","alg":"EdDSA","k":"` + b64(testSecret) + `"}`), "a key of its type is for HS256"},
		"for encryption":       {keySet(`{"kty":"oct","use":"enc","k":"` + b64(testSecret) + `"}`), "its use is"},
		"only to sign":         {keySet(`{"kty":"oct","key_ops":["sign"],"k":"` + b64(testSecret) + `"}`), "key_ops lack verify"},
		"a private key":        {keySet(`{"kty":"OKP","crv":"Ed25519","x":"` + b64(testPublic) + `","d":"x"}`), "is a private key"},
		"a short public key":   {keySet(okpKey("e", testPublic[1:])), "has an x of 31 bytes"},
		"a point of order 4":   {keySet(okpKey("e", low)), "anybody could sign"},
		"the neutral point":    {keySet(okpKey("e", neutral)), "anybody could sign"},
		"two without kid":      {keySet(octKey("", testSecret), octKey("b", otherSecret)), "key 1 of the set has no kid"},
		"a kid twice":          {keySet(octKey("a", testSecret), octKey("a", otherSecret)), `the kid "a"`},
		"kid as a number":      {keySet(`{"kty":"oct","kid":1,"k":"` + b64(testSecret) + `"}`), "kid is not a string"},
		"a long kid":           {keySet(octKey(strings.Repeat("k", 129), testSecret)), "kid of 129 bytes"},
		"a public secret":      {keySet(octKey("a", testPublic), okpKey("b", testPublic)), "has a secret that is the public key"},
	} {
		_, err := ParseJWTKeys([]byte(c.text))
		var input *InputError
		require.ErrorAs(t, err, &input, name)
		require.ErrorContains(t, err, c.want, name)
		require.NotContains(t, err.Error(), b64(testSecret), name)
	}
	keys := mustKeys(t, `{"kty":"oct","kid":"a","ext":true,"key_ops":["sign","verify"],"k":"`+b64(testSecret)+`"}`)
	require.True(t, keys.HasSecrets())
	require.False(t, mustKeys(t, okpKey("e", testPublic)).HasSecrets())
}

func BenchmarkVerifyJWT(b *testing.B) {
	d, now := fuzzDirectory(b)
	payload := mustJSON(jwt.MapClaims{"tenant": "acme", "app": "shop", "exp": now.Unix() + 60, "ro": true, "prefix": "u:7:", "jti": "login-1"})
	for name, token := range map[string]string{
		"HS256": signHS(`{"alg":"HS256","kid":"h"}`, payload, testSecret),
		"EdDSA": signEd(`{"alg":"EdDSA","kid":"e"}`, payload),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Authenticate(b.Context(), "", token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Keys change while others sign in: whoever got in with a key that is gone now
// is out again.
func TestJWTKeysChangeDuringSignIns(t *testing.T) {
	r := jwtRig(t)
	token := r.hs(nil)
	without := JWTOptions{Keys: mustKeys(t, okpKey("e", testPublic))}
	both := JWTOptions{Keys: bothKeys(t)}
	done := make(chan []*Principal)
	for range 4 {
		go func() {
			var in []*Principal
			for range 200 {
				if p, err := r.Authenticate(context.Background(), "", token); err == nil {
					in = append(in, p)
				}
			}
			done <- in
		}()
	}
	for range 50 {
		r.SetJWT(without)
		r.SetJWT(both)
	}
	r.SetJWT(without)
	for range 4 {
		for _, p := range <-done {
			require.False(t, p.Valid(r.now.UnixMilli()))
		}
	}
}
