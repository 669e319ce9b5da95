package auth

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/samples"
)

// TestSignInTiming measures whether the time that Authenticate takes tells what
// was wrong. It asserts nothing, because it depends on the machine; run it on a quiet
// one:
//
//	CUBBY_TEST_TIMING=1 go test ./auth -run SignInTiming -v
//
// docs/security.md has its figures.
func TestSignInTiming(t *testing.T) {
	if os.Getenv("CUBBY_TEST_TIMING") == "" {
		t.Skip("measures for a minute: CUBBY_TEST_TIMING=1")
	}
	ctx := t.Context()
	dir := func(password string) *Directory {
		d, err := Open(ctx, newFakeStore(), Options{AdminPassword: password})
		require.NoError(t, err)
		return d
	}
	const password = "correct horse battery staple"
	d := dir(password)
	var secret string
	for i := range 1000 { // a map of some size
		id := shop
		id.App = fmt.Sprintf("app%d", i)
		_, err := d.CreateApp(ctx, id, nil)
		require.NoError(t, err)
		secret, _, err = d.CreateToken(ctx, id, "", Scope{})
		require.NoError(t, err)
	}
	public := ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", 32))).Public().(ed25519.PublicKey)
	b64 := base64.RawURLEncoding.EncodeToString
	var hmacSecret [32]byte
	for i := range hmacSecret {
		hmacSecret[i] = byte(i)
	}
	keys, err := ParseJWTKeys([]byte(`{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "ed1", "x": "` + b64(public) + `"},
		{"kty": "oct", "kid": "hs1", "k": "` + b64(hmacSecret[:]) + `"}]}`))
	require.NoError(t, err)
	d.SetJWT(JWTOptions{Keys: keys})
	var r [32]byte
	copy(r[:], public)                                    // a point of the curve
	edSignature := b64(append(r[:], make([]byte, 32)...)) // well formed, and wrong
	// Many of each: how long a signature takes depends on what was signed.
	jwt := func(alg, kid, signature string) (list []string) {
		for i := range 200 {
			claims := b64(fmt.Appendf(nil, `{"tenant":"acme","app":"app1","exp":4000000000,"jti":"%03d"}`, i))
			list = append(list, b64([]byte(`{"alg":"`+alg+`","kid":"`+kid+`"}`))+"."+claims+"."+signature)
		}
		return list
	}
	hsSignature := b64(make([]byte, 32))
	wrongAt := func(text string, i int) string {
		c := byte('A')
		if text[i] == c {
			c = 'B'
		}
		return text[:i] + string(c) + text[i+1:]
	}
	unknown := tokenPrefix + strings.Repeat("a", tokenIDLen) + secret[len(tokenPrefix)+tokenIDLen:]
	start := len(tokenPrefix) + tokenIDLen + 1
	last := wrongAt(secret, len(secret)-1)

	type try struct {
		d       *Directory
		user    string
		secrets []string
	}
	one := func(d *Directory, user, secret string) try { return try{d, user, []string{secret}} }
	for _, c := range []struct {
		name  string
		calls int // in one sample
		a, b  try
	}{
		{"control: the same twice", 8, one(d, "", last), one(d, "", strings.Clone(last))},
		{"token id: known, unknown", 8, one(d, "", last), one(d, "", unknown)},
		{"token's secret wrong: first byte, last byte", 8, one(d, "", wrongAt(secret, start)), one(d, "", last)},
		{"app of AUTH: known, unknown", 8, one(d, "acme/app1", last), one(d, "acme/apX1", last)},
		{"admin's password wrong: first byte, last byte", 8, one(d, "admin", wrongAt(password, 0)), one(d, "admin", wrongAt(password, len(password)-1))},
		{"admin's password: 8 bytes long, 50 bytes long", 8, one(dir("12345678"), "admin", password), one(dir(strings.Repeat("12345", 10)), "admin", password)},
		{"JWT EdDSA: wrong signature, unknown kid", 1, try{d, "", jwt("EdDSA", "ed1", edSignature)}, try{d, "", jwt("EdDSA", "ed2", edSignature)}},
		{"JWT HS256: wrong signature, unknown kid", 1, try{d, "", jwt("HS256", "hs1", hsSignature)}, try{d, "", jwt("HS256", "hs2", hsSignature)}},
		{"JWT: kid of another algorithm, unknown kid", 1, try{d, "", jwt("EdDSA", "hs1", edSignature)}, try{d, "", jwt("EdDSA", "ed2", edSignature)}},
	} {
		const n = 20_000
		var got [2][]float64
		old := debug.SetGCPercent(-1)
		for i := range n {
			order := rand.IntN(2)
			for _, which := range []int{order, 1 - order} {
				x := c.a
				if which == 1 {
					x = c.b
				}
				secret := x.secrets[i%len(x.secrets)]
				began := time.Now()
				for range c.calls {
					if _, err := x.d.Authenticate(context.Background(), x.user, secret); err == nil {
						t.Fatal("signed in")
					}
				}
				got[which] = append(got[which], float64(time.Since(began).Nanoseconds())/float64(c.calls))
			}
			if i%2000 == 0 {
				debug.FreeOSMemory() // collects; nothing is measured meanwhile
			}
		}
		debug.SetGCPercent(old)
		s := samples.Compare(got[0], got[1])
		t.Logf("| %s | %.0f ns | %+.1f ns | %+.1f (%.2g) | %.3f | %.3f (%.2g) |", c.name, s.Median, s.Shift, s.WelchT, s.WelchP, s.CohenD, s.BSlower, s.RankP)
	}
	load, _ := os.ReadFile("/proc/loadavg")
	t.Logf("load %s", strings.TrimSpace(string(load)))
}
