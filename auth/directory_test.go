package auth

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

var (
	shop  = storage.ID{Tenant: "acme", App: "shop"}
	blog  = storage.ID{Tenant: "acme", App: "blog"}
	other = storage.ID{Tenant: "other", App: "shop"}
)

// rig is a directory on a fake store and a clock that stands still.
type rig struct {
	*Directory
	t     *testing.T
	ctx   context.Context
	store *fakeStore
	now   time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, ctx: t.Context(), store: newFakeStore(), now: time.UnixMilli(1_700_000_000_000)}
	r.reopen(Options{})
	return r
}

// reopen stands for a restart on the same data.
func (r *rig) reopen(o Options) {
	r.t.Helper()
	o.Clock = func() time.Time { return r.now }
	o.AdminPassword = "correct horse"
	var err error
	r.Directory, err = Open(r.ctx, r.store, o)
	require.NoError(r.t, err)
}

func (r *rig) create(id storage.ID, words ...string) *App {
	r.t.Helper()
	o, err := ParseOverrides(words)
	require.NoError(r.t, err)
	app, err := r.CreateApp(r.ctx, id, o)
	require.NoError(r.t, err)
	return app
}

// DropApp drops an app and leaves out what was erased.
func (r *rig) DropApp(ctx context.Context, id storage.ID) error {
	_, err := r.Directory.DropApp(ctx, id)
	return err
}

func (r *rig) token(id storage.ID, scope Scope) (string, *Token) {
	r.t.Helper()
	secret, token, err := r.CreateToken(r.ctx, id, "test", scope)
	require.NoError(r.t, err)
	return secret, token
}

func (r *rig) denied(user, secret string) {
	r.t.Helper()
	p, err := r.Authenticate(r.ctx, user, secret)
	require.Nil(r.t, p)
	require.Equal(r.t, ErrWrongPass, err, "a failed sign-in says nothing about why")
}

func TestAuthenticateForms(t *testing.T) {
	r := newRig(t)
	app := r.create(shop)
	r.create(blog)
	secret, token := r.token(shop, Scope{ReadOnly: true})
	for _, user := range []string{"", "default", "acme/shop"} {
		p, err := r.Authenticate(r.ctx, user, secret)
		require.NoError(t, err, user)
		require.Same(t, app, p.App, "all sessions share one app")
		require.Same(t, token, p.Token)
		require.False(t, p.Admin)
		require.True(t, p.Token.ReadOnly)
		require.True(t, p.Valid(r.now.UnixMilli()))
	}
	p, err := r.Authenticate(r.ctx, "admin", "correct horse")
	require.NoError(t, err)
	require.Equal(t, &Principal{Admin: true}, p)
}

func TestAuthenticateRefusals(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	r.create(blog)
	secret, token := r.token(shop, Scope{})
	flipped := secret[:len(secret)-1] + map[bool]string{true: "0", false: "1"}[secret[len(secret)-1] != '0']
	for name, form := range map[string][2]string{
		"another app's name":        {"acme/blog", secret},
		"an unknown app's name":     {"acme/nope", secret},
		"the name in another case":  {"ACME/shop", secret},
		"only the tenant":           {"acme", secret},
		"the admin's name":          {"admin", secret},
		"a wrong last character":    {"", flipped},
		"one character too few":     {"", secret[:len(secret)-1]},
		"one character too many":    {"", secret + "0"},
		"blank before":              {"", " " + secret},
		"an unknown id":             {"", tokenPrefix + strings.Repeat("a", tokenIDLen) + secret[len(tokenPrefix)+tokenIDLen:]},
		"only the id":               {"", tokenPrefix + token.ID},
		"the id and an underscore":  {"", tokenPrefix + token.ID + "_"},
		"nothing":                   {"", ""},
		"admin, wrong password":     {"admin", "correct hors"},
		"admin, empty password":     {"admin", ""},
		"the password without name": {"", "correct horse"},
		"the password as default":   {"default", "correct horse"},
	} {
		t.Run(name, func(t *testing.T) { r.denied(form[0], form[1]) })
	}
}

func TestNoPasswordLetsNoAdminIn(t *testing.T) {
	d, err := Open(t.Context(), newFakeStore(), Options{})
	require.NoError(t, err)
	_, err = d.Authenticate(t.Context(), "admin", "")
	require.ErrorIs(t, err, ErrWrongPass)
}

func TestTokenEnds(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	end := r.now.Add(time.Minute)
	secret, _ := r.token(shop, Scope{ExpiresAt: end.UnixMilli()})
	r.now = end.Add(-time.Millisecond)
	p, err := r.Authenticate(r.ctx, "", secret)
	require.NoError(t, err)
	require.True(t, p.Valid(r.now.UnixMilli()))
	r.now = end
	require.False(t, p.Valid(r.now.UnixMilli()), "an open session loses access too")
	r.denied("", secret)
}

func TestRevoke(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	secret, token := r.token(shop, Scope{})
	kept, _ := r.token(shop, Scope{})
	p, err := r.Authenticate(r.ctx, "", secret)
	require.NoError(t, err)

	ok, err := r.RevokeToken(r.ctx, token.ID)
	require.NoError(t, err)
	require.True(t, ok)
	require.False(t, p.Valid(r.now.UnixMilli()))
	r.denied("", secret)
	ok, err = r.RevokeToken(r.ctx, token.ID)
	require.NoError(t, err)
	require.False(t, ok)

	r.reopen(Options{})
	r.denied("", secret)
	_, err = r.Authenticate(r.ctx, "", kept)
	require.NoError(t, err)
	list, err := r.Tokens(r.ctx, shop)
	require.NoError(t, err)
	require.Len(t, list, 1)
}

