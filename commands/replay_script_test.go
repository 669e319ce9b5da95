package commands

import "testing"

// evals makes one script of commands from texts of Lua, each with the
// arguments that follow numkeys.
func evals(name string, lines ...string) string { return name + "\n" + joinEvals(lines) }

func joinEvals(lines []string) string {
	text := ""
	for _, l := range lines {
		text += "EVAL " + l + "\n"
	}
	return text
}

func scriptScripts() []string {
	return []string{
		`a transaction forgets a script that it uses
		SCRIPT LOAD "return 1"
		MULTI
		EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
		SCRIPT FLUSH
		EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
		SCRIPT LOAD "return 1"
		EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
		EXEC
		EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0`,
		`numbers of keys and other arguments
		EVAL
		EVAL "return 1"
		EVAL "return 1" -1
		EVAL "return 1" 2 a
		EVAL "return 1" a
		EVAL "return 1" 1.5
		EVAL "return {KEYS[1],KEYS[2],ARGV[1],#KEYS,#ARGV}" 2 a b c
		EVAL "return {KEYS[1],ARGV[1]}" 0 x
		EVALSHA
		EVALSHA abc 0
		EVALSHA abc x
		EVALSHA abc 5
		EVAL_RO "return redis.call('publish','a','b')" 0
		EVAL_RO "return redis.pcall('spublish','a','b')" 0
		EVALSHA ABCDEF0123456789ABCDEF0123456789ABCDEF01 0
		EVALSHA ABCDEF0123456789ABCDEF0123456789ABCDEF01 x
		EVALSHA_RO abc 0
		EVAL_RO "return 1" 0
		COMMAND GETKEYS EVAL "return 1" 2 a b c
		COMMAND GETKEYS EVALSHA abc 1 a`,
		`the cache
		SCRIPT
		SCRIPT FOO
		SCRIPT LOAD
		SCRIPT FLUSH
		SCRIPT LOAD "return 1"
		SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db E0E1F9FABFC9D4800C877A703B823AC0578FF8DB x
		EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
		EVALSHA_RO E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0
		SCRIPT FLUSH FOO
		SCRIPT FLUSH SYNC FOO
		SCRIPT FLUSH SYNC
		SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db
		EVAL "return 1" 0
		SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db
		SCRIPT FLUSH ASYNC
		EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
		SCRIPT KILL
		SCRIPT DEBUG x
		SCRIPT DEBUG NO
		SCRIPT DEBUG
		SCRIPT HELP
		SCRIPT HELP x`,
		`first lines that declare
		EVAL "#!lua\nreturn 1" 0
		EVAL "#!lua flags=no-writes\nreturn redis.call('get','a')" 0
		EVAL "#!lua flags=no-writes\nreturn redis.call('set','a',1)" 0
		EVAL "#!lua flags=no-writes,allow-stale,allow-oom,no-cluster\nreturn 1" 0
		EVAL "#!lua flags=foo\nreturn 1" 0
		EVAL "#!foo\nreturn 1" 0
		EVAL "#!lua bar\nreturn 1" 0
		EVAL "#!lua" 0
		EVAL_RO "#!lua\nreturn 1" 0
		EVAL_RO "#!lua flags=no-writes\nreturn 1" 0
		EVAL_RO "return redis.call('set','a',1)" 0
		EVAL_RO "return redis.pcall('publish','a','b')" 0
		EVAL_RO "return redis.pcall('spublish','a','b')" 0
		EVAL_RO "return redis.pcall('del','a')" 0
		EVAL_RO "return redis.call('get',KEYS[1])" 1 nokey
		SCRIPT LOAD "#!foo\nreturn 1"`,
		evals("values as replies",
			`"return 1" 0`, `"return 'x'" 0`, `"return nil" 0`, `"return" 0`, `"" 0`, `"return true" 0`, `"return false" 0`, `"return 3.99" 0`, `"return -3.99" 0`,
			`"return 1e30" 0`, `"return 0/0" 0`, `"return {1,2,nil,4}" 0`, `"return {}" 0`, `"return {1,{2,{3,'x'}}}" 0`, `"return {1.9,-1.9,'a',true,false}" 0`,
			`"return {a=1}" 0`, `"return {ok='fine'}" 0`, `"return {err='x'}" 0`, `"return {err='MY x'}" 0`, `"return {ok='x',err='E y'}" 0`, `"return {ok=1}" 0`,
			`"return {ok='a\\r\\nb'}" 0`, `"return {err='a\\nb'}" 0`,
			`"return {double=3.5}" 0`, `"return {double=1e100}" 0`, `"return {map={a=1}}" 0`, `"return {set={a=true}}" 0`, `"return {big_number='123'}" 0`,
			`"return {verbatim_string={string='abc',format='txt'}}" 0`, `"return {verbatim_string={string='abc'}}" 0`, `"return function() end" 0`, `"return cjson.null" 0`, `"return redis" 0`,
			`"return {{ok='a'},{err='b'},{double=1}}" 0`, `"redis.setresp(3) return true" 0`, `"redis.setresp(3) return {true,false}" 0`, `"redis.setresp(3) return nil" 0`, `"return 1, 2, 3" 0`,
			`"return 'a\\0b'" 0`, `"return {map={}}" 0`, `"return {set={}}" 0`, `"return {[1]=1,[2]=2,x=3}" 0`,
		),
		evals("replies as values",
			`"return redis.call('ping')" 0`, `"return redis.call('ping').ok" 0`, `"return type(redis.call('get','nope'))" 0`, `"return redis.call('get','nope')" 0`,
			`"return tostring(redis.call('get','nope'))" 0`, `"redis.setresp(3) return type(redis.call('get','nope'))" 0`, `"return redis.call('mget','a','b')" 0`,
			`"return type(redis.call('exists','nope'))" 0`, `"redis.call('set','a','1') return redis.call('incrby','a',41)" 0`, `"return redis.call('set','a','x','nx')" 0`,
			`"return redis.call('SET','n', 3.0) and redis.call('GET','n')" 0`, `"redis.call('SET','n', 3.14) return redis.call('GET','n')" 0`,
			`"redis.call('SET','n', 1e20) return redis.call('GET','n')" 0`, `"redis.call('SET','n', 123456789012345678) return redis.call('GET','n')" 0`, `"return redis.call('GET', 1)" 0`,
			`"redis.setresp(3) return redis.call('incrbyfloat','f',1.5)" 0`, `"return #redis.call('keys','*') > 0" 0`, `"return redis.call('echo','a\\0b')" 0`,
			`"local r = redis.call('scan','0') return type(r[1])..type(r[2])" 0`, `"redis.call('set','d','v','px',100000) return redis.call('pttl','d') > 0" 0`,
			`"return redis.call('INFO','server'):sub(1,8)" 0`, `"redis.setresp(3) return type(redis.call('info','cluster'))" 0`,
			`"return redis.call('lcs','a','b','idx')" 0`, `"redis.setresp(3) return type(redis.call('lcs','a','b','idx').map)" 0`,
		),
		evals("errors",
			`"return x" 0`, `"x=1" 0`, `"_G.x=1" 0`, `"KEYS={}" 0`, `"string.format=1" 0`, `"rawset(string,'a',1)" 0`, `"rawset(_G,'a',1)" 0`, `"table.insert(string,1)" 0`, `"setmetatable(string,{})" 0`, `"setmetatable(_G,{})" 0`,
			`"error('boom')" 0`, `"\nerror('boom')" 0`, `"error({err='MY boom'})" 0`, `"error({err='boom'})" 0`, `"error(5)" 0`, `"error('x',0)" 0`, `"error()" 0`,
			`"return redis.call('nosuch')" 0`, `"return redis.pcall('nosuch')" 0`, `"return redis.call('get')" 0`, `"return redis.call('multi')" 0`, `"return redis.call()" 0`, `"return redis.pcall()" 0`,
			`"return redis.call({})" 0`, `"return redis.call('get', true)" 0`, `"return redis.call('get', nil)" 0`, `"return redis.pcall('get', {})" 0`,
			`"return redis.call('set','a','b','c')" 0`, `"return redis.pcall('set','a','b','c')" 0`, `"return redis.pcall('set','a','b','c').err" 0`,
			`"return redis.call('eval','return 1',0)" 0`, `"return redis.call('script','load','x')" 0`, `"return redis.call('subscribe','x')" 0`, `"return redis.call('client','id')" 0`,
			`"return redis.call('client','nosuch')" 0`, `"return redis.call('client')" 0`, `"return redis.call('auth','x')" 0`, `"return redis.call('watch','x')" 0`, `"return redis.call('exec')" 0`, `"return redis.call('hello')" 0`,
			`"return redis.error_reply('x')" 0`, `"return redis.error_reply('-x y')" 0`, `"return redis.error_reply('X y')" 0`, `"return redis.error_reply()" 0`, `"return redis.error_reply(1)" 0`,
			`"return redis.status_reply('x')" 0`, `"return redis.status_reply(1)" 0`, `"return redis.sha1hex('a')" 0`, `"return redis.sha1hex(1)" 0`, `"return redis.sha1hex()" 0`,
			`"return redis.setresp(4)" 0`, `"return redis.setresp()" 0`, `"redis.log(1)" 0`, `"redis.log('x','y')" 0`, `"redis.log(9,'y')" 0`, `"redis.log(redis.LOG_DEBUG,'y') return 1" 0`,
			`"return redis.set_repl(99)" 0`, `"return redis.set_repl()" 0`, `"return redis.set_repl(redis.REPL_ALL)" 0`, `"return redis.replicate_commands()" 0`, `"return redis.breakpoint()" 0`, `"return redis.debug('a')" 0`,
			`"return redis.acl_check_cmd('get','x')" 0`, `"return redis.acl_check_cmd('nosuch','x')" 0`, `"return {redis.REDIS_VERSION, redis.REDIS_VERSION_NUM, redis.LOG_WARNING, redis.REPL_SLAVE}" 0`,
			`"local a,b = pcall(redis.call,'set','a','b','c') return {tostring(a),type(b),b}" 0`, `"local a,b = pcall(error,{err='x y'}) return {tostring(a),type(b),b}" 0`,
			`"local ok,e=pcall(function() error({code=5}) end) return e.code" 0`, `"local ok,e=pcall(function() error('lvl2',2) end) return e" 0`,
			`"local function f() error('lvl2',2) end local ok,e=pcall(function() f() end) return e" 0`,
			`"return {xpcall(function() error('x') end, function(e) return 'H:'..e end)}" 0`, `"return {xpcall(function() return 1,2 end, function(e) return 'H:'..e end)}" 0`,
			`"redis.call('set','before','x') error('fail')" 0`, `"return redis.call('get','before')" 0`,
			`"redis.call('set','k','x') return redis.call('incr','k')" 0`, `"return redis.call('get','k')" 0`,
			`"assert(false)" 0`, `"assert(nil,'msg')" 0`, `"assert(false,{err='MY x'})" 0`, `"return {assert(1,2)}" 0`,
			`"return nil .. 'a'" 0`, `"return 1 < 'a'" 0`, `"return {} < {}" 0`, `"return #nil" 0`, `"return 'a' + 1" 0`, `"return -{}" 0`, `"return {} + 1" 0`, `"return (nil)()" 0`, `"foo()" 0`,
			`"return string.rep()" 0`, `"return string.rep('a')" 0`, `"return string.rep('a',{})" 0`, `"return tostring()" 0`, `"return tonumber()" 0`, `"return tonumber('10',99)" 0`, `"return setmetatable({}, 1)" 0`, `"return type()" 0`,
			`"for i='x',2 do end" 0`, `"local t={} t[nil]=1" 0`,
		),
		`select holds for the script
		EVAL "redis.call('select',1) redis.call('set','k','one') return redis.call('get','k')" 0
		GET k
		EVAL "return redis.call('get','k')" 0
		SELECT 1
		GET k
		EVAL "redis.call('select','0') return redis.call('get','k')" 0
		GET k
		EVAL "return redis.call('move','k',0)" 0
		EVAL "redis.call('copy','nope','x','db',0) return redis.call('flushall')" 0
		EVAL "return redis.call('select',99)" 0`,
		`in a transaction
		MULTI
		EVAL "return redis.call('set',KEYS[1],ARGV[1])" 1 a 1
		INCR a
		EVAL "return redis.call('get',KEYS[1])" 1 a
		EVAL "error('x')" 0
		SCRIPT LOAD "return 7"
		EVALSHA 7f923f79fe76194c868d7e1d0820de36700eb649 0
		EXEC
		GET a
		WATCH a
		EVAL "return redis.call('set','a',5)" 0
		MULTI
		GET a
		EXEC`,
		evals("the language",
			`"return {tostring(tonumber('0x10')),tostring(tonumber('010')),tostring(tonumber('1e2')),tostring(tonumber(' 5 ')),tostring(tonumber('5x')),tostring(tonumber('ff',16)),tostring(tonumber('8',8)),tostring(tonumber('')),tostring(tonumber('inf'))}" 0`,
			`"return tostring(1e15)..' '..tostring(0.1+0.2)..' '..100000000000000 ..' '..1e100 ..' '..3.0" 0`, `"return {tostring(2^53), tostring(2^63), tostring(123456789012), tostring(1e14), tostring(1e16), tostring(1/3)}" 0`,
			`"return {'10'+5, '0x10'+0, '010'+0, ' 5 '*2, 10 ..'', 010, '7'%4, '2'^'3', -'3'}" 0`, `"return {5%3, -5%3, 5%-3, tostring(5.5%2)}" 0`,
			`"return {tostring(1==1.0), tostring('1'==1), tostring('a'<'b'), tostring(not nil)}" 0`, `"local n=0 for k in pairs(math) do n=n+1 end return n" 0`, `"local n=0 for k in pairs(redis) do n=n+1 end return n" 0`,
			`"local n=0 for k in pairs(table) do n=n+1 end return n" 0`, `"local n=0 for k in pairs(cjson) do n=n+1 end return n" 0`, `"local n=0 for k in pairs(bit) do n=n+1 end return n" 0`,
			`"local t={} for k,v in pairs(_G) do if k ~= '__redis__err__handler' then t[#t+1]=k end end table.sort(t) return t" 0`,
			`"return {select('#',1,2,3), select(-1,1,2,3)}" 0`, `"return select(0,1)" 0`, `"return select(-5,1)" 0`, `"return {next({}), next({5})}" 0`,
			`"return {unpack({1,2,3},2)}" 0`, `"return {unpack({1,2,3},2,3)}" 0`, `"return #{unpack({},1,8000)}" 0`, `"return rawequal('a','a') and rawget({5},1)" 0`,
			`"return {table.concat({1,2,3},','), table.concat({1,2.5,'x'}), table.concat({1,2,3},'-',2,3), table.concat({})}" 0`, `"return table.concat({1,{},3})" 0`, `"return table.concat({1,2},',',1,3)" 0`,
			`"local t={3,1,2} table.sort(t) return t" 0`, `"local t={3,1,2} table.sort(t,function(a,b) return a>b end) return t" 0`, `"local t={3,'x',2} table.sort(t) return t" 0`,
			`"local t={1,2,3} table.insert(t,2,9) table.insert(t,0) return {t, table.remove(t), table.remove(t,1), #t}" 0`, `"table.insert({1},2,3,4)" 0`, `"table.insert({1})" 0`, `"table.insert(nil,1)" 0`, `"return #{n=1,2,3}" 0`,
			`"return {math.floor(3.7),math.ceil(3.2),math.max(1,5,3),math.min(4,2),math.abs(-3),math.fmod(7,3),math.pow(2,10),math.sqrt(16),math.floor(-3.5),math.modf(-3.7)}" 0`,
			`"return {tostring(math.huge),tostring(-math.huge),tostring(math.pi),tostring(math.exp(1)),tostring(math.log(2))}" 0`, `"return math.max()" 0`, `"return math.floor('x')" 0`, `"return math.floor('3.7')" 0`, `"return math.random(0)" 0`, `"return math.random(2,1)" 0`,
			`"math.randomseed(5) return {tostring(math.random()),math.random(10),math.random(5,10)}" 0`, `"math.randomseed(-7) return {math.random(1000000),math.random(1000000)}" 0`,
			`"return tostring(setmetatable({},{__tostring=function() return 'TS' end}))" 0`, `"return setmetatable({},{__index=function(t,k) return k..'!' end}).foo" 0`, `"return getmetatable(setmetatable({},{__metatable='locked'}))" 0`,
			`"return setmetatable(setmetatable({},{__metatable='locked'}),{})" 0`, `"return setmetatable({},{__concat=function(a,b) return 'C' end})..'x'" 0`, `"return setmetatable({},{__call=function(self,a) return a*2 end})(21)" 0`,
			`"local mt={__add=function(a,b) return 'A' end,__eq=function() return true end,__lt=function() return true end,__le=function() return false end,__len=function() return 7 end,__unm=function() return 'U' end} local a,b=setmetatable({},mt),setmetatable({},mt) return {a+b, a==b and 1 or 0, a<b and 1 or 0, a<=b and 1 or 0, -a}" 0`,
			`"local r={} for i,v in ipairs({1,2,nil,4}) do r[#r+1]=v end return r" 0`, `"local n=0 for k,v in pairs({1,2,a=3}) do n=n+v end return n" 0`,
			`"local t = setmetatable({},{__newindex=function(t,k,v) rawset(t,k,v*2) end}) t.a=2 return t.a" 0`, `"return collectgarbage('count') > 0" 0`, `"return {collectgarbage(),gcinfo()>0}" 0`, `"return collectgarbage('foo')" 0`,
			`"return loadstring('return 1+1')()" 0`, `"return {tostring(loadstring('return (')), 1}" 0`, `"return loadstring('return ...')(5)" 0`, `"return {pcall(loadstring('error(\"x\")'))}" 0`, `"local f = load(function() return nil end) return type(f)" 0`,
			`"local n=0 return load(function() n=n+1 return ({'return ','4','2'})[n] end)()" 0`,
			`"return _VERSION" 0`, `"return {type(nil),type(1),type('x'),type({}),type(type),type(cjson.null)}" 0`, `"local function f(...) return select('#',...), ... end return {f(1,nil,3)}" 0`, `"local function f(...) local a,b = ... return {b,a} end return f(1,2)" 0`,
			`"local s = 0 for i=10,1,-3 do s = s + i end return s" 0`, `"local i=0 repeat local j=i i=i+1 until j>=5 return i" 0`, `"local i=0 while true do i=i+1 if i>7 then break end end return i" 0`,
			`"return [[long\nstring]] .. [==[x]]y]==]" 0`, `"return 'a\\65\\t\\\"'" 0`, `"return ('x'):rep(3) .. #'abc'" 0`, `"local t={f=function(self,x) return self.v+x end,v=1} return t:f(2)" 0`,
			`"return (function(...) return select('#',...) end)(nil,nil)" 0`, `"local a = {} a.b = {} a.b.c = function() return 9 end return a.b.c()" 0`, `"return {coroutine.wrap(function() coroutine.yield(1) end)()}" 0`,
			`"local co = coroutine.create(function(a) local b = coroutine.yield(a+1) return b*2 end) local _,x = coroutine.resume(co,1) local _,y = coroutine.resume(co,10) return {x,y,coroutine.status(co)}" 0`,
			`"local co = coroutine.create(function() error('in co') end) local ok,e = coroutine.resume(co) return {tostring(ok),e,coroutine.status(co)}" 0`, `"return tostring(coroutine.running())" 0`,
			`"local f; pcall(function() local x=1; f=function() return x end; error('e') end); return f()" 0`, `"local fs={} for i=1,3 do fs[i]=function() return i end end return {fs[1](),fs[2](),fs[3]()}" 0`,
			`"return math.floor(5/2) .. '|' .. 7/2 .. '|' .. 2^0.5" 0`, `"return {1 and 2, nil or 3, false and 1 or 4}" 0`, `"return #arg" 0`, `"local t={10,20,30,nil} return #t" 0`, `"return tostring(nil)..tostring(true)" 0`,
		),
		evals("strings",
			`"return string.format('%5.2f|%d|%s|%q|%x|%X|%c|%e|%g|%i|%u|%o|%%|%-5s|%05d|%+d|% d|%#x', 3.14159, 42.9, 'hi', 'a\"b\\nc', 255, 255, 65, 12345.678, 0.0001, 7, 7, 8, 'x', 42, 5, 5, 255)" 0`,
			`"return string.format('%d', 'x')" 0`, `"return string.format('%d')" 0`, `"return string.format('%y', 1)" 0`, `"return string.format('%', 1)" 0`, `"return string.format('%123d', 1)" 0`, `"return string.format('%s', nil)" 0`, `"return string.format('%s %s', 'a', 1.5)" 0`,
			`"return string.format('%.3s|%10.2s|%.0f|%5s|%-8d|', 'abcdef','abc',2.5,'ab',42)" 0`, `"return string.format('%d', 3e15)..string.format('%x', -1)..string.format('%u', -1)" 0`, `"return string.format('%g %g %g %e', 1e20, 0.1, 100000, 0)" 0`,
			`"return string.format('%.14g %.17g %.3d %5.3d %+.2e', 0.1, 0.1, 7, 7, 12345.6789)" 0`, `"return string.format('%q', 'a\\0b\\r')" 0`, `"return string.format('%f %5.1f %G', 1/0, -1/0, 1e-10)" 0`, `"return string.format('x%sy', 'a\\0b')" 0`,
			`"return {string.find('hello world','o w')}" 0`, `"return {string.find('hello','l+')}" 0`, `"return {string.find('a.b','.',1,true)}" 0`, `"return {string.find('hello','(l)(l)')}" 0`, `"return {string.find('hello','()ll()')}" 0`, `"return {string.find('hello','xyz')}" 0`,
			`"return {string.find('hello','',10)}" 0`, `"return {string.find('hello','l',-2)}" 0`, `"return {string.find('','')}" 0`, `"return {string.find('abc','^b')}" 0`, `"return {string.find('abc','c$')}" 0`, `"return {string.find('a+b','+',1,true)}" 0`,
			`"return {string.match('key=val','(%w+)=(%w+)')}" 0`, `"return {string.match('  trim  ','^%s*(.-)%s*$')}" 0`, `"return {string.match('2024-01-02','(%d+)-(%d+)-(%d+)')}" 0`, `"return {string.match('hello','.-(l+)(.*)')}" 0`, `"return string.match('x','y')" 0`,
			`"return {string.gsub('hello world','o','0')}" 0`, `"return {string.gsub('hello','','-')}" 0`, `"return {string.gsub('abc','%w','%0%0')}" 0`, `"return {string.gsub('abc','(%w)','%2')}" 0`, `"return {string.gsub('abc','%w',{a='1',b=true})}" 0`,
			`"return {string.gsub('abc','%w',{a='1',b=false})}" 0`, `"return {string.gsub('abc','%w',function(x) if x=='b' then return 'Z' end end)}" 0`, `"return {string.gsub('abc','%w',function(x) return {} end)}" 0`,
			`"return {string.gsub('abc','(a','x')}" 0`, `"return {string.gsub('abc','%','x')}" 0`, `"return {string.gsub('abc','[a','x')}" 0`, `"return {string.gsub('abc',')','x')}" 0`, `"return {string.gsub('abc','%f[%w]','x')}" 0`, `"return {string.gsub('THE (quick) fox','%f[%a]%a+','W')}" 0`,
			`"return {string.gsub('THE (quick) fox','%b()','x')}" 0`, `"return {string.gsub('abc','a')}" 0`, `"return {string.gsub('abc abc','%w+','%%%1',1)}" 0`, `"return {string.gsub('hello','l*','x')}" 0`, `"return {string.gsub('abc','^a','x')}" 0`, `"return {string.gsub('a1b2','[%a]','.')}" 0`,
			`"return {string.gsub('a-b]c','[]-]','.')}" 0`, `"return {string.gsub('a-b^c','[%^-]','.')}" 0`, `"return {string.gsub('abc','[^b]','.')}" 0`, `"return {string.gsub('aXbY','%u','.')}" 0`, `"return {string.gsub('a,b;c','%p','.')}" 0`, `"return {string.gsub('x','x','%')}" 0`,
			`"local r={} for a,b in string.gmatch('a=1,b=2','(%w)=(%w)') do r[#r+1]=a..b end return r" 0`, `"local r={} for w in ('one two'):gmatch('%a+') do r[#r+1]=w end return r" 0`, `"local r={} for w in ('abc'):gmatch('') do r[#r+1]='x' end return r" 0`, `"return {string.find('aa','(a)%1')}" 0`, `"return {string.find('ab','%1')}" 0`,
			`"return {string.byte('abc',1,-1)}" 0`, `"return {string.byte('abc')}" 0`, `"return {string.byte('abc',10)}" 0`, `"return {string.byte('abc',-1)}" 0`, `"return string.char(65,66,256)" 0`, `"return string.char(65,66)" 0`, `"return string.char()" 0`,
			`"return {('abc'):sub(2), ('abc'):sub(-2,-2), ('abc'):sub(0), ('abc'):sub(2,1), ('abc'):sub(-100,100), ('abc'):upper(), ('ABC'):lower(), ('abc'):reverse(), ('abc'):len(), ('ab'):rep(3), ('ab'):rep(0), ('ab'):rep(-1)}" 0`,
			`"return string.sub()" 0`, `"return ('5'):rep('2')" 0`, `"return getmetatable('').__index == string" 0`,
		),
		evals("cjson",
			`"return cjson.encode({})" 0`, `"return cjson.encode({1,2,{a='x'}})" 0`, `"return cjson.encode({[1]=1,[3]=3})" 0`, `"return cjson.encode({[1]=1,[30]=3})" 0`, `"return cjson.encode({a=1/0})" 0`, `"return cjson.encode({0/0})" 0`, `"return cjson.encode(function() end)" 0`,
			`"return cjson.encode({[{}]=1})" 0`, `"return cjson.encode({[1.5]=1})" 0`, `"return cjson.encode('a\"/\\\\\\n\\t\\1\\127é')" 0`, `"return cjson.encode(3.14159265358979)..cjson.encode(1e20)..cjson.encode(123456789012345678)" 0`, `"return cjson.encode()" 0`, `"return cjson.encode(1,2)" 0`,
			`"return cjson.decode('')" 0`, `"return cjson.decode('[1,2')" 0`, `"return cjson.decode('{\"a\":}')" 0`, `"return cjson.decode('[1,]')" 0`, `"return cjson.decode('nul')" 0`, `"return cjson.decode('[1] x')" 0`,
			`"return cjson.decode('[1.5,1e3,-0,0x10,  \"\\\\u00e9\\\\ud83d\\\\ude00\",true,null]')" 0`, `"return type(cjson.decode('null'))" 0`, `"return cjson.decode('\"\\\\x\"')" 0`, `"return cjson.decode('\"\\\\ud83d\"')" 0`, `"return cjson.decode('\"abc')" 0`,
			`"return cjson.decode('{a:1}')" 0`, `"return cjson.decode('{\"a\":1,}')" 0`, `"return cjson.decode('{\"a\" 1}')" 0`, `"return cjson.decode('{\"a\":1 \"b\":2}')" 0`, `"return cjson.decode('{\"1\":\"x\",\"b\":{}}')['1']" 0`,
			`"return cjson.decode(string.rep('[',1001))" 0`, `"local t={} for i=1,1001 do t={t} end return cjson.encode(t)" 0`, `"return cjson.decode({})" 0`, `"return cjson.decode(5)" 0`, `"return cjson.decode('-')" 0`, `"return cjson.decode('01')" 0`, `"return cjson.decode('[nan]')" 0`,
			`"return tostring(cjson.decode('[inf]')[1])" 0`, `"return {cjson.encode_sparse_array()}" 0`, `"return cjson.encode_max_depth()" 0`, `"return cjson.decode_max_depth(0)" 0`, `"return cjson.encode_number_precision()" 0`, `"return cjson.encode_keep_buffer()" 0`,
			`"return tostring(cjson.encode_invalid_numbers())..tostring(cjson.decode_invalid_numbers())" 0`, `"return cjson._VERSION .. cjson._NAME" 0`, `"return cjson.encode({b={cjson.null}})" 0`, `"return cjson.encode({[-1]=1})" 0`, `"return cjson.encode(true)..cjson.encode(nil)" 0`,
			`"return cjson.encode(cjson.decode('{\"a\":[1,2,{\"b\":null}]}'))" 0`, `"return cjson.decode(ARGV[1]).name" 0 "{\"name\":\"x\",\"n\":[1,2]}"`, `"return cjson.decode('[\"a\\\\/b\\\\n\"]')" 0`, `"return cjson.decode('\\0\\0')" 0`, `"return cjson.decode('[+5]')" 0`, `"return cjson.decode('[1e]')" 0`,
		),
		evals("bit, struct and cmsgpack",
			`"return bit.tobit(0xffffffff) .. ' ' .. bit.tohex(255) .. ' ' .. bit.tohex(-1,4).. ' ' .. bit.tohex(255,-4)" 0`,
			`"return bit.lshift(1,31) .. ' ' .. bit.rshift(-1,28) .. ' ' .. bit.arshift(-256,4)..' '..bit.rol(0x12345678,12)..' '..bit.ror(0x12345678,12)..' '..bit.bswap(0x12345678)" 0`,
			`"return bit.band()" 0`, `"return bit.band('x')" 0`, `"return bit.band(1.5, 2^40+7) ..' '..bit.bor(1,2,4)..' '..bit.bxor(7,2)..' '..bit.bnot(0)..' '..bit.band(2^53)..' '..bit.lshift(1,33)" 0`,
			`"return {struct.unpack('>I2', struct.pack('>I2', 258))}" 0`, `"return struct.pack('<i4>i2bBhHlLxs', -2, 3, 4, 5, 6, 7, 8, 9, 'z')" 0`, `"return struct.size('>I2i4!8d')" 0`, `"return struct.pack('z',1)" 0`, `"return struct.unpack('I4','ab')" 0`,
			`"return {struct.unpack('<i4>i2b', struct.pack('<i4>i2b', -2, -3, -4))}" 0`, `"return {struct.unpack('Bc0s', struct.pack('Bc0s', 3, 'abc', 'tail'))}" 0`, `"return struct.pack('df', 1.5, 2.5)" 0`, `"return {struct.unpack('d', struct.pack('d', 3))}" 0`,
			`"return cmsgpack.unpack(cmsgpack.pack({1,2,'x',{a=1}}))[3]" 0`, `"return cmsgpack.pack(1,-1,127,128,255,256,65535,65536,-32,-33,-128,-129,2^31,2^32,-2^31,-2^31-1)" 0`, `"return cmsgpack.pack('a',string.rep('b',40),true,false,nil,1.5,0.1,{},{1,2},{a=1})" 0`,
			`"return {cmsgpack.unpack(cmsgpack.pack(1,'two',3))}" 0`, `"return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3))}" 0`, `"return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),2)}" 0`, `"return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),2)}" 0`, `"return cmsgpack.unpack('\\193')" 0`, `"return cmsgpack.unpack('\\205')" 0`, `"return cmsgpack.pack()" 0`,
			`"return cmsgpack.pack(string.rep('x',300))" 0`,
		),
	}
}

func TestReplayScripts(t *testing.T) { replay(t, scriptScripts()) }
