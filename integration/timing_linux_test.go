package integration

import (
	"bufio"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/samples"
)

// TestSignInTiming measures what somebody on the same machine, the nearest that an
// attacker can be, sees of the time that AUTH takes. It asserts nothing.
//
//	CUBBY_TEST_TIMING=1 go test ./integration -run SignInTiming -v
//
// Each attempt comes from an address of its own; from one address the fourth
// would be slowed. Answers that were slowed all the same (addresses may share a
// count) are left out.
func TestSignInTiming(t *testing.T) {
	if os.Getenv("CUBBY_TEST_TIMING") == "" {
		t.Skip("measures for a minute: CUBBY_TEST_TIMING=1")
	}
	b64 := base64.RawURLEncoding.EncodeToString
	public := ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", 32))).Public().(ed25519.PublicKey)
	keys := filepath.Join(t.TempDir(), "keys.json")
	require.NoError(t, os.WriteFile(keys, []byte(`{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "ed1", "x": "`+b64(public)+`"}]}`), 0o600))
	s := start(t, "--jwt-keys-file", keys)
	token := s.app(t, "acme/notes")
	last := token[:len(token)-1] + "!"
	signature := b64(append(append([]byte{}, public...), make([]byte, 32)...))
	jwt := func(kid string) func(int) string {
		return func(i int) string {
			claims := fmt.Appendf(nil, `{"tenant":"acme","app":"notes","exp":4000000000,"jti":"%05d"}`, i)
			return command("AUTH", b64([]byte(`{"alg":"EdDSA","kid":"`+kid+`"}`))+"."+b64(claims)+"."+signature)
		}
	}
	always := func(words ...string) func(int) string {
		c := command(words...)
		return func(int) string { return c }
	}
	origin := 0
	took := func(request string) (float64, bool) {
		origin++
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, byte(2+origin>>16), byte(origin>>8), byte(origin))}, Timeout: patience}
		nc, err := d.DialContext(background, "tcp", s.addr())
		require.NoError(t, err)
		defer nc.Close()
		r := bufio.NewReader(nc)
		answer := func(request string) time.Duration {
			began := time.Now()
			_, err := nc.Write([]byte(request))
			require.NoError(t, err)
			_, err = r.ReadString('\n')
			require.NoError(t, err)
			return time.Since(began)
		}
		answer(command("PING")) // the connection is at home
		d2 := answer(request)
		return float64(d2.Nanoseconds()) / 1000, d2 < 40*time.Millisecond
	}
	for _, c := range []struct {
		name string
		a, b func(int) string
	}{
		{"control: the same twice", always("AUTH", last), always("AUTH", last)},
		{"token id: known, unknown", always("AUTH", last), always("AUTH", token[:4]+strings.Repeat("a", 16)+token[20:])},
		{"token's secret wrong: first byte, last byte", always("AUTH", token[:21]+"!"+token[22:]), always("AUTH", last)},
		{"app of AUTH: known, unknown", always("AUTH", "acme/notes", last), always("AUTH", "acme/nosuc", last)},
		{"admin's password wrong: first byte, last byte", always("AUTH", "admin", "!"+adminPassword[1:]),
			always("AUTH", "admin", adminPassword[:len(adminPassword)-1]+"!")},
		{"JWT EdDSA: wrong signature, unknown kid", jwt("ed1"), jwt("ed2")},
	} {
		var got [2][]float64
		for i := range 3000 {
			order := rand.IntN(2)
			for _, which := range []int{order, 1 - order} {
				request := c.a
				if which == 1 {
					request = c.b
				}
				if d, ok := took(request(i)); ok {
					got[which] = append(got[which], d)
				}
			}
		}
		x := samples.Compare(got[0], got[1])
		t.Logf("| %s | %.1f us | %+.2f us | %+.1f (%.2g) | %.3f | %.3f (%.2g) |", c.name, x.Median, x.Shift, x.WelchT, x.WelchP, x.CohenD, x.BSlower, x.RankP)
	}
	load, _ := os.ReadFile("/proc/loadavg")
	t.Logf("load %s", strings.TrimSpace(string(load)))
}
