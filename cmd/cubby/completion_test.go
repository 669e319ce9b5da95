package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// completed are the words that a shell would be offered behind line, whose last
// word is under way, and cobra's directive.
func (w *world) completed(line []string) (words []string, directive string) {
	w.t.Helper()
	r := w.ok(append([]string{"__complete"}, line...)...)
	lines := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
	return lines[:len(lines)-1], lines[len(lines)-1]
}

// Cobra's directives, as the shells get them.
const (
	completeSpace   = ":4" // no files
	completeNoSpace = ":6" // no files, and no blank behind the word
	completeFiles   = ":0"
)

func TestCompletion(t *testing.T) {
	w, s, at := furnished(t)
	id := strings.Split(strings.Split(w.ok(at("token", "list", "globex/shop")...).out, "\n")[1], "\t")[0]
	kept := s.client("admin", testPassword)
	connection := kept.ClientID(t.Context()).String()
	connection = connection[strings.LastIndexByte(connection, ' ')+1:]
	for _, c := range []struct {
		line      string // _ is an empty word
		want      []string
		directive string
	}{
		{"app info acme/", []string{"acme/notes\t0 tokens", "acme/shop\t2 tokens"}, completeSpace},
		{"app info acme/shop _", nil, completeSpace},
		{"app create _", []string{"acme/", "globex/"}, completeNoSpace},
		{"app set acme/shop max-", []string{"max-connections=\t0 to 1000000, 0 is no limit", "max-keys=\t1 to 1000000000000", "max-bytes=\t0 and more bytes, 0 is no limit"}, completeNoSpace},
		{"app set acme/shop max-keys=1 max-", []string{"max-connections=\t0 to 1000000, 0 is no limit", "max-bytes=\t0 and more bytes, 0 is no limit"}, completeNoSpace},
		{"app drop g", []string{"globex/shop\t2 tokens"}, completeSpace},
		{"tenant drop _", []string{"acme", "globex"}, completeSpace},
		{"tenant list _", nil, completeSpace},
		{"usage g", []string{"globex", "globex/"}, completeNoSpace},
		{"usage globex/", []string{"globex/shop\t2 tokens"}, completeSpace},
		{"usage --sort _", usageOrders, completeSpace},
		{"token create acme/s", []string{"acme/shop\t2 tokens"}, completeSpace},
		{"token revoke " + id[:8], []string{id + "\tglobex/shop"}, completeSpace},
		{"config set logl", []string{"loglevel=\tThe least severe messages that are logged"}, completeNoSpace},
		{"config set requirep", []string{"requirepass\tThe admin's password, for AUTH admin <password>"}, completeSpace},
		{"config set po", nil, completeSpace}, // needs a restart
		{"config get por", []string{"port\tThe TCP port, on each address of bind"}, completeSpace},
		{"config get inclu", nil, completeSpace},
		{"client kill " + connection, []string{connection + "\tadmin " + clientAddr(t, w, at, connection)}, completeSpace},
		{"client kill --app glo", []string{"globex/shop\t2 tokens"}, completeSpace},
		{"export glo", []string{"globex/shop\t2 tokens"}, completeSpace},
		{"import globex/shop _", nil, completeFiles},
	} {
		words := strings.Fields(c.line)
		if last := len(words) - 1; words[last] == "_" {
			words[last] = ""
		}
		// The flag stands before the words: the last one is under way.
		line := append([]string{words[0], "--addr", s.socket}, words[1:]...)
		got, directive := w.completed(line)
		require.Equal(t, c.want, nilIfEmpty(got), c.line)
		require.Equal(t, c.directive, directive, c.line)
	}
}

func nilIfEmpty(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}

// clientAddr is where CLIENT LIST says a connection comes from.
func clientAddr(t *testing.T, w *world, at func(...string) []string, id string) string {
	t.Helper()
	for line := range strings.Lines(w.ok(at("client", "list")...).out) {
		if fields := strings.Split(line, "\t"); fields[0] == id {
			return fields[2]
		}
	}
	require.Fail(t, "the connection is not listed", id)
	return ""
}

func TestCompletionOfServe(t *testing.T) {
	w := newWorld(t)
	got, _ := w.completed([]string{"serve", "--port", "7000", "--max"})
	require.Equal(t, []string{"--maxclients\tHow many clients may be connected at the same time"}, got[:1])
	got, directive := w.completed([]string{"serve", "cubby"})
	require.Empty(t, got)
	require.Equal(t, completeFiles, directive)
}

// A press of the Tab key gets no error and no question.
func TestCompletionIsSilent(t *testing.T) {
	w := newWorld(t)
	w.interactive = true // and no password
	for _, line := range [][]string{
		{"app", "info", "--addr", "127.0.0.1:1", ""},
		{"app", "info", "--addr", "nonsense", ""},
	} {
		got, directive := w.completed(line)
		require.Empty(t, got)
		require.Equal(t, completeSpace, directive)
	}
	w.vars[passwordVar] = "wrong"
	got, _ := w.completed([]string{"app", "info", "--addr", "127.0.0.1:1", ""})
	require.Empty(t, got)
}

func TestCompletionScripts(t *testing.T) {
	w := newWorld(t)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		require.Contains(t, w.ok("completion", shell).out, "__complete", shell)
	}
}
