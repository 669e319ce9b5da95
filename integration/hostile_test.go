package integration

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// poison is what no client should send. Each must cost its sender at most the
// connection, and nobody else anything.
var poison = map[string]string{
	"length of 2^63-1":           "*1\r\n$9223372036854775807\r\nab\r\n",
	"length above 2^64":          "*1\r\n$99999999999999999999\r\nab\r\n",
	"negative length":            "*1\r\n$-2\r\nab\r\n",
	"array of 2^63-1":            "*9223372036854775807\r\n",
	"array of a billion":         "*1000000000\r\n$4\r\nPING\r\n",
	"array of -2":                "*-2\r\n",
	"length that is no number":   "*1\r\n$abc\r\nPING\r\n",
	"array that is no number":    "*x\r\n",
	"length without end":         "*1\r\n$" + strings.Repeat("1", 70_000),
	"inline without end":         strings.Repeat("A", 200_000),
	"wrong type of element":      "*1\r\n+PING\r\n",
	"nested array":               "*1\r\n*1\r\n$4\r\nPING\r\n",
	"bulk without its line end":  "*1\r\n$4\r\nPINGxx*1\r\n",
	"half a frame":               "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$65536\r\nhalf",
	"half a number":              "*3\r\n$",
	"quotes without end":         "SET k \"open\r\n",
	"half a gigabyte, announced": "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n",
	"many empty lines":           strings.Repeat("\r\n", 20_000),
	"many line feeds":            strings.Repeat("\n", 50_000),
	"zero bytes":                 strings.Repeat("\x00", 10_000),
	"HTTP":                       "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
	"TLS client hello":           "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x7f", 500),
	"tile38's and redcon's own":  "$9 SET a b c\r\n",
	"empty array, then nonsense": "*0\r\n*-1\r\n%7\r\n",
}

func TestPoisonHarmsNobodyElse(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/notes")
	stop := s.watchfulClient(t, token)
	signIn := map[string]string{"before sign-in": "", "signed in": command("AUTH", token)}
	for name, bytes := range poison {
		for when, prefix := range signIn {
			wire := s.wire(t)
			if prefix != "" {
				wire.exchange(prefix, "+OK\r\n")
			}
			_, _ = wire.Write([]byte(bytes)) // the server may hang up before its end
			require.NoError(t, s.admin(t).Ping(background).Err(), "%s, %s", name, when)
			// Not closed: a server that waits must be able to wait for long.
		}
	}
	stop()
	require.NotContains(t, s.stderr.String(), "panic")
}

func TestRandomBytesHarmNobodyElse(t *testing.T) {
	t.Parallel()
	rng := seeded(t)
	s := start(t)
	token := s.app(t, "acme/notes")
	stop := s.watchfulClient(t, token)
	for range 150 {
		wire := s.wire(t)
		if rng.IntN(2) == 0 {
			wire.exchange(command("AUTH", token), "+OK\r\n")
		}
		_, _ = wire.Write(garble(rng))
		if rng.IntN(3) > 0 {
			_ = wire.Close()
		}
	}
	stop()
	require.NotContains(t, s.stderr.String(), "panic")
}

// garble is a pipeline that starts right and has some wrong bytes in it. Its
// commands change no keys that others look at.
func garble(rng *rand.Rand) []byte {
	var b strings.Builder
	for range 1 + rng.IntN(30) {
		b.WriteString(command("SET", fmt.Sprintf("garbled%d", rng.IntN(10)), strings.Repeat("v", rng.IntN(300))))
	}
	bytes := []byte(b.String())
	for range 1 + rng.IntN(8) {
		bytes[rng.IntN(len(bytes))] = "\r\n*$-+:0199 \"'\x00\xff"[rng.IntN(16)]
	}
	return bytes
}

// A request that comes byte by byte is served like any other, and holds up
// nobody.
func TestSlowTrickle(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/notes")
	kv := s.client(t, token, 3)
	wire := s.wire(t)
	request := command("AUTH", token) + command("SET", "slow", "v") + "GET slow\r\n"
	for i := range len(request) {
		wire.send(request[i : i+1])
		require.NoError(t, kv.Set(background, "fast", i, 0).Err())
	}
	wire.exchange("", "+OK\r\n+OK\r\n$1\r\nv\r\n")
}

// watchfulClient writes and reads all the time until stop is called, and
// requires that each command is answered as it should be.
func (s *cubby) watchfulClient(t *testing.T, token string) (stop func()) {
	t.Helper()
	kv := s.dial(t, func(o *redis.Options) { o.Password, o.PoolSize = token, 1 })
	id := kv.ClientID(background).Val()
	done := make(chan struct{})
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			err := kv.Set(background, "watchful", i, 0).Err()
			if err == nil {
				var got int
				if got, err = kv.Get(background, "watchful").Int(); err == nil && got != i {
					err = fmt.Errorf("%d came back as %d", i, got)
				}
			}
			if err != nil {
				failed <- err
				return
			}
		}
	}()
	end := sync.OnceFunc(func() { close(done) })
	t.Cleanup(end)
	return func() {
		t.Helper()
		end()
		require.NoError(t, <-failed)
		require.Equal(t, id, kv.ClientID(background).Val(), "on the same connection")
	}
}
