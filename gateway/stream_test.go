package gateway

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/commands"
)

// listen serves r on a port and returns its address.
func (r *rig) listen() string {
	r.t.Helper()
	ln, err := new(net.ListenConfig).Listen(r.t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(r.t, err)
	served := make(chan error, 1)
	go func() { served <- r.Serve(ln) }()
	r.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(r.t, r.Shutdown(ctx))
		require.NoError(r.t, <-served)
	})
	return "http://" + ln.Addr().String()
}

// subscriber reads the events of a stream.
type subscriber struct {
	t    *testing.T
	body *bufio.Reader
	resp *http.Response
}

func subscribe(t *testing.T, url, token string) *subscriber {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	q.Header.Set("Authorization", "Bearer "+token)
	got, err := http.DefaultClient.Do(q)
	require.NoError(t, err)
	t.Cleanup(func() { _ = got.Body.Close() })
	require.Equal(t, 200, got.StatusCode)
	require.Equal(t, "text/event-stream; charset=utf-8", got.Header.Get("Content-Type"))
	return &subscriber{t, bufio.NewReader(got.Body), got}
}

// event returns the data of the next event; empty at the end of the stream.
func (s *subscriber) event() string {
	var data []string
	for {
		line, err := s.body.ReadString('\n')
		if err != nil {
			return ""
		}
		line = strings.TrimSuffix(line, "\n")
		switch text, ok := strings.CutPrefix(line, "data: "); {
		case ok:
			data = append(data, text)
		case line == "" && data != nil:
			return strings.Join(data, "\n")
		}
	}
}

func TestEvents(t *testing.T) {
	r := newRig(t)
	r.app("acme/blog")
	base := r.listen()
	token, other := r.token("acme/shop", auth.Scope{}), r.token("acme/blog", auth.Scope{})
	news := subscribe(t, base+"/subscribe/news/more%2Fnews", token)
	require.Equal(t, "subscribe,news,1", news.event())
	require.Equal(t, "subscribe,more/news,2", news.event())
	all := subscribe(t, base+"/psubscribe/n*", token)
	require.Equal(t, "psubscribe,n*,1", all.event())
	theirs := subscribe(t, base+"/subscribe/news", other)
	require.Equal(t, "subscribe,news,1", theirs.event())

	r.answers(request{target: "/publish/news/a,b", token: token}, 200, `{"result":2}`)
	r.answers(request{target: "/publish/news/two%0Alines%0D%0Athree%0Dfour", token: token}, 200, `{"result":2}`)
	r.answers(request{target: "/publish/more%2Fnews/x", token: token}, 200, `{"result":1}`)
	r.answers(request{target: "/publish/news/theirs", token: other}, 200, `{"result":1}`)
	require.Equal(t, "message,news,a,b", news.event())
	require.Equal(t, "message,news,two\nlines\nthree\nfour", news.event())
	require.Equal(t, "message,more/news,x", news.event())
	require.Equal(t, "pmessage,n*,news,a,b", all.event())
	require.Equal(t, "message,news,theirs", theirs.event())
}

func TestStreamEndsWithItsToken(t *testing.T) {
	r := newRig(t)
	base := r.listen()
	id, err := auth.ParseID("acme/shop")
	require.NoError(t, err)
	secret, token, err := r.dir.CreateToken(t.Context(), id, "", auth.Scope{})
	require.NoError(t, err)
	s := subscribe(t, base+"/subscribe/news", secret)
	require.Equal(t, "subscribe,news,1", s.event())
	admin := r.engine.NewSession(commands.SessionOptions{Door: "test"})
	defer r.engine.EndSession(admin)
	out, f := r.run(t.Context(), admin, []commands.Request{own("AUTH", "admin", "correct horse"), own("TOKEN.REVOKE", token.ID)})
	require.Nil(t, f)
	require.Equal(t, "+OK\r\n:1\r\n", string(out.Bytes()))
	require.Empty(t, s.event())
}

