package lua

import (
	"bufio"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
)

// FuzzBridge sends JSON through a script: what cjson reads and writes again
// must not change, and what the script returns must be one whole reply.
func FuzzBridge(f *testing.F) {
	for _, seed := range []string{`[1,2,{"a":"x","b":[]}]`, `"\u00e9\ud83d\ude00"`, `[1e3,-0,0x10,nan]`, `{"ok":"a","err":1}`, `{"map":{"a":{"set":{"b":true}}}}`, `[{"double":1.5},{"big_number":"1\r\n"}]`, `[[[[[]]]]]`} {
		f.Add(seed)
	}
	s, err := Compile(`
		local ok, v = pcall(cjson.decode, ARGV[1])
		if not ok then return 'not read' end
		local ok, s = pcall(cjson.encode, v)
		if not ok then return 'not written' end
		if s ~= cjson.encode(cjson.decode(s)) then error('changed: '..s, 0) end
		local p = cmsgpack.pack(v)
		if p ~= cmsgpack.pack(cmsgpack.unpack(p)) then error('changed in msgpack: '..s, 0) end
		return v`)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		for _, proto := range []int{resp.V2, resp.V3} {
			m, out := New(), resp.NewWriter(proto)
			err := m.Run(context.Background(), Run{Script: s, Name: "sha", Host: &host{}, Args: [][]byte{[]byte(text)}, Out: out, Limits: bounded()})
			var own *Error
			if errors.As(err, &own) {
				require.NotContains(t, own.Text, "changed")
				continue
			}
			if err != nil {
				continue
			}
			r := bufio.NewReader(strings.NewReader(string(out.Bytes())))
			if _, err := resp.ReadRaw(r); err != nil {
				require.ErrorContains(t, err, "nested deeper", "%q", out.Bytes())
				continue
			}
			require.Zero(t, r.Buffered(), "%q", out.Bytes())
		}
	})
}

// FuzzSource runs any text: it may fail in any way but must end, and what it
// returns must be one whole reply.
func FuzzSource(f *testing.F) {
	for _, seed := range []string{
		"return 1", "local t={} for i=1,10 do t[i]=i..'' end return t", "return redis.call('GET', KEYS[1])", "return string.format('%5.1f', 3)", "error({err='x'})",
		"return setmetatable({}, {__index=function(t,k) return k end}).a", "return {pcall(error, 'x')}", "return ('a,b'):gsub('%a', '%0%0')", "goto x", "return struct.unpack('>I2', 'ab')",
		"return coroutine.wrap(function(...) return coroutine.yield(...) end)(1,2)", "#!lua\nreturn 1", "return loadstring('return 1')()", "for k,v in pairs(_G) do v=1 end", "return #'' .. -0",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		reply, err := runOn(t, New(), text, bounded())
		if err != nil || strings.HasPrefix(reply, "-") {
			return
		}
		r := bufio.NewReader(strings.NewReader(reply))
		if _, err := resp.ReadRaw(r); err != nil {
			require.ErrorContains(t, err, "nested deeper", "%q", reply)
			return
		}
		require.Zero(t, r.Buffered(), "%q", reply)
	})
}