func TestRevokeThatCannotBeStored(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	secret, token := r.token(shop, Scope{})
	r.store.waitErr = storage.ErrWriteFailed
	_, err := r.RevokeToken(r.ctx, token.ID)
	require.ErrorIs(t, err, storage.ErrWriteFailed)
	_, err = r.Authenticate(r.ctx, "", secret)
	require.NoError(t, err, "what was answered with an error did not happen")
}

func TestEveryChangeWaits(t *testing.T) {
	r := newRig(t)
	steps := []func(){
		func() { r.create(shop) },
		func() { r.token(shop, Scope{}) },
		func() { _, err := r.SetLimits(r.ctx, shop, Overrides{"max-keys": "5"}); require.NoError(t, err) },
		func() { require.NoError(t, r.DropApp(r.ctx, shop)) },
	}
	for _, step := range steps {
		before := r.store.seq
		step()
		require.Greater(t, r.store.seq, before)
		require.Equal(t, r.store.seq, r.store.waited)
	}
}

func TestACancelledSenderLeavesNoHalfChange(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(r.ctx)
	cancel()
	_, err := r.CreateApp(ctx, shop, nil)
	require.NoError(t, err)
	r.reopen(Options{})
	_, err = r.App(r.ctx, shop)
	require.NoError(t, err)
}

func TestReopeningKeepsEverything(t *testing.T) {
	r := newRig(t)
	r.create(shop, "max-keys", "5", "ttl-min", "1500ms", "key-charset", "any")
	scope := Scope{ReadOnly: true, Prefix: "a\xff\x00", ExpiresAt: r.now.UnixMilli() + 5, Origins: []string{"https://a.example"}}
	secret, before := r.token(shop, scope)
	r.reopen(Options{})

	app, err := r.App(r.ctx, shop)
	require.NoError(t, err)
	require.Equal(t, r.now.UnixMilli(), app.CreatedAt)
	require.Equal(t, Overrides{"max-keys": "5", "ttl-min": "1500ms", "key-charset": "any"}, app.Overrides())
	want := DefaultLimits()
	want.MaxKeys[0], want.TTLMin[0], want.KeyAnyByte = 5, 1500*time.Millisecond, true
	require.Equal(t, want, *app.Limits())

	p, err := r.Authenticate(r.ctx, "acme/shop", secret)
	require.NoError(t, err)
	require.Equal(t, scope, p.Token.Scope)
	require.Equal(t, []any{before.ID, "test", shop, before.CreatedAt},
		[]any{p.Token.ID, p.Token.Name, p.Token.App, p.Token.CreatedAt})
}

func TestChangedDefaultsHoldWhereNothingWasSet(t *testing.T) {
	r := newRig(t)
	r.create(shop, "max-keys", "5")
	r.create(blog)
	defaults := DefaultLimits()
	defaults.MaxKeys[0] = 77
	r.reopen(Options{Defaults: &defaults})
	for id, want := range map[storage.ID]int64{shop: 5, blog: 77} {
		app, err := r.App(r.ctx, id)
		require.NoError(t, err)
		require.Equal(t, want, app.Limits().MaxKeys[0])
	}
}

func TestSecretsAreNotStored(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	secret, token := r.token(shop, Scope{})
	require.Regexp(t, `^cub_[a-z0-9]{16}_[A-Za-z0-9]{43}$`, secret)
	require.Equal(t, token.ID, tokenID(secret))
	for _, value := range r.store.spaces[directoryID] {
		require.NotContains(t, value, secret[len(tokenPrefix)+tokenIDLen+1:])
	}
}

func TestRecordsOfAnotherVersionStopTheStart(t *testing.T) {
	for name, c := range map[string]struct{ key, value, want string }{
		"unknown kind":  {"zebra:1", "{}", `record "zebra:1"`},
		"not JSON":      {"app:acme/shop", "{", `record "app:acme/shop"`},
		"unknown limit": {"app:acme/shop", `{"limits":{"max-moons":"1"}}`, "max-moons"},
		"bad name":      {"app:acme", "{}", "tenant/app"},
		"token alone":   {"token:x", `{"app":"acme/shop"}`, "acme/shop is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			store := newFakeStore()
			store.spaces[directoryID] = map[string]string{c.key: c.value}
			_, err := Open(t.Context(), store, Options{})
			require.ErrorContains(t, err, c.want)
		})
	}
}

// Sign-ins go on while the admin changes things; the race detector watches.
func TestSignInsBesideChanges(t *testing.T) {
	r := newRig(t)
	app := r.create(shop, "commands-per-second", "1000")
	secret, _ := r.token(shop, Scope{})
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				p, err := r.Authenticate(r.ctx, "acme/shop", secret)
				if err != nil || p.App != app || !p.Valid(0) {
					t.Errorf("sign-in: %v, %v", p, err)
					return
				}
				app.TakeCommand(r.now)
				r.Apps(r.ctx, nil)
			}
		})
	}
	for range 100 {
		r.create(blog)
		_, token := r.token(shop, Scope{})
		_, err := r.SetLimits(r.ctx, shop, Overrides{"commands-per-second": "2000"})
		require.NoError(t, err)
		_, err = r.RevokeToken(r.ctx, token.ID)
		require.NoError(t, err)
		require.NoError(t, r.DropApp(r.ctx, blog))
	}
	close(done)
	readers.Wait()
}
