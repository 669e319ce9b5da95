package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/commands"
)

func TestOriginGate(t *testing.T) {
	r := newRig(t)
	service := r.token("acme/shop", auth.Scope{})
	browser := r.token("acme/shop", auth.Scope{Origins: []string{site, "http://localhost:3000"}})
	set := func(token string, origin ...string) request {
		q := request{target: "/incr/n", token: token}
		for _, o := range origin {
			q.header = append(q.header, "Origin", o)
		}
		return q
	}
	const no = "may not be used from this web origin"
	r.refuses(set(service, site), 403, "forbidden", no)
	r.refuses(set(browser, otherSite), 403, "forbidden", no)
	r.refuses(set(browser, "null"), 403, "forbidden", no)
	r.refuses(set(browser, "HTTPS://app.example.com"), 403, "forbidden", no)
	r.refuses(set(browser, site+":443"), 403, "forbidden", no)
	r.refuses(set(browser, site, otherSite), 400, "bad_input", "Origin")
	r.refuses(set(browser, strings.Repeat("x", 301)), 400, "bad_input", "Origin")
	r.refuses(set("", site), 401, "unauthorized", "no token")
	r.answers(set(service), 200, `{"result":1}`) // none of the others did anything
	got := r.answers(set(browser, site), 200, `{"result":2}`)
	require.Equal(t, site, got.header.Get("Access-Control-Allow-Origin"))
	require.Empty(t, got.header.Get("Access-Control-Allow-Credentials"))
	require.Contains(t, got.header.Get("Vary"), "Origin")
	r.answers(set(browser), 200, `{"result":3}`) // what is no browser sends no origin
	got = r.answers(set(service), 200, `{"result":4}`)
	require.Empty(t, got.header.Get("Access-Control-Allow-Origin"))
	for _, path := range []string{"/pipeline", "/multi-exec", "/"} {
		r.refuses(request{method: "POST", target: path, body: `[["INCR","n"]]`, token: service, header: []string{"Origin", site}}, 403, "forbidden", no)
	}
	r.refuses(request{target: "/subscribe/x", token: service, header: []string{"Origin", site}}, 403, "forbidden", no)
	r.answers(request{target: "/get/n", token: service}, 200, `{"result":"4"}`)
}

func TestPreflight(t *testing.T) {
	r := newRig(t)
	browser := r.token("acme/shop", auth.Scope{Origins: []string{site}})
	ask := func(target, origin string) request {
		return request{method: "OPTIONS", target: target, header: []string{"Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization"}}
	}
	got := r.send(ask("/", site))
	require.Equal(t, http.StatusNoContent, got.status)
	require.Equal(t, site, got.header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, got.header.Get("Access-Control-Allow-Headers"), "Authorization")
	require.Contains(t, got.header.Get("Access-Control-Allow-Methods"), "POST")
	// With the token in the address it can be judged.
	require.Equal(t, http.StatusNoContent, r.send(ask("/subscribe/x?_token="+browser, site)).status)
	require.Equal(t, http.StatusForbidden, r.send(ask("/subscribe/x?_token="+browser, otherSite)).status)
	require.Equal(t, http.StatusUnauthorized, r.send(ask("/subscribe/x?_token=nobody", site)).status)
}

