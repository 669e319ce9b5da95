package commands

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/lua"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

// eval runs a script with numkeys and arguments.
func (c *client) eval(script string, keysAndArgs ...string) string {
	c.t.Helper()
	if len(keysAndArgs) == 0 {
		keysAndArgs = []string{"0"}
	}
	return c.do(append([]string{"EVAL", script}, keysAndArgs...)...)
}

// scriptClock lets a script's time pass: each look at it takes a millisecond.
func (h *harness) scriptClock() {
	now := time.UnixMilli(0)
	h.limitScripts(func(o *ScriptOptions) {
		o.Clock = func() time.Time {
			now = now.Add(time.Millisecond)
			return now
		}
	})
}

func (h *harness) limitScripts(change func(*ScriptOptions)) {
	o := *h.engine.scriptOptions.Load()
	change(&o)
	h.engine.scriptOptions.Store(&o)
}

func TestAScriptThatIsEndedLeavesNothing(t *testing.T) {
	h := newHarness(t)
	h.scriptClock()
	h.limitScripts(func(o *ScriptOptions) { o.MemoryLimit = 4 << 20 })
	c := h.open()
	c.do("SET", "a", "old")
	reply := c.eval("redis.call('SET','a','new') redis.call('SET','b','x') while true do end")
	require.Equal(t, "-BAD_INPUT the script ran for more than 5000 ms and was ended; nothing of it was kept (hint: do less at a time)\r\n", reply)
	require.Equal(t, "*2\r\n$3\r\nold\r\n$-1\r\n", c.do("MGET", "a", "b"))

	reply = c.eval("redis.call('SET','b','x') local s='x' while true do s=s..s end")
	require.Contains(t, reply, "-BAD_INPUT the script held more than 4194304 bytes")
	require.Equal(t, ":0\r\n", c.do("EXISTS", "b"))

	reply = c.eval("for i=1,1e6 do redis.call('SET','k'..i,string.rep('v',1000)) end")
	require.Contains(t, reply, "-BAD_INPUT the script held more than")
	require.Equal(t, ":1\r\n", c.do("DBSIZE"))

	replies := c.pipeline([]string{"MULTI"}, []string{"SET", "m", "1"}, []string{"EVAL", "redis.call('SET','b','x') while true do end", "0"}, []string{"SET", "n", "1"}, []string{"EXEC"})
	require.Contains(t, replies[4], "BAD_INPUT")
	require.Equal(t, ":2\r\n", c.do("EXISTS", "m", "n", "b"), "the transaction's other commands stand for themselves")
}

func TestAScriptThatFailsKeepsWhatItWrote(t *testing.T) {
	c := newHarness(t).open()
	require.Contains(t, c.eval("redis.call('SET','a','1') error('x')"), "-ERR user_script:1: x script: ")
	require.Equal(t, "$1\r\n1\r\n", c.do("GET", "a"))
}

func TestLimitsHoldInsideScripts(t *testing.T) {
	h := newHarness(t)
	limits := auth.DefaultLimits()
	limits.MaxKeys[0] = 3
	c := h.session(storage.ID{Tenant: "t", App: "small"}, limits)
	require.Contains(t, c.eval("for i=1,10 do redis.call('SET','k'..i,'v') end"), "-CAP_REACHED database 0 of the namespace holds 3 of 3 keys; 1 more are refused (hint: delete unused keys or set a TTL) script: ")
	require.Equal(t, ":3\r\n", c.do("DBSIZE"))
	require.Equal(t, "$11\r\nCAP_REACHED\r\n", c.eval("return redis.pcall('SET','k9','v').err:match('^%S+')"))
	require.Equal(t, "+OK\r\n", c.eval("redis.call('DEL','k1') return redis.call('SET','k9','v')"))
	require.Contains(t, c.eval("return redis.call('SET',KEYS[1],'v')", "1", "bad key"), "-BAD_INPUT the key has byte 0x20 at position 3")
	require.Contains(t, c.eval("return redis.call('SET','bad key','v')"), "-BAD_INPUT the key has byte 0x20 at position 3")
	require.Contains(t, c.eval("return redis.call('SET','k9',string.rep('v',65537))"), "-SIZE_EXCEEDED ")
	require.Contains(t, c.eval("return redis.call('SET','k9','v','EX',1)"), "-BAD_INPUT the TTL of 1 s is out of bounds")
	require.Contains(t, c.eval("redis.call('FLUSHDB') for i=1,3 do redis.call('SET','k'..i,'v') end redis.call('RENAME','k1','x') return redis.call('APPEND','y','z')"), "-CAP_REACHED")
}

