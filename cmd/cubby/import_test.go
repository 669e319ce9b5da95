package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/redistest"
)

func TestExportAndImport(t *testing.T) {
	w, s, app := filled(t)
	at := func(args ...string) []string { return append(args, "--addr", s.socket) }
	ctx := t.Context()
	ends := time.Now().Add(time.Hour).UnixMilli()
	require.NoError(t, app.Do(ctx, "SET", "ends", "x", "PXAT", ends).Err())
	require.NoError(t, app.Do(ctx, "SET", "k\xff", "<html>", "PXAT", ends).Err())
	require.NoError(t, app.Do(ctx, "KV.SET", "json", `{"a": 1.0, "b": "ü"}`).Err())
	for i := range 1200 { // more than a page
		require.NoError(t, app.Set(ctx, fmt.Sprintf("n%04d", i), strconv.Itoa(i), 0).Err())
	}
	memory := app.Conn()
	defer memory.Close()
	require.NoError(t, memory.Select(ctx, 1).Err())
	require.NoError(t, memory.Set(ctx, "m", "1", 0).Err())

	r := w.ok(at("export", "acme/shop", "shop.jsonl")...)
	require.Equal(t, "exported 1207 key(s) of acme/shop to shop.jsonl\n", r.out)
	text, err := os.ReadFile("shop.jsonl")
	require.NoError(t, err)
	require.Contains(t, string(text), `{"key":"a","value":"1","expires_at":null,"db":0}`+"\n")
	require.Contains(t, string(text), `{"key":"b","value_base64":"AP88Jj4=","expires_at":null,"db":0}`+"\n")
	require.Contains(t, string(text), `{"key":"json","value":"{\"a\":1.0,\"b\":\"ü\"}","expires_at":null,"db":0}`+"\n")
	require.Contains(t, string(text), fmt.Sprintf(`{"key_base64":"a/8=","value":"<html>","expires_at":%d,"db":0}`+"\n", ends))
	require.Contains(t, string(text), `{"key":"two\nlines","value":"","expires_at":null,"db":0}`+"\n")
	require.True(t, strings.HasSuffix(string(text), `{"key":"m","value":"1","expires_at":null,"db":1}`+"\n"))
	r = w.ok(at("export", "acme/shop")...)
	require.Equal(t, string(text), r.out)
	require.Equal(t, "exported 1207 key(s) of acme/shop\n", r.err)
	require.Len(t, strings.Split(w.ok(at("export", "acme/shop", "--db", "1")...).out, "\n"), 2)

	w.ok(at("app", "create", "acme/copy", "max-keys=2000", "key-charset=any", "ttl-min=1ms")...)
	r = w.ok(at("import", "acme/copy", "shop.jsonl", "--dry-run")...)
	require.Contains(t, r.out, "would import  1207")
	require.Empty(t, w.ok(at("export", "acme/copy")...).out)
	r = w.ok(at("import", "acme/copy", "shop.jsonl")...)
	require.Equal(t, "imported  1207\nskipped   0  expired already\nrefused   0\n", r.out)
	require.Equal(t, string(text), w.ok(at("export", "acme/copy")...).out)
	require.Equal(t, exitOK, w.answering(string(text), at("import", "acme/copy", "-")...).code)
}

