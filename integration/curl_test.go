package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testcert"
	"github.com/cubbykv/cubby/internal/testneed"
)

// curl asks the HTTP door with the program that people use.
type curl struct {
	program string
	base    string
	flags   []string
}

func newCurl(t testing.TB, s *cubby, token string) *curl {
	c := &curl{testneed.Program(t, "curl"), "http://127.0.0.1:" + strconv.Itoa(s.web), nil}
	c.flags = []string{"--silent", "--show-error", "--noproxy", "*", "--max-time", strconv.Itoa(int(patience / time.Second))}
	if token != "" {
		c.flags = append(c.flags, "-H", "Authorization: Bearer "+token)
	}
	return c
}

// command is one call; path stands behind the flags.
func (c *curl) command(path string, flags ...string) *exec.Cmd {
	args := append([]string{"-q"}, c.flags...) // without the configuration of this machine
	cmd := exec.Command(c.program, append(append(args, flags...), c.base+path)...)
	cmd.WaitDelay = patience
	dieWithUs(cmd)
	return cmd
}

// get returns the status and the body.
func (c *curl) get(t testing.TB, path string, flags ...string) (status int, body string) {
	t.Helper()
	r := run(t, c.command(path, append(flags, "-w", "\n%{http_code}")...))
	require.Zero(t, r.code, r.stderr)
	i := strings.LastIndexByte(r.stdout, '\n')
	status, err := strconv.Atoi(r.stdout[i+1:])
	require.NoError(t, err)
	return status, r.stdout[:i]
}

// answers requires 200 and the body.
func (c *curl) answers(t testing.TB, want, path string, flags ...string) {
	t.Helper()
	status, body := c.get(t, path, flags...)
	require.Equal(t, 200, status, body)
	require.Equal(t, want, body)
}

// refuses requires a status, and an error with a code and words.
func (c *curl) refuses(t testing.TB, status int, code, words, path string, flags ...string) {
	t.Helper()
	got, body := c.get(t, path, flags...)
	var e struct{ Error, Code, Message, Hint string }
	require.NoError(t, json.Unmarshal([]byte(body), &e), body)
	require.Equal(t, status, got, body)
	require.Equal(t, code, e.Code)
	require.Contains(t, e.Error, words)
}

// stream reads what curl prints while it is open.
type stream struct {
	t     testing.TB
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func (c *curl) stream(t testing.TB, path string, flags ...string) *stream {
	t.Helper()
	s := &stream{t: t, cmd: c.command(path, append(flags, "--no-buffer")...)}
	stdout, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() })
	s.lines = bufio.NewScanner(stdout)
	return s
}

// event returns the next line of data.
func (s *stream) event() string {
	s.t.Helper()
	for s.lines.Scan() {
		if text, ok := strings.CutPrefix(s.lines.Text(), "data: "); ok {
			return text
		}
	}
	return ""
}

