package gateway

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
)

func (r *rig) openConnections() int {
	r.conns.mu.Lock()
	defer r.conns.mu.Unlock()
	return len(r.conns.open)
}

// get asks over a network, as client.
func get(t *testing.T, client *http.Client, url, token string) (status int, body string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	q.Header.Set("Authorization", "Bearer "+token)
	got, err := client.Do(q)
	require.NoError(t, err)
	return got.StatusCode, bodyText(t, got)
}

func TestConnectionsAreKnownByTheirTokens(t *testing.T) {
	r := newRig(t)
	base := r.listen()
	token := r.token("acme/shop", auth.Scope{})
	for _, http2 := range []bool{false, true} {
		p := new(http.Protocols)
		p.SetHTTP1(!http2)
		p.SetUnencryptedHTTP2(http2)
		transport := &http.Transport{Protocols: p}
		client := &http.Client{Transport: transport}
		strangers := func() int {
			r.conns.mu.Lock()
			defer r.conns.mu.Unlock()
			return r.conns.strangers.Len()
		}
		status, body := get(t, client, base+"/get/k", "nobody")
		require.Equal(t, 401, status, body)
		require.Equal(t, 1, strangers())
		require.Equal(t, 1, r.openConnections())
		_, body = get(t, client, base+"/get/k", token)
		require.JSONEq(t, `{"result":null}`, body)
		require.Zero(t, strangers())
		require.Equal(t, 1, r.openConnections())
		transport.CloseIdleConnections()
		require.Eventually(t, func() bool { return r.openConnections() == 0 }, patience, poll)
	}
}

func TestOneWhoGuessesIsDisconnected(t *testing.T) {
	r := newRig(t)
	base := r.listen()
	client := &http.Client{Transport: new(http.Transport)}
	for i := range maxFailures {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/get/k", nil) // no token is not slowed
		require.NoError(t, err)
		got, err := client.Do(q)
		require.NoError(t, err)
		require.Equal(t, i == maxFailures-1, got.Close, "request %d", i)
		bodyText(t, got)
	}
}

// Streams are connections of their namespace, and a namespace that has all of
// its own takes none of another's.
func TestStreamsCountAsConnections(t *testing.T) {
	r := newRig(t)
	r.app("small/app", "max-connections", "2")
	base := r.listen()
	token := r.token("small/app", auth.Scope{})
	first := subscribe(t, base+"/subscribe/news", token)
	require.Equal(t, "subscribe,news,1", first.event())
	second := subscribe(t, base+"/subscribe/news", token)
	require.Equal(t, "subscribe,news,1", second.event())
	for _, target := range []string{"/subscribe/news", "/get/k"} {
		got := r.refuses(request{target: target, token: token}, 429, "rate_limited", "max number of clients reached: small/app may have 2 connections")
		require.Equal(t, "1", got.header.Get("Retry-After"))
	}
	r.answers(request{target: "/get/k", token: r.token("acme/shop", auth.Scope{})}, 200, `{"result":null}`)
	require.NoError(t, first.resp.Body.Close())
	require.Eventually(t, func() bool { return r.send(request{target: "/get/k", token: token}).status == 200 }, patience, poll)
}

func TestRequestsAreBounded(t *testing.T) {
	r := newRig(t, func(o *Options) { o.MaxConnections = 1 })
	base := r.listen()
	token := r.token("acme/shop", auth.Scope{})
	s := subscribe(t, base+"/subscribe/news", token)
	require.Equal(t, "subscribe,news,1", s.event())
	r.refuses(request{target: "/get/k", token: token}, 429, "rate_limited", "as many requests as it may")
	require.NoError(t, s.resp.Body.Close())
	require.Eventually(t, func() bool { return r.send(request{target: "/get/k", token: token}).status == 200 }, patience, poll)
}

func TestBoundsChangeLive(t *testing.T) {
	r := newRig(t)
	token := r.token("acme/shop", auth.Scope{})
	put := request{method: "PUT", target: "/set/k", body: "12345", token: token}
	r.answers(put, 200, `{"result":"OK"}`)
	r.Reconfigure(func(o *Options) { o.MaxBodyBytes = 4 })
	r.refuses(put, 413, "size_exceeded", "more than 4 bytes")
	r.Reconfigure(func(o *Options) { o.MaxBodyBytes = 0 })
	r.answers(put, 200, `{"result":"OK"}`)
}

