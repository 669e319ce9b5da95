package auth

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// opens signs in with a secret.
func (r *rig) opens(secret string) *Principal {
	r.t.Helper()
	p, err := r.Authenticate(r.ctx, "", secret)
	require.NoError(r.t, err)
	return p
}

func (r *rig) rotate(id string, grace time.Duration) string {
	r.t.Helper()
	secret, _, err := r.RotateToken(r.ctx, id, grace)
	require.NoError(r.t, err)
	return secret
}

func TestRotateToken(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	scope := Scope{ReadOnly: true, Prefix: "p:", Origins: []string{"https://a.example"}}
	first, token := r.token(shop, scope)
	before := r.opens(first)
	second := r.rotate(token.ID, time.Minute)
	require.NotEqual(t, first, second)

	for range 2 { // once more after a restart
		old, fresh := r.opens(first), r.opens(second)
		require.Equal(t, scope, fresh.Token.Scope)
		require.Equal(t, scope, old.Token.Scope)
		require.True(t, old.Token.Same(fresh.Token))
		require.True(t, before.Token.Same(fresh.Token))
		list, err := r.Tokens(r.ctx, shop)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, token.ID, list[0].ID)
		require.Equal(t, r.now.UnixMilli(), list[0].RotatedAt)
		require.Equal(t, r.now.UnixMilli()+60_000, list[0].GraceEndsAt(r.now.UnixMilli()))
		r.reopen(Options{})
	}
	r.denied("", first[:len(first)-1]+"?")

	old, fresh := r.opens(first), r.opens(second)
	r.now = r.now.Add(time.Minute - time.Millisecond)
	require.True(t, old.Valid(r.now.UnixMilli()))
	require.True(t, before.Valid(r.now.UnixMilli()))
	r.now = r.now.Add(time.Millisecond)
	require.False(t, old.Valid(r.now.UnixMilli()))
	require.False(t, before.Valid(r.now.UnixMilli()))
	require.True(t, fresh.Valid(r.now.UnixMilli()))
	r.denied("", first)
	require.Zero(t, fresh.Token.GraceEndsAt(r.now.UnixMilli()))
	r.reopen(Options{})
	r.denied("", first)
	r.opens(second)
}

func TestRotateAgain(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	first, token := r.token(shop, Scope{})
	second := r.rotate(token.ID, time.Hour)
	third := r.rotate(token.ID, time.Minute)
	r.opens(first)
	r.opens(second)
	r.now = r.now.Add(time.Minute)
	r.opens(first) // each has its own grace
	r.denied("", second)
	p := r.opens(first)
	fourth := r.rotate(token.ID, 0)
	require.False(t, p.Valid(r.now.UnixMilli()), "no grace ends them all")
	for _, secret := range []string{first, second, third} {
		r.denied("", secret)
	}
	r.reopen(Options{})
	for _, secret := range []string{first, second, third} {
		r.denied("", secret)
	}
	r.opens(fourth)

	for range maxFormer {
		fourth = r.rotate(token.ID, time.Minute)
	}
	_, _, err := r.RotateToken(r.ctx, token.ID, time.Minute)
	require.ErrorContains(t, err, "8 earlier secrets of the token still work")
	r.opens(fourth)
	r.now = r.now.Add(time.Minute)
	r.rotate(token.ID, time.Minute)
}

func TestRevokingEndsAllSecrets(t *testing.T) {
	for name, end := range map[string]func(*rig, string) error{
		"revoke": func(r *rig, id string) error { _, err := r.RevokeToken(r.ctx, id); return err },
		"drop":   func(r *rig, _ string) error { return r.DropApp(r.ctx, shop) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.create(shop)
			first, token := r.token(shop, Scope{})
			before := r.opens(first)
			second := r.rotate(token.ID, time.Minute)
			require.NoError(t, end(r, token.ID))
			for range 2 {
				r.denied("", first)
				r.denied("", second)
				require.False(t, before.Valid(r.now.UnixMilli()))
				r.reopen(Options{})
			}
		})
	}
}

func TestRotateRefusals(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	secret, token := r.token(shop, Scope{ExpiresAt: r.now.UnixMilli() + 1000})
	_, _, err := r.RotateToken(r.ctx, "nobody", 0)
	require.ErrorIs(t, err, ErrNoToken)
	var input *InputError
	_, _, err = r.RotateToken(r.ctx, token.ID, maxGrace+1)
	require.ErrorAs(t, err, &input)
	require.ErrorContains(t, err, "0 to 30d are allowed")
	r.store.waitErr = errDisk
	_, _, err = r.RotateToken(r.ctx, token.ID, 0)
	require.ErrorIs(t, err, errDisk)
	r.store.waitErr = nil
	r.opens(secret) // what is not durable did not happen
	r.now = r.now.Add(time.Second)
	_, _, err = r.RotateToken(r.ctx, token.ID, 0)
	require.ErrorContains(t, err, "has ended already")
}

// What was bought with a secret ends with it.
func TestBrowserTokensOfAReplacedSecret(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	first, token := r.token(shop, Scope{Origins: []string{site}})
	secret, _, err := r.buy(first, Scope{})
	require.NoError(t, err)
	r.rotate(token.ID, time.Minute)
	p := r.opens(secret)
	r.now = r.now.Add(time.Minute)
	require.False(t, p.Valid(r.now.UnixMilli()))
	r.denied("", secret)
}

// The grace does not outlive the token.
func TestGraceEndsWithTheToken(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	first, token := r.token(shop, Scope{ExpiresAt: r.now.UnixMilli() + 1000})
	second := r.rotate(token.ID, time.Minute)
	r.opens(first)
	r.now = r.now.Add(time.Second)
	r.denied("", first)
	r.denied("", second)
}