func TestCurl(t *testing.T) {
	t.Parallel()
	s := startWeb(t)
	c := newCurl(t, s, s.app(t, "acme/notes"))

	c.answers(t, `{"result":"OK"}`, "/set/greeting/hello%20world%2F%C3%BC?EX=100")
	c.answers(t, `{"result":"hello world/ü"}`, "/get/greeting")
	c.answers(t, `{"result":"OK"}`, "/", "-d", `["SET", "n", 9007199254740991]`)
	c.answers(t, `{"result":"9007199254740992"}`, "/incr/n")
	c.answers(t, `{"result":["9007199254740992",null]}`, "", "-d", `["MGET", "n", "missing"]`)
	c.answers(t, `[{"result":"OK"},{"result":2},{"result":"2"}]`, "/pipeline", "-H", "Content-Type: application/json", "-d", `[["SET","p",1],["INCR","p"],["GET","p"]]`)
	c.answers(t, `[{"result":3},{"result":"3"}]`, "/multi-exec", "-d", `[["INCR","p"],["GET","p"]]`)
	require.Regexp(t, `(?s)^HTTP/1.1 200 OK.*X-Content-Type-Options: nosniff`, run(t, c.command("/get/n", "--head")).stdout)

	bytes := filepath.Join(t.TempDir(), "bytes")
	require.NoError(t, os.WriteFile(bytes, []byte("\x00\xff\r\n=&+%"), 0o600))
	c.answers(t, `{"result":"OK"}`, "/set/bytes", "--data-binary", "@"+bytes)
	c.answers(t, `{"result":"OK"}`, "/set/bytes", "--upload-file", bytes) // PUT
	c.answers(t, `{"result":8}`, "/strlen/bytes")
	c.answers(t, `{"result":"AP8NCj0mKyU="}`, "/get/bytes", "-H", "Upstash-Encoding: base64")

	c.answers(t, `{"result":"OK"}`, "/set/long", "--data-binary", strings.Repeat("cubby ", 5000))
	require.Contains(t, run(t, c.command("/get/long", "--dump-header", "-", "-o", os.DevNull, "-H", "Accept-Encoding: gzip")).stdout, "Content-Encoding: gzip")
	_, body := c.get(t, "/get/long", "--compressed")
	require.JSONEq(t, `{"result":"`+strings.Repeat("cubby ", 5000)+`"}`, body)

	c.refuses(t, 400, "bad_input", "unknown command", "/lpush/list/x")
	c.refuses(t, 400, "bad_input", "the body is not JSON", "/", "-d", "GET n")
	c.refuses(t, 400, "bad_input", "is about the connection", "/watch/n")
	c.refuses(t, 404, "bad_input", "nothing under this path", "/v1/nothing", "-d", "{}")
	c.refuses(t, 405, "bad_input", "DELETE is not allowed", "/get/n", "-X", "DELETE")
	c.refuses(t, 413, "size_exceeded", "SIZE_EXCEEDED", "/set/huge", "--data-binary", strings.Repeat("x", 65537))
	c.refuses(t, 415, "bad_input", "multipart/form-data", "/set/form", "-F", "a=b")
	c.refuses(t, 403, "forbidden", "origin", "/del/n", "-H", "Origin: https://evil.example")
	newCurl(t, s, "").refuses(t, 401, "unauthorized", "NOAUTH", "/del/n")
	newCurl(t, s, "nobody").refuses(t, 401, "unauthorized", "WRONGPASS", "/del/n")
	newCurl(t, s, adminPassword).refuses(t, 401, "unauthorized", "WRONGPASS", "/app.list")
	c.answers(t, `{"result":"9007199254740992"}`, "/get/n") // none of them did anything
	c.answers(t, `{"result":0}`, "/exists/huge/form/list")

	large := filepath.Join(t.TempDir(), "large")
	require.NoError(t, os.WriteFile(large, make([]byte, 1_500_000), 0o600))
	c.refuses(t, 413, "size_exceeded", "an argument has 1500000 bytes; at most 1048576", "/set/huge", "-T", large)
	require.NoError(t, s.admin(t).ConfigSet(background, "proto-max-bulk-len", "2mb").Err())
	c.refuses(t, 413, "size_exceeded", "the value is 1500000 bytes", "/set/huge", "-T", large)
}

func TestCurlBuysATokenForABrowser(t *testing.T) {
	t.Parallel()
	s := startWeb(t)
	const page = "Origin: https://app.example.com"
	c := newCurl(t, s, s.app(t, "acme/notes"))
	status, body := c.get(t, "/v1/session", "-d", `{"ttl_seconds": 600, "origins": ["https://app.example.com"], "prefix": "user:17:"}`)
	require.Equal(t, 200, status, body)
	var got struct{ Token string }
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	browser := newCurl(t, s, got.Token)
	browser.answers(t, `{"result":"OK"}`, "/set/user:17:name/Ann", "-H", page)
	browser.refuses(t, 403, "forbidden", "prefix", "/get/user:18:name", "-H", page)
	browser.refuses(t, 403, "forbidden", "origin", "/get/user:17:name", "-H", "Origin: https://evil.example")
	preflight := run(t, newCurl(t, s, "").command("/", "-X", "OPTIONS", "-H", page, "-H", "Access-Control-Request-Method: POST", "--dump-header", "-")).stdout
	require.Contains(t, preflight, "HTTP/1.1 204")
	require.Contains(t, preflight, "Access-Control-Allow-Origin: https://app.example.com")

	s.kill() // the key that signs such tokens is kept
	startAgain(t, s)
	browser.answers(t, `{"result":"Ann"}`, "/get/user:17:name", "-H", page)
	c.answers(t, `{"result":"Ann"}`, "/get/user:17:name")
}

