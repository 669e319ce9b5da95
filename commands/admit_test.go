package commands

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// scoped returns a client whose token has the given scope.
func (h *harness) scoped(scope auth.Scope) *client {
	c := h.connect()
	id := storage.ID{Tenant: "t", App: "a"}
	c.s.become(&auth.Principal{App: auth.NewApp(id, auth.DefaultLimits()), Token: &auth.Token{App: id, Scope: scope}})
	return c
}

// TestOrderOfRefusals breaks every rule at once, then keeps one after the
// other: what is answered shows the order in which admission judges.
func TestOrderOfRefusals(t *testing.T) {
	h := newHarness(t)
	tooLarge := kverr.New(kverr.SizeExceeded, "argument 2 is too large")
	limits := auth.DefaultLimits()
	limits.CommandsPerSecond = 1
	c := h.scoped(auth.Scope{ReadOnly: true, Prefix: "p:", ExpiresAt: h.clock.Now()})
	principal := c.s.principal
	principal.App.SetLimits(limits)
	require.Zero(t, principal.App.TakeCommand(h.engine.clock())) // the rate is spent
	c.s.multi = &transaction{}
	c.s.principal = nil

	do := func(refusal error, args ...string) string {
		r := Request{Refusal: refusal}
		for _, a := range args {
			r.Argv = append(r.Argv, []byte(a))
		}
		out := resp.NewWriter(resp.V2)
		n, _ := h.engine.Do(context.Background(), c.s, []Request{r}, out)
		require.Equal(t, 1, n)
		return strings.TrimSuffix(string(out.Bytes()), "\r\n")
	}
	require.Equal(t, "-ERR unknown command 'NOSUCH', with args beginning with: 'bad key' ", do(tooLarge, "NOSUCH", "bad key"))
	require.Equal(t, "-ERR wrong number of arguments for 'set' command", do(tooLarge, "SET", "bad key"))
	require.Equal(t, "-NOAUTH Authentication required.", do(tooLarge, "SET", "bad key", "v"))
	c.s.principal = principal
	require.Equal(t, "-NOAUTH the token has expired or was revoked; sign in again", do(tooLarge, "SET", "bad key", "v"))
	principal.Token.ExpiresAt = 0
	require.Equal(t, "-SIZE_EXCEEDED argument 2 is too large", do(tooLarge, "SET", "bad key", "v"))
	require.Equal(t, "-NOPERM only the admin may run the 'app.list' command", do(nil, "APP.LIST"))
	require.Equal(t, "-NOPERM this token is read-only and may not run the 'set' command", do(nil, "SET", "bad key", "v"))
	require.Equal(t, "-NOPERM this token is read-only and may not run the 'flushdb' command", do(nil, "FLUSHDB"))
	principal.Token.ReadOnly = false
	require.Equal(t, "-NOPERM this token opens only keys that start with its prefix and may not run the 'kv.purge' command", do(nil, "KV.PURGE"))
	require.Equal(t, "-BAD_INPUT the key has byte 0x20 at position 3; allowed are 0x21 to 0x7E (printable ASCII without blanks)", do(nil, "GET", "bad key"))
	require.Equal(t, "-NOPERM this token opens only keys that start with its prefix", do(nil, "GET", "x:key"))
	require.Equal(t, "-RATE_LIMITED the namespace may send 1 commands per second; wait 1000 ms", do(nil, "GET", "p:key"))
	h.clock.Advance(time.Second)
	require.Equal(t, "-ERR Command not allowed inside a transaction", do(nil, "AUTH", "x"))
	require.Equal(t, "+QUEUED", do(nil, "GET", "p:key"))
	require.True(t, c.s.multi.spoiled)
	h.clock.Advance(time.Second)
	require.Equal(t, "-EXECABORT Transaction discarded because of previous errors.", do(nil, "EXEC"))
	h.clock.Advance(time.Second)
	require.Equal(t, "$-1", do(nil, "GET", "p:key"))
}

func TestRefusalOfADoorStaysInItsPlace(t *testing.T) {
	h := newHarness(t)
	c := h.strict()
	out := resp.NewWriter(resp.V2)
	argv := func(args ...string) (list [][]byte) {
		for _, a := range args {
			list = append(list, []byte(a))
		}
		return list
	}
	n, _ := h.engine.Do(context.Background(), c.s, []Request{
		{Argv: argv("SET", "a", "1")},
		{Argv: argv("SET", "b", ""), Refusal: kverr.New(kverr.SizeExceeded, "too large")},
		{Argv: argv("SET", "c", ""), Refusal: errors.New("not for clients")},
		{Argv: argv("MGET", "a", "b", "c")},
	}, out)
	require.Equal(t, 4, n)
	require.Equal(t, []string{"+OK\r\n", "-SIZE_EXCEEDED too large\r\n",
		"-" + errPlatform.Error() + "\r\n", "*3\r\n$1\r\n1\r\n$-1\r\n$-1\r\n"}, splitReplies(t, out.Bytes()))
	require.Contains(t, h.log.String(), "not for clients")
}

// eachRow calls visit with every command and subcommand of the table, and with
// arguments of the right number that are all the key k.
func eachRow(visit func(cmd *Command, argv []string), k string) {
	var rows func(list map[string]*Command)
	rows = func(list map[string]*Command) {
		for _, cmd := range list {
			argv := strings.Split(cmd.Name, "|")
			for len(argv) < max(cmd.Arity, -cmd.Arity) || cmd.Arity < 0 && len(argv) < 5 {
				argv = append(argv, k)
			}
			visit(cmd, argv)
			rows(cmd.subs)
		}
	}
	rows(newTable().byName)
}

