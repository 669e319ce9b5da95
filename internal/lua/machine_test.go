package lua

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
)

// host answers every command with its first argument, or with raw.
type host struct {
	raw    string
	logged []string
}

func (h *host) Call(argv [][]byte, proto int) []byte {
	if h.raw != "" {
		return []byte(h.raw)
	}
	w := resp.NewWriter(proto)
	w.Bulk(argv[0])
	return w.Bytes()
}
func (h *host) Allowed([][]byte) (allowed, known bool) { return true, true }
func (h *host) Log(_ int, text string)                 { h.logged = append(h.logged, text) }

// ticking is a clock on which each look takes a millisecond.
func ticking() func() time.Time {
	now := time.UnixMilli(0)
	return func() time.Time {
		now = now.Add(time.Millisecond)
		return now
	}
}

// bounded are limits that a test reaches soon.
func bounded() Limits {
	return Limits{Time: 5000 * time.Millisecond, Memory: 4 << 20, Clock: ticking()}
}

// runOn runs a text on a machine and returns the raw reply.
func runOn(t testing.TB, m *Machine, text string, limits Limits, args ...string) (string, error) {
	t.Helper()
	s, err := Compile(text)
	if err != nil {
		return "", err
	}
	r := Run{Script: s, Name: "sha", Host: &host{}, Limits: limits, Out: resp.NewWriter(resp.V2)}
	for _, a := range args {
		r.Args = append(r.Args, []byte(a))
	}
	err = m.Run(context.Background(), r)
	return string(r.Out.Bytes()), err
}

