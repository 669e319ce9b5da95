package integration

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// mixture is clients of all kinds at the same time. Those of calm namespaces get
// the replies to what they sent, whatever happens in the rough one: scripts that
// are killed, pauses, connections that are cut off.
type mixture struct {
	*cubby
	t      *testing.T
	rounds int
	rough  string
	wg     sync.WaitGroup
}

// mixtureRounds is how much each client does; CUBBY_TEST_ROUNDS says otherwise.
func mixtureRounds(t *testing.T) int {
	text := os.Getenv("CUBBY_TEST_ROUNDS")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

func TestMixture(t *testing.T) {
	for name, directives := range map[string][]string{
		"everysec":         {"--appendfsync", "everysec"},
		"always":           {"--appendfsync", "always"},
		"always two loops": {"--appendfsync", "always", "--event-loops", "2"},
		"without loops":    {"--appendfsync", "always", "--event-loops", "-1"},
	} {
		t.Run(name, func(t *testing.T) {
			fresh := start(t, directives...)
			for _, name := range []string{"acme/rough", "acme/calm", "acme/quiet"} {
				fresh.app(t, name)
			}
			require.NoError(t, fresh.admin(t).Ping(background).Err())
			idle := fresh.goroutines()

			s := start(t, directives...)
			m := &mixture{cubby: s, t: t, rounds: mixtureRounds(t), rough: s.app(t, "acme/rough")}
			calm, quiet := s.app(t, "acme/calm"), s.app(t, "acme/quiet")
			admin := s.admin(t)
			before := connected(t, admin)
			sockets := s.sockets()
			m.run(calm, quiet)

			require.Eventually(t, func() bool { return connected(t, admin) == before }, patience, pollEvery, "connections that have gone are still counted")
			require.Eventually(t, func() bool { return s.sockets() == sockets }, patience, pollEvery, "sockets are left")
			if m.rounds > 1 {
				t.Log(admin.Info(background, "memory").Val())
			}
			left := s.goroutines()
			for made, n := range left {
				// A part of the store begins its work when it is used.
				if !strings.HasPrefix(made, "runtime") && !strings.Contains(made, "buntdb") {
					require.LessOrEqual(t, n, idle[made], "goroutines are left: %s", made)
				}
			}
		})
	}
}

// A server that stops in the middle of it all stops in order.
func TestMixtureEndsWithTheServer(t *testing.T) {
	for _, fsync := range []string{"everysec", "always"} {
		t.Run(fsync, func(t *testing.T) {
			s := start(t, "--appendfsync", fsync, "--shutdown-timeout", "15")
			m := &mixture{cubby: s, t: t, rounds: 1, rough: s.app(t, "acme/rough")}
			// Held, paused, at work, waiting for a place, in the middle of a frame, silent,
			// and waiting for their turn.
			holder := m.dial("")
			for range 8 {
				_, _ = io.WriteString(holder.nc, command("AUTH", "nobody", "wrong"))
			}
			paused := m.dial(m.rough)
			admin := m.dial(m.rough)
			for range 4 {
				c := m.dial(m.rough)
				_, _ = io.WriteString(c.nc, command("EVAL", "while true do end", "0")+command("PING"))
			}
			admin.must("+OK", "CLIENT", "PAUSE", "3600000", "ALL")
			_, _ = io.WriteString(paused.nc, command("SET", "k", "v")+command("CLIENT", "PAUSE", "3600000", "ALL")+command("GET", "k"))
			partial := m.dial(m.rough)
			_, _ = io.WriteString(partial.nc, "*2\r\n$3\r\nGE")
			m.dial(m.rough)
			flood := s.app(t, "acme/flood")
			for range 20 {
				c := m.dial(flood)
				_, _ = io.WriteString(c.nc, strings.Repeat(command("SET", "k", "v"), 3000))
			}
			s.terminate()
			require.NotContains(t, s.stderr.String(), "cutting off")
		})
	}
}

func (m *mixture) run(calm ...string) {
	seed := rand.Uint64()
	m.t.Logf("seed %d", seed)
	n := uint64(0)
	each := func(f func(rng *rand.Rand)) {
		n++
		rng := rand.New(rand.NewPCG(seed, n))
		m.wg.Go(func() { f(rng) })
	}
	for i, token := range calm {
		for j := range 2 {
			name := fmt.Sprintf("p%d-%d", i, j)
			each(func(rng *rand.Rand) { m.pipelines(rng, token, name) })
		}
		each(func(rng *rand.Rand) { m.library(rng, token, fmt.Sprintf("g%d", i)) })
		each(func(rng *rand.Rand) { m.channels(token, fmt.Sprintf("c%d", i)) })
		each(func(rng *rand.Rand) { m.deaf(token, fmt.Sprintf("d%d", i)) })
	}
	for range 3 {
		each(m.scripts)
	}
	each(m.trouble)
	each(m.strangers)
	each(func(rng *rand.Rand) { m.vanish(rng, calm[0]) })
	each(func(rng *rand.Rand) { m.vanish(rng, m.rough) })
	m.wg.Wait()
}

// talker is a connection that says and checks.
type talker struct {
	t  *testing.T
	nc net.Conn
	r  *bufio.Reader
}

// unsaid is the token of a client that signs in by itself.
const unsaid = "-"

// dial connects, from an address of its own when it is a stranger: failed sign-ins
// are counted by address.
func (m *mixture) dial(token string) *talker {
	d := net.Dialer{Timeout: patience}
	if token == "" {
		d = from(7)
	}
	nc, err := d.DialContext(background, "tcp", m.addr())
	if err != nil {
		m.t.Error(err)
		panic(err)
	}
	m.t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	c := &talker{m.t, nc, bufio.NewReaderSize(nc, 64<<10)}
	if token != "" && token != unsaid {
		c.must("+OK", "AUTH", token)
	}
	return c
}

// must sends a command and compares the first line of its reply.
func (c *talker) must(want string, words ...string) bool {
	_ = c.nc.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c.nc, command(words...)); err != nil {
		c.t.Errorf("%s: %v", words[0], err)
		return false
	}
	return c.hears(want)
}