func TestClosedServerRefuses(t *testing.T) {
	r := newRig(t)
	token := r.token("acme/shop", auth.Scope{})
	require.NoError(t, r.Shutdown(t.Context()))
	got := r.refuses(request{target: "/set/k/v", token: token}, 503, "platform_error", "shutting down")
	require.Equal(t, "1", got.header.Get("Retry-After"))
	r.refuses(request{target: "/subscribe/k", token: token}, 503, "platform_error", "shutting down")
}

func TestPathsThatAreNone(t *testing.T) {
	r := newRig(t)
	token := r.token("acme/shop", auth.Scope{})
	for _, target := range []string{"//", "//get/k", "///set/k/v"} {
		r.refuses(request{method: "POST", target: "http://x" + target, body: `["SET","k","v"]`, token: token}, 404, "bad_input", "nothing under this path")
	}
	// An escaped slash does not begin another part: a proxy that lets only some
	// paths pass sees the same ones.
	r.refuses(request{method: "POST", target: "/v1%2Fsession", body: `{}`, token: token}, 400, "bad_input", "unknown command 'v1/session'")
	r.refuses(request{method: "POST", target: "/pipeline%2Fx", body: `[["PING"]]`, token: token}, 400, "bad_input", "unknown command 'pipeline/x'")
	r.refuses(request{method: "POST", target: "/v1/session%2F", body: `{}`, token: token}, 404, "bad_input", "nothing under this path")
	r.answers(request{target: "/%70ing", token: token}, 200, `{"result":"PONG"}`)
	// The token is no argument, however it is written.
	r.answers(request{target: "/set/k?_token=" + token, body: "v"}, 200, `{"result":"OK"}`)
	r.answers(request{target: "/append/k/w?%5Ftoken=" + token}, 200, `{"result":2}`)
	r.answers(request{target: "/get/k?x=%zz&_token=" + token, token: token}, 400, r.send(request{target: "/get/k?%zz", token: token}).body)
}

// What a request says comes back as JSON that no browser takes for a page.
func TestErrorsAreNoPages(t *testing.T) {
	r := newRig(t)
	token := r.token("acme/shop", auth.Scope{})
	const script = "<script>alert(1)</script>"
	for _, q := range []request{
		{target: "/%3Cscript%3Ealert(1)%3C%2Fscript%3E", token: token},
		{method: "POST", target: "/", body: `["` + script + `"]`, token: token},
		{method: "POST", target: "/", body: script, token: token, header: []string{"Content-Type", script}},
		{method: "POST", target: "/", body: `["GET"]`, token: token, header: []string{"Content-Encoding", script}},
		{target: "/get/k", token: script},
		{target: "/subscribe", token: token, header: []string{"Cubby-Database", script}},
		{target: "/get/k", header: []string{"Origin", script}},
	} {
		got := r.send(q)
		require.GreaterOrEqual(t, got.status, 400)
		require.Equal(t, "application/json", got.header.Get("Content-Type"))
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
		require.True(t, json.Valid([]byte(got.body)), got.body)
		require.NotContains(t, got.header.Get("Access-Control-Allow-Origin"), "script")
	}
}

// A body of many short arguments takes no more than a small multiple of its size.
func TestMemoryOfShortArguments(t *testing.T) {
	r := newRig(t)
	body := []byte("[" + strings.TrimSuffix(strings.Repeat("1,", maxArgs+1), ",") + "]")
	nested := []byte("[" + strings.TrimSuffix(strings.Repeat("[1],", maxArgs), ",") + "]")
	for name, parse := range map[string]func() error{
		"arguments": func() error { _, err := r.parseCommand(body); return err },
		"commands":  func() error { _, err := r.parseCommands(nested); return err },
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		require.Error(t, parse(), name)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), name)
	}
}

