package commands

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/audit"
	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

// trail makes the harness keep an audit trail. What it returns reads the lines
// that are new since the last call.
func (h *harness) trail(s audit.Settings) (t *audit.Trail, lines func() []audit.Entry) {
	h.t.Helper()
	if s.QueueBytes == 0 {
		s.QueueBytes = 64 << 20
	}
	s.NoSync = true
	path := filepath.Join(h.t.TempDir(), "audit.log")
	t, err := audit.Open(audit.Options{Path: path, Settings: s})
	require.NoError(h.t, err)
	h.t.Cleanup(func() { _ = t.Close() })
	h.engine.SetAuditTrail(t)
	f, err := os.Open(path)
	require.NoError(h.t, err)
	h.t.Cleanup(func() { _ = f.Close() })
	r := audit.NewReader(f)
	return t, func() (list []audit.Entry) {
		h.t.Helper()
		require.NoError(h.t, t.Flush(h.t.Context()))
		for {
			e, err := r.Next()
			if err != nil {
				return list
			}
			if e.Raw = slices.Clone(e.Raw); !e.Own() {
				list = append(list, e)
			}
		}
	}
}

// short is what most tests want to know of lines.
func short(list []audit.Entry) (lines []string) {
	for _, e := range list {
		line := string(e.Event) + " " + e.Command
		if e.Via != "" {
			line += " by " + e.Via
		}
		if len(e.Keys) > 0 {
			line += fmt.Sprint(" ", e.Keys)
		}
		if e.Code != audit.OK {
			line += " " + e.Code
		}
		lines = append(lines, line)
	}
	return lines
}

func TestWhatIsAudited(t *testing.T) {
	h := newHarness(t)
	h.addCommand("test.panic", Writes, func(c *Call) error { panic("boom") })
	_, lines := h.trail(audit.Settings{})
	for _, tt := range []struct {
		name string
		cmds []string
		want []string
	}{
		{"writes, not reads", []string{"SET a 1", "GET a", "MSET b 1 c 2", "EXISTS a", "DEL a b", "FLUSHDB"},
			[]string{"write set [a]", "write mset [b c]", "write del [a b]", "write flushdb"}},
		{"a write that changes nothing", []string{"SET a 1 XX"}, []string{"write set [a]"}},
		{"refusals", []string{"SET a", "NOPE a b", "CONFIG NOPE x", "SET a 1 NOPE", "INCRBY a x", "CONFIG SET requirepass secret", "SUBSCRIBE"},
			[]string{"refused set ERR", "refused NOPE ERR", "refused config|NOPE ERR", "refused set [a] ERR", "refused incrby [a] ERR", "refused config|set NOPERM", "refused subscribe ERR"}},
		{"a read that failed", []string{"SET j x", "KV.GET j"}, []string{"write set [j]", "refused kv.get [j] WRONGTYPE"}},
		{"a fault of ours", []string{"TEST.PANIC"}, []string{"refused test.panic PLATFORM_ERROR"}},
		{"transactions", []string{"MULTI", "SET a 1", "GET a", "INCR a", "KV.GET a", "SELECT 1", "SET e 1", "EXEC"},
			[]string{"write set by exec [a]", "write incr by exec [a]", "write set by exec [e]"}},
		{"a command in one fails", []string{"SET s x", "MULTI", "INCR s", "SET t 1", "EXEC"},
			[]string{"write set [s]", "refused incr by exec [s] ERR", "write set by exec [t]"}},
		{"a transaction that is refused", []string{"MULTI", "SET a 1", "NOPE", "EXEC", "EXEC"}, []string{"refused NOPE ERR", "refused exec EXECABORT", "refused exec ERR"}},
		{"a transaction that is discarded", []string{"MULTI", "SET a 1", "DISCARD"}, nil},
		{"acts upon others", []string{"CLIENT KILL ID 999999", "CLIENT PAUSE 1 WRITE", "CLIENT UNPAUSE", "SCRIPT FLUSH", "CLIENT LIST"},
			[]string{"control client|kill", "control client|pause", "control client|unpause", "control script|flush"}},
	} {
		c := h.open()
		var batch [][]string
		for _, line := range tt.cmds {
			batch = append(batch, strings.Fields(line))
		}
		c.pipeline(batch...)
		require.Equal(t, tt.want, short(lines()), tt.name)
		c = h.open()
		c.run(tt.cmds...)
		require.Equal(t, tt.want, short(lines()), "%s, one by one", tt.name)
		c.run("CLIENT UNPAUSE")
		lines()
	}
}

