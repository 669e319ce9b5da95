package gateway

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
)

// What pages of other origins may send, and read of an answer.
const (
	allowedMethods = "GET, HEAD, POST, PUT"
	allowedHeaders = "Authorization, Content-Type, Upstash-Encoding, Upstash-Sync-Token, Upstash-Telemetry-Platform, Upstash-Telemetry-Runtime, Upstash-Telemetry-Sdk, Upstash-Telemetry-Retry, Cubby-Database"
	exposedHeaders = "Retry-After"
	preflightAge   = "600" // seconds
)

// allow lets the page read the answer. It is set on what a page may know: the
// replies when its token names its origin, and why it got none.
func allow(w http.ResponseWriter, origin string) {
	if origin == "" {
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", exposedHeaders)
}

// preflight answers the question a browser asks before a request. It comes
// without the token, unless that is in the address, so it cannot be judged by
// origin: a yes here gives nothing away and runs nothing; the request that
// follows is judged.
func (g *Gateway) preflight(w http.ResponseWriter, r *http.Request, origin string) {
	if token := r.URL.Query().Get(tokenParameter); token != "" {
		s, f := g.signIn(r, token, origin)
		if f != nil {
			fail(w, r, f)
			return
		}
		g.engine.EndSession(s)
	}
	allow(w, origin)
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", allowedMethods)
	h.Set("Access-Control-Allow-Headers", allowedHeaders)
	h.Set("Access-Control-Max-Age", preflightAge)
	w.WriteHeader(http.StatusNoContent)
}

var errStranger = refusal(http.StatusForbidden, kverr.NoPerm, "without a token only programs on this machine are served, and no web page",
	"send the header 'Authorization: Bearer TOKEN'; cubby token create makes a token")

// fromHere tells whether a request without a token comes from a program of this
// machine: not from a page of another site, whose browser would say so, and not
// under a name that somebody pointed at this machine (DNS rebinding).
func fromHere(r *http.Request) bool {
	switch h := r.Header; h.Get("Sec-Fetch-Site") {
	case "none": // somebody typed the address
	case "":
		// A browser that does not say: the images and forms of a page send no origin.
		if strings.HasPrefix(h.Get("User-Agent"), "Mozilla/") && h.Get("Accept-Language") != "" {
			return false
		}
	default:
		return false
	}
	for _, name := range []string{"Origin", "Referer", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host"} {
		if r.Header.Get(name) != "" { // of a page, or handed on by a proxy for somebody else
			return false
		}
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

// originOf returns the web origin on whose behalf a browser sends; empty is
// none. "null" is that of sandboxed frames and files: no token names it.
func originOf(r *http.Request) (origin string, valid bool) {
	list := r.Header.Values("Origin")
	if len(list) == 0 {
		return "", true
	}
	origin = list[0]
	if len(list) > 1 || len(origin) > 300 {
		return "", false
	}
	u, err := url.Parse(origin)
	return origin, origin == "null" || err == nil && u.Scheme != "" && u.Host != ""
}
