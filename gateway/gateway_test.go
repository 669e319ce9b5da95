package gateway

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
)

func requireDecode(t *testing.T, text string, to any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(to), text)
}

func TestCommandInTheBody(t *testing.T) {
	r := newRig(t)
	token := r.token("acme/shop", auth.Scope{})
	post := func(body string) request { return request{method: "POST", target: "/", body: body, token: token} }
	r.answers(post(`["SET","k","v"]`), 200, `{"result":"OK"}`)
	r.answers(post(`["get", "k"]`), 200, `{"result":"v"}`)
	r.answers(post(`["GET","missing"]`), 200, `{"result":null}`)
	r.answers(post(`["SET","n",9007199254740993]`), 200, `{"result":"OK"}`)
	r.answers(post(`["INCR","n"]`), 200, `{"result":"9007199254740994"}`) // a number would not arrive as it is
	r.answers(post(`["INCRBY","small", -9007199254740991]`), 200, `{"result":-9007199254740991}`)
	r.answers(post(`["DECR","small"]`), 200, `{"result":"-9007199254740992"}`)
	r.answers(post(`["SET","f",1.50]`), 200, `{"result":"OK"}`)
	r.answers(post(`["MGET","f","missing","k"]`), 200, `{"result":["1.50",null,"v"]}`)
	r.answers(post(`["SET","t",true]`), 200, `{"result":"OK"}`)
	r.answers(post(`["GET","t"]`), 200, `{"result":"true"}`)
	r.answers(post(`["SET","u","ä\u2028😀\n\"\\\u0001"]`), 200, `{"result":"OK"}`)
	r.answers(post(`["GET","u"]`), 200, `{"result":"ä\u2028😀\n\"\\\u0001"}`)
	r.answers(post(`["EVAL","return {1,{'a',false}}",0]`), 200, `{"result":[1,["a",null]]}`)
	r.answers(post(`["SET","surrogate","\ud83d\ude00"]`), 200, `{"result":"OK"}`)
	r.answers(post(`["GET","surrogate"]`), 200, `{"result":"😀"}`)
	r.answers(post(`["SET","replacement","\ufffd�"]`), 200, `{"result":"OK"}`)
}

func TestBase64(t *testing.T) {
	r := newRig(t)
	token := r.token("acme/shop", auth.Scope{})
	ask := func(target string) request {
		return request{target: target, token: token, header: []string{"Upstash-Encoding", "base64"}}
	}
	r.answers(request{method: "PUT", target: "/set/bin", body: "\xff\x00\xfe", token: token}, 200, `{"result":"OK"}`)
	r.answers(ask("/get/bin"), 200, `{"result":"/wD+"}`)
	r.answers(ask("/mget/bin/missing"), 200, `{"result":["/wD+",null]}`)
	r.answers(ask("/ping"), 200, `{"result":"UE9ORw=="}`)
	r.answers(ask("/set/x/OK"), 200, `{"result":"OK"}`)
	r.answers(ask("/strlen/bin"), 200, `{"result":3}`)
	r.answers(ask("/get/x"), 200, `{"result":"T0s="}`) // a value that reads like the status
	r.answers(ask("/mget/x"), 200, `{"result":["T0s="]}`)
	r.answers(ask("/set/big/9007199254740992"), 200, `{"result":"OK"}`)
	r.answers(ask("/incr/big"), 200, `{"result":"OTAwNzE5OTI1NDc0MDk5Mw=="}`)
	r.answers(ask("/decrby/big/2"), 200, `{"result":9007199254740991}`)
	r.answers(request{method: "POST", target: "/", body: `["EVAL","return {redis.status_reply('OK'),redis.pcall('NOPE')}",0]`, token: token, header: []string{"Upstash-Encoding", "base64"}}, 200,
		r.send(ask("/eval/return%20%7B%22OK%22,redis.pcall('NOPE')%7D/0")).body)
	r.answers(request{target: "/get/bin", token: token}, 200, `{"result":"\ufffd\u0000\ufffd"}`)
}