func TestScriptsAreAudited(t *testing.T) {
	h := newHarness(t)
	h.scriptClock()
	_, lines := h.trail(audit.Settings{})
	for _, tt := range []struct {
		script string
		want   []string
	}{
		{"redis.call('SET','a','v') redis.call('GET','a') return redis.call('DEL','a','b')", []string{"write set by script [a]", "write del by script [a b]", "write eval"}},
		{"redis.pcall('NOPE') redis.pcall('INCR','a','b') redis.pcall('AUTH','secret') return 1",
			[]string{"refused NOPE by script ERR", "refused incr by script ERR", "refused auth by script ERR", "write eval"}},
		{"redis.call('SET','a','v') redis.call('INCR','a')", []string{"write set by script [a]", "refused incr by script [a] ERR", "refused eval ERR"}},
		{"redis.call('SET','a','v') return redis.error_reply('A_VALUE is here')", []string{"write set by script [a]", "refused eval ERR"}},
		{"redis.call('SET','a','v') return redis.error_reply('NOSCRIPT is here')", []string{"write set by script [a]", "refused eval NOSCRIPT"}},
		{"redis.call('SET','a','v') while true do end", []string{"refused eval BAD_INPUT"}},
		{"not lua", []string{"refused eval ERR"}},
	} {
		c := h.open()
		c.eval(tt.script)
		require.Equal(t, tt.want, short(lines()), tt.script)
	}
	c := h.open()
	c.do("EVAL_RO", "return redis.pcall('SET',KEYS[1],'v')", "1", "k")
	require.Equal(t, []string{"refused set by script [k] ERR", "refused eval_ro [k] ERR"}, short(lines()))
	c.do("EVAL_RO", "redis.pcall('NOPE') return 1", "0")
	require.Equal(t, []string{"refused NOPE by script ERR"}, short(lines()), "a script that only read is no write")
	c.pipeline([]string{"SET", "x", "1"}, []string{"MULTI"}, []string{"SET", "y", "1"}, []string{"EVAL", "return redis.call('SET','z','1')", "0"},
		[]string{"EVAL", "return redis.call('SET','w','1')", "0"}, []string{"EXEC"})
	require.Equal(t, []string{"write set [x]", "write set by exec [y]", "write set by script [z]", "write eval by exec", "write set by script [w]", "write eval by exec"}, short(lines()))

	h.limitScripts(func(o *ScriptOptions) { o.Clock, o.MemoryLimit = nil, 1<<20 })
	require.Contains(t, c.eval("for i=1,1e6 do redis.pcall('NOPE') end"), "held more than", "lines count as memory")
	require.Equal(t, []string{"refused eval BAD_INPUT"}, short(lines()))
}