func (c *talker) hears(want string) bool {
	line, err := c.r.ReadString('\n')
	if got := strings.TrimSuffix(line, "\r\n"); got != want || err != nil {
		c.t.Errorf("%.200q instead of %.200q, %v", got, want, err)
		return false
	}
	return true
}

// pipelines sends from one to 5,000 commands at once and compares each reply.
func (m *mixture) pipelines(rng *rand.Rand, token, name string) {
	c := m.dial(token)
	defer c.nc.Close()
	count := 0
	for round := range m.rounds {
		for _, size := range []int{1, 1 + rng.IntN(16), 1 + rng.IntN(300), 1 + rng.IntN(5000)} {
			var send bytes.Buffer
			var want []string
			for i := range size {
				id := fmt.Sprintf("%s-%d-%d", name, round, i)
				switch rng.IntN(8) {
				case 0:
					send.WriteString(command("SET", name, id) + command("GET", name))
					want = append(want, "+OK", "$"+strconv.Itoa(len(id)), id)
				case 1:
					count++
					send.WriteString(command("INCR", name+":n"))
					want = append(want, ":"+strconv.Itoa(count))
				case 2:
					send.WriteString(command("MULTI") + command("ECHO", id) + command("EXEC"))
					want = append(want, "+OK", "+QUEUED", "*1", "$"+strconv.Itoa(len(id)), id)
				case 3:
					if rng.IntN(20) == 0 {
						send.WriteString(command("EVAL", "return ARGV[1]", "0", id) + command("KEYS", "nothing"))
						want = append(want, "$"+strconv.Itoa(len(id)), id, "*0")
					}
				case 4:
					if rng.IntN(200) == 0 {
						large, huge := strings.Repeat(id, 60_000/len(id)), strings.Repeat(id, 900_000/len(id))
						send.WriteString(command("SET", name+":large", large) + command("GET", name+":large") + command("ECHO", huge))
						want = append(want, "+OK", "$"+strconv.Itoa(len(large)), large, "$"+strconv.Itoa(len(huge)), huge)
					}
				default:
					send.WriteString(command("ECHO", id))
					want = append(want, "$"+strconv.Itoa(len(id)), id)
				}
			}
			_ = c.nc.SetDeadline(time.Now().Add(patience))
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				_, _ = c.nc.Write(send.Bytes())
			}()
			for _, line := range want {
				if !c.hears(line) {
					return
				}
			}
			<-sent
		}
	}
}

