package commands

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/storage"
)

// bulks are RESP bulk strings, one after the other.
func bulks(list ...string) string {
	var b strings.Builder
	for _, s := range list {
		b.WriteString("$" + strconv.Itoa(len(s)) + "\r\n" + s + "\r\n")
	}
	return b.String()
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// newToken makes a token for id and returns its id and secret.
func newToken(a *client, id string, options ...string) (tokenID, secret string) {
	a.t.Helper()
	lines := strings.Split(a.do(append([]string{"TOKEN.CREATE", id}, options...)...), "\r\n")
	require.Len(a.t, lines, 10, "%q", lines)
	return lines[4], lines[8]
}

func TestAppValueThatNobodyCanSend(t *testing.T) {
	h := newHarness(t)
	h.engine.server.MaxArgument = func() int64 { return 1 << 20 }
	a := h.admin()
	const refusal = "-BAD_INPUT value-bytes 2097152 is more than proto-max-bulk-len 1048576, the largest argument that a client can send " +
		"(hint: CONFIG SET proto-max-bulk-len 2097152 allows it)\r\n"
	require.Equal(t, refusal, a.do("APP.CREATE", "t/large", "value-bytes", "2mb"))
	require.Equal(t, "+OK\r\n", a.do("APP.CREATE", "t/large", "value-bytes", "1mb"))
	require.Equal(t, refusal, a.do("APP.SET", "t/large", "max-keys", "5", "value-bytes", "2mb"))
	require.Equal(t, "+OK\r\n", a.do("APP.SET", "t/large", "value-bytes", "default"))
	h.engine.server.MaxArgument = nil
	require.Equal(t, "+OK\r\n", a.do("APP.SET", "t/large", "value-bytes", "2mb"))
}

func TestOnlyTheAdminManages(t *testing.T) {
	h := newHarness(t)
	app := h.open()
	for _, row := range adminRows() {
		args := []string{row.Name, "t/a", "max-keys", "1"}
		if row.Arity > 0 {
			args = args[:row.Arity]
		} else if row.Name == "app.list" {
			args = args[:1]
		}
		require.Contains(t, app.do(args...), "-NOPERM only the admin", row.Name)
		require.Contains(t, h.connect().do(args...), "-NOAUTH ", row.Name)
	}
}

func TestAdminCommandsAreNotQueued(t *testing.T) {
	a := newHarness(t).admin()
	a.do("MULTI")
	require.Equal(t, "-ERR Command not allowed inside a transaction\r\n", a.do("APP.CREATE", "t/a"))
	require.Contains(t, a.do("EXEC"), "-EXECABORT")
}

func TestAppCreateAndUse(t *testing.T) {
	h := newHarness(t)
	a := h.admin()
	require.Contains(t, a.do("GET", "k"), "APP.USE")
	require.Equal(t, "+OK\r\n", a.do("APP.CREATE", "t/a", "max-keys", "1"))
	require.Equal(t, "-ERR the app 't/a' exists already (hint: APP.SET changes its limits)\r\n", a.do("APP.CREATE", "t/a"))

	require.Equal(t, "+OK\r\n", a.do("APP.USE", "t/a"))
	require.Equal(t, "+OK\r\n", a.do("SET", "k", "v"))
	require.Contains(t, a.do("SET", "l", "v"), "-CAP_REACHED")
	require.Equal(t, "+OK\r\n", a.do("APP.SET", "t/a", "max-keys", "default"))
	require.Equal(t, "+OK\r\n", a.do("SET", "l", "v"), "a changed limit holds for open sessions")

	_, secret := newToken(a, "t/a")
	c := h.connect()
	require.Equal(t, "+OK\r\n", c.do("AUTH", secret))
	require.Equal(t, "$1\r\nv\r\n", c.do("GET", "k"), "the admin saw the app's own keys")

	require.Equal(t, "+OK\r\n", a.do("AUTH", "admin", testAdminPassword))
	require.Contains(t, a.do("GET", "k"), "APP.USE", "signing in anew leaves the namespace")
}

func TestAppErrors(t *testing.T) {
	a := newHarness(t).admin()
	a.do("APP.CREATE", "t/a")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"APP.CREATE", "t"}, "-BAD_INPUT \"t\" is not an app's full name; write tenant/app"},
		{[]string{"APP.CREATE", "_cubby/directory"}, "-BAD_INPUT the tenant's name \"_cubby\" must start"},
		{[]string{"APP.CREATE", "t/b", "max-keys"}, "-BAD_INPUT the limit \"max-keys\" has no value"},
		{[]string{"APP.CREATE", "t/b", "max-moons", "1"}, "-BAD_INPUT \"max-moons\" is not a limit; the limits are key-bytes,"},
		{[]string{"APP.CREATE", "t/b", "ttl-min", "soon"}, "allowed: 1ms to 36500d"},
		{[]string{"APP.SET", "t/a", "ttl-min", "2d", "ttl-max", "1d"}, "-BAD_INPUT ttl-min 2d is more than ttl-max 86400s"},
		{[]string{"APP.SET", "t/b", "max-keys", "1"}, "-ERR no such app 't/b' (hint: APP.CREATE t/b creates it)"},
		{[]string{"APP.SET", "t/a"}, "-ERR wrong number of arguments for 'app.set' command"},
		{[]string{"APP.INFO", "t/b"}, "-ERR no such app 't/b'"},
		{[]string{"APP.USE", "t/b"}, "-ERR no such app 't/b'"},
		{[]string{"APP.DROP", "t/b"}, "-ERR no such app 't/b'"},
		{[]string{"APP.LIST", "t*"}, "-ERR syntax error"},
		{[]string{"TENANT.DROP", "t/a"}, "-BAD_INPUT the tenant's name \"t/a\" has \"/\" at position 1"},
		{[]string{"TOKEN.CREATE", "t/b"}, "-ERR no such app 't/b'"},
		{[]string{"TOKEN.CREATE", "t/a", "NAME"}, "-BAD_INPUT NAME needs a value"},
		{[]string{"TOKEN.CREATE", "t/a", "FOREVER"}, "-BAD_INPUT \"FOREVER\" is not an option; allowed are NAME name"},
		{[]string{"TOKEN.CREATE", "t/a", "EXPIRES", "soon"}, "-BAD_INPUT EXPIRES \"soon\": it is not a duration"},
		{[]string{"TOKEN.CREATE", "t/a", "EXPIRES", "0"}, "-BAD_INPUT the token's end has passed"},
		{[]string{"TOKEN.CREATE", "t/a", "ORIGIN", "example.com"}, "-BAD_INPUT \"example.com\" is not a web origin"},
		{[]string{"TOKEN.LIST", "t/b"}, "-ERR no such app 't/b'"},
		{[]string{"TOKEN.REVOKE", "cub_aaaaaaaaaaaaaaaa_bbb"}, "-BAD_INPUT TOKEN.REVOKE takes the token's id"},
	} {
		require.Contains(t, a.do(c.args...), c.want, c.args)
	}
	require.Equal(t, "*1\r\n", a.do("APP.LIST")[:4], "no refused command changed anything")
}