func TestPathForm(t *testing.T) {
	r := newRig(t)
	token := r.token("acme/shop", auth.Scope{})
	r.answers(request{target: "/set/a%2Fb/x%20y%25?EX=100", token: token}, 200, `{"result":"OK"}`)
	r.answers(request{target: "/get/a%2Fb?_token=" + token}, 200, `{"result":"x y%"}`)
	r.answers(request{target: "/ttl/a%2Fb", token: token}, 200, `{"result":100}`)
	r.answers(request{method: "POST", target: "/set/json?EX=60&NX", body: `{"a": [1]}`, token: token}, 200, `{"result":"OK"}`)
	r.answers(request{method: "PUT", target: "/set/json?XX&GET", body: `2`, token: token}, 200, `{"result":"{\"a\": [1]}"}`)
	r.answers(request{target: "/set/empty/", token: token}, 200, `{"result":"OK"}`)
	r.answers(request{target: "/get/empty", token: token}, 200, `{"result":""}`)
	r.answers(request{target: "/set//x", token: token}, 400, r.send(request{target: "/get/", token: token}).body)
	r.answers(request{method: "HEAD", target: "/get/empty", token: token}, 200, `{"result":""}`)
}

func TestPipeline(t *testing.T) {
	r := newRig(t)
	token := r.token("acme/shop", auth.Scope{})
	post := func(body string) request {
		return request{method: "POST", target: "/pipeline", body: body, token: token}
	}
	r.answers(post(`[["SET","k","1"],["INCR","k"],["NOPE"],["GET","k"],["GET","missing"]]`), 200,
		`[{"result":"OK"},{"result":2},{"error":"ERR unknown command 'NOPE', with args beginning with: ","code":"bad_input","message":"unknown command 'NOPE', with args beginning with: "},{"result":"2"},{"result":null}]`)
	for _, body := range []string{"", "{}", "[]", `["SET","k","v"]`, `[[]]`, `[["GET",null]]`, `[["GET",["k"]]]`, `[["GET",{}]]`, "[[\"GET\",\"k\"]]x", "null", "[null]", "[[\"GET\",\"\\ud800\"]]", "[[\"GET\",\"\xff\"]]"} {
		r.refuses(post(body), 400, "bad_input", "BAD_INPUT")
	}
	many := strings.TrimSuffix(strings.Repeat(`["PING"],`, maxCommands+1), ",")
	r.refuses(post("["+many+"]"), 400, "bad_input", "10001 commands")
}

func TestTransaction(t *testing.T) {
	r := newRig(t)
	token := r.token("acme/shop", auth.Scope{})
	post := func(body string) request {
		return request{method: "POST", target: "/multi-exec", body: body, token: token}
	}
	r.answers(post(`[["SET","k","x"],["INCR","k"],["GET","k"]]`), 200,
		`[{"result":"OK"},{"error":"ERR value is not an integer or out of range","code":"bad_input","message":"value is not an integer or out of range"},{"result":"x"}]`)
	r.refuses(post(`[["SET","k","y"],["LPUSH","k","z"],["GET"]]`), 400, "execabort", "command 2: ERR unknown command 'LPUSH'")
	r.refuses(post(`[["SET","k","y"],["EXEC"]]`), 400, "execabort", "command 2: ERR the 'exec' command is about the connection")
	r.refuses(post(`[["DISCARD"],["SET","k","y"]]`), 400, "execabort", "command 1")
	r.answers(request{target: "/get/k", token: token}, 200, `{"result":"x"}`)
}

func TestDatabases(t *testing.T) {
	r := newRig(t)
	token := r.token("acme/shop", auth.Scope{})
	in1 := []string{"Cubby-Database", "1"}
	r.answers(request{target: "/set/k/one", token: token, header: in1}, 200, `{"result":"OK"}`)
	r.answers(request{target: "/get/k", token: token}, 200, `{"result":null}`)
	r.answers(request{target: "/get/k", token: token, header: in1}, 200, `{"result":"one"}`)
	r.refuses(request{target: "/get/k", token: token, header: []string{"Cubby-Database", "2"}}, 400, "bad_input", "DB index is out of range")
	r.refuses(request{target: "/get/k", token: token, header: []string{"Cubby-Database", "x"}}, 400, "bad_input", "not an integer")
}

