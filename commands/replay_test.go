package commands

import (
	"bufio"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/redistest"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// The replay tests send the same commands to the engine and to a redis-server
// and want the same bytes back. The scripts stand in the replay_*_test.go
// files by family; replay_known_test.go lists where we differ on purpose.

// twins are an engine without limits of its own and a redis-server.
type twins struct {
	t     *testing.T
	h     *harness
	redis *redistest.Server
}

func newTwins(t *testing.T) *twins {
	t.Helper()
	return newTwinsWith(t, newHarness(t))
}

func newTwinsWith(t *testing.T, h *harness) *twins {
	t.Helper()
	redis := redistest.Start(t)
	// Redis needs no sign-in here, and keeps it so after RESET.
	h.engine.anonymous = &auth.Principal{App: auth.NewApp(storage.ID{Tenant: "t", App: "a"}, wideOpen())}
	return &twins{t: t, h: h, redis: redis}
}

// dial connects to both, on empty databases if it is the first of a script.
func (w *twins) dial(t *testing.T, proto int) *twin {
	t.Helper()
	ours := w.h.connect()
	ours.t = t
	c := &twin{t: t, w: w, ours: ours, theirs: w.redis.Dial(t)}
	if proto == resp.V3 {
		c.ours.resp3()
		require.Equal(t, byte('%'), c.theirs.Do("HELLO", "3")[0])
	}
	return c
}

func (w *twins) flush(t *testing.T) {
	t.Helper()
	theirs := w.redis.Dial(t)
	require.Equal(t, "+OK\r\n", theirs.Do("FLUSHALL"))
	require.NoError(t, theirs.Close())
	c := w.h.connect()
	c.t = t
	require.Equal(t, "+OK\r\n", c.do("FLUSHALL"))
	c.e.EndSession(c.s)
}

// twin is one connection to each.
type twin struct {
	t      *testing.T
	w      *twins
	ours   *client
	theirs *redistest.Conn
	queued [][]string // what the next EXEC will answer
}

// now moves the engine's clock to the real time, which Redis goes by.
func (w *twins) now() { w.h.clock.Set(time.Now().UnixMilli()) }

// do runs a command on both and compares, to the byte if exact.
func (c *twin) do(exact bool, args ...string) bool {
	c.t.Helper()
	theirs := c.theirs.Do(args...)
	c.w.now()
	return c.compare(exact, args, c.ours.do(args...), theirs)
}

// compare must see every command of the connection, to know what EXEC answers.
func (c *twin) compare(exact bool, args []string, ours, theirs string) bool {
	c.t.Helper()
	alike := c.alike(args, ours, theirs)
	if ours == "+QUEUED\r\n" {
		c.queued = append(c.queued, args)
	} else if name := strings.ToLower(args[0]); name == "exec" || name == "discard" || name == "reset" {
		c.queued = nil
	}
	if ours == theirs || !exact && alike {
		return true
	}
	c.t.Errorf("%q\nours:  %q\nRedis: %q", args, ours, theirs)
	return false
}

// alike compares replies whose order or exact moment nobody promises.
func (c *twin) alike(args []string, ours, theirs string) bool {
	if ours == theirs {
		return true
	}
	if ours == "" || ours[0] != theirs[0] || ours[0] == '-' {
		return false
	}
	switch strings.ToLower(args[0]) {
	case "ttl", "expiretime":
		return near(ours, theirs, 1)
	case "pttl", "pexpiretime":
		return near(ours, theirs, 1000)
	case "randomkey":
		// Either names some key, unless there is none.
		return !strings.HasPrefix(ours, "$-1") && !strings.HasPrefix(theirs, "$-1")
	case "keys":
		return sameSet(elements(c.t, ours), elements(c.t, theirs))
	case "scan":
		a, b := elements(c.t, ours), elements(c.t, theirs)
		if args[1] != "0" || a[0] != b[0] {
			return args[1] != "0" // cursors are each server's own
		}
		return sameSet(elements(c.t, a[1]), elements(c.t, b[1]))
	case "exec":
		a, b := elements(c.t, ours), elements(c.t, theirs)
		if len(a) != len(c.queued) || len(b) != len(a) || len(a) == 0 {
			return false
		}
		for i := range a {
			if !c.alike(c.queued[i], a[i], b[i]) {
				return false
			}
		}
		return true
	}
	return false
}

// near compares two integer replies that are moments or spans.
func near(ours, theirs string, tolerance int64) bool {
	a, errA := strconv.ParseInt(strings.TrimSpace(ours[1:]), 10, 64)
	b, errB := strconv.ParseInt(strings.TrimSpace(theirs[1:]), 10, 64)
	return errA == nil && errB == nil && a >= 0 && b >= 0 && a-b <= tolerance && b-a <= tolerance
}

func sameSet(a, b []string) bool {
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// elements splits an array reply.
func elements(t *testing.T, raw string) []string {
	t.Helper()
	head, _, _ := strings.Cut(raw, "\r\n")
	r := bufio.NewReader(strings.NewReader(raw[len(head)+2:]))
	var list []string
	for {
		e, err := resp.ReadRaw(r)
		if err != nil {
			require.Empty(t, e)
			return list
		}
		list = append(list, string(e))
	}
}

// replay runs scripts in both protocols, each on empty databases.
func replay(t *testing.T, scripts []string) {
	t.Helper()
	newTwins(t).replay(t, scripts)
}

// replayAsAdmin is replay with an admin who looks into a namespace: what
// Redis's default user is.
func replayAsAdmin(t *testing.T, scripts []string) {
	t.Helper()
	w := newTwins(t)
	w.h.engine.anonymous.Admin = true
	w.replay(t, scripts)
}

func (w *twins) replay(t *testing.T, scripts []string) {
	t.Helper()
	for _, text := range scripts {
		name, steps := parseScript(t, text)
		for _, proto := range []int{resp.V2, resp.V3} {
			t.Run(name+" resp"+strconv.Itoa(proto), func(t *testing.T) {
				w.flush(t)
				conns := make(map[string]*twin)
				for _, s := range steps {
					if conns[s.conn] == nil {
						conns[s.conn] = w.dial(t, proto)
					}
					conns[s.conn].do(s.exact, s.args...)
				}
			})
		}
	}
}

// step is a line of a script.
type step struct {
	conn  string
	exact bool
	args  []string
}

// parseScript reads a script: its first line is its name, every other one a
// command. "b| GET k" runs it on the connection called b, "! TTL k" wants the
// same moment to the byte. Arguments in double quotes are Go strings, and
// "x"*130 repeats one.
func parseScript(t *testing.T, text string) (name string, steps []step) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range lines[1:] {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		var s step
		if conn, rest, ok := strings.Cut(line, "| "); ok && !strings.Contains(conn, " ") {
			s.conn, line = conn, rest
		}
		line, s.exact = strings.CutPrefix(line, "! ")
		for line != "" {
			var arg string
			arg, line = nextArg(t, line)
			s.args = append(s.args, arg)
		}
		steps = append(steps, s)
	}
	return strings.TrimSpace(lines[0]), steps
}

func nextArg(t *testing.T, line string) (arg, rest string) {
	t.Helper()
	if line[0] != '"' {
		arg, rest, _ = strings.Cut(line, " ")
		return arg, strings.TrimLeft(rest, " ")
	}
	quoted, err := strconv.QuotedPrefix(line)
	require.NoError(t, err, line)
	arg, err = strconv.Unquote(quoted)
	require.NoError(t, err, line)
	word, rest, _ := strings.Cut(line[len(quoted):], " ")
	if times, ok := strings.CutPrefix(word, "*"); ok {
		n, err := strconv.Atoi(times)
		require.NoError(t, err, line)
		arg = strings.Repeat(arg, n)
	}
	return arg, strings.TrimLeft(rest, " ")
}