// library is go-redis with many connections.
func (m *mixture) library(rng *rand.Rand, token, name string) {
	kv := redis.NewClient(&redis.Options{Addr: m.addr(), Password: token, MaxRetries: -1, PoolSize: 4, ReadTimeout: patience})
	defer kv.Close()
	bad := func(what string, err error) {
		if err != nil {
			m.t.Errorf("%s: %v", what, err)
		}
	}
	for round := range 10 * m.rounds {
		key := fmt.Sprintf("%s:%d", name, rng.IntN(100))
		value := fmt.Sprintf("%s-%d", key, round)
		bad("SET", kv.Set(background, key, value, time.Hour).Err())
		if got := kv.Get(background, key).Val(); got != value {
			m.t.Errorf("%q instead of %q", got, value)
		}
		bad("WATCH", kv.Watch(background, func(tx *redis.Tx) error {
			_, err := tx.TxPipelined(background, func(p redis.Pipeliner) error {
				p.Set(background, key, value+"!", 0)
				p.Get(background, key)
				return nil
			})
			return err
		}, key))
		got, err := kv.Eval(background, "return redis.call('GET', KEYS[1])", []string{key}).Text()
		bad("EVAL", err)
		if got != value+"!" {
			m.t.Errorf("%q instead of %q", got, value+"!")
		}
	}
}

// channels publishes and gets each message once, in order.
func (m *mixture) channels(token, name string) {
	sub, pub := m.dial(token), m.dial(token)
	defer sub.nc.Close()
	defer pub.nc.Close()
	sub.must("*3", "SUBSCRIBE", name)
	for _, line := range []string{"$9", "subscribe", "$" + strconv.Itoa(len(name)), name, ":1"} {
		sub.hears(line)
	}
	for i := range 50 * m.rounds {
		text := fmt.Sprintf("%s-%d", name, i)
		pub.must(":1", "PUBLISH", name, text)
		_ = sub.nc.SetDeadline(time.Now().Add(patience))
		for _, line := range []string{"*3", "$7", "message", "$" + strconv.Itoa(len(name)), name, "$" + strconv.Itoa(len(text)), text} {
			if !sub.hears(line) {
				return
			}
		}
	}
}

// deaf subscribes and reads nothing more.
func (m *mixture) deaf(token, name string) {
	sub, pub := m.dial(token), m.dial(token)
	defer sub.nc.Close()
	defer pub.nc.Close()
	sub.must("*3", "SUBSCRIBE", name)
	large := strings.Repeat("x", 100_000)
	for range 100 * m.rounds {
		_ = pub.nc.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(pub.nc, command("PUBLISH", name, large)); err != nil {
			m.t.Error(err)
		}
		line, err := pub.r.ReadString('\n')
		if err != nil || line != ":1\r\n" && line != ":0\r\n" {
			m.t.Errorf("%q, %v", line, err)
			return
		}
	}
}

// scripts run in the rough namespace, and may end in any way but silence.
func (m *mixture) scripts(rng *rand.Rand) {
	for range 4 * m.rounds {
		c := m.roughly()
		for i := range 5 {
			id := strconv.Itoa(i)
			text := "for i=1," + strconv.Itoa(rng.IntN(2_000_000)) + " do end return ARGV[1]"
			if rng.IntN(6) == 0 {
				text = "while true do end"
			}
			reply, err := c.ask("EVAL", text, "0", id)
			if err != nil {
				break
			}
			if !strings.HasPrefix(reply, "-") && reply != "$1" {
				m.t.Errorf("%q", reply)
			}
			if reply == "$1" && !c.hears(id) {
				break
			}
		}
		_ = c.nc.Close()
	}
}

// roughly connects to the rough namespace, where that may take several attempts.
func (m *mixture) roughly() *talker {
	for {
		c := m.dial(unsaid)
		if reply, err := c.ask("AUTH", m.rough); err == nil && reply == "+OK" {
			return c
		}
		_ = c.nc.Close()
	}
}