func TestWhatNeedsAConnectionIsRefused(t *testing.T) {
	r := newRig(t)
	token := r.token("acme/shop", auth.Scope{})
	for _, path := range []string{"/multi", "/exec", "/discard", "/watch/k", "/unwatch", "/select/1", "/auth/x", "/hello/3", "/reset", "/quit", "/client/id", "/client/setname/x",
		"/client/reply/off", "/client/tracking/on", "/client/no-evict/on", "/unsubscribe/x", "/ssubscribe/x", "/punsubscribe"} {
		r.refuses(request{target: path, token: token}, 400, "bad_input", "is about the connection that sends it")
	}
	r.refuses(request{method: "POST", target: "/", body: `["SUBSCRIBE","x"]`, token: token}, 400, "bad_input", "GET /subscribe/CHANNEL streams messages")
	r.refuses(request{target: "/monitor", token: token}, 400, "bad_input", "is about the connection")
	r.refuses(request{target: "/app.list", token: token}, 403, "forbidden", "only the admin")
	r.answers(request{target: "/dbsize", token: token}, 200, `{"result":0}`)
}

func TestSignIn(t *testing.T) {
	r := newRig(t)
	token := r.token("acme/shop", auth.Scope{})
	get := func(header ...string) request { return request{target: "/get/k", header: header} }
	got := r.refuses(get(), 401, "unauthorized", "NOAUTH the request has no token")
	require.Equal(t, "Bearer", got.header.Get("WWW-Authenticate"))
	for _, value := range []string{"Bearer", "Bearer ", "Basic " + token, token} {
		r.refuses(get("Authorization", value), 401, "unauthorized", "not understood")
	}
	r.refuses(get("Authorization", "Bearer "+token, "Authorization", "Bearer "+token), 401, "unauthorized", "once")
	r.refuses(get("Authorization", "Bearer "+token+"x"), 401, "unauthorized", "WRONGPASS")
	r.refuses(get("Authorization", "Bearer correct horse"), 401, "unauthorized", "WRONGPASS") // the admin has no business here
	r.answers(get("Authorization", "bearer  "+token), 200, `{"result":null}`)

	over := r.token("acme/shop", auth.Scope{ExpiresAt: r.ms.Load() + 1000})
	r.answers(request{target: "/ping", token: over}, 200, `{"result":"PONG"}`)
	r.ms.Add(1000)
	r.refuses(request{target: "/ping", token: over}, 401, "unauthorized", "WRONGPASS")

	readOnly := r.token("acme/shop", auth.Scope{ReadOnly: true, Prefix: "a:"})
	r.refuses(request{target: "/set/a:k/v", token: readOnly}, 403, "forbidden", "read-only")
	r.refuses(request{target: "/get/b:k", token: readOnly}, 403, "forbidden", "prefix")
	r.answers(request{target: "/get/a:k", token: readOnly}, 200, `{"result":null}`)
}

func TestLimitsAreThoseOfTheEngine(t *testing.T) {
	r := newRig(t)
	r.app("small/app", "max-keys", "1", "value-bytes", "10", "commands-per-second", "2")
	token := r.token("small/app", auth.Scope{})
	r.refuses(request{target: "/set/k/12345678901", token: token}, 413, "size_exceeded", "the value is 11 bytes")
	r.answers(request{target: "/set/k/1", token: token}, 200, `{"result":"OK"}`)
	got := r.refuses(request{target: "/get/k", token: token}, 429, "rate_limited", "RATE_LIMITED")
	seconds, err := strconv.Atoi(got.header.Get("Retry-After"))
	require.NoError(t, err)
	require.Equal(t, 1, seconds)
	r.ms.Add(1000)
	r.refuses(request{target: "/set/k2/1", token: token}, 400, "cap_reached", "delete unused keys or set a TTL")
	r.ms.Add(1000)
	r.refuses(request{target: "/set/k/v?EX=1", token: token}, 400, "bad_input", "TTL")
	require.Equal(t, 3, retrySeconds("wait 2001 ms"))
}