func TestScopesHoldInsideScripts(t *testing.T) {
	h := newHarness(t)
	h.open().pipeline([]string{"SET", "in:a", "1"}, []string{"SET", "out", "2"})
	c := h.connect()
	app := auth.NewApp(storage.ID{Tenant: "t", App: "a"}, wideOpen())
	c.s.become(&auth.Principal{App: app, Token: &auth.Token{Scope: auth.Scope{Prefix: "in:"}}})
	require.Equal(t, "$1\r\n1\r\n", c.eval("return redis.call('GET','in:a')"))
	require.Contains(t, c.eval("return redis.call('GET','out')"), "-NOPERM ")
	require.Equal(t, "*1\r\n"+bulks("in:a"), c.eval("return redis.call('KEYS','*')"))
	require.Contains(t, c.eval("return redis.call('KV.PURGE')"), "-NOPERM ")
	require.Contains(t, c.eval("return 1", "1", "out"), "-NOPERM ")
	require.Equal(t, "*2\r\n:1\r\n$-1\r\n", c.eval("return {redis.acl_check_cmd('GET','in:b'), redis.acl_check_cmd('GET','out')}"))
	require.Contains(t, c.do("SCRIPT", "KILL"), "-NOPERM ")

	c.s.become(&auth.Principal{App: app, Token: &auth.Token{Scope: auth.Scope{ReadOnly: true}}})
	require.Equal(t, "$1\r\n2\r\n", c.eval("return redis.call('GET','out')"))
	require.Contains(t, c.eval("return redis.call('SET','out','x')"), "-NOPERM ")

	admin := h.admin()
	require.Contains(t, admin.eval("return 1"), "-ERR the admin has no keys of its own")
	require.Contains(t, admin.do("SCRIPT", "LOAD", "return 1"), "-ERR the admin has no keys of its own")
	h.open()
	require.Contains(t, h.open().eval("return redis.call('app.list')"), "not allowed from script")
	require.Contains(t, h.connect().eval("return 1"), "-NOAUTH")
}

func TestAScriptIsOneCommandOfTheRate(t *testing.T) {
	h := newHarness(t)
	limits := wideOpen()
	limits.CommandsPerSecond = 2
	c := h.session(storage.ID{Tenant: "t", App: "rate"}, limits)
	require.Equal(t, ":100\r\n", c.eval("for i=1,100 do redis.call('INCR','n') end return tonumber(redis.call('GET','n'))"))
	require.Equal(t, ":1\r\n", c.eval("return 1"))
	require.Contains(t, c.eval("return 1"), "-RATE_LIMITED")
}

func TestScriptsOfOtherNamespacesDoNotExist(t *testing.T) {
	h := newHarness(t)
	a, b := h.open(), h.session(storage.ID{Tenant: "t", App: "b"}, wideOpen())
	sha := strings.Split(a.do("SCRIPT", "LOAD", "return 'a'"), "\r\n")[1]
	require.Equal(t, "$1\r\na\r\n", a.do("EVALSHA", sha, "0"))
	require.Equal(t, "-NOSCRIPT No matching script. Please use EVAL.\r\n", b.do("EVALSHA", sha, "0"))
	require.Equal(t, "*1\r\n:0\r\n", b.do("SCRIPT", "EXISTS", sha))
	require.Equal(t, "+OK\r\n", b.do("SCRIPT", "FLUSH"))
	require.Equal(t, "*1\r\n:1\r\n", a.do("SCRIPT", "EXISTS", sha))
	// It outlives the connection that brought it.
	h.engine.EndSession(a.s)
	require.Equal(t, "*1\r\n:1\r\n", h.open().do("SCRIPT", "EXISTS", sha))
}