func TestStreamEndsWhenItsTokenExpires(t *testing.T) {
	r := newRig(t)
	r.ms.Store(time.Now().UnixMilli()) // a stream waits for the real end
	base := r.listen()
	s := subscribe(t, base+"/subscribe/news", r.token("acme/shop", auth.Scope{ExpiresAt: r.ms.Load() + 200}))
	require.Equal(t, "subscribe,news,1", s.event())
	require.Empty(t, s.event())
}

func TestStreamsThatDoNotKeepUpAreEnded(t *testing.T) {
	r := newRig(t, func(o *Options) { o.PushBytes = 1000 })
	base := r.listen()
	token := r.token("acme/shop", auth.Scope{})
	s := subscribe(t, base+"/subscribe/news", token)
	require.Equal(t, "subscribe,news,1", s.event())
	r.answers(request{method: "PUT", target: "/publish/news", body: strings.Repeat("x", 1000), token: token}, 200, `{"result":1}`)
	require.Empty(t, s.event())
}

func TestShutdownEndsStreams(t *testing.T) {
	r := newRig(t)
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- r.Serve(ln) }()
	s := subscribe(t, "http://"+ln.Addr().String()+"/subscribe/news", r.token("acme/shop", auth.Scope{}))
	require.Equal(t, "subscribe,news,1", s.event())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, r.Shutdown(ctx))
	require.NoError(t, <-served)
	require.Empty(t, s.event())
}

func TestHeartbeat(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Heartbeat = time.Millisecond })
	base := r.listen()
	s := subscribe(t, base+"/subscribe/news", r.token("acme/shop", auth.Scope{}))
	require.Equal(t, "subscribe,news,1", s.event())
	line, err := s.body.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, ": still here\n", line)
}

func TestTooManyConnections(t *testing.T) {
	r := newRig(t, func(o *Options) { o.MaxConnections = 1 })
	base := r.listen()
	token := r.token("acme/shop", auth.Scope{})
	s := subscribe(t, base+"/subscribe/news", token)
	require.Equal(t, "subscribe,news,1", s.event())
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/ping", nil)
	require.NoError(t, err)
	got, err := new(http.Client).Do(q)
	if err == nil {
		_ = got.Body.Close()
	}
	require.Error(t, err)
}

func TestBadStreams(t *testing.T) {
	r := newRig(t)
	token := r.token("acme/shop", auth.Scope{})
	r.refuses(request{target: "/subscribe", token: token}, 400, "bad_input", "no channel")
	r.refuses(request{target: "/subscribe/" + strings.Repeat("x/", 1000), token: token}, 400, "bad_input", "too many")
	r.refuses(request{target: "/subscribe/x"}, 401, "unauthorized", "no token")
	r.refuses(request{target: "/subscribe/x", token: "nobody"}, 401, "unauthorized", "WRONGPASS")
}

func TestUnencryptedHTTP2(t *testing.T) {
	r := newRig(t)
	base := r.listen()
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	c := http.Client{Transport: &http.Transport{Protocols: p}}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/ping", nil)
	require.NoError(t, err)
	q.Header.Set("Authorization", "Bearer "+r.token("acme/shop", auth.Scope{}))
	got, err := c.Do(q)
	require.NoError(t, err)
	require.Equal(t, 2, got.ProtoMajor)
	require.JSONEq(t, `{"result":"PONG"}`, bodyText(t, got))
	c.CloseIdleConnections()
}

// broken is a client's connection whose writes panic.
type broken struct{ *httptest.ResponseRecorder }

func (broken) Write([]byte) (int, error) { panic("boom") }

func TestPanicEndsAStream(t *testing.T) {
	r := newRig(t)
	q := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/subscribe/news", nil)
	q.Header.Set("Authorization", "Bearer "+r.token("acme/shop", auth.Scope{}))
	w := broken{httptest.NewRecorder()}
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { r.ServeHTTP(w, q) })
	require.Contains(t, r.log.String(), "panic while answering")
	require.Zero(t, r.requests.Load())
	r.answers(request{target: "/publish/news/x", token: r.token("acme/shop", auth.Scope{})}, 200, `{"result":0}`) // the session has ended
}