// TestWhatALineHolds looks at all members of some lines.
func TestWhatALineHolds(t *testing.T) {
	h := newHarness(t)
	h.clock.Set(1_700_000_000_123)
	_, lines := h.trail(audit.Settings{})
	id := storage.ID{Tenant: "acme", App: "shop"}
	secret, tokenID := h.token(id, auth.Scope{Origins: []string{"https://app.example.com"}})
	c := h.connect()
	c.s.opts.Origin, c.s.opts.Door = "https://app.example.com", "http"
	c.run("AUTH "+secret, "SELECT 1")
	c.do("SET", "k", "the value")
	got := lines()
	who := fmt.Sprintf(`"tenant":"acme","app":"shop","as":"token","token":%q,"door":"http","remote":"127.0.0.1:50000","origin":"https://app.example.com","client":%d`, tokenID, c.s.id)
	require.Equal(t, `{"time":"2023-11-14T22:13:20.123000Z","event":"auth",`+who+`,"command":"auth","code":"OK","us":0}`, string(got[0].Raw))
	require.Equal(t, `{"time":"2023-11-14T22:13:20.123000Z","event":"write",`+who+`,"db":1,"command":"set","keys":["k"],"code":"OK","us":0}`, string(got[1].Raw))
	c.do("DEL", "\xff", "\\xff", "a\"b")
	require.Equal(t, `["\\xff","\\\\xff","a\"b"]`, string(lines()[0].Raw)[len(`{"time":"2023-11-14T22:13:20.123000Z","event":"refused",`+who+`,"db":1,"command":"del","keys":`):][:len(`["\\xff","\\\\xff","a\"b"]`)])

	admin := h.admin()
	admin.run("APP.USE acme/shop", "GET k", "TOKEN.CREATE acme/shop NAME x READONLY", "CLIENT KILL ID "+fmt.Sprint(c.s.id), "CONFIG RESETSTAT", "TENANT.DROP acme")
	var text []string
	for _, e := range lines() {
		_, event, _ := strings.Cut(string(e.Raw), `"event":`)
		text = append(text, `"event":`+event)
	}
	by := fmt.Sprintf(`"as":"admin","door":"resp","remote":"127.0.0.1:50000","client":%d`, admin.s.id)
	in := `"tenant":"acme","app":"shop",` + by
	require.Len(t, text, 7)
	require.Equal(t, `"event":"auth",`+by+`,"command":"auth","user":"admin","code":"OK","us":0}`, text[0])
	require.Equal(t, `"event":"admin",`+in+`,"command":"app.use","args":["acme/shop"],"code":"OK","us":0}`, text[1])
	require.Equal(t, `"event":"admin",`+in+`,"db":0,"command":"get","keys":["k"],"code":"OK","us":0}`, text[2], "what the admin reads of a tenant's")
	require.Regexp(t, `^"event":"admin",`+in+`,"command":"token.create","args":\["acme/shop","NAME","x","READONLY"\],"created":"[a-z0-9]{16}","code":"OK","us":0}$`, text[3])
	require.Contains(t, text[4], `"command":"client|kill","args":["ID","`+fmt.Sprint(c.s.id)+`"],"killed":1,`)
	require.Contains(t, text[5], `"command":"config|resetstat","code":"OK"`)
	require.Equal(t, `"event":"admin",`+by+`,"command":"tenant.drop","args":["acme"],"namespaces":1,"tokens":2,"erased_keys":1,"erased_bytes":10,"code":"OK","us":0}`, text[6])
}