func TestAnswersAreBoundedInJSON(t *testing.T) {
	r := newRig(t, func(o *Options) { o.MaxReplyBytes = 10_000 })
	token := r.token("acme/shop", auth.Scope{})
	r.answers(request{method: "PUT", target: "/set/k", body: strings.Repeat("\x00", 4000), token: token}, 200, `{"result":"OK"}`)
	require.Equal(t, 200, r.send(request{target: "/get/k", token: token}).status)
	r.refuses(request{target: "/mget/k/k", token: token}, 200+213, "size_exceeded", "larger than a response may be") // 8 KB, and 48 KB in JSON
	r.refuses(request{method: "POST", target: "/pipeline", body: `[["GET","k"],["GET","k"]]`, token: token}, 413, "size_exceeded", "larger than a response may be")
}

func TestPlacesAreANamespacesOwn(t *testing.T) {
	r := newRig(t)
	r.app("acme/blog")
	one, f := r.open(requestOf(t), r.token("acme/shop", auth.Scope{}), sessionOptions())
	require.Nil(t, f)
	defer r.engine.EndSession(one)
	same, f := r.open(requestOf(t), r.token("acme/shop", auth.Scope{}), sessionOptions())
	require.Nil(t, f)
	defer r.engine.EndSession(same)
	other, f := r.open(requestOf(t), r.token("acme/blog", auth.Scope{}), sessionOptions())
	require.Nil(t, f)
	defer r.engine.EndSession(other)
	var p places
	most := max(1, runtime.GOMAXPROCS(0)/2)
	var fill func(int)
	ran := 0
	fill = func(n int) {
		if n > 0 {
			require.NoError(t, p.work(t.Context(), one, longFrom, func() { fill(n - 1) }))
			return
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, p.work(gone, same, longFrom, func() { ran += 100 }), context.Canceled)
		require.NoError(t, p.work(t.Context(), same, longFrom-1, func() { ran++ }), "short work does not wait")
		require.NoError(t, p.work(t.Context(), other, longFrom, func() { ran++ }))
	}
	fill(most)
	require.Equal(t, 2, ran)
	require.Empty(t, p.of)
}

// What net/http does for this door, and must go on to do.
func TestRequestSmuggling(t *testing.T) {
	r := newRig(t)
	base := strings.TrimPrefix(r.listen(), "http://")
	token := r.token("acme/shop", auth.Scope{})
	head := "POST /set/k HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n"
	for name, text := range map[string]string{
		"two lengths":           head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"a length with a sign":  head + "Content-Length: +1\r\n\r\na",
		"unknown encoding":      head + "Transfer-Encoding: xchunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
		"two encodings":         head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n1\r\na\r\n0\r\n\r\n",
		"a blank in a name":     head + "Content-Length : 1\r\n\r\na",
		"no host":               "POST /set/k/v HTTP/1.1\r\nAuthorization: Bearer " + token + "\r\n\r\n",
		"two hosts":             head + "Host: y\r\nContent-Length: 1\r\n\r\na",
		"a line break in value": head + "X-A: a\rb\r\nContent-Length: 1\r\n\r\na",
		"a header without end":  head + "X-Long: " + strings.Repeat("x", maxHeaderBytes+10_000) + "\r\n\r\n",
		"a bad chunk":           head + "Transfer-Encoding: chunked\r\n\r\nzz\r\na\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			nc, err := new(net.Dialer).DialContext(t.Context(), "tcp", base)
			require.NoError(t, err)
			defer nc.Close()
			go func() { _, _ = io.WriteString(nc, text) }()
			got, _ := io.ReadAll(nc)
			require.Regexp(t, `^HTTP/1.1 (4\d\d|501) `, string(got))
			require.NotContains(t, string(got), token)
		})
	}
	r.answers(request{target: "/exists/k", token: token}, 200, `{"result":0}`)
	// With both, the length does not count, and the connection ends.
	nc, err := new(net.Dialer).DialContext(t.Context(), "tcp", base)
	require.NoError(t, err)
	defer nc.Close()
	_, err = fmt.Fprintf(nc, "%sContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET /flushall HTTP/1.1\r\nHost: x\r\n\r\n", head)
	require.NoError(t, err)
	got, _ := io.ReadAll(nc)
	require.Equal(t, 1, strings.Count(string(got), "HTTP/1.1 "), string(got))
}

func TestTLSConnectionsAreCutAtOnce(t *testing.T) {
	ours, theirs := net.Pipe()
	cut(tls.Server(ours, &tls.Config{MinVersion: tls.VersionTLS13})) // nobody reads
	_, err := theirs.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}
