package integration

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// from returns a dialer of one of Linux's many loopback addresses.
func from(n int) net.Dialer {
	return net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(n>>8), byte(n))}, Timeout: patience}
}

// connected is how many connections the server has.
func connected(t testing.TB, admin *redis.Client) int {
	t.Helper()
	var n int
	_, after, found := strings.Cut(admin.Info(background, "clients").Val(), "connected_clients:")
	require.True(t, found)
	_, err := fmt.Sscanf(after, "%d", &n)
	require.NoError(t, err)
	return n
}

// Thousands who never sign in, from many addresses and from the tenants' own, keep
// nobody from working, nor from coming in.
func TestStrangersKeepNobodyOut(t *testing.T) {
	t.Parallel()
	const strangers, addresses = 10_000, 100
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if limit.Cur < strangers+2000 {
		t.Skipf("%d strangers need as many file descriptors and some more, and this process may have %d (ulimit -n)", strangers, limit.Cur)
	}
	s := start(t, "--maxclients", "8000", "--signin-timeout", "8")
	token := s.app(t, "acme/notes")
	stop := s.watchfulClient(t, token)
	admin := s.admin(t)
	require.Positive(t, connected(t, admin))

	crowd := make([]net.Conn, strangers)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for n := i; n < strangers; n += 20 {
				d := from(n % addresses)
				if n%10 == 0 {
					d = net.Dialer{Timeout: patience} // beside the tenants
				}
				nc, err := d.DialContext(background, "tcp", s.addr())
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = nc.Write([]byte("*2\r\n$4\r\nAU")) // it may be refused by now
				crowd[n] = nc
			}
		})
	}
	defer func() {
		for _, nc := range crowd {
			if nc != nil {
				_ = nc.Close()
			}
		}
	}()
	wg.Wait()

	// They take no more than their share; and when they have had two seconds,
	// whoever can sign in gets in at the first attempt.
	signIn := func() error {
		kv := redis.NewClient(&redis.Options{Addr: s.addr(), Password: token, MaxRetries: -1, PoolSize: 1})
		defer kv.Close()
		return kv.Set(background, "k", "v", 0).Err()
	}
	require.Eventually(t, func() bool { return signIn() == nil }, patience, 50*time.Millisecond)
	require.LessOrEqual(t, connected(t, admin), 4000+10)
	settled := make(chan struct{})
	time.AfterFunc(2500*time.Millisecond, func() { close(settled) })
	<-settled
	for range 50 {
		require.NoError(t, signIn())
	}
	stop()
	require.NotContains(t, s.stderr.String(), "panic")

	// In the end they are all gone.
	require.Eventually(t, func() bool { return connected(t, admin) < 10 }, 3*patience, 200*time.Millisecond)
}

// A sign-in that comes a byte at a time is cut off in time.
func TestTrickledSignInsEnd(t *testing.T) {
	t.Parallel()
	s := start(t, "--signin-timeout", "2")
	token := s.app(t, "acme/notes")
	stop := s.watchfulClient(t, token)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			nc, err := net.Dial("tcp", s.addr())
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			began := time.Now()
			every := time.NewTicker(200 * time.Millisecond)
			defer every.Stop()
			for _, c := range []byte(command("AUTH", strings.Repeat("x", 1000))) {
				if _, err := nc.Write([]byte{c}); err != nil {
					return
				}
				if <-every.C; time.Since(began) > patience {
					t.Error("still connected")
					return
				}
			}
		})
	}
	wg.Wait()
	stop()
}

// Pipelines of thousands of wrong passwords get ten answers each, and nobody else
// waits with them: not who is signed in, nor who signs in from the same address.
func TestFloodsOfWrongPasswords(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/notes")
	stop := s.watchfulClient(t, token)
	const floods = 20
	flood := []byte(strings.Repeat(command("AUTH", "admin", "guess")+command("HELLO", "3", "AUTH", "default", "guess"), 5000))
	var going atomic.Int64
	var wg sync.WaitGroup
	for n := range floods {
		going.Add(1)
		wg.Go(func() {
			defer going.Add(-1)
			d := from(1000 + n)
			nc, err := d.DialContext(background, "tcp", s.addr())
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			_ = nc.SetDeadline(time.Now().Add(patience))
			go func() { _, _ = nc.Write(flood) }() // until the server hangs up
			answers, _ := io.ReadAll(nc)           // it may end in a reset: there is more to be read
			if want := bytes.Repeat([]byte("-"+wrongPass+"\r\n"), 10); !bytes.Equal(want, answers) {
				t.Errorf("%d bytes of answers: %.2000q", len(answers), answers)
			}
		})
	}
	neighbours := 0
	for going.Load() > 0 {
		d := from(1000 + neighbours%floods)
		kv := redis.NewClient(&redis.Options{Addr: s.addr(), Password: token, MaxRetries: -1, PoolSize: 1,
			Dialer: d.DialContext})
		require.NoError(t, kv.Set(background, "k", "v", 0).Err())
		require.NoError(t, kv.Close())
		neighbours++
	}
	wg.Wait()
	require.Greater(t, neighbours, floods)
	stop()
}
