package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// Browser tokens are short-lived children of a kept token. They are signed with
// a key of the directory instead of being kept, because each visitor of a page
// gets one. They read cubs_<payload>.<mac>, both in base64url.
const (
	browserPrefix  = "cubs_"
	maxBrowserText = 8192 // bytes of such a token
)

// MaxBrowserToken is how long a browser token may last.
const MaxBrowserToken = time.Hour

// ErrNoParent is returned by BrowserToken for a sign-in that is not a kept
// token's: nobody could revoke its children.
var ErrNoParent = errors.New("auth: only a token that the admin created buys browser tokens")

// browserClaims are what a browser token says of itself.
type browserClaims struct {
	Parent    string   `json:"t"`
	ExpiresAt int64    `json:"e"` // Unix milliseconds
	ReadOnly  bool     `json:"r,omitempty"`
	Prefix    []byte   `json:"p,omitempty"`
	Origins   []string `json:"o"`
	Number    string   `json:"n"` // random: no two are equal
}

// BrowserToken makes a token for a browser. Its scope is asked for in want and
// is never wider than the parent's: the prefix and the origins must lie within
// the parent's, a read-only parent has read-only children, and it ends with its
// parent. An end of 0 is as late as possible. Errors: ErrNoParent, *InputError,
// the store's.
func (d *Directory) BrowserToken(ctx context.Context, parent *Principal, want Scope) (secret string, scope Scope, err error) {
	if parent == nil || parent.Token == nil || parent.Token.ID == "" || parent.Token.parent != nil {
		return "", scope, ErrNoParent
	}
	now := d.clock().UnixMilli()
	scope, err = parent.Token.narrowed(want, now)
	if err == nil {
		err = scope.check(parent.App.Limits(), now)
	}
	if err != nil {
		return "", scope, err
	}
	key, err := d.browserKey(ctx)
	if err != nil {
		return "", scope, err
	}
	payload, err := json.Marshal(browserClaims{
		Parent: parent.Token.ID, ExpiresAt: scope.ExpiresAt, ReadOnly: scope.ReadOnly,
		Prefix: []byte(scope.Prefix), Origins: scope.Origins, Number: rand.Text(),
	})
	if err != nil {
		return "", scope, fmt.Errorf("auth: write a browser token: %w", err)
	}
	text := browserPrefix + base64.RawURLEncoding.EncodeToString(payload)
	mac := browserMAC(key, &parent.Token.hash, text)
	secret = text + "." + base64.RawURLEncoding.EncodeToString(mac)
	if len(secret) > maxBrowserText {
		return "", scope, inputErrorf("the token would have %d bytes; at most %d are allowed: name fewer origins", len(secret), maxBrowserText)
	}
	return secret, scope, nil
}

// narrowed returns want within the scope of t. Errors: *InputError.
func (t *Token) narrowed(want Scope, now int64) (Scope, error) {
	got := Scope{ReadOnly: want.ReadOnly || t.ReadOnly, Prefix: want.Prefix, Origins: slices.Clone(want.Origins)}
	if got.Prefix == "" {
		got.Prefix = t.Prefix
	}
	if !strings.HasPrefix(got.Prefix, t.Prefix) {
		return got, inputErrorf("the prefix is outside of what the own token opens")
	}
	if len(got.Origins) == 0 {
		got.Origins = slices.Clone(t.Origins)
	}
	if len(got.Origins) == 0 {
		return got, inputErrorf("a browser token names at least one web origin, such as https://app.example.com")
	}
	for _, o := range got.Origins {
		if len(t.Origins) > 0 && !slices.Contains(t.Origins, o) {
			return got, inputErrorf("the origin %q is none of those that the own token names", o)
		}
	}
	latest := now + MaxBrowserToken.Milliseconds()
	if want.ExpiresAt > latest {
		return got, inputErrorf("a browser token lasts at most %s", MaxBrowserToken)
	}
	if t.ExpiresAt != 0 {
		latest = min(latest, t.ExpiresAt)
	}
	got.ExpiresAt = latest
	if want.ExpiresAt != 0 {
		got.ExpiresAt = min(latest, want.ExpiresAt)
	}
	return got, nil
}

func looksLikeBrowserToken(secret string) bool { return strings.HasPrefix(secret, browserPrefix) }

var errBrowserToken = errors.New("it is no browser token of this server, or its parent is gone")

// verifyBrowser returns the principal that a browser token proves.
func (d *Directory) verifyBrowser(secret string) (*Principal, error) {
	if len(secret) > maxBrowserText {
		return nil, errBrowserToken
	}
	text, code, _ := strings.Cut(secret, ".")
	payload, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimPrefix(text, browserPrefix))
	if err != nil {
		return nil, errBrowserToken
	}
	mac, err := base64.RawURLEncoding.Strict().DecodeString(code)
	if err != nil {
		return nil, errBrowserToken
	}
	// The parent's name is read before the signature is judged, because the
	// parent is part of what was signed; nothing else is believed yet.
	var claims browserClaims
	if json.Unmarshal(payload, &claims) != nil {
		return nil, errBrowserToken
	}
	d.mu.RLock()
	parent := d.tokens[claims.Parent]
	var app *App
	if parent != nil {
		app = d.apps[parent.App].app
	}
	d.mu.RUnlock()
	key := d.browser.Load()
	if key == nil {
		key = &noDigest
	}
	if parent == nil {
		_ = hmac.Equal(mac, browserMAC(key, &noDigest, text))
		return nil, errBrowserToken
	}
	if parent = parent.signer(mac, key, text); parent == nil || key == &noDigest {
		return nil, errBrowserToken
	}
	return &Principal{App: app, Token: &Token{
		App: parent.App, Name: parent.Name, CreatedAt: d.clock().UnixMilli(), hash: sha256.Sum256([]byte(secret)), parent: parent,
		Scope: Scope{ReadOnly: claims.ReadOnly, Prefix: string(claims.Prefix), ExpiresAt: claims.ExpiresAt, Origins: claims.Origins},
	}}, nil
}

// signer returns the token, by one of its secrets, under which mac was made; nil
// if there is none.
func (t *Token) signer(mac []byte, key *digest, text string) (signer *Token) {
	if hmac.Equal(mac, browserMAC(key, &t.hash, text)) {
		signer = t
	}
	for _, f := range t.former {
		if hmac.Equal(mac, browserMAC(key, &f.hash, text)) {
			signer = f
		}
	}
	return signer
}

// browserMAC signs the text of a browser token. The parent's secret is part of
// it, so that what was bought with an old secret ends with it.
func browserMAC(key, parent *digest, text string) []byte {
	h := hmac.New(sha256.New, key[:])
	h.Write(parent[:])
	h.Write([]byte(text))
	return h.Sum(nil)
}

// browserKey returns the key that signs browser tokens, and makes it first when
// there is none.
func (d *Directory) browserKey(ctx context.Context) (*digest, error) {
	if key := d.browser.Load(); key != nil {
		return key, nil
	}
	d.changing.Lock()
	defer d.changing.Unlock()
	if key := d.browser.Load(); key != nil {
		return key, nil
	}
	key := new(digest)
	_, _ = rand.Read(key[:]) // never fails: crypto/rand ends the process instead
	err := d.commit(ctx, func(tx storage.Tx) error { return put(tx, signingKey+browserKeyName, keyRecord{key[:]}) })
	if err != nil {
		return nil, err
	}
	d.browser.Store(key)
	return key, nil
}
