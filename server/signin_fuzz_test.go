package server

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/redcon"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

// FuzzSignIn sends arbitrary bytes, which mostly begin as AUTH or HELLO, to a
// server with one app and its token, through guard, reader and engine. Whoever
// does not send a secret must not be signed in, no secret gets into the log, and
// all that comes back is RESP. The word TOKEN stands for the secret, PASSWORD
// for the admin's.
func FuzzSignIn(f *testing.F) {
	const password = "fuzzers-guess-no-such-password"
	clock := storetest.NewClock()
	store := storetest.NewMemory(clock)
	dir, err := auth.Open(context.Background(), store, auth.Options{AdminPassword: password})
	require.NoError(f, err)
	id := storage.ID{Tenant: "acme", App: "shop"}
	_, err = dir.CreateApp(context.Background(), id, nil)
	require.NoError(f, err)
	secret, _, err := dir.CreateToken(context.Background(), id, "", auth.Scope{Prefix: "p:"})
	require.NoError(f, err)
	var logged bytes.Buffer // by one goroutine
	log := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	engine := commands.New(commands.Options{Store: store, Directory: dir, Log: log})

	for _, seed := range []string{
		command("AUTH", "TOKEN"), command("AUTH", "default", "TOKEN"), command("AUTH", "acme/shop", "TOKEN"), command("AUTH", "rival/shop", "TOKEN"),
		command("AUTH", "admin", "PASSWORD"), command("AUTH", "PASSWORD"), command("AUTH"), command("AUTH", ""), command("AUTH", "", ""), command("AUTH", "a", "b", "c"),
		command("AUTH", "cub_aaaaaaaaaaaaaaaa_"+strings.Repeat("0", 43)), command("AUTH", "cubs_e30.AAAA"), command("AUTH", "a.b.c"), command("AUTH", "TOKEN\x00"), command("AUTH", " TOKEN"),
		command("HELLO"), command("HELLO", "2"), command("HELLO", "3", "AUTH", "default", "TOKEN"), command("HELLO", "3", "AUTH", "acme/shop", "TOKEN", "SETNAME", "me"),
		command("HELLO", "3", "SETNAME", "me", "AUTH", "x", "y"), command("HELLO", "3", "AUTH", "x"), command("HELLO", "4", "AUTH", "default", "TOKEN"), command("HELLO", "x"),
		command("HELLO", "3", "AUTH", "default", "TOKEN", "AUTH", "default", "no"), command("HELLO", "3", "AUTH", "default", "no", "AUTH", "default", "TOKEN"),
		"AUTH TOKEN\r\n", "hello 3 auth default \"TOKEN\"\r\n", "AUTH TOKEN\nCLIENT LIST\nRESET\nGET p:k\n", command("AUTH", "TOKEN") + command("AUTH", "no") + command("GET", "p:k"),
		command("QUIT") + command("AUTH", "TOKEN"), command("PING") + command("GET", "k") + command("HELLO", "3"), "*2\r\n$4\r\nAUTH\r\n$5\r\nTOK", "*2\r\n$4\r\nAUTH\r\n$-1\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = substitute(substitute(data, "TOKEN", secret), "PASSWORD", password)
		logged.Reset()
		var session *commands.Session
		s := newServer(Options{Log: log}, func(o commands.SessionOptions) peer {
			session = engine.NewSession(o)
			return hastyPeer{enginePeer{engine, session}}
		})
		wire := &scriptedConn{data: bytes.Clone(data)}
		c := s.newConn(wire)
		defer func() { require.NoError(t, c.Close()) }()
		rd := redcon.NewReader(c)
		for {
			cmds, err := rd.ReadCommands()
			if err != nil || !c.serve(cmds[0]) {
				break
			}
		}
		if session == nil {
			return
		}
		knows := bytes.Contains(data, []byte(secret)) || bytes.Contains(data, []byte(password))
		require.False(t, session.SignedIn() && !knows, "signed in without a secret")
		if string(data) == command("AUTH", secret) {
			require.True(t, session.SignedIn())
		}
		out := wire.written.Bytes()
		require.NotContains(t, logged.String(), secret[len("cub_"):], "the log has the secret")
		require.NotContains(t, logged.String(), password, "the log has the password")
		for r := bufio.NewReader(bytes.NewReader(out)); ; {
			if _, err := resp.ReadRaw(r); err != nil {
				require.ErrorIs(t, err, io.EOF, "%q is not RESP", out)
				return
			}
		}
	})
}

// hastyPeer does not wait after failed sign-ins, which would leave a fuzzer
// asleep for most of its time.
type hastyPeer struct{ enginePeer }

func (hastyPeer) hold() time.Duration { return 0 }

// substitute puts a secret in the place of a word, also where a length announces
// it.
func substitute(data []byte, word, secret string) []byte {
	frame := func(s string) []byte { return []byte("$" + strconv.Itoa(len(s)) + "\r\n" + s) }
	data = bytes.ReplaceAll(data, frame(word), frame(secret))
	return bytes.ReplaceAll(data, []byte(word), []byte(secret))
}