// ask returns the first line of a reply. A connection may end; it may not be
// silent.
func (c *talker) ask(words ...string) (string, error) {
	_ = c.nc.SetDeadline(time.Now().Add(patience))
	_, err := io.WriteString(c.nc, command(words...))
	var line string
	if err == nil {
		line, err = c.r.ReadString('\n')
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Errorf("no reply to %s", words[:2])
	}
	return strings.TrimSuffix(line, "\r\n"), err
}

// trouble is what an app may do to its own connections. It goes on until the
// scripts, each of which may be one without an end, are over.
func (m *mixture) trouble(rng *rand.Rand) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.scripts(rng)
	}()
	m.t.Cleanup(func() { <-done })
	for i := 0; ; i++ {
		select {
		case <-done:
			// The other scripts need somebody who kills them, too.
			if m.settled() {
				return
			}
		default:
		}
		c := m.roughly()
		_, _ = c.ask("SCRIPT", "KILL")
		if i%20 == 0 {
			_, _ = c.ask("CLIENT", "PAUSE", strconv.Itoa(i%30), []string{"ALL", "WRITE"}[i/20%2])
		}
		if i%50 == 0 {
			_, _ = c.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", []string{"yes", "no"}[i/50%2])
		}
		_ = c.nc.Close()
	}
}

// settled tells whether nobody but the caller is in the rough namespace.
func (m *mixture) settled() bool {
	c := m.roughly()
	defer c.nc.Close()
	reply, err := c.ask("CLIENT", "LIST")
	if err != nil {
		return false
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(reply, "$"))
	list := make([]byte, n)
	_, err = io.ReadFull(c.r, list)
	return err == nil && !bytes.Contains(list, []byte("cmd=eval"))
}

// strangers try wrong passwords, and some are gone before the answer.
func (m *mixture) strangers(rng *rand.Rand) {
	for i := range 4 * m.rounds {
		c := m.dial("")
		if i%4 == 0 {
			reply, err := c.ask("AUTH", "nobody", "wrong")
			if err != nil || !strings.HasPrefix(reply, "-WRONGPASS") {
				m.t.Errorf("%q, %v", reply, err)
			}
		} else {
			_, _ = io.WriteString(c.nc, command("AUTH", "nobody", "wrong")+command("PING"))
		}
		_ = c.nc.Close()
	}
}

// vanish leaves at the worst of times.
func (m *mixture) vanish(rng *rand.Rand, token string) {
	for range 10 * m.rounds {
		c := m.roughlyWith(token)
		text := strings.Repeat(command("GET", "k")+command("SET", "k", "v")+command("KEYS", "*"), 1+rng.IntN(2000))
		if rng.IntN(2) == 0 {
			text = strings.Repeat(command("EVAL", "for i=1,100000 do end return 1", "0"), 1+rng.IntN(20))
		}
		_ = c.nc.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)) // it reads nothing
		_, _ = io.WriteString(c.nc, text[:rng.IntN(len(text))])
		switch tcp := c.nc.(*net.TCPConn); rng.IntN(3) {
		case 0:
			_ = tcp.SetLinger(0)
		case 1:
			_ = tcp.CloseWrite()
		}
		_ = c.nc.Close()
	}
}

func (m *mixture) roughlyWith(token string) *talker {
	if token == m.rough {
		return m.roughly()
	}
	return m.dial(token)
}

// sockets counts those of the server's process.
func (s *cubby) sockets() (n int) {
	s.t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid)
	entries, err := os.ReadDir(dir)
	require.NoError(s.t, err)
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

var madeBy = regexp.MustCompile(`(?m)^created by (\S+)`)

// goroutines ends the server, which then says who made its goroutines.
func (s *cubby) goroutines() map[string]int {
	s.t.Helper()
	s.signal(syscall.SIGQUIT)
	<-s.exited
	count := map[string]int{}
	for _, m := range madeBy.FindAllStringSubmatch(s.stderr.String(), -1) {
		count[m[1]]++
	}
	require.NotEmpty(s.t, count)
	return count
}
