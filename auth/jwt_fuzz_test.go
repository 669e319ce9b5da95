package auth

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"
)

// fuzzDirectory accepts the test keys for acme/shop, at a time that stands still.
func fuzzDirectory(f testing.TB) (*Directory, time.Time) {
	now := time.UnixMilli(1_700_000_000_000)
	d, err := Open(context.Background(), newFakeStore(), Options{Clock: func() time.Time { return now }})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := d.CreateApp(context.Background(), shop, nil); err != nil {
		f.Fatal(err)
	}
	d.SetJWT(JWTOptions{Keys: bothKeys(f), Leeway: 30 * time.Second})
	return d, now
}

// FuzzJWT: no text signs in but those that were signed, to the last bit.
func FuzzJWT(f *testing.F) {
	d, _ := fuzzDirectory(f)
	payload := `{"tenant":"acme","app":"shop","exp":1700000060}`
	minted := map[string]bool{
		signHS(`{"alg":"HS256","kid":"h"}`, payload, testSecret): true,
		signEd(`{"alg":"EdDSA","kid":"e"}`, payload):             true,
	}
	for token := range minted {
		f.Add(token)
		f.Add(token + "=")
	}
	f.Add(signHS(`{"alg":"HS256","kid":"e"}`, payload, testPublic))
	f.Add(b64([]byte(`{"alg":"none","kid":"h"}`)) + "." + b64([]byte(payload)) + ".")
	f.Fuzz(func(t *testing.T, token string) {
		p, err := d.Authenticate(context.Background(), "", token)
		if (err == nil) != minted[token] || (p == nil) != (err != nil) {
			t.Fatalf("%q: %v", token, err)
		}
	})
}

// FuzzJWTClaims signs whatever it is given. What then signs in must say so in
// words that have one meaning.
func FuzzJWTClaims(f *testing.F) {
	d, now := fuzzDirectory(f)
	known := []string{"tenant", "app", "exp", "ro", "prefix", "origins", "jti", "iss", "sub", "aud", "nbf", "iat"}
	header := `{"alg":"HS256","kid":"h"}`
	f.Add(header, `{"tenant":"acme","app":"shop","exp":1700000060}`)
	f.Add(header, `{"tenant":"acme","app":"shop","exp":1700000060.5,"ro":true,"prefix":"a:","origins":["https://a.example"],"jti":"1","sub":"s","iss":"i","nbf":1,"iat":1700000000}`)
	f.Add(header, `{"tenant":"acme","app":"shop","exp":1700000060,"ro":false,"ro":true}`)
	f.Add(`{"alg":"HS256","kid":"h","typ":"JWT","crit":[]}`, `null`)
	f.Fuzz(func(t *testing.T, header, payload string) {
		p, err := d.Authenticate(context.Background(), "", signHS(header, payload, testSecret))
		if err != nil {
			return
		}
		var said map[string]any
		if err := json.Unmarshal([]byte(payload), &said); err != nil {
			t.Fatalf("accepted %q, which is not JSON: %v", payload, err)
		}
		for name := range said {
			if !slices.Contains(known, name) {
				t.Fatalf("accepted the claim %q", name)
			}
		}
		ro, _ := said["ro"].(bool)
		prefix, _ := said["prefix"].(string)
		exp, _ := said["exp"].(float64)
		if said["tenant"] != "acme" || said["app"] != "shop" || p.App.ID != shop || p.Token.ReadOnly != ro || p.Token.Prefix != prefix ||
			p.Token.ExpiresAt > int64((exp+30)*1000) || p.Token.ExpiresAt <= now.UnixMilli() {
			t.Fatalf("%q became %+v", payload, p.Token.Scope)
		}
		var h struct{ Alg, Kid string }
		if err := json.Unmarshal([]byte(header), &h); err != nil || h.Alg != "HS256" || h.Kid != "h" {
			t.Fatalf("accepted the header %q", header)
		}
	})
}