func TestImportReportsWhatWasRefused(t *testing.T) {
	w, at := managed(t)
	w.ok(at("app", "create", "acme/shop", "max-keys=2", "value-bytes=10", "commands-per-second=200")...)
	lines := []string{
		`{"key":"a","value":"1","note":"unknown fields are passed over"}`,
		`{"key":"gone","value":"1","expires_at":1000}`,
		``,
		`{"key":"long","value":"01234567890"}`,
		`{"key":"two words","value":"1"}`,
		`{"key":"soon","value":"1","expires_at":` + strconv.FormatInt(time.Now().Add(30*time.Second).UnixMilli(), 10) + `}`,
		`{"key":"b","value":"2","expires_at":null}`,
	}
	for i := range 300 {
		lines = append(lines, fmt.Sprintf(`{"key":"more%d","value":"1"}`, i))
	}
	in := strings.Join(lines, "\n")
	r := w.answering(in, at("import", "acme/shop", "-")...)
	require.Equal(t, exitError, r.code)
	require.Equal(t, "cubby: not everything was imported\n", r.err)
	require.Regexp(t, `^imported +2\nskipped +1 +expired already\nrefused +303\n\nCODE +COUNT +FIRST KEYS +REASON\n`+
		`SIZE_EXCEEDED +1 +"long" +.*\nBAD_INPUT +2 +"two words" +.*\n +"soon" +.*\n`+
		`CAP_REACHED +300 +"more0" +.*\n +"more1" +.*\n +"more2" +.*\n$`, r.out)

	var report importReport
	r = w.answering(in, at("import", "acme/shop", "-", "--json")...)
	require.Equal(t, exitError, r.code)
	require.NoError(t, json.Unmarshal([]byte(r.out), &report))
	require.Equal(t, 306, report.Read)
	require.Equal(t, []string{"SIZE_EXCEEDED", "BAD_INPUT", "CAP_REACHED"}, []string{report.Refused[0].Code, report.Refused[1].Code, report.Refused[2].Code})
	require.Equal(t, 300, report.Refused[2].Count)

	for text, want := range map[string]string{
		`{"value":"1"}`:               "line 1: it has no key",
		`{"key":"a"}`:                 "line 1: it has no value",
		`{"key":"a","value":{"b":1}}`: "line 1: it is no JSON object",
		`{"key":"a","value":"1","value_base64":"AA=="}`:     "both as text and as base64",
		`{"key":"a","value_base64":"?"}`:                    "a base64 field is malformed",
		`{"key":"a","value":"1","db":2}`:                    "there is no database 2",
		`{"key":"a","value":"1","expires_at":-5}`:           "expires_at is -5",
		"{\"key\":\"a\",\"value\":\"1\"}\nno json at all\n": "line 2: it is no JSON object",
	} {
		r := w.answering(text, at("import", "acme/shop", "-")...)
		require.Equal(t, exitError, r.code, text)
		require.Contains(t, r.err, want)
	}
	require.Contains(t, w.answering("", at("import", "acme/none", "-")...).err, "no such app 'acme/none'")
	require.Contains(t, w.cubby(at("export", "acme/none")...).err, "no such app 'acme/none'")
	require.Contains(t, w.cubby(at("import", "acme/shop", "none.jsonl")...).err, "no such file")
}

func TestImportFromRedis(t *testing.T) {
	source := redistest.Start(t, "--requirepass", "secret")
	c := source.Dial(t)
	c.Do("AUTH", "secret")
	c.Do("SET", "app:a", "1")
	c.Do("SET", "app:bin", "\x00\xff\r\n")
	c.Do("SET", "app:ttl", "x", "PX", "3600000")
	c.Do("SET", "app*", "star")
	c.Do("RPUSH", "app:list", "1")
	c.Do("HSET", "app:hash", "f", "v")
	c.Do("SET", "app:space here", "1")
	for i := range 2500 {
		c.Do("SET", fmt.Sprintf("n:%d", i), strings.Repeat("v", i%50))
	}
	w, at := managed(t)
	w.ok(at("app", "create", "acme/shop")...)
	url := "unix://:secret@" + source.Addr() + "?db=0"

	r := w.cubby(at("import", "acme/shop", "--from", url, "--prefix", "app:", "--dry-run")...)
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.out, "would import  4\n")
	r = w.cubby(at("import", "acme/shop", "--from", url, "--prefix", "app:")...)
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.out, "imported  3\n")
	require.Contains(t, r.out, "refused   3\n")
	require.Regexp(t, `WRONGTYPE +2 .*only strings can be imported`, r.out)
	require.Regexp(t, `BAD_INPUT +1 +"app:space here"`, r.out)

	out := w.ok(at("export", "acme/shop")...).out
	require.Contains(t, out, `{"key":"app:bin","value_base64":"AP8NCg==","expires_at":null,"db":0}`)
	var ends line
	for text := range strings.Lines(out) {
		if strings.Contains(text, "app:ttl") {
			require.NoError(t, json.Unmarshal([]byte(text), &ends))
		}
	}
	require.InDelta(t, time.Now().Add(time.Hour).UnixMilli(), *ends.ExpiresAt, 60_000)

	require.Contains(t, w.ok(at("import", "acme/shop", "--from", url, "--prefix", "n:")...).out, "imported  2500\n")
	require.Contains(t, w.ok(at("import", "acme/shop", "--from", url, "--prefix", "app*")...).out, "imported  1\n")
	r = w.cubby(at("import", "acme/shop", "--from", "redis://:secret@127.0.0.1:1/0")...)
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "reading from 127.0.0.1:1")
	require.NotContains(t, r.err, "secret")
}
