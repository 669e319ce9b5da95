package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
)

// Wrong tokens are slowed as at every door; right ones are not, from wherever.
func TestWrongTokensAreSlowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token := r.token("acme/shop", auth.Scope{})
		took := func(ctx context.Context, token string) (int, time.Duration) {
			q := httptest.NewRequestWithContext(ctx, http.MethodGet, "/get/k", nil)
			q.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			began := time.Now()
			r.ServeHTTP(w, q)
			return w.Code, time.Since(began)
		}
		for _, want := range []time.Duration{0, 0, 0, 50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond} {
			code, d := took(t.Context(), "wrong")
			require.Equal(t, http.StatusUnauthorized, code)
			require.Equal(t, want, d)
			code, d = took(t.Context(), token)
			require.Equal(t, http.StatusOK, code)
			require.Zero(t, d)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		_, d := took(gone, "wrong")
		require.Zero(t, d, "nobody waits")
	})
}
