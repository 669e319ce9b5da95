package auth

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatTheTrailMayShow(t *testing.T) {
	r := newRig(t)
	r.create(shop)
	secret, token := r.token(shop, Scope{})
	for user, want := range map[string]string{
		"": "", "admin": "admin", "default": "default", "acme/shop": "acme/shop",
		"acme/none": "(unknown)", "acme/shop/": "(unknown)", secret: "(unknown)", "hunter2": "(unknown)",
	} {
		require.Equal(t, want, r.KnownUser(user), user)
	}
	require.Equal(t, token.ID, r.KnownToken(secret))
	require.Equal(t, token.ID, r.KnownToken(secret+"x"))
	for _, other := range []string{"", "cub_", "cub_0123456789abcdef_x", "hunter2"} {
		require.Empty(t, r.KnownToken(other))
	}
	browser := browserPrefix + "eyJhIjoiYiJ9xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	for _, s := range []string{secret, "Bearer " + secret, secret[:30], "x" + secret, browser, "eyJhbGciOiJIUzI1NiJ9.e30.x", "correct horse"} {
		require.True(t, r.LooksSecret(s), s)
	}
	for _, s := range []string{"", "acme/shop", "https://app.example.com", token.ID, "cub_", "1.2.3", "cubs_x", "eyJ", "correct horse battery"} {
		require.False(t, r.LooksSecret(s), s)
	}
}