func TestTheScriptCacheIsBounded(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	load := func(text string) string { return strings.Split(c.do("SCRIPT", "LOAD", text), "\r\n")[1] }
	kept, oldest := load("return 'kept'"), ""
	for i := range maxScripts + 10 {
		if c.eval(fmt.Sprintf("return %d", i)); i == 0 {
			oldest = load("return 'loaded'")
			require.Equal(t, "$4\r\nkept\r\n", c.do("EVALSHA", kept, "0"))
		}
	}
	space := c.s.scriptSpace()
	require.Len(t, space.scripts, maxScripts)
	require.Equal(t, "*2\r\n:1\r\n:1\r\n", c.do("SCRIPT", "EXISTS", kept, oldest), "what was loaded stays longest")
	require.Nil(t, space.find("", shaOf("return 0")))
	require.NotNil(t, space.find("", shaOf("return "+strconv.Itoa(maxScripts+9))))
	sum := 0
	for _, s := range space.scripts {
		sum += s.cost
	}
	require.Equal(t, sum, space.cost)
	require.Equal(t, sum, h.engine.scripts.cost)
	c.do("SCRIPT", "FLUSH")
	require.Zero(t, h.engine.scripts.cost)

	big := "return '" + strings.Repeat("x", 60_000) + "'"
	for i := range 20 {
		load(big + " .. " + strconv.Itoa(i))
	}
	require.LessOrEqual(t, space.cost, maxScriptCost)
	require.Contains(t, c.eval(strings.Repeat(" ", 70_000)), "at most 65536 are allowed")
	h.engine.EndSession(c.s)
	c.s.leaveScriptSpace()
	require.Len(t, h.engine.scripts.byID, 1, "its scripts are still there")
	other := h.session(storage.ID{Tenant: "t", App: "none"}, wideOpen())
	other.do("GET", "a")
	h.engine.EndSession(other.s)
	require.Len(t, h.engine.scripts.byID, 1, "nothing is kept of who has no scripts")
}

func shaOf(text string) string {
	return lua.SHA1(text)
}

// paused runs a script on c that stops at its first look at the clock, and
// returns what lets it go on.
func paused(t *testing.T, h *harness, c *client, script string, at time.Duration) (goOn func() string) {
	t.Helper()
	stopped, resume, result := make(chan struct{}), make(chan struct{}), make(chan string, 1)
	start, looks := time.UnixMilli(0), 0
	h.limitScripts(func(o *ScriptOptions) {
		o.Clock = func() time.Time {
			switch looks++; looks {
			case 1:
				return start
			case 3: // the look before has seen that it takes long
				close(stopped)
				<-resume
			}
			return start.Add(at)
		}
	})
	argv := [][]byte{[]byte("EVAL"), []byte(script), []byte("0")}
	go func() {
		out := resp.NewWriter(resp.V2)
		c.e.Do(context.Background(), c.s, []Request{{Argv: argv}}, out)
		result <- string(out.Bytes())
	}()
	<-stopped
	return func() string {
		close(resume)
		return <-result
	}
}

