package gateway

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/storage/bunt"
)

// discarded is an answer that nobody reads.
type discarded struct {
	header http.Header
	status int
}

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) WriteHeader(status int)      { d.status = status }
func (d *discarded) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkServeHTTP is what this door adds to package http.
func BenchmarkServeHTTP(b *testing.B) {
	store, err := bunt.Open(bunt.Options{})
	require.NoError(b, err)
	defer store.Close()
	dir, err := auth.Open(b.Context(), store, auth.Options{AdminPassword: "correct horse"})
	require.NoError(b, err)
	g := New(Options{Engine: commands.New(commands.Options{Store: store, Directory: dir})})
	id, err := auth.ParseID("acme/shop")
	require.NoError(b, err)
	_, err = dir.CreateApp(b.Context(), id, auth.Overrides{})
	require.NoError(b, err)
	token, _, err := dir.CreateToken(b.Context(), id, "", auth.Scope{})
	require.NoError(b, err)
	value := strings.Repeat("v", 64)
	set := `["SET","key","` + value + `"]`
	for _, c := range []struct{ name, target, body string }{
		{"SET", "/", set},
		{"GET", "/", `["GET","key"]`},
		{"GET in the path", "/get/key", ""},
		{"SET of 16", "/pipeline", "[" + strings.TrimSuffix(strings.Repeat(set+",", 16), ",") + "]"},
		{"GET of 16", "/pipeline", "[" + strings.TrimSuffix(strings.Repeat(`["GET","key"],`, 16), ",") + "]"},
	} {
		b.Run(c.name, func(b *testing.B) {
			body := bytes.NewReader(nil)
			r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, c.target, nil)
			r.Header.Set("Authorization", "Bearer "+token)
			r.Body = io.NopCloser(body)
			w := &discarded{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				body.Reset([]byte(c.body))
				clear(w.header)
				g.ServeHTTP(w, r)
				if w.status != http.StatusOK {
					b.Fatal(w.status)
				}
			}
		})
	}
}
