package auth

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

var errDisk = errors.New("disk is on fire")

func TestCreateAppTwice(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	_, err := r.CreateApp(r.ctx, shop, nil)
	require.ErrorIs(t, err, ErrAppExists)
}

func TestSetLimitsReachesOpenSessions(t *testing.T) {
	r := newRig(t)
	app := r.create(shop)
	_, err := r.SetLimits(r.ctx, shop, Overrides{"max-keys": "5", "commands-per-second": "10"})
	require.NoError(t, err)
	require.EqualValues(t, 5, app.Limits().MaxKeys[0])
	require.Equal(t, 10, app.Limits().CommandsPerSecond)
	_, err = r.SetLimits(r.ctx, shop, Overrides{"max-keys": "default"})
	require.NoError(t, err)
	require.EqualValues(t, 10_000, app.Limits().MaxKeys[0])
	require.Equal(t, Overrides{"commands-per-second": "10"}, app.Overrides())
	_, err = r.SetLimits(r.ctx, blog, Overrides{"max-keys": "5"})
	require.ErrorIs(t, err, ErrNoApp)
}

func TestContradictingLimits(t *testing.T) {
	r := newRig(t)
	var input *InputError
	_, err := r.CreateApp(r.ctx, shop, Overrides{"ttl-min": "100s", "ttl-max": "10s"})
	require.ErrorAs(t, err, &input)
	app := r.create(shop, "ephemeral-ttl-max", "10s")
	_, err = r.SetLimits(r.ctx, shop, Overrides{"ephemeral-ttl-min": "11s"})
	require.ErrorAs(t, err, &input)
	require.ErrorContains(t, err, "ephemeral-ttl-min 11s is more than ephemeral-ttl-max 10s")
	require.EqualValues(t, 1, app.Limits().TTLMin[1].Milliseconds(), "nothing changed")
}

func TestDropApp(t *testing.T) {
	r := newRig(t)
	app := r.create(shop)
	r.create(other)
	secret, _ := r.token(shop, Scope{})
	kept, _ := r.token(other, Scope{})
	p, err := r.Authenticate(r.ctx, "", secret)
	require.NoError(t, err)

	require.NoError(t, r.DropApp(r.ctx, shop))
	require.True(t, app.Dropped())
	require.False(t, p.Valid(r.now.UnixMilli()))
	r.denied("", secret)
	require.Equal(t, []storage.ID{shop}, r.store.dropped)
	require.ErrorIs(t, r.DropApp(r.ctx, shop), ErrNoApp)
	_, err = r.Tokens(r.ctx, shop)
	require.ErrorIs(t, err, ErrNoApp)

	fresh := r.create(shop)
	require.NotSame(t, app, fresh)
	require.False(t, p.Valid(r.now.UnixMilli()), "a session of the old app does not see the new one")
	r.denied("", secret)
	_, err = r.Authenticate(r.ctx, "", kept)
	require.NoError(t, err)
}

func TestDropTenant(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	r.create(blog)
	r.create(other)
	secret, _ := r.token(blog, Scope{})
	x, err := r.DropTenant(r.ctx, "acme")
	require.NoError(t, err)
	require.Equal(t, Erasure{Tenant: "acme", At: r.now.UnixMilli(), Namespaces: 2, Tokens: 1}, x)
	r.denied("", secret)
	require.Equal(t, []storage.ID{blog, shop}, r.store.dropped)
	require.Equal(t, []string{"app:other/shop", versionKeyName}, r.store.keys())
	x, err = r.DropTenant(r.ctx, "acme")
	require.NoError(t, err)
	require.Equal(t, Erasure{Tenant: "acme"}, x)
}

// A crash between the two steps of a drop looks like a Drop that failed.
func TestDropIsFinishedAfterACrash(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	secret, _ := r.token(shop, Scope{})
	r.store.spaces[shop] = map[string]string{"k": "v"}
	r.store.dropErr = errDisk
	require.ErrorIs(t, r.DropApp(r.ctx, shop), errDisk)
	r.denied("", secret)
	require.Equal(t, []string{"drop:acme/shop", versionKeyName}, r.store.keys())

	r.store.dropErr = nil
	r.reopen(Options{})
	require.Equal(t, []storage.ID{shop}, r.store.dropped)
	require.Equal(t, []string{versionKeyName}, r.store.keys())
	r.denied("", secret)
}