func TestSignInsAreAudited(t *testing.T) {
	h := newHarness(t)
	id := storage.ID{Tenant: "acme", App: "shop"}
	secret, tokenID := h.token(id, auth.Scope{})
	sign := h.acceptJWTs(id)
	signed := sign(jwt.MapClaims{"jti": "login-7"})
	_, lines := h.trail(audit.Settings{})
	const password = "hunter2/or-so"
	for _, tt := range []struct {
		line string
		want string // user, token, jti, with, code
	}{
		{"AUTH " + secret, ",TOKEN,,,OK"},
		{"AUTH acme/shop " + secret, "acme/shop,TOKEN,,,OK"},
		{"AUTH default " + secret, "default,TOKEN,,,OK"},
		{"HELLO 3 AUTH default " + secret + " SETNAME x", "default,TOKEN,,,OK"},
		{"AUTH admin " + testAdminPassword[:5], "admin,,,,WRONGPASS"},
		{"AUTH " + password, ",,,,WRONGPASS"},
		{"AUTH " + password + " " + password, "(unknown),,,,WRONGPASS"},
		{"AUTH " + secret + " x", "(unknown),,,,WRONGPASS"},
		{"AUTH acme/none " + secret, "(unknown),,,TOKEN,WRONGPASS"},
		{"AUTH acme/shop " + secret + "x", "acme/shop,,,TOKEN,WRONGPASS"},
		{"HELLO 3 AUTH acme/shop " + password, "acme/shop,,,,WRONGPASS"},
		{"AUTH " + signed, ",,login-7,,OK"},
		{"AUTH acme/shop " + signed + "x", "acme/shop,,,,WRONGPASS"},
	} {
		c := h.connect()
		c.run(tt.line)
		got := lines()
		require.Len(t, got, 1, tt.line)
		e := got[0]
		require.Equal(t, audit.SignIn, e.Event)
		with := ""
		if i := strings.Index(string(e.Raw), `"with":"`); i >= 0 {
			with = string(e.Raw)[i+8:][:16]
		}
		require.Equal(t, strings.ReplaceAll(tt.want, "TOKEN", tokenID), strings.Join([]string{e.User, e.Token, e.JWT, with, e.Code}, ","), tt.line)
		require.NotContains(t, string(e.Raw), password)
		require.NotContains(t, string(e.Raw), secret[24:])
		require.NotContains(t, string(e.Raw), signed[10:30])
	}
	c := h.connect()
	c.run("HELLO 2", "GET k", "QUIT")
	require.Equal(t, []string{"refused hello NOAUTH", "refused get [k] NOAUTH"}, short(lines()), "that was no try to sign in")
	c = h.open()
	c.run("HELLO 3", "PING")
	require.Empty(t, lines())

	h.withCertificate("acme/shop", time.Hour)
	h.withCertificate("acme/none", time.Hour)
	got := lines()
	require.Equal(t, []string{"auth ", "auth  NOAUTH"}, short(got))
	require.Equal(t, "acme", got[0].Tenant)
	require.Equal(t, "certificate", got[0].As)
	require.Equal(t, "acme/none", got[1].User)
}

// TestTheTrailHoldsNoSecrets sends secrets and values to every place where
// somebody might put them.
func TestTheTrailHoldsNoSecrets(t *testing.T) {
	h := newHarness(t)
	h.addCommand("test.panic", Writes, func(c *Call) error { panic(errors.New("with " + c.arg(1))) })
	id := storage.ID{Tenant: "acme", App: "shop"}
	secret, tokenID := h.token(id, auth.Scope{})
	signed := h.acceptJWTs(id)(nil)
	_, lines := h.trail(audit.Settings{})
	const value = "V4LU3"
	admin, c := h.admin(), h.connect()
	for _, s := range []string{secret, signed, testAdminPassword, value} {
		for _, cl := range []*client{c, admin} {
			for _, words := range [][]string{
				{"AUTH", s}, {"AUTH", s, s}, {"AUTH", "admin", s + "x"}, {"AUTH", s, s, s}, {"HELLO", "3", "AUTH", s, s}, {"HELLO", "3", "AUTH", s}, {"HELLO", s},
				{"HELLO", "2", "AUTH", "default", s, "SETNAME", "a b"}, {"AUTH", secret},
				{"SET", "k", s}, {"SET", "k", s, "EX", s}, {"SET", "k", s, s}, {"APPEND", "k", s}, {"GETSET", "k", s}, {"KV.SET", "k", `"` + s + `"`}, {"SETRANGE", "k", s, s},
				{"EVAL", "return redis.call('SET','k',ARGV[1])", "0", s}, {"EVAL", "return redis.error_reply(ARGV[1])", "0", s},
				{"EVAL", s, "0"}, {"EVAL", "return redis.pcall('AUTH',ARGV[1])", "0", s}, {"EVALSHA", s, "0"},
				{"MULTI"}, {"SET", "k", s}, {"INCRBYFLOAT", "k", s}, {"EXEC"}, {"PUBLISH", "c", s}, {"ECHO", s}, {"PING", s}, {"TEST.PANIC", s},
				{"ACL", "SETUSER", s, ">" + s}, {"CLIENT", "SETNAME", s}, {"CLIENT", "KILL", "USER", s}, {"CONFIG", "SET", "requirepass", s},
				{"RESTORE", "k", "0", s}, {"SORT", s},
			} {
				cl.do(words...)
			}
		}
	}
	for _, s := range []string{secret, "Bearer " + secret, signed, testAdminPassword} {
		for _, words := range [][]string{{s}, {"CONFIG", s}, {"TOKEN.REVOKE", s}, {"APP.LIST", "MATCH", s}, {"TOKEN.CREATE", "acme/shop", "NAME", s}, {"APP.USE", s}, {"APP.CREATE", s}} {
			c.do(words...)
			a := h.admin()
			a.do(words...)
			a.do("RESET")
		}
	}
	admin = h.admin()
	made := admin.do("TOKEN.CREATE", "acme/shop")
	var text strings.Builder
	for _, e := range lines() {
		text.Write(append(e.Raw, '\n'))
	}
	require.Greater(t, strings.Count(text.String(), "\n"), 200)
	require.Contains(t, text.String(), tokenID)
	for name, where := range map[string]string{"trail": text.String(), "log": h.log.String()} {
		for _, s := range []string{secret, secret[len(secret)-20:], signed, signed[len(signed)-20:], testAdminPassword, value, strings.Fields(made)[8][21:]} {
			require.NotContains(t, where, s, name)
		}
	}
}

