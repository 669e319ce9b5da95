package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	site      = "https://app.example.com"
	otherSite = "https://evil.example.com"
)

// buy signs in with secret and buys a browser token.
func (r *rig) buy(secret string, want Scope) (string, Scope, error) {
	r.t.Helper()
	p, err := r.Authenticate(r.ctx, "", secret)
	require.NoError(r.t, err)
	return r.BrowserToken(r.ctx, p, want)
}

func TestBrowserTokenSignsIn(t *testing.T) {
	r := newRig(t)
	app := r.create(shop)
	secret, parent := r.token(shop, Scope{Prefix: "u1:"})
	text, scope, err := r.buy(secret, Scope{Prefix: "u1:x", ReadOnly: true, Origins: []string{site}})
	require.NoError(t, err)
	require.Equal(t, Scope{ReadOnly: true, Prefix: "u1:x", Origins: []string{site}, ExpiresAt: r.now.Add(MaxBrowserToken).UnixMilli()}, scope)

	r.reopen(Options{}) // the key that signed it is kept
	for _, user := range []string{"", "default", "acme/shop"} {
		p, err := r.Authenticate(r.ctx, user, text)
		require.NoError(t, err)
		require.Equal(t, scope, p.Token.Scope)
		require.Equal(t, app.ID, p.App.ID)
		require.Equal(t, "browser:"+parent.ID, p.SignIn())
		require.True(t, p.Admits(site))
		require.False(t, p.Admits(otherSite))
		require.True(t, p.Admits(""), "what is no browser has no origin")
	}
	r.denied("acme/blog", text)
	r.denied("admin", text)

	r.now = r.now.Add(MaxBrowserToken)
	r.denied("", text)
}

func TestBrowserTokenEndsWithItsParent(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	secret, parent := r.token(shop, Scope{ExpiresAt: r.now.Add(time.Minute).UnixMilli()})
	text, scope, err := r.buy(secret, Scope{Origins: []string{site}})
	require.NoError(t, err)
	require.Equal(t, parent.ExpiresAt, scope.ExpiresAt)
	p, err := r.Authenticate(r.ctx, "", text)
	require.NoError(t, err)
	require.True(t, p.Token.ComesFrom(parent.ID))
	require.True(t, p.Valid(r.now.UnixMilli()))
	_, err = r.RevokeToken(r.ctx, parent.ID)
	require.NoError(t, err)
	require.False(t, p.Valid(r.now.UnixMilli()))
	r.denied("", text)
}

func TestBrowserTokenEndsWithItsApp(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	secret, _ := r.token(shop, Scope{})
	text, _, err := r.buy(secret, Scope{Origins: []string{site}})
	require.NoError(t, err)
	p, err := r.Authenticate(r.ctx, "", text)
	require.NoError(t, err)
	require.NoError(t, r.DropApp(r.ctx, shop))
	require.False(t, p.Valid(r.now.UnixMilli()))
	r.denied("", text)
	r.create(shop) // another one
	r.denied("", text)
	_, _, err = r.BrowserToken(r.ctx, p, Scope{Origins: []string{site}})
	require.Error(t, err, "a child of one that has ended")
}

func TestBrowserTokenIsNeverWider(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	hour := r.now.Add(time.Hour).UnixMilli()
	for name, c := range map[string]struct {
		parent, want, got Scope
		err               string
	}{
		"no origin":             {err: "names at least one web origin"},
		"inherits origins":      {parent: Scope{Origins: []string{site}}, got: Scope{Origins: []string{site}, ExpiresAt: hour}},
		"foreign origin":        {parent: Scope{Origins: []string{site}}, want: Scope{Origins: []string{otherSite}}, err: "none of those"},
		"bad origin":            {want: Scope{Origins: []string{"null"}}, err: "not a web origin"},
		"too long":              {want: Scope{Origins: []string{site}, ExpiresAt: hour + 1}, err: "at most 1h"},
		"over":                  {want: Scope{Origins: []string{site}, ExpiresAt: r.now.UnixMilli()}, err: "passed already"},
		"read-only stays":       {parent: Scope{ReadOnly: true}, want: Scope{Origins: []string{site}}, got: Scope{ReadOnly: true, Origins: []string{site}, ExpiresAt: hour}},
		"prefix is inherited":   {parent: Scope{Prefix: "a:"}, want: Scope{Origins: []string{site}}, got: Scope{Prefix: "a:", Origins: []string{site}, ExpiresAt: hour}},
		"prefix outside":        {parent: Scope{Prefix: "a:"}, want: Scope{Origins: []string{site}, Prefix: "b:"}, err: "outside"},
		"prefix shorter":        {parent: Scope{Prefix: "a:"}, want: Scope{Origins: []string{site}, Prefix: "a"}, err: "outside"},
		"prefix of any bytes":   {want: Scope{Origins: []string{site}, Prefix: "\xff\x00"}, got: Scope{Origins: []string{site}, Prefix: "\xff\x00", ExpiresAt: hour}},
		"too many for a header": {want: Scope{Origins: strings.Fields(strings.Repeat("https://"+strings.Repeat("a", 200)+" ", 60))}, err: "name fewer origins"},
	} {
		t.Run(name, func(t *testing.T) {
			secret, _ := r.token(shop, c.parent)
			text, got, err := r.buy(secret, c.want)
			if c.err != "" {
				var input *InputError
				require.ErrorAs(t, err, &input)
				require.ErrorContains(t, err, c.err)
				require.Empty(t, text)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.got, got)
			p, err := r.Authenticate(r.ctx, "", text)
			require.NoError(t, err)
			require.Equal(t, got, p.Token.Scope)
			_, _, err = r.BrowserToken(r.ctx, p, Scope{Origins: []string{site}})
			require.ErrorIs(t, err, ErrNoParent, "children have no children")
		})
	}
}

func TestBrowserTokenOfNobody(t *testing.T) {
	r := newRig(t)
	app := r.create(shop)
	for _, p := range []*Principal{nil, {Admin: true}, {App: app}, {App: app, Token: &Token{key: new(jwtKey)}}} {
		_, _, err := r.BrowserToken(r.ctx, p, Scope{Origins: []string{site}})
		require.ErrorIs(t, err, ErrNoParent)
	}
}

func TestForgedBrowserTokens(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	r.denied("", browserPrefix+"e30.AAAA") // before there is a key
	secret, _ := r.token(shop, Scope{})
	text, _, err := r.buy(secret, Scope{Origins: []string{site}})
	require.NoError(t, err)
	payload, mac, _ := strings.Cut(text, ".")
	for i := range len(text) {
		c := byte('A')
		if text[i] == c {
			c = 'B'
		}
		r.denied("", text[:i]+string(c)+text[i+1:])
	}
	for _, forged := range []string{payload, payload + ".", "." + mac, browserPrefix + "." + mac, text + "A", text + ".", text + "=", payload + "." + mac[:len(mac)-1],
		browserPrefix + strings.Repeat("A", maxBrowserText)} {
		r.denied("", forged)
	}
	require.True(t, looksLikeBrowserToken(text))
}
