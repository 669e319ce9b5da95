package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// Gateway is the HTTP door. It is an http.Handler, and serves listeners itself
// with the bounds of its Options.
type Gateway struct {
	engine   *commands.Engine
	current  atomic.Pointer[Options]
	server   *http.Server
	ctx      context.Context // of streams; ended at the shutdown
	stop     context.CancelFunc
	conns    *connections
	places   places
	requests atomic.Int64 // requests and streams
}

// New returns a Gateway.
func New(o Options) *Gateway {
	o.setDefaults()
	g := &Gateway{engine: o.Engine}
	g.current.Store(&o)
	g.conns = newConnections(g.options)
	g.ctx, g.stop = context.WithCancel(context.Background())
	g.initServer()
	return g
}

// options are those in force.
func (g *Gateway) options() *Options { return g.current.Load() }

// Reconfigure changes the bounds among the options, for what comes from now on.
// Engine and Log stay.
func (g *Gateway) Reconfigure(change func(*Options)) {
	o := *g.options()
	change(&o)
	o.setDefaults()
	g.current.Store(&o)
}

// The paths that are no command.
const (
	pathPipeline    = "pipeline"
	pathTransaction = "multi-exec"
	pathSubscribe   = "subscribe"
	pathPSubscribe  = "psubscribe"
	pathVersion     = "v1"
	pathSession     = "/v1/session"
)

// Where a request says more than its command.
const (
	tokenParameter = "_token"         // of the query; for what cannot set headers
	databaseHeader = "Cubby-Database" // 0 or 1
	encodingHeader = "Upstash-Encoding"
)

// ServeHTTP answers one request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if v := recover(); v != nil {
			g.options().Log.Error("panic while answering over HTTP", "panic", kverr.PanicText(v), "remote", r.RemoteAddr, "stack", string(debug.Stack()))
			if w.Header().Get("Content-Type") != "" { // the answer has begun
				panic(http.ErrAbortHandler)
			}
			fail(w, r, errPanic)
		}
	}()
	w.Header().Set("Vary", "Origin, Accept-Encoding")
	if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
		// It may have had a length too, of which package http does not tell, and a
		// proxy in front may see another end of it (RFC 9112, 6.3).
		w.Header().Set("Connection", "close")
	}
	origin, valid := originOf(r)
	if !valid {
		fail(w, r, badInput("the header Origin is no web origin", ""))
		return
	}
	if r.Method == http.MethodOptions && origin != "" && r.Header.Get("Access-Control-Request-Method") != "" {
		g.preflight(w, r, origin)
		return
	}
	allow(w, origin) // until the token is known, all that can be read is why nothing was done
	f := g.admit()
	if f == nil {
		defer g.requests.Add(-1)
		f = g.serve(w, r, origin)
	}
	if f != nil {
		if f.status == http.StatusUnauthorized && g.conns.failed(r) {
			w.Header().Set("Connection", "close")
		}
		fail(w, r, f)
	}
}

// admit counts one more request, of which HTTP/2 has many on one connection.
func (g *Gateway) admit() *failure {
	if g.ctx.Err() != nil {
		return errClosed
	}
	if g.requests.Add(1) > int64(g.options().MaxConnections) {
		g.requests.Add(-1)
		return errCrowded
	}
	return nil
}

var (
	errPanic   = refusal(http.StatusInternalServerError, kverr.PlatformError, "the server could not complete the request", "try again; the operator's log has the details")
	errGone    = badInput("the client has gone", "") // nobody reads it
	errClosed  = refusal(http.StatusServiceUnavailable, kverr.PlatformError, "the server is shutting down", "try again in a moment")
	errCrowded = refusal(http.StatusTooManyRequests, kverr.RateLimited, "the server answers as many requests as it may", "try again in a moment")
	errToken   = refusal(http.StatusUnauthorized, kverr.NoAuth, "the request has no token", "send the header 'Authorization: Bearer TOKEN'")
)

// serve answers a request, or returns why not; nothing has been written then.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, origin string) *failure {
	first, f := command(r)
	if f != nil {
		return f
	}
	if f := checkMethod(w, r, first); f != nil {
		return f
	}
	token, f := tokenOf(r)
	if f != nil {
		return f
	}
	switch first {
	case pathSubscribe, pathPSubscribe:
		return g.stream(w, r, token, origin, first)
	}
	s, f := g.signIn(r, token, origin)
	if f != nil {
		return f
	}
	defer g.engine.EndSession(s)
	body, f := g.readBody(w, r)
	if f != nil {
		return f
	}
	answer, f := g.perform(r, s, first, body)
	if f != nil {
		return f
	}
	encoding := ""
	if err := g.places.work(r.Context(), s, len(answer), func() { answer, encoding = encode(r, answer) }); err != nil {
		return errGone
	}
	send(w, http.StatusOK, answer, encoding)
	return nil
}