func TestLinesOfWritesThatFailed(t *testing.T) {
	h, store := newFaulty(t)
	_, lines := h.trail(audit.Settings{})
	c := h.open()
	store.err = fmt.Errorf("%w: sda1 is full", storage.ErrWriteFailed)
	c.pipeline([]string{"GET", "a"}, []string{"SET", "a", "x"}, []string{"INCR", "b"}, []string{"EVAL", "return redis.call('SET','z','1')", "0"})
	require.Equal(t, []string{"refused set [a] MISCONF", "refused incr [b] MISCONF", "refused eval MISCONF"}, short(lines()))
	c.pipeline([]string{"MULTI"}, []string{"SET", "a", "1"}, []string{"EVAL", "return redis.call('SET','z','1')", "0"}, []string{"EXEC"})
	require.Equal(t, []string{"refused exec MISCONF"}, short(lines()), "its commands did not happen")
	store.err = nil

	// The engine ran them, and then the disk did not take them.
	c.pipeline([]string{"SET", "a", "1"}, []string{"GET", "a"}, []string{"SET", "b", "1"})
	h.engine.Fail(c.s, 3, storage.ErrWriteFailed, new(resp.Writer))
	got := lines()
	require.Equal(t, []string{"write set [a]", "write set [b]", "failed  MISCONF"}, short(got))
	require.EqualValues(t, 2, got[2].Lines)
	require.Equal(t, c.s.id, got[2].Client)
	c.do("GET", "a")
	h.engine.Fail(c.s, 1, storage.ErrWriteFailed, new(resp.Writer))
	require.Empty(t, lines(), "there was no line to take back")
}

// TestRunsThatAreRepeated: a store may run a transaction more than once.
func TestRunsThatAreRepeated(t *testing.T) {
	clock := storetest.NewClock()
	h := newHarnessOn(t, rerun{storetest.NewMemory(clock)}, clock)
	_, lines := h.trail(audit.Settings{})
	c := h.open()
	c.pipeline([]string{"SET", "a", "1"}, []string{"NOPE"}, []string{"EVAL", "return redis.call('SET','z','1')", "0"}, []string{"MULTI"}, []string{"SET", "b", "1"}, []string{"EXEC"})
	require.Equal(t, []string{"write set [a]", "refused NOPE ERR", "write set by script [z]", "write eval", "write set by exec [b]"}, short(lines()))
}