func TestDropMayBeTriedAgain(t *testing.T) {
	for name, again := range map[string]func(*rig){
		"by DropApp":    func(r *rig) { require.NoError(r.t, r.DropApp(r.ctx, shop)) },
		"by DropTenant": func(r *rig) { _, err := r.DropTenant(r.ctx, "acme"); require.NoError(r.t, err) },
		"by CreateApp":  func(r *rig) { r.create(shop); require.NoError(r.t, r.DropApp(r.ctx, shop)) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.create(shop)
			r.store.spaces[shop] = map[string]string{"k": "v"}
			r.store.dropErr = errDisk
			require.ErrorIs(t, r.DropApp(r.ctx, shop), errDisk)
			r.store.dropErr = nil
			again(r)
			require.NotContains(t, r.store.spaces, shop)
			require.Equal(t, []string{versionKeyName}, r.store.keys())
		})
	}
}

func TestANewAppIsEmpty(t *testing.T) {
	r := newRig(t)
	r.store.spaces[shop] = map[string]string{"of": "a former app"}
	r.create(shop)
	require.NotContains(t, r.store.spaces, shop)
}

func TestApps(t *testing.T) {
	r := newRig(t)
	r.create(other)
	r.create(shop)
	r.create(blog)
	r.token(shop, Scope{})
	var names []string
	for _, l := range r.Apps(r.ctx, nil) {
		names = append(names, l.App.ID.String())
	}
	require.Equal(t, []string{"acme/blog", "acme/shop", "other/shop"}, names)
	list := r.Apps(r.ctx, func(name string) bool { return name == "acme/shop" })
	require.Len(t, list, 1)
	require.Equal(t, 1, list[0].Tokens)
}

func TestCreateTokenRefusals(t *testing.T) {
	r := newRig(t)
	r.create(shop, "key-bytes", "4")
	_, _, err := r.CreateToken(r.ctx, blog, "", Scope{})
	require.ErrorIs(t, err, ErrNoApp)
	for name, c := range map[string]struct {
		name  string
		scope Scope
		want  string
	}{
		"long name":        {name: string(make([]byte, 129)), want: "129 bytes"},
		"control in name":  {name: "a\nb", want: "control characters"},
		"long prefix":      {scope: Scope{Prefix: "abcde"}, want: "at most 4"},
		"already ended":    {scope: Scope{ExpiresAt: r.now.UnixMilli()}, want: "passed"},
		"origin, no host":  {scope: Scope{Origins: []string{"https://"}}, want: "not a web origin"},
		"origin with path": {scope: Scope{Origins: []string{"https://a.example/"}}, want: "not a web origin"},
		"origin in capitals": {
			scope: Scope{Origins: []string{"https://A.example"}}, want: "lower case"},
		"origin is *": {scope: Scope{Origins: []string{"*"}}, want: "not a web origin"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := r.CreateToken(r.ctx, shop, c.name, c.scope)
			var input *InputError
			require.ErrorAs(t, err, &input)
			require.ErrorContains(t, err, c.want)
		})
	}
	r.token(shop, Scope{Prefix: "abcd", Origins: []string{"https://a.example", "http://localhost:3000", "http://[::1]:8080"}})
}

func TestParseID(t *testing.T) {
	for _, good := range []string{"a/b", "7f0c6a1e-8c9b-4f0e-9e75-000000000000/my.app_1", "A/0"} {
		id, err := ParseID(good)
		require.NoError(t, err)
		require.Equal(t, good, id.String())
	}
	for bad, want := range map[string]string{
		"":                                 "tenant/app",
		"acme":                             "tenant/app",
		"/app":                             "0 bytes",
		"acme/":                            "0 bytes",
		"_cubby/directory":                 "start with a letter or digit",
		"acme/..":                          "start with a letter or digit",
		"acme/a b":                         "position 1",
		"acme/a/b":                         "position 1",
		"acme/\xff":                        "start with",
		"é/app":                            "start with",
		"acme/" + string(make([]byte, 65)): "65 bytes",
	} {
		_, err := ParseID(bad)
		var input *InputError
		require.ErrorAs(t, err, &input, bad)
		require.ErrorContains(t, err, want)
	}
}