func TestAppInfo(t *testing.T) {
	h := newHarness(t)
	a := h.admin()
	a.do("APP.CREATE", "t/a", "max-keys", "7", "ttl-min", "1500ms")
	a.do("APP.USE", "t/a")
	a.do("SET", "k", "four")
	a.do("SELECT", "1")
	a.do("SET", "kk", "v")
	a.do("SET", "ll", "v")
	want := func(header, null string) string {
		return header + bulks("tenant", "t", "app", "a", "created_at") + ":" + decimal(h.clock.Now()) + "\r\n" +
			bulks("keys") + ":1\r\n" + bulks("bytes") + ":5\r\n" +
			bulks("ephemeral-keys") + ":2\r\n" + bulks("ephemeral-bytes") + ":6\r\n" +
			bulks("commands-last-second") + ":5\r\n" + bulks("commands-burst-left") + null + bulks("connections") + ":0\r\n" +
			bulks("key-bytes") + ":256\r\n" + bulks("key-charset", "printable", "value-bytes") + ":65536\r\n" +
			bulks("commands-per-second") + null + bulks("commands-burst") + null + bulks("max-connections") + null +
			bulks("max-keys") + ":7\r\n" + bulks("max-bytes") + null +
			bulks("ttl-min-ms") + ":1500\r\n" + bulks("ttl-max-ms") + ":31536000000\r\n" +
			bulks("ephemeral-max-keys") + ":10000\r\n" + bulks("ephemeral-max-bytes") + null +
			bulks("ephemeral-ttl-min-ms") + ":1\r\n" + bulks("ephemeral-ttl-max-ms") + ":31536000000\r\n" +
			bulks("overrides") + "*2\r\n" + bulks("max-keys", "ttl-min")
	}
	a = h.admin() // a command of one who looks into the app would count
	require.Equal(t, want("*50\r\n", "$-1\r\n"), a.do("APP.INFO", "t/a"))
	require.Equal(t, want("%25\r\n", "_\r\n"), a.resp3().do("APP.INFO", "t/a"))
}

