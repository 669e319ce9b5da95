package integration

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testneed"
)

func redisCLIClient(protocol int) subject {
	return subject{Name: "redis-cli", Language: "C", Protocol: protocol, drive: driveRedisCLI}
}

func driveRedisCLI(d *driven) {
	program := testneed.Program(d, "redis-cli")
	version, err := exec.Command(program, "--version").Output()
	require.NoError(d, err)
	d.done.Version = strings.Fields(string(version))[1]

	flag := "-" + strconv.Itoa(d.done.Protocol)
	cli := d.server.redisCLI(d, flag, "-a", d.token)
	d.check(signIn, func(t *testing.T) {
		require.Equal(t, "PONG", cli("", "PING"))
		require.Equal(t, "PONG", d.server.redisCLI(t, flag, "--user", d.user, "--pass", d.token, "-n", "1")("", "PING"))
		url := fmt.Sprintf("redis://acme%%2Fnotes:%s@127.0.0.1:%d/1", d.token, d.server.port)
		require.Equal(t, "PONG", d.server.redisCLI(t, flag, "-u", url)("", "PING"))
		require.Contains(t, d.server.redisCLI(t, flag, "-a", "wrong")("", "GET", "k"), "WRONGPASS")
		require.Contains(t, d.server.redisCLI(t, flag, "--user", "acme/other", "-a", d.token)("", "GET", "k"), "WRONGPASS")
		require.Contains(t, d.server.redisCLI(t, flag)("", "GET", "k"), "NOAUTH")
	})
	d.check(values, func(t *testing.T) {
		require.Equal(t, "OK", cli("", "SET", "text", "grüße", "EX", "100"))
		require.Equal(t, "grüße", cli("", "GET", "text"))
		require.Equal(t, "OK", cli("", "MSET", "a", "1", "b", "2"))
		require.Equal(t, `"1",NULL,"2"`, cli("", "--csv", "MGET", "a", "missing", "b"))
		require.JSONEq(t, `["1",null,"2"]`, cli("", "--json", "MGET", "a", "missing", "b"))
		require.Equal(t, "1\n2\n3", cli("", "-r", "3", "INCR", "n"))
		require.Equal(t, "OK", cli("a\r\nb", "-x", "SET", "k"))
		require.Equal(t, "a\r\nb", cli("", "GET", "k"))
		require.Equal(t, "OK", cli("", "KV.SET", "doc", `{"a": 1}`))
	})
	d.check(pipeline, func(t *testing.T) {
		var load strings.Builder
		for i := range 3000 {
			load.WriteString(command("SET", fmt.Sprintf("many:%d", i), "x"))
		}
		load.WriteString(command("INCR", "text"))
		cmd := exec.Command(program, flag, "-p", strconv.Itoa(d.server.port), "--no-auth-warning", "-a", d.token, "--pipe")
		cmd.Stdin = strings.NewReader(load.String())
		r := run(t, cmd)
		require.Contains(t, r.stdout, "errors: 1, replies: 3001")
		require.Contains(t, r.stderr, "ERR value is not an integer or out of range")
	})
	d.check(transaction, func(t *testing.T) {
		require.Equal(t, "OK\nQUEUED\nQUEUED\n1\n2", cli("MULTI\nINCR t\nINCR t\nEXEC\n"))
	})
	d.check(scan, func(t *testing.T) {
		scanned := strings.Split(cli("", "--scan", "--pattern", "many:*"), "\n")
		slices.Sort(scanned)
		require.Len(t, slices.Compact(scanned), 3000)
	})
	d.check("--bigkeys, --memkeys", func(t *testing.T) {
		require.Contains(t, cli("", "--bigkeys"), "3007 strings with ")
		require.Contains(t, cli("", "--memkeys"), "3007 strings with ")
	})
	d.check("--stat", func(t *testing.T) {
		_, lines, stop := d.openCLI(t, flag, "--stat", "-i", "0.01")
		defer stop()
		require.Regexp(t, "^-+ data -+", <-lines)
		require.Regexp(t, "^keys +mem +clients", <-lines)
		require.Regexp(t, `^3007 +\d+.* \d+ `, <-lines)
	})
	d.check(pubsub, func(t *testing.T) {
		_, lines, stop := d.openCLI(t, flag, "SUBSCRIBE", "news")
		defer stop()
		got := []string{<-lines, <-lines, <-lines}
		require.Equal(t, "1", cli("", "PUBLISH", "news", "hello"))
		got = append(got, <-lines, <-lines, <-lines)
		require.Equal(t, []string{"subscribe", "news", "1", "message", "news", "hello"}, got)
	})
	d.check(lua, func(t *testing.T) {
		require.Equal(t, "2", cli("", "EVAL", "return redis.call('INCRBY', KEYS[1], ARGV[1])", "1", "lua", "2"))
		require.Equal(t, "k\nv\n7", cli("", "--eval", "testdata/keys.lua", "k", ",", "v"))
	})
	d.check(errorCodes, func(t *testing.T) {
		require.Contains(t, cli("", "SET", "two words", "x"), "BAD_INPUT ")
		require.Contains(t, cli("", "LPUSH", "list", "x"), "ERR unknown command 'LPUSH'")
		failed := run(t, exec.Command(program, flag, "-p", strconv.Itoa(d.server.port), "--no-auth-warning", "-a", d.token, "-e", "KV.GET", "text"))
		require.Equal(t, 1, failed.code)
		require.Contains(t, failed.stderr+failed.stdout, "WRONGTYPE ")
	})
	d.check(restart, func(t *testing.T) {
		require.Equal(t, "OK", cli("", "SET", "kept", "v"))
		typed, answers, stop := d.openCLI(t, flag)
		defer stop()
		_, err = io.WriteString(typed, "GET kept\n")
		require.NoError(t, err)
		require.Equal(t, "v", <-answers)
		d.restart()
		// The first tells it that the connection has ended.
		_, err = io.WriteString(typed, "GET kept\nGET kept\n")
		require.NoError(t, err)
		require.Equal(t, "v", <-answers, "it connects and signs in again by itself")
	})
}

// openCLI starts a redis-cli that does not end by itself. Its lines end with a
// closed channel, at the latest when patience does.
func (d *driven) openCLI(t *testing.T, args ...string) (typed io.Writer, lines <-chan string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(background, patience)
	// It would keep what it prints to itself for a while.
	options := []string{"-oL", "redis-cli", "-p", strconv.Itoa(d.server.port), "--no-auth-warning", "-a", d.token}
	cmd := exec.CommandContext(ctx, "stdbuf", append(options, args...)...)
	dieWithUs(cmd)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	out := make(chan string, 100)
	go func() {
		defer close(out)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			select {
			case out <- s.Text():
			case <-ctx.Done():
			}
		}
	}()
	return stdin, out, func() {
		cancel()
		for more := true; more; { // Wait comes after the last line was read
			_, more = <-out
		}
		_ = cmd.Wait() // it was killed
	}
}
