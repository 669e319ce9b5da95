package gateway

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/bunt"
)

const (
	site      = "https://app.example.com"
	otherSite = "https://evil.example.com"
)

// rig is a gateway on a real engine in memory, and a clock that tests move.
type rig struct {
	*Gateway
	t     *testing.T
	ms    atomic.Int64
	dir   *auth.Directory
	store storage.Store
	log   bytes.Buffer
}

func newRig(t *testing.T, change ...func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t}
	r.ms.Store(1_800_000_000_000)
	store, err := bunt.Open(bunt.Options{Clock: r.ms.Load})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	r.store = store
	r.dir, err = auth.Open(t.Context(), store, auth.Options{AdminPassword: "correct horse", Clock: r.now})
	require.NoError(t, err)
	engine := commands.New(commands.Options{Store: store, Directory: r.dir, Clock: r.now})
	o := Options{Engine: engine, Log: slog.New(slog.NewTextHandler(&r.log, nil))}
	for _, f := range change {
		f(&o)
	}
	r.Gateway = New(o)
	r.app("acme/shop")
	return r
}

func (r *rig) now() time.Time { return time.UnixMilli(r.ms.Load()) }

func (r *rig) app(name string, limits ...string) {
	r.t.Helper()
	id, err := auth.ParseID(name)
	require.NoError(r.t, err)
	o, err := auth.ParseOverrides(limits)
	require.NoError(r.t, err)
	_, err = r.dir.CreateApp(r.t.Context(), id, o)
	require.NoError(r.t, err)
}

func (r *rig) token(name string, scope auth.Scope) string {
	r.t.Helper()
	id, err := auth.ParseID(name)
	require.NoError(r.t, err)
	secret, _, err := r.dir.CreateToken(context.Background(), id, "test", scope)
	require.NoError(r.t, err)
	return secret
}

// request is one HTTP request; header holds pairs.
type request struct {
	method, target, body string
	token                string
	header               []string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// send answers a request without a network.
func (r *rig) send(q request) answer {
	r.t.Helper()
	if q.method == "" {
		q.method = http.MethodGet
	}
	h := httptest.NewRequestWithContext(r.t.Context(), q.method, q.target, strings.NewReader(q.body))
	if q.token != "" {
		h.Header.Set("Authorization", "Bearer "+q.token)
	}
	for i := 0; i < len(q.header); i += 2 {
		if q.header[i] == "Host" {
			h.Host = q.header[i+1]
			continue
		}
		h.Header.Add(q.header[i], q.header[i+1])
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, h)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// answers requires a status and a body.
func (r *rig) answers(q request, status int, body string) answer {
	r.t.Helper()
	got := r.send(q)
	require.Equal(r.t, status, got.status, "%s %s: %s", q.method, q.target, got.body)
	require.JSONEq(r.t, body, got.body, "%s %s", q.method, q.target)
	return got
}

// refuses requires a status, a code for SDKs and some words of the text.
func (r *rig) refuses(q request, status int, code, words string) answer {
	r.t.Helper()
	got := r.send(q)
	require.Equal(r.t, status, got.status, got.body)
	var e errorBody
	requireDecode(r.t, got.body, &e)
	require.Equal(r.t, code, e.Code, got.body)
	require.Contains(r.t, e.Error, words)
	require.Contains(r.t, e.Error, e.Message)
	return got
}

func bodyText(t *testing.T, r *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	return string(text)
}

// patience is for what happens in another goroutine.
const (
	patience = 10 * time.Second
	poll     = 2 * time.Millisecond
)

func requestOf(t *testing.T) *http.Request {
	return httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
}

func sessionOptions() commands.SessionOptions { return commands.SessionOptions{Stateless: true} }