func TestBusyAndKill(t *testing.T) {
	h := newHarness(t)
	h.limitScripts(func(o *ScriptOptions) { o.TimeLimit = time.Minute })
	runner, same, other := h.open(), h.open(), h.session(storage.ID{Tenant: "t", App: "other"}, wideOpen())
	goOn := paused(t, h, runner, "local n = 0 while true do n = n + 1 end", 10*time.Second)
	busy := "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n"
	require.Equal(t, busy, same.do("GET", "a"))
	require.Equal(t, busy, same.do("EVAL", "return 1", "0"))
	require.Equal(t, busy, same.do("INFO"))
	require.Equal(t, []string{"+OK\r\n", "+QUEUED\r\n", "-EXECABORT Transaction discarded because of: " + strings.TrimPrefix(busy, "-")},
		same.pipeline([]string{"MULTI"}, []string{"GET", "a"}, []string{"EXEC"}))
	require.Equal(t, "+PONG\r\n", same.do("PING"))
	require.Equal(t, "$-1\r\n", other.do("GET", "a"), "others do not notice")
	require.Equal(t, "-NOTBUSY No scripts in execution right now.\r\n", other.do("SCRIPT", "KILL"))
	require.Equal(t, "+OK\r\n", same.do("SCRIPT", "KILL"))
	require.Equal(t, "-ERR Script killed by user with SCRIPT KILL...\r\n", goOn())
	require.Equal(t, "$-1\r\n", same.do("GET", "a"))
	require.Equal(t, "-NOTBUSY No scripts in execution right now.\r\n", same.do("SCRIPT", "KILL"))

	goOn = paused(t, h, runner, "redis.call('SET','a','1') local n = 0 while n < 100000 do n = n + 1 end return n", 10*time.Second)
	require.Contains(t, same.do("SCRIPT", "KILL"), "-UNKILLABLE Sorry the script already executed write commands")
	require.Equal(t, busy, same.do("GET", "a"))
	require.Equal(t, ":100000\r\n", goOn())
	require.Equal(t, "$1\r\n1\r\n", same.do("GET", "a"))
}

func TestTimeStandsStillInAScript(t *testing.T) {
	h := newHarness(t)
	reads := 0
	h.engine.clock = func() time.Time {
		reads++
		return time.UnixMilli(h.clock.Now() + int64(reads))
	}
	require.Equal(t, ":1\r\n", h.open().eval("local a, b = redis.call('TIME'), redis.call('TIME') return a[1] == b[1] and a[2] == b[2]"))
}

func TestAScriptThatHidesASecondDatabase(t *testing.T) {
	c := newHarness(t).open()
	require.Contains(t, c.eval("return redis.call('SEL'..'ECT', 1)"), "-ERR the command uses both databases, and the script was given one (hint: ")
	require.Equal(t, "+OK\r\n", c.eval("return redis.call('select', 1)"))
	require.Contains(t, c.do("CLIENT", "INFO"), " db=0 ")
}

func TestScriptsOnAStoreThatRunsTwice(t *testing.T) {
	clock := storetest.NewClock()
	c := newHarnessOn(t, rerun{storetest.NewMemory(clock)}, clock).open()
	require.Equal(t, ":1\r\n", c.eval("return redis.call('INCR','n')"))
	require.Equal(t, ":2\r\n", c.do("EVAL", "return redis.call('INCR',KEYS[1])", "1", "n"))
	require.Contains(t, c.eval("redis.call('INCR','n') error('x')"), "-ERR user_script:1: x")
	require.Equal(t, "$1\r\n3\r\n", c.do("GET", "n"))
}

func TestScriptsOnADiskThatRefusesWrites(t *testing.T) {
	h, store := newFaulty(t)
	c := h.open()
	c.do("SET", "a", "1")
	store.err = fmt.Errorf("%w: full", storage.ErrWriteFailed)
	require.Contains(t, c.eval("return redis.call('SET','a','2')"), "-MISCONF ")
	require.Equal(t, "$1\r\n1\r\n", c.do("EVAL_RO", "return redis.call('GET','a')", "0"))
	store.err = nil
	require.Equal(t, "$1\r\n1\r\n", c.eval("return redis.call('GET','a')"))
}