func TestSessionsForBrowsers(t *testing.T) {
	r := newRig(t)
	service := r.token("acme/shop", auth.Scope{Prefix: "u1:"})
	buy := func(body string) request {
		return request{method: "POST", target: "/v1/session", body: body, token: service}
	}
	got := r.send(buy(`{"ttl_seconds":600,"origins":["` + site + `"],"read_only":true,"prefix":"u1:x:"}`))
	require.Equal(t, 200, got.status)
	var s struct {
		Token     string   `json:"token"`
		ExpiresAt string   `json:"expires_at"`
		ReadOnly  int      `json:"readonly"`
		Prefix    string   `json:"prefix"`
		Origins   []string `json:"origins"`
	}
	requireDecode(t, got.body, &s)
	require.Equal(t, "2027-01-15T08:10:00.000Z", s.ExpiresAt)
	require.Equal(t, []string{site}, s.Origins)
	from := []string{"Origin", site}
	r.answers(request{target: "/get/u1:x:k", token: s.Token, header: from}, 200, `{"result":null}`)
	r.refuses(request{target: "/set/u1:x:k/v", token: s.Token, header: from}, 403, "forbidden", "read-only")
	r.refuses(request{target: "/get/u1:k", token: s.Token, header: from}, 403, "forbidden", "prefix")
	r.refuses(request{target: "/get/u1:x:k", token: s.Token, header: []string{"Origin", otherSite}}, 403, "forbidden", "origin")
	r.refuses(request{method: "POST", target: "/v1/session", token: s.Token, header: from}, 403, "forbidden", "only a token that the admin created")
	r.ms.Add(600_000)
	r.refuses(request{target: "/get/u1:x:k", token: s.Token, header: from}, 401, "unauthorized", "WRONGPASS")

	for body, words := range map[string]string{
		`{"ttl_seconds":3601,"origins":["` + site + `"]}`: "at most 1h",
		`{"ttl_seconds":0,"origins":["` + site + `"]}`:    "passed already",
		`{"ttl_seconds":-1,"origins":["` + site + `"]}`:   "EXPIRES",
		`{}`:                          "at least one web origin",
		``:                            "at least one web origin",
		`{"origins":["nonsense"]}`:    "not a web origin",
		`{"origin":["` + site + `"]}`: "members ttl_seconds",
		`[]`:                          "members ttl_seconds",
		`{} {}`:                       "members ttl_seconds",
		`{"ttl_seconds":1.5}`:         "members ttl_seconds",
		`{"origins":["` + site + `"],"prefix":"other:"}`: "outside",
	} {
		r.refuses(buy(body), 400, "bad_input", words)
	}
	r.refuses(request{method: "POST", target: "/v1/other", token: service}, 404, "bad_input", "/v1/session")
}

func TestWithoutATokenOnlyProgramsOfThisMachine(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Local = true })
	id, err := auth.ParseID("acme/shop")
	require.NoError(t, err)
	app, err := r.dir.App(t.Context(), id)
	require.NoError(t, err)
	r.engine = commands.New(commands.Options{Store: r.store, Directory: r.dir, Clock: r.now, Anonymous: &auth.Principal{App: app}})
	get := func(header ...string) request { return request{target: "/get/k", header: header} }
	for _, host := range []string{"localhost", "localhost:7379", "127.0.0.1:7379", "[::1]:7379", "LOCALHOST"} {
		r.answers(get("Host", host), 200, `{"result":null}`)
	}
	for _, header := range [][]string{
		{"Host", "evil.example"}, {"Host", "localhost.evil.example:7379"}, {"Host", "10.0.0.1"}, {"Host", ""},
		{"Host", "localhost", "Origin", "http://localhost:7379"}, {"Host", "localhost", "Origin", "null"},
		{"Host", "localhost", "Referer", "http://evil.example/"}, {"Host", "localhost", "X-Forwarded-For", "203.0.113.5"}, {"Host", "localhost", "Forwarded", "for=203.0.113.5"},
		{"Host", "localhost", "User-Agent", "Mozilla/5.0 (Macintosh) Safari/605", "Accept-Language", "en"}, {"Host", "localhost."}, {"Host", "0.0.0.0:7379"}, {"Host", "127.1"},
		{"Host", "localhost", "Sec-Fetch-Site", "cross-site"}, {"Host", "localhost", "Sec-Fetch-Site", "same-site"}, {"Host", "localhost", "Sec-Fetch-Site", "same-origin"},
	} {
		r.refuses(get(header...), 403, "forbidden", "only programs on this machine")
	}
	r.answers(get("Host", "localhost", "User-Agent", "Mozilla/5.0 PowerShell/7.4"), 200, `{"result":null}`)
	r.answers(get("Host", "localhost", "Sec-Fetch-Site", "none", "User-Agent", "Mozilla/5.0", "Accept-Language", "en"), 200, `{"result":null}`)
	r.answers(get("Host", "localhost", "Sec-Fetch-Site", "none"), 200, `{"result":null}`)
	r.refuses(get("Host", "localhost", "Authorization", "Bearer nobody"), 401, "unauthorized", "WRONGPASS")
}