func TestBodyBounds(t *testing.T) {
	r := newRig(t, func(o *Options) { o.MaxBodyBytes, o.MaxBulkBytes, o.MaxReplyBytes = 3000, 2000, 5000 })
	token := r.token("acme/shop", auth.Scope{})
	post := func(target, body string, header ...string) request {
		return request{method: "POST", target: target, body: body, token: token, header: header}
	}
	r.refuses(post("/set/k", strings.Repeat("x", 3001)), 413, "size_exceeded", "more than 3000 bytes")
	r.refuses(post("/set/k", strings.Repeat("x", 2001)), 413, "size_exceeded", "an argument has 2001 bytes")
	r.answers(post("/set/k", strings.Repeat("x", 2000)), 200, `{"result":"OK"}`)
	r.refuses(post("/mget/k/k/k", ""), 413, "size_exceeded", "larger than a response may be")
	r.refuses(post("/", "GET k", "Content-Type", "multipart/form-data; boundary=x"), 415, "bad_input", "multipart/form-data")
	r.refuses(post("/", `["GET","k"]`, "Content-Type", "application/json; charset=latin1"), 415, "bad_input", "UTF-8")
	r.refuses(post("/", `["GET","k"]`, "Content-Encoding", "gzip"), 415, "bad_input", "gzip")
	r.answers(post("/", `["GET","none"]`, "Content-Type", "application/json; charset=UTF-8"), 200, `{"result":null}`)
	r.answers(post("/", `["GET","none"]`, "Content-Type", "application/x-www-form-urlencoded"), 200, `{"result":null}`)
}

func TestMethods(t *testing.T) {
	r := newRig(t)
	token := r.token("acme/shop", auth.Scope{})
	for _, c := range []struct{ method, target, allow string }{
		{"GET", "/", "POST"}, {"PUT", "/pipeline", "POST"}, {"GET", "/multi-exec", "POST"}, {"GET", "/v1/session", "POST"},
		{"DELETE", "/get/k", allowedMethods}, {"PATCH", "/", "POST"}, {"OPTIONS", "/get/k", allowedMethods}, {"HEAD", "/subscribe/x", "GET, POST"},
	} {
		got := r.refuses(request{method: c.method, target: c.target, token: token}, 405, "bad_input", c.method+" is not allowed")
		require.Equal(t, c.allow, got.header.Get("Allow"))
	}
}

func TestCompression(t *testing.T) {
	r := newRig(t)
	token := r.token("acme/shop", auth.Scope{})
	value := strings.Repeat("cubby ", 1000)
	r.answers(request{method: "PUT", target: "/set/k", body: value, token: token}, 200, `{"result":"OK"}`)
	for accept, gzipped := range map[string]bool{"gzip": true, "br, gzip;q=0.5": true, "*": true, "gzip;q=0": false, "br": false, "": false, "identity": false, "GZIP ; q=1": true} {
		got := r.send(request{target: "/get/k", token: token, header: []string{"Accept-Encoding", accept}})
		var body io.Reader = strings.NewReader(got.body)
		require.Equal(t, gzipped, got.header.Get("Content-Encoding") == "gzip", accept)
		if gzipped {
			z, err := gzip.NewReader(body)
			require.NoError(t, err)
			body = z
		}
		text, err := io.ReadAll(body)
		require.NoError(t, err)
		require.JSONEq(t, `{"result":"`+value+`"}`, string(text))
		require.Contains(t, got.header.Get("Vary"), "Accept-Encoding")
	}
	got := r.send(request{target: "/ping", token: token, header: []string{"Accept-Encoding", "gzip"}})
	require.Empty(t, got.header.Get("Content-Encoding"), "it is not worth it")
}

func TestNothingOfAFaultIsTold(t *testing.T) {
	r := newRig(t)
	token := r.token("acme/shop", auth.Scope{})
	r.engine = nil // every use of it panics
	r.refuses(request{target: "/get/k", token: token}, 500, "platform_error", "PLATFORM_ERROR the server could not complete the request")
	require.Contains(t, r.log.String(), "panic while answering over HTTP")
	require.NotContains(t, r.log.String(), token)
}

func TestClosedStore(t *testing.T) {
	r := newRig(t)
	token := r.token("acme/shop", auth.Scope{})
	require.NoError(t, r.store.Close())
	r.refuses(request{target: "/set/k/v", token: token}, 500, "platform_error", "shutting down")
}

func TestStatusOfEveryCode(t *testing.T) {
	for text, want := range map[string]int{
		"ERR x": 400, "WRONGTYPE x": 400, "NOAUTH x": 401, "WRONGPASS x": 401, "NOPERM x": 403, "SIZE_EXCEEDED x": 413, "RATE_LIMITED x": 429,
		"CAP_REACHED x": 400, "BAD_INPUT x": 400, "PLATFORM_ERROR x": 500, "MISCONF x": 503, "OOM x": 503, "BUSY x": 503, "anything": 400,
	} {
		require.Equal(t, want, failed(text).status, text)
	}
}