func TestATrailThatIsSwitched(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	c.run("SET a 1")
	first, lines := h.trail(audit.Settings{})
	c.run("SET b 1")
	require.Equal(t, []string{"write set [b]"}, short(lines()))
	_, others := h.trail(audit.Settings{})
	c.run("SET c 1")
	require.Equal(t, []string{"write set [c]"}, short(others()))
	require.Empty(t, lines())
	h.engine.SetAuditTrail(nil)
	require.NoError(t, first.Close())
	c.run("SET d 1")
	require.Empty(t, others())

	// A batch that began with a trail which is closed meanwhile goes to the next.
	h.addCommand("test.switch", Admin|Stateful, func(c *Call) error {
		c.Out.Status("OK")
		return first.Close()
	})
	first, _ = h.trail(audit.Settings{})
	h.engine.SetAuditTrail(first)
	admin := h.admin()
	_, others = h.trail(audit.Settings{})
	last := h.engine.trail.Load()
	h.engine.SetAuditTrail(first)
	h.addCommand("test.swap", Admin|Stateful, func(c *Call) error {
		c.Out.Status("OK")
		h.engine.SetAuditTrail(last)
		return first.Close()
	})
	admin.run("TEST.SWAP")
	require.Equal(t, []string{"admin test.swap"}, short(others()))
}

// TestBrokenTrail: with audit-on-full block, nothing is written to a namespace
// that the trail could not tell of.
func TestBrokenTrail(t *testing.T) {
	h := newHarness(t)
	dir := filepath.Join(t.TempDir(), "sub")
	tr, err := audit.Open(audit.Options{Path: filepath.Join(dir, "audit.log"), Settings: audit.Settings{QueueBytes: 1 << 20, Block: true}})
	require.NoError(t, err)
	h.engine.SetAuditTrail(tr)
	c, busy := h.open(), h.open()
	c.run("SET a 1")
	busy.run("MULTI", "SET a 2")
	require.NoError(t, tr.Flush(t.Context()))
	require.NoError(t, os.Rename(dir, dir+".away")) // an open file does not mind, another one cannot be opened
	require.NoError(t, os.WriteFile(dir, nil, 0o600))
	tr.Reopen()
	require.Error(t, tr.Flush(t.Context()))
	require.Equal(t, audit.Broken, tr.Pressure())

	misconf := "-" + errTrailBroken.Error()
	require.Equal(t, misconf, c.run("SET a 2"))
	require.Equal(t, misconf, strings.TrimSpace(c.eval("return redis.call('SET','a','2')")))
	require.Equal(t, "$1\r\n1", c.run("GET a"), "reads go on")
	require.Equal(t, ":0", c.run("PUBLISH c m"))
	require.Equal(t, "-EXECABORT Transaction discarded because of: "+errTrailBroken.Error(), busy.run("EXEC"))
	require.Equal(t, "$1\r\n1", c.run("GET a"))
	require.Equal(t, misconf, c.run("MULTI", "SET a 2"))
	require.Equal(t, "-EXECABORT Transaction discarded because of previous errors.", c.run("EXEC"))
	admin := h.admin()
	require.Equal(t, "+OK", admin.run("APP.CREATE acme/shop"), "the admin has to be able to repair it")
	require.Contains(t, admin.run("INFO audit"), "audit_last_write_status:err")

	require.NoError(t, os.Remove(dir))
	require.NoError(t, os.Rename(dir+".away", dir))
	require.NoError(t, tr.Flush(t.Context()))
	require.Equal(t, "+OK", c.run("SET a 3"))
	require.Contains(t, admin.run("INFO audit"), "audit_last_write_status:ok\r\n")
	require.NoError(t, tr.Close())
	f, err := os.ReadFile(filepath.Join(dir, "audit.log"))
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(string(f), `"MISCONF"`)) // EXECABORT is EXEC's
	require.Contains(t, string(f), `"command":"app.create"`)
	require.NotContains(t, admin.run("INFO"), "audit_", "only when asked for")
	require.NotContains(t, c.run("INFO audit"), "audit_", "no app's business")
}