func TestAppList(t *testing.T) {
	h := newHarness(t)
	a := h.admin()
	require.Equal(t, "*0\r\n", a.do("APP.LIST"))
	for _, id := range []string{"u/b", "t/a", "t/c"} {
		a.do("APP.CREATE", id)
	}
	newToken(a, "t/c")
	row := func(header, name, tokens string) string {
		return header + bulks("name", name, "created_at") + ":" + decimal(h.clock.Now()) + "\r\n" + bulks("tokens") + ":" + tokens + "\r\n"
	}
	require.Equal(t, "*3\r\n"+row("*6\r\n", "t/a", "0")+row("*6\r\n", "t/c", "1")+row("*6\r\n", "u/b", "0"), a.do("APP.LIST"))
	require.Equal(t, "*1\r\n"+row("%3\r\n", "t/c", "1"), a.resp3().do("APP.LIST", "match", "t/[b-d]"))
}

func TestAppDrop(t *testing.T) {
	h := newHarness(t)
	a := h.admin()
	a.do("APP.CREATE", "t/a")
	_, secret := newToken(a, "t/a")
	killed := 0
	c := &client{t: t, e: h.engine, s: h.engine.NewSession(SessionOptions{Kill: func() { killed++ }})}
	c.do("AUTH", secret)
	c.do("SET", "k", "v")
	a.do("APP.USE", "t/a")

	require.Equal(t, "+OK\r\n", a.do("APP.DROP", "t/a"))
	require.Equal(t, 1, killed, "its connections are closed")
	require.Contains(t, c.do("GET", "k"), "-NOAUTH")
	require.Contains(t, c.do("AUTH", secret), "-WRONGPASS")
	require.Contains(t, a.do("GET", "k"), "APP.USE", "the admin is out of it, and still the admin")

	require.Equal(t, "+OK\r\n", a.do("APP.CREATE", "t/a"))
	a.do("APP.USE", "t/a")
	require.Equal(t, "$-1\r\n", a.do("GET", "k"))
	require.Contains(t, c.do("AUTH", secret), "-WRONGPASS")
}

func TestTenantDrop(t *testing.T) {
	h := newHarness(t)
	a := h.admin()
	for _, id := range []string{"t/a", "t/b", "tt/a"} {
		a.do("APP.CREATE", id)
	}
	require.Equal(t, ":2\r\n", a.do("TENANT.DROP", "t"))
	require.Equal(t, ":0\r\n", a.do("TENANT.DROP", "t"))
	require.Contains(t, a.do("APP.LIST"), "tt/a")
}