// command returns the first part of the path, which says what is to be done; empty
// is a command in the body.
func command(r *http.Request) (string, *failure) {
	path := r.URL.EscapedPath()
	part, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	first, err := url.PathUnescape(part)
	if err != nil || first == "" && path != "/" && path != "" {
		return "", refusal(http.StatusNotFound, kverr.BadInput, "there is nothing under this path", "GET /COMMAND/ARG..., POST /, POST /pipeline, POST /multi-exec")
	}
	return first, nil
}

// checkMethod refuses methods that mean nothing here.
func checkMethod(w http.ResponseWriter, r *http.Request, first string) *failure {
	allowed := allowedMethods
	switch first {
	case "", pathPipeline, pathTransaction, pathVersion:
		allowed = http.MethodPost
	case pathSubscribe, pathPSubscribe:
		allowed = "GET, POST"
	}
	for method := range strings.SplitSeq(allowed, ", ") {
		if r.Method == method {
			return nil
		}
	}
	w.Header().Set("Allow", allowed)
	hint := "allowed: " + allowed
	if first == "" {
		hint = `POST / takes ["GET", "key"]; GET /get/key does the same`
	}
	return refusal(http.StatusMethodNotAllowed, kverr.BadInput, fmt.Sprintf("%.20s is not allowed for this path", r.Method), hint)
}

// tokenOf finds the token that a request brings.
func tokenOf(r *http.Request) (string, *failure) {
	switch list := r.Header.Values("Authorization"); len(list) {
	case 0:
		return r.URL.Query().Get(tokenParameter), nil
	case 1:
		scheme, token, _ := strings.Cut(list[0], " ")
		if token = strings.TrimSpace(token); strings.EqualFold(scheme, "Bearer") && token != "" {
			return token, nil
		}
	}
	return "", refusal(http.StatusUnauthorized, kverr.NoAuth, "the header Authorization is not understood", "send 'Authorization: Bearer TOKEN', once")
}

// signIn starts the session of one request.
func (g *Gateway) signIn(r *http.Request, token, origin string) (*commands.Session, *failure) {
	return g.open(r, token, commands.SessionOptions{Origin: origin, Stateless: true})
}

func (g *Gateway) open(r *http.Request, token string, o commands.SessionOptions) (*commands.Session, *failure) {
	if token == "" && (!g.options().Local || !fromHere(r)) {
		if g.options().Local {
			return nil, errStranger
		}
		return nil, errToken
	}
	o.Door, o.Remote, o.Local = "http", r.RemoteAddr, localAddress(r)
	s := g.engine.NewSession(o)
	var first []commands.Request
	if token != "" {
		first = append(first, own("AUTH", token))
	}
	if db := r.Header.Get(databaseHeader); db != "" && db != "0" {
		first = append(first, own("SELECT", db))
	}
	if o.Origin != "" {
		first = append(first, own("PING")) // is refused when the token does not name the origin
	}
	if len(first) == 0 {
		g.conns.signedIn(r)
		return s, nil
	}
	out, f := g.run(r.Context(), s, first)
	if f == nil {
		in := replies{in: out.Bytes()}
		for range first {
			text, refused, err := in.isError()
			if refused {
				f = failed(text)
				break
			}
			if err == nil {
				_, _, err = in.next()
			}
			if err != nil {
				f = errPanic
				break
			}
		}
	}
	if f != nil {
		g.engine.EndSession(s)
		return nil, f
	}
	g.conns.signedIn(r)
	return s, nil
}

// own is a command of the door's.
func own(words ...string) commands.Request {
	argv := make([][]byte, len(words))
	for i, word := range words {
		argv[i] = []byte(word)
	}
	return commands.Request{Argv: argv, Own: true}
}

// localAddress is where the request arrived.
func localAddress(r *http.Request) string {
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(fmt.Stringer); ok {
		return a.String()
	}
	return ""
}