// TestLibrariesThatBringScripts runs what locks and rate limiters send, in
// their manner.
func TestLibrariesThatBringScripts(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	unlock := `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) else return 0 end`
	extend := `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("pexpire", KEYS[1], ARGV[2]) else return 0 end`
	c.do("SET", "lock", "me", "NX", "PX", "30000")
	require.Equal(t, ":0\r\n", c.do("EVAL", unlock, "1", "lock", "you"))
	require.Equal(t, ":1\r\n", c.do("EVAL", extend, "1", "lock", "me", "60000"))
	require.Equal(t, ":60000\r\n", c.do("PTTL", "lock"))
	require.Equal(t, ":1\r\n", c.do("EVAL", unlock, "1", "lock", "me"))

	window := `
		local hits = redis.call("INCR", KEYS[1])
		local left = redis.call("PTTL", KEYS[1])
		if left <= 0 or ARGV[1] == "1" then
			redis.call("PEXPIRE", KEYS[1], tonumber(ARGV[2]))
			left = tonumber(ARGV[2])
		end
		return { hits, left }`
	require.Equal(t, "*2\r\n:1\r\n:90000\r\n", c.do("EVAL", window, "1", "rl", "0", "90000"))
	h.clock.Advance(30 * time.Second)
	require.Equal(t, "*2\r\n:2\r\n:60000\r\n", c.do("EVAL", window, "1", "rl", "0", "90000"))

	points := `redis.call('set', KEYS[1], 0, 'EX', ARGV[2], 'NX')
		local used = redis.call('incrby', KEYS[1], ARGV[1])
		return {used, redis.call('pttl', KEYS[1])}`
	require.Equal(t, "*2\r\n:3\r\n:60000\r\n", c.do("EVAL", points, "1", "p", "3", "60"))
	bucket := `
		local state = cjson.decode(redis.call('GET', KEYS[1]) or '{"tokens":10,"at":0}')
		local now = redis.call('TIME')
		local at = now[1] * 1000 + math.floor(now[2] / 1000)
		state.tokens = math.min(10, state.tokens + (at - state.at) / 1000)
		if state.tokens < 1 then return 0 end
		state.tokens, state.at = state.tokens - 1, at
		redis.call('SET', KEYS[1], cjson.encode(state), 'PX', 100000)
		return 1`
	granted := 0
	for range 12 {
		if c.do("EVAL", bucket, "1", "b") == ":1\r\n" {
			granted++
		}
	}
	require.Equal(t, 10, granted)
}

// The room for all scripts is shared: who fills it loses scripts, and nobody who
// holds less.
func TestScriptsMakeRoomFairly(t *testing.T) {
	e := newHarness(t).engine
	ss := &e.scripts
	n := 0
	add := func(p *scriptSpace, cost int) *script {
		n++
		s := &script{sha: fmt.Sprintf("%040d", n), cost: cost}
		ss.add(p, s)
		return s
	}
	kept := func(p *scriptSpace, s *script) bool { return p.find("", s.sha) != nil }
	space := func(name string) *scriptSpace { return ss.attach(storage.ID{Tenant: "t", App: name}) }
	const mb = 1 << 20

	small := space("small")
	first := add(small, mb)
	ss.detach(small) // nobody is connected: that counts for nothing
	var large []*scriptSpace
	for i := range 17 { // 16 of them take it all
		p := space("large" + strconv.Itoa(i))
		large = append(large, p)
		for range 16 {
			add(p, mb)
		}
	}
	require.True(t, kept(small, first))
	require.LessOrEqual(t, ss.cost, maxScriptsAll)
	for _, p := range large { // all alike, or one apart
		require.GreaterOrEqual(t, p.cost, 14*mb)
	}

	// Whoever holds the most makes room for himself.
	hog := large[0]
	for hog.cost < 16*mb && ss.cost < maxScriptsAll {
		add(hog, mb/2)
	}
	others := ss.cost - hog.cost
	for range 100 {
		require.True(t, kept(hog, add(hog, 3*mb)))
	}
	require.GreaterOrEqual(t, ss.cost-hog.cost, others-3*mb)
	require.True(t, kept(small, first))

	// A newcomer gets his share from those who have the most.
	fresh := space("fresh")
	require.True(t, kept(fresh, add(fresh, 8*mb)))
	require.True(t, kept(small, first))

	// When all have less than what somebody asks for, it is not kept.
	crowd := newHarness(t).engine
	ss = &crowd.scripts
	var all []*script
	for i := range 512 {
		all = append(all, add(space(strconv.Itoa(i)), mb/2))
	}
	late := space("late")
	require.False(t, kept(late, add(late, mb)))
	for i, s := range all {
		require.True(t, kept(space(strconv.Itoa(i)), s))
	}
	require.True(t, kept(late, add(late, mb/2-1)))
}