func TestCurlReadsEvents(t *testing.T) {
	t.Parallel()
	s := startWeb(t)
	token := s.app(t, "acme/notes")
	c := newCurl(t, s, token)
	news := c.stream(t, "/subscribe/news?_token="+token)
	require.Equal(t, "subscribe,news,1", news.event())
	c.answers(t, `{"result":1}`, "/publish/news/one,two")
	require.Equal(t, "message,news,one,two", news.event())

	s.terminate() // the stream holds nothing up
	require.Empty(t, news.event())
	require.NoError(t, news.cmd.Wait(), "the stream has an end, and is not cut off")
	require.NotContains(t, s.stderr.String(), "cut off")
	require.NotContains(t, s.stderr.String(), token, "tokens have no business in logs")

	s = startAgain(t, s)
	again := c.stream(t, "/psubscribe/n*")
	require.Equal(t, "psubscribe,n*,1", again.event())
	s.kill()
	require.Empty(t, again.event())
	require.Error(t, again.cmd.Wait())
}

// A request whose body never ends is cut off when the time for the shutdown is over.
func TestCurlThatSendsForEverDoesNotKeepTheServer(t *testing.T) {
	t.Parallel()
	s := startWeb(t, "--shutdown-timeout", "1")
	c := newCurl(t, s, s.app(t, "acme/notes"))
	cmd := c.command("/set/k", "-T", "-", "--include", "-H", "Expect: 100-continue")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	cmd.Args = append(cmd.Args, "--verbose")
	require.NoError(t, cmd.Start())
	_, err = io.WriteString(stdin, "begun")
	require.NoError(t, err)
	for lines := bufio.NewScanner(stderr); lines.Scan() && !strings.Contains(lines.Text(), "100 Continue"); {
	}
	s.signal(syscall.SIGTERM)
	require.Zero(t, s.exitCode(), s.stderr.String())
	require.Contains(t, s.stderr.String(), "some requests over HTTP were cut off")
	_ = stdin.Close()
	_, _ = io.Copy(io.Discard, stderr)
	require.Error(t, cmd.Wait())
}

func TestCurlOverTLS(t *testing.T) {
	t.Parallel()
	ca := testcert.New(t, "ca")
	pair := ca.Issue(t, "server")
	dir, web := t.TempDir(), 0
	s := serve(t, func(port string) *exec.Cmd {
		web = freePort(t)
		return serveCommand(dir, port, []string{"--http-tls-port", strconv.Itoa(web), "--tls-cert-file", pair.Cert, "--tls-key-file", pair.Key, "--tls-auth-clients", "no"})
	}, dir, withPassword)
	c := newCurl(t, s, s.app(t, "acme/notes"))
	c.base = fmt.Sprintf("https://127.0.0.1:%d", web)
	require.Equal(t, 60, run(t, c.command("/ping")).code, "curl does not know the CA")
	c.flags = append(c.flags, "--cacert", ca.File)
	c.answers(t, `{"result":"PONG"}`, "/ping", "--http1.1")
	version := func(flags ...string) string {
		return run(t, c.command("/ping", append(flags, "-o", os.DevNull, "-w", "%{http_version}")...)).stdout
	}
	require.Equal(t, "1.1", version("--http1.1"))
	if help := run(t, exec.Command(c.program, "--version")).stdout; strings.Contains(help, "HTTP2") {
		require.Equal(t, "2", version("--http2"))
		c.answers(t, `{"result":"OK"}`, "/set/k", "--http2", "--data-binary", strings.Repeat("x", 20000))
		c.answers(t, `{"result":20000}`, "/strlen/k", "--http2")
		news := c.stream(t, "/subscribe/news", "--http2")
		require.Equal(t, "subscribe,news,1", news.event())
		c.answers(t, `{"result":1}`, "/publish/news/hello", "--http1.1")
		require.Equal(t, "message,news,hello", news.event())
		s.terminate()
		require.Empty(t, news.event())
	}
}