// readBody reads all of the body, which has its bound.
func (g *Gateway) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *failure) {
	if f := checkType(r); f != nil {
		return nil, f
	}
	var read bytes.Buffer
	if n := r.ContentLength; n > 0 {
		read.Grow(int(min(n, firstRead)) + bytes.MinRead) // what was only announced takes no memory
	}
	_, err := read.ReadFrom(http.MaxBytesReader(w, r.Body, int64(g.options().MaxBodyBytes)))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, refusal(http.StatusRequestEntityTooLarge, kverr.SizeExceeded, fmt.Sprintf("the body has more than %d bytes", g.options().MaxBodyBytes), "send several requests")
	case err != nil:
		return nil, badInput("the body did not arrive", "")
	}
	return read.Bytes(), nil
}

// firstRead is how much of a body there is room for before it arrives, in bytes.
const firstRead = 16 << 10

// perform runs what a request asks for and returns the JSON that answers it.
func (g *Gateway) perform(r *http.Request, s *commands.Session, first string, body []byte) ([]byte, *failure) {
	in64 := strings.EqualFold(r.Header.Get(encodingHeader), "base64")
	ask := asked{g: g, ctx: r.Context(), session: s, base64: in64}
	switch first {
	case pathPipeline:
		return ask.pipeline(body)
	case pathTransaction:
		return ask.transaction(body)
	case pathVersion:
		return ask.browserToken(r, body)
	case "":
		return ask.one(body, func() (commands.Request, error) { return g.parseCommand(body) })
	}
	return ask.one(body, func() (commands.Request, error) { return g.parsePath(r.URL, body) })
}

func asFailure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return errPanic
}

// asResult appends {"result": ...} for the next reply.
func asResult(dst []byte, in *replies) ([]byte, *failure) {
	dst = append(dst, `{"result":`...)
	dst, err := in.appendNext(dst)
	switch {
	case errors.Is(err, errLong):
		return nil, errReplyTooLarge
	case err != nil:
		return nil, errPanic
	}
	return append(dst, '}'), nil
}

var errReplyTooLarge = refusal(http.StatusRequestEntityTooLarge, kverr.SizeExceeded, "the commands were run, and their replies are larger than a response may be", "ask for less at a time")

// run performs a batch and returns the replies, when all of it is as durable as
// the store makes it.
func (g *Gateway) run(ctx context.Context, s *commands.Session, batch []commands.Request) (*resp.Writer, *failure) {
	out := resp.NewWriter(protocol)
	out.SetLimit(g.options().MaxReplyBytes)
	var seq storage.Seq
	for len(batch) > 0 && !s.Closing() {
		g.engine.WaitTurn(ctx, s, batch)
		n, after := g.engine.Do(ctx, s, batch, out)
		seq = max(seq, after)
		batch = batch[n:]
		if hold := s.Hold(); hold > 0 { // a token that is wrong, from where others were
			pause(ctx, hold)
		}
		if out.Overflowed() {
			return nil, errReplyTooLarge
		}
	}
	if err := g.engine.Wait(ctx, seq); err != nil {
		out.Reset()
		g.engine.Fail(s, 1, fmt.Errorf("waiting for the store: %w", err), out)
		in := replies{in: out.Bytes()}
		text, _, _ := in.isError()
		return nil, failed(text)
	}
	return out, nil
}

// pause waits, but not for longer than somebody wants to know the answer.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// checkType refuses bodies that are certainly something else. What curl says of
// its -d is let through.
func checkType(r *http.Request) *failure {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return refusal(http.StatusUnsupportedMediaType, kverr.BadInput, fmt.Sprintf("bodies in the encoding %.40q are not understood", enc), "send it as it is")
	}
	kind, parameters, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "", "application/json", "application/x-www-form-urlencoded", "text/plain", "application/octet-stream":
	default:
		return refusal(http.StatusUnsupportedMediaType, kverr.BadInput, fmt.Sprintf("bodies of the type %.80q are not understood", kind), "send application/json")
	}
	if _, set, ok := strings.Cut(strings.ToLower(parameters), "charset="); ok && !strings.HasPrefix(strings.Trim(set, `" `), "utf-8") {
		return refusal(http.StatusUnsupportedMediaType, kverr.BadInput, "bodies in other character sets than UTF-8 are not understood", "send UTF-8")
	}
	return nil
}

// deadline bounds how long the client may take to send its request and to take
// the answer.
func (g *Gateway) deadline(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	at := time.Now().Add(g.options().RequestTimeout)
	_ = c.SetReadDeadline(at) // what does not support it has bounds of its own
	_ = c.SetWriteDeadline(at.Add(g.options().RequestTimeout))
}
