package integration

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// seeded returns a source of random numbers that CUBBY_TEST_SEED repeats. A
// failing test prints its seed.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("CUBBY_TEST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "CUBBY_TEST_SEED")
	}
	t.Logf("repeat with CUBBY_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// crashRounds is how many times a test crashes its server.
func crashRounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("CUBBY_TEST_CRASH_ROUNDS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, "CUBBY_TEST_CRASH_ROUNDS")
	return n
}

// Small segments, so that crashes hit rotations and snapshots as well.
var smallSegments = []string{"--journal-segment-size", "1mb"}

// After kill -9 in the middle of many clients' writes everything acknowledged
// is there, transactions are whole, and nothing else appeared.
func TestKillUnderLoad(t *testing.T) {
	for _, mode := range []struct {
		fsync  string
		writes int // acknowledged before the kill, at most
	}{{"everysec", 2500}, {"always", 800}} {
		t.Run(mode.fsync, func(t *testing.T) {
			t.Parallel()
			rng := seeded(t)
			directives := append([]string{"--appendfsync", mode.fsync}, smallSegments...)
			s := start(t, directives...)
			l := newLoad(t, s, 10, rng)
			for round := range crashRounds(t) {
				late := fmt.Sprintf("late/app%d", round)
				errs := l.run(t, s, protocols[round%2], 50+rng.IntN(mode.writes), func() {
					s.app(t, late)
					s.kill()
				})
				requireCutOff(t, errs)
				if rng.IntN(2) == 0 { // and once more, while it recovers
					again := launch(t, s.dir, directives...)
					again.says("cubby starts")
					again.kill()
				}
				r := run(t, exec.Command(binary, "check", s.dir))
				require.Zero(t, r.code, "what a crash leaves is no damage: %s%s", r.stdout, r.stderr)
				s = startIn(t, s.dir, directives...)
				l.check(t, s, false)
				tokens, err := s.admin(t).Do(background, "TOKEN.LIST", late).Slice()
				require.NoError(t, err, "an app made just before the crash")
				require.Len(t, tokens, 1)
			}
		})
	}
}

// SIGTERM under the same load ends in order: what was done was answered, and
// what was answered is kept.
func TestTerminateUnderLoad(t *testing.T) {
	for _, fsync := range []string{"everysec", "always"} {
		t.Run(fsync, func(t *testing.T) {
			t.Parallel()
			rng := seeded(t)
			directives := append([]string{"--appendfsync", fsync}, smallSegments...)
			s := start(t, directives...)
			l := newLoad(t, s, 10, rng)
			for round := range 2 {
				errs := l.run(t, s, protocols[round%2], 50+rng.IntN(800), s.terminate)
				requireCutOff(t, errs)
				require.NotContains(t, s.stderr.String(), "level=WARN")
				s = startIn(t, s.dir, directives...)
				require.NotContains(t, s.stderr.String(), "level=WARN", "nothing to recover from")
				l.check(t, s, true)
			}
		})
	}
}

// requireCutOff requires that clients lost their connection and were never
// given an error by the server.
func requireCutOff(t *testing.T, errs []error) {
	t.Helper()
	for _, err := range errs {
		var reply redis.Error
		require.Error(t, err)
		require.NotErrorAs(t, err, &reply)
	}
}

// A client with a long pipeline under way gets a reply for each command that
// ran, and for no other.
func TestTerminateInsideAPipeline(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/notes")
	wire := s.wire(t)
	wire.exchange(command("AUTH", token), "+OK\r\n")
	sent := make(chan error, 1)
	go func() {
		batch := strings.Repeat(command("INCR", "n"), 500)
		for {
			if _, err := io.WriteString(wire.Conn, batch); err != nil {
				sent <- err
				return
			}
		}
	}()
	require.Equal(t, ":1", wire.line())
	s.signal(syscall.SIGTERM)
	replies := 1
	for {
		line, err := wire.r.ReadString('\n')
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			require.Empty(t, line, "half a reply")
			break
		}
		replies++
		require.Equal(t, fmt.Sprintf(":%d\r\n", replies), line)
	}
	_ = wire.Close()
	<-sent
	require.Zero(t, s.exitCode())

	s = startIn(t, s.dir)
	require.Equal(t, strconv.Itoa(replies), s.client(t, token, 3).Get(background, "n").Val())
}

// Clients that only hold a connection do not hold up a stop, however long it
// may take.
func TestTerminateWhenIdle(t *testing.T) {
	t.Parallel()
	s := start(t, "--shutdown-timeout", "3600")
	token := s.app(t, "acme/notes")
	for range 50 {
		require.NoError(t, s.client(t, token, 3).Ping(background).Err())
	}
	half := s.wire(t)
	half.exchange(command("AUTH", token), "+OK\r\n")
	half.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10\r\nhal") // a request that never gets whole
	s.terminate()
	require.Empty(t, half.rest())

	_, err := net.Dial("tcp", s.addr())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.Contains(t, lastLine(s.stderr.String()), "writing what is left to disk")
}

func lastLine(text string) string {
	last := ""
	for sc := bufio.NewScanner(strings.NewReader(text)); sc.Scan(); {
		last = sc.Text()
	}
	return last
}