func TestTokenScopes(t *testing.T) {
	h := newHarness(t)
	a := h.admin()
	a.do("APP.CREATE", "t/a")
	_, secret := newToken(a, "t/a", "name", "ci", "readonly", "PREFIX", "p:", "EXPIRES", "1m",
		"ORIGIN", "https://a.example", "https://b.example")
	c := h.connect()
	require.Equal(t, "+OK\r\n", c.do("AUTH", "t/a", secret))
	require.Contains(t, c.do("SET", "p:k", "v"), "-NOPERM")
	require.Equal(t, "$-1\r\n", c.do("GET", "p:k"))
	require.Contains(t, c.do("GET", "k"), "-NOPERM")
	h.clock.Advance(time.Minute)
	require.Contains(t, c.do("GET", "p:k"), "-NOAUTH")
	require.Contains(t, c.do("AUTH", "t/a", secret), "-WRONGPASS")
}

func TestTokenList(t *testing.T) {
	h := newHarness(t)
	a := h.admin()
	a.do("APP.CREATE", "t/a")
	require.Equal(t, "*0\r\n", a.do("TOKEN.LIST", "t/a"))
	created := decimal(h.clock.Now())
	end := decimal(h.clock.Now() + 90_000)
	first, secret := newToken(a, "t/a")
	h.clock.Advance(time.Second)
	second, _ := newToken(a, "t/a", "NAME", "ci", "READONLY", "PREFIX", "p:", "EXPIRES", "89", "ORIGIN", "https://a.example")
	row := func(header, null string) string {
		return header + bulks("id", first, "name", "", "created_at") + ":" + created + "\r\n" +
			bulks("expires_at") + null + bulks("rotated_at") + null + bulks("grace_ends_at") + null + bulks("readonly") + ":0\r\n" + bulks("prefix", "", "origins") + "*0\r\n"
	}
	reply := a.do("TOKEN.LIST", "t/a")
	require.True(t, strings.HasPrefix(reply, "*2\r\n"+row("*18\r\n", "$-1\r\n")), reply)
	require.True(t, strings.HasSuffix(reply, bulks("expires_at")+":"+end+"\r\n"+bulks("rotated_at")+"$-1\r\n"+bulks("grace_ends_at")+"$-1\r\n"+bulks("readonly")+":1\r\n"+
		bulks("prefix", "p:", "origins")+"*1\r\n"+bulks("https://a.example")), reply)
	require.Contains(t, reply, bulks("id", second, "name", "ci"))
	require.NotContains(t, reply, secret)
	require.True(t, strings.HasPrefix(a.resp3().do("TOKEN.LIST", "t/a"), "*2\r\n"+row("%9\r\n", "_\r\n")))
}

func TestTokenRevoke(t *testing.T) {
	h := newHarness(t)
	a := h.admin()
	a.do("APP.CREATE", "t/a")
	id, secret := newToken(a, "t/a")
	_, other := newToken(a, "t/a")
	killed := 0
	c := &client{t: t, e: h.engine, s: h.engine.NewSession(SessionOptions{Kill: func() { killed++ }})}
	require.Equal(t, "+OK\r\n", c.do("AUTH", secret))
	d := h.connect()
	require.Equal(t, "+OK\r\n", d.do("AUTH", other))

	require.Equal(t, ":1\r\n", a.do("TOKEN.REVOKE", id))
	require.Equal(t, 1, killed)
	require.Contains(t, c.do("PING"), "-NOAUTH")
	require.Contains(t, c.do("AUTH", secret), "-WRONGPASS")
	require.Equal(t, "+PONG\r\n", d.do("PING"))
	require.Equal(t, ":0\r\n", a.do("TOKEN.REVOKE", id))
}

// What an app may not know about the others' world stays the directory's: no
// name reaches the namespace that the directory itself lives in.
func TestTheDirectoryCannotBeAddressed(t *testing.T) {
	h := newHarness(t)
	a := h.admin()
	require.Contains(t, a.do("APP.USE", "_cubby/directory"), "-BAD_INPUT")
	_, err := h.dir.App(t.Context(), storage.ID{Tenant: "_cubby", App: "directory"})
	require.ErrorIs(t, err, auth.ErrNoApp)
}