func TestReadOnlyTokensWriteNothing(t *testing.T) {
	h := newHarness(t)
	c := h.scoped(auth.Scope{ReadOnly: true})
	refused := 0
	eachRow(func(cmd *Command, argv []string) {
		if cmd.has(Writes) && !cmd.has(Admin) {
			require.Equal(t, "-NOPERM this token is read-only and may not run the '"+cmd.Name+"' command\r\n", c.do(argv...))
			refused++
		}
	}, "k")
	require.Greater(t, refused, 30)
	require.Equal(t, "$-1\r\n", c.do("GET", "k"))
	require.Equal(t, ":0\r\n", c.do("DBSIZE"))
}

func TestPrefixTokensNameNoOtherKey(t *testing.T) {
	h := newHarness(t)
	c := h.scoped(auth.Scope{Prefix: "p:"})
	eachRow(func(cmd *Command, argv []string) {
		if cmd.has(Admin) {
			return
		}
		if cmd.has(WholeNamespace) && !cmd.has(Narrowed) {
			require.Equal(t, "-NOPERM this token opens only keys that start with its prefix and may not run the '"+cmd.Name+"' command\r\n", c.do(argv...))
		}
		eachKey(cmd, argv, "x:k", func(argv []string) {
			require.Equal(t, "-NOPERM this token opens only keys that start with its prefix\r\n", c.do(argv...), "%q", argv)
		})
	}, "p:k")
	require.Equal(t, "+OK\r\n", c.do("SET", "p:", "v"))
	require.Equal(t, "+OK\r\n", c.do("MSET", "p:a", "v", "p:b", "v"))
	require.Equal(t, "+OK\r\n", c.do("RENAME", "p:a", "p:c"))
	require.Contains(t, c.do("GET", "p"), "-NOPERM")
	require.Contains(t, c.do("GET", "P:a"), "-NOPERM")
}

// eachKey calls visit with argv once for each of its keys, which is replaced
// by key.
func eachKey(cmd *Command, argv []string, key string, visit func(argv []string)) {
	raw := make([][]byte, len(argv))
	for i := range argv {
		raw[i] = []byte(argv[i])
	}
	first, last, step := cmd.keyRange(raw)
	for i := first; i <= last; i += step {
		changed := append([]string(nil), argv...)
		changed[i] = key
		visit(changed)
	}
}

func TestEveryKeyIsJudged(t *testing.T) {
	h := newHarness(t)
	c := h.strict()
	long := strings.Repeat("k", 257)
	seen := 0
	eachRow(func(cmd *Command, argv []string) {
		if cmd.has(Admin) {
			return
		}
		eachKey(cmd, argv, "", func(argv []string) {
			require.Equal(t, "-BAD_INPUT the key is 0 bytes long; 1 to 256 are allowed\r\n", c.do(argv...), "%q", argv)
			seen++
		})
		eachKey(cmd, argv, long, func(argv []string) {
			require.Equal(t, "-BAD_INPUT the key is 257 bytes long; 1 to 256 are allowed\r\n", c.do(argv...), "%q", argv)
		})
		eachKey(cmd, argv, "ab\xffc", func(argv []string) {
			require.Equal(t, "-BAD_INPUT the key has byte 0xFF at position 2; allowed are 0x21 to 0x7E (printable ASCII without blanks)\r\n", c.do(argv...), "%q", argv)
		})
	}, "k")
	require.Greater(t, seen, 60)
}

func TestTheAlphabetOfKeys(t *testing.T) {
	h := newHarness(t)
	c, anyByte := h.strict(), h.open()
	for b := range 256 {
		key := "k" + string([]byte{byte(b)})
		want := "+OK\r\n"
		if b < 0x21 || b > 0x7E {
			want = "-BAD_INPUT"
		}
		require.Contains(t, c.do("SET", key, "v"), want, "%q", key)
		require.Equal(t, "+OK\r\n", anyByte.do("SET", key, "v"), "%q", key)
	}
	require.Equal(t, "+OK\r\n", c.do("SET", strings.Repeat("k", 256), "v"))
}

func TestTheAdminHasNoKeys(t *testing.T) {
	h := newHarness(t)
	c := h.admin()
	require.Equal(t, "-ERR the admin has no keys of its own (hint: APP.USE tenant/app looks into one namespace)\r\n", c.do("GET", "k"))
	require.Equal(t, "+PONG\r\n", c.do("PING"))
}

func TestBeforeSignInOnlyAFewAnswer(t *testing.T) {
	h := newHarness(t)
	eachRow(func(cmd *Command, argv []string) {
		if cmd.subs != nil {
			return
		}
		reply := h.connect().do(argv...)
		switch {
		case cmd.has(NoAuth):
			require.NotContains(t, reply, "NOAUTH Authentication required.", cmd.Name)
		case cmd.has(EndsMulti):
			require.Equal(t, "-EXECABORT Transaction discarded because of: NOAUTH Authentication required.\r\n", reply)
		default:
			require.Equal(t, "-NOAUTH Authentication required.\r\n", reply, cmd.Name)
		}
	}, "k")
}

// Who may only read may listen, and not send.
func TestReadOnlyTokensDoNotPublish(t *testing.T) {
	c := newHarness(t).scoped(auth.Scope{ReadOnly: true})
	for _, name := range []string{"PUBLISH", "SPUBLISH"} {
		require.Contains(t, c.do(name, "news", "m"), "-NOPERM this token is read-only", name)
		require.Contains(t, c.do("EVAL", "return redis.pcall('"+name+"', 'news', 'm')", "0"), "this token is read-only")
	}
	require.Equal(t, "*0\r\n", c.do("PUBSUB", "CHANNELS"))
	require.Contains(t, c.do("SUBSCRIBE", "news"), "news")
}