func TestTimeIsBounded(t *testing.T) {
	for _, text := range []string{
		"while true do end",
		"while true do pcall(function() while true do end end) end",
		"while true do xpcall(function() while true do end end, function() while true do end end) end",
		"return string.find(string.rep('a', 5000), string.rep('.-', 30)..'b')",
		"return string.rep('a', 5000):gsub(string.rep('.-', 30)..'b', '')",
		"for w in string.rep('a', 5000):gmatch(string.rep('a*', 30)..'b') do end",
		"return string.find(string.rep('a', 50000), string.rep('a?', 500)..string.rep('a', 500)..'b')",
		"local t={} for i=1,5000 do t[i]=i%7 end while true do table.sort(t, function(a,b) return a<b end) end",
		"local s = string.rep('a',100000) while true do s:gsub('a','b') end",
		"local t={} for i=1,60000 do t[i]=1 end while true do table.concat(t) end",
		"local t={} for i=1,60000 do t[i]=1 end while true do table.insert(t,1,1) table.remove(t,1) end",
		"while true do loadstring('return 1') end",
		"while true do redis.call('PING') end",
		"local t={} while true do local k={} t[k]=1 t[k]=nil next(t) end",
		"while true do cjson.decode(cjson.encode({1,2,3})) end",
		"local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end",
		"coroutine.wrap(function() while true do end end)()",
	} {
		_, err := runOn(t, New(), text, bounded())
		require.ErrorIs(t, err, ErrTime, text)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	for _, text := range []string{
		"local s='x' while true do s=s..s end",
		"local s='x' while true do s=s..1 ..s end",
		"local t={} for i=1,1e9 do t[i]={} end",
		"local t={} for i=1,1e9 do t[i]=string.rep('x',1000)..i end",
		"local t={} for i=1,1e9 do local u={} u[65535]=1 t[i]=u end",
		"local t={} for i=1,1e9 do t['k'..i]=1 t['k'..i]=nil end",
		"local t={} for i=1,1e9 do t[{}]=1 end",
		"local t={} for i=1,1e9 do t={t} end",
		"return string.rep('x',1e9)",
		"return cjson.decode('['..string.rep('[],',1e6)..'[]]')",
		"return cmsgpack.unpack('\\221\\0\\15\\66\\64'..string.rep('\\144',1e6))",
		"local t={} for i=1,1e9 do t[i]=function() return t end end",
		"local t={} for i=1,1e9 do t[i]=string.gmatch(string.rep('x',1e5),'.') end",
		"local t={} for i=1,1e9 do t[i]=coroutine.create(function() end) end",
		"local t={'a'} for i=1,40 do t={t,t} end return cjson.encode(t)",
		"local t={'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'} for i=1,15 do t={t,t,t,t} end return cmsgpack.pack(t,t,t,t,t,t,t,t)",
		"local t={} for i=1,8000 do t[i]=string.rep('x',10000) end return table.concat(t)..table.concat(t)",
		"return string.gsub(string.rep('x',1e4),'x',string.rep('y',1e5))",
		"return string.gsub(string.rep('x',1e4),'x',function() return string.rep('y',1e5) end)",
		"local p,a=string.rep('%99d',7000),{} for i=1,7000 do a[i]=i end local t={} for i=1,1e9 do t[i]=string.format(p,unpack(a)) end",
		"return string.upper(string.rep('x',3e6))..string.reverse(string.rep('x',3e6))",
		"local t={} for i=1,1e9 do t[i]=struct.pack('s',string.rep('x',1e5)) end",
		"local t={} for i=1,1e9 do t[i]=loadstring('return {'..string.rep('1,',3000)..'}') end",
	} {
		_, err := runOn(t, New(), text, Limits{Memory: 4 << 20, Time: 20 * time.Minute, Clock: ticking()})
		require.ErrorIs(t, err, ErrMemory, text)
	}
}

// TestGarbageIsNoUse: what a script has let go of does not count.
func TestGarbageIsNoUse(t *testing.T) {
	reply, err := runOn(t, New(), "local n=0 for i=1,2000 do local s=string.rep('x',100000) n=n+#s end return n", Limits{Memory: 4 << 20})
	require.NoError(t, err)
	require.Equal(t, ":200000000\r\n", reply)
}

func TestDepthIsBounded(t *testing.T) {
	for _, text := range []string{
		"local function f(n) local a = f(n+1) return a end f(1)",
		"local function f() return f() end f()",
		"local f f=function(n) local ok,e = pcall(f,n+1) if not ok then error(e,0) end end f(1)",
		"local f f=function(n) return (string.gsub('x','x',f)) end f(1)",
		"local mt={} mt.__index=function(t,k) return t[k..'x'] end return setmetatable({},mt).a",
		"local mt={} mt.__concat=function(a,b) return a..b end return setmetatable({},mt)..'a'",
		"local mt={} mt.__tostring=function(a) return tostring(a) end return tostring(setmetatable({},mt))",
		"local f f=function() return coroutine.wrap(f)() end f()",
		"return string.find(string.rep('a',100000), string.rep('(a', 40)..string.rep(')', 40))",
		"local t={} for i=1,1e5 do t={t} end return cjson.encode(t)",
		"return cjson.decode(string.rep('[',1e5))",
		"cjson.decode_max_depth(1e9) return cjson.decode(string.rep('[',1e5))",
		"local a={} a[1]=a return a",
		"local a={} a.map=a return a",
	} {
		_, err := runOn(t, New(), text, Limits{})
		var own *Error
		require.ErrorAs(t, err, &own, text)
	}
}

func TestSourceIsBounded(t *testing.T) {
	repeat := func(s string, n int) string {
		b := make([]byte, 0, n*len(s))
		for range n {
			b = append(b, s...)
		}
		return string(b)
	}
	for _, text := range []string{
		repeat(" ", MaxSource+1),
		"return " + repeat("{", 20000) + repeat("}", 20000),
		"return " + repeat("-", 1) + repeat(" -", 20000) + "1",
		"return " + repeat("#", 60000) + "'x'",
		"return " + repeat("not ", 15000) + "1",
		"return 1" + repeat("+1", 30000),
		"return 2" + repeat("^2", 30000),
		"local a=1 return a" + repeat(".b", 30000),
		"local a=1 return a" + repeat("()", 30000),
		repeat("do ", 15000) + repeat("end ", 15000),
		repeat("if 1 then ", 4000) + repeat("end ", 4000),
		"if 1 then " + repeat("elseif 1 then ", 4000) + "end",
		repeat("function f() ", 2500) + repeat("end ", 2500),
		"return {" + func() string {
			s := ""
			for i := range 5000 {
				s += string(rune('a'+i%26)) + repeat("x", i%300/10) + "=" + string(rune('0'+i%10)) + "." + repeat("1", 1+i%7) + ","
			}
			return s
		}()[:60000] + "}" + repeat(" ", MaxSource),
		"goto x",
		"\x1bLuaQ",
		"return ...",
	} {
		_, err := Compile(text)
		var refusal *CompileError
		require.ErrorAs(t, err, &refusal, "%.40s", text)
		require.Less(t, len(refusal.Text), 400)
	}
}

// TestNothingOutlivesAScript lets scripts try to change what the next one on
// the same machine sees.
func TestNothingOutlivesAScript(t *testing.T) {
	const inventory = `
		local seen, out = {}, {}
		local function add(name, v)
			out[#out+1] = name .. '=' .. (type(v) == 'table' and 'table' or tostring(v))
			if type(v) == 'table' and not seen[v] then
				seen[v] = true
				local keys = {}
				for k in pairs(v) do keys[#keys+1] = tostring(k) end
				table.sort(keys)
				for _, k in ipairs(keys) do add(name..'.'..k, v[k]) end
			end
		end
		add('_G', _G)
		add('meta', getmetatable(''))
		out[#out+1] = ('x'):rep(2) .. string.format('%d', 7) .. tostring(math.random()) .. cjson.encode_max_depth() .. tostring(redis.call('x'))
		return table.concat(out, '\n')`
	m := New()
	want, err := runOn(t, m, inventory, Limits{})
	require.NoError(t, err)
	require.Contains(t, want, "_G.string.format=function")
	require.True(t, m.Reset())
	attempts := []string{
		"x = 1", "_G.x = 1", "rawset(_G, 'x', 1)", "string.format = nil", "string.evil = 1", "rawset(string, 'format', 1)", "table.insert(string, 1)", "table.insert(string, 1, 1)",
		"table.remove(_G)", "table.sort(string)", "setmetatable(string, {})", "setmetatable(_G, {__index=function() return 1 end})", "getmetatable('').__index = nil",
		"getmetatable('').__index.rep = nil", "getmetatable(_G).__index = 1", "getmetatable(string).__index = 1", "local _, t = pairs(string) t.rep = nil", "local _, t = pairs(_G) t.rep = nil", "local _, t = pairs(_G) rawset(t, 'rep', 1)",
		"local _, t = ipairs(string) t.rep = nil", "setmetatable({}, string).x = 1", "getmetatable(setmetatable({}, string)).rep = nil", "getmetatable(setmetatable({}, getmetatable(''))).__index = nil",
		"getmetatable(nil).__index = 1", "getmetatable(1).__add = 1", "getmetatable(true).__index = 1", "getmetatable(print_nothing)", "getmetatable(type).__index = 1", "getmetatable(cjson.null).__index = 1",
		"setmetatable(cjson.null, {})", "redis.call = nil", "redis.setresp(3)", "math.randomseed(42)", "cjson.encode_max_depth(3)", "cjson.encode_sparse_array(true)", "cjson.new().encode = nil",
		"KEYS.x = 1", "ARGV.x = 1", "KEYS = nil", "for k in pairs(_G) do _G[k] = nil end", "for k in pairs(string) do string[k] = nil end", "local f = next f(string) local k, v = f(_G) v = nil",
		"coroutine.wrap(function() coroutine.yield(1) end)()", "co = coroutine.create(function() end)", "pcall(error, 'x')", "local t = setmetatable({}, {__newindex = _G}) t.x = 1", "local t = setmetatable({}, {__newindex = string}) t.rep = 1",
		"local t = setmetatable({}, {__index = _G}) t.string.rep = 1", "loadstring('x = 1')()", "loadstring('string.rep = nil')()", "table.foreach(string, function(k) string[k] = nil end)", "string.gsub('x', 'x', setmetatable({}, {__index = function() string.rep = nil end}))",
	}
	for _, text := range attempts {
		_, _ = runOn(t, m, text, Limits{})
		if !m.Reset() {
			m = New() // after an error nothing is kept anyway
		}
		// Errors that are caught leave the machine in use.
		_, err = runOn(t, m, "pcall(loadstring(ARGV[1])) return 1", Limits{}, text)
		require.NoError(t, err, text)
		require.True(t, m.Reset(), text)
		got, err := runOn(t, m, inventory, Limits{})
		require.NoError(t, err, text)
		require.True(t, m.Reset())
		require.Equal(t, stripAddresses(want), stripAddresses(got), "after %s", text)
	}
}

// stripAddresses leaves out what differs between two machines.
func stripAddresses(s string) string {
	b := []byte(s)
	for i := 0; i+14 <= len(b); i++ {
		if b[i] == '0' && b[i+1] == 'x' {
			for j := i + 2; j < i+14; j++ {
				b[j] = '.'
			}
		}
	}
	return string(b)
}

func TestNothingOfTheProcessIsInReach(t *testing.T) {
	for _, name := range []string{"os", "io", "package", "debug", "dofile", "loadfile", "require", "module", "print", "setfenv", "getfenv", "newproxy", "_printregs", "channel", "_GOPHER_LUA_VERSION"} {
		_, err := runOn(t, New(), "return "+name, Limits{})
		require.ErrorContains(t, err, "nonexistent global variable '"+name+"'")
	}
	reply, err := runOn(t, New(), "return {tostring(string.dump), loadstring('\\27Lua') == nil and 1}", Limits{})
	require.NoError(t, err)
	require.Equal(t, "*2\r\n$3\r\nnil\r\n:1\r\n", reply)
}

func TestRepliesThatCannotBeRead(t *testing.T) {
	for _, raw := range []string{"x", "\r\n", "$5\r\nab", "*2\r\n:1\r\n", ":x\r\n", "*1\r\n"} {
		s, err := Compile("return redis.call('x')")
		require.NoError(t, err)
		err = New().Run(context.Background(), Run{Script: s, Host: &host{raw: raw}, Out: resp.NewWriter(resp.V2)})
		require.ErrorContains(t, err, "could not be read", "%q", raw)
	}
}

func TestInterrupts(t *testing.T) {
	s, err := Compile("pcall(function() while true do end end) return 1")
	require.NoError(t, err)
	looks := 0
	run := Run{Script: s, Host: &host{}, Out: resp.NewWriter(resp.V2), Limits: Limits{Interrupt: func(time.Duration) error {
		if looks++; looks > 10 {
			return context.DeadlineExceeded
		}
		return nil
	}}}
	require.ErrorIs(t, New().Run(context.Background(), run), context.DeadlineExceeded)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	run.Limits = Limits{Clock: ticking()}
	require.ErrorIs(t, New().Run(ctx, run), context.Canceled, "nobody waits for the reply any more")
}
