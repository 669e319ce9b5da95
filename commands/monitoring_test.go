package commands

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

// ticking is a harness whose clock moves by step with each reading, so that
// each run takes exactly that long.
func ticking(t *testing.T, step time.Duration) (h *harness, setStep func(time.Duration)) {
	t.Helper()
	clock := storetest.NewClock()
	now := time.UnixMilli(clock.Now())
	h = newHarness(t)
	h.engine = New(Options{Store: h.store, Directory: h.dir, Clock: func() time.Time {
		now = now.Add(step)
		return now
	}})
	return h, func(d time.Duration) { step = d }
}

func TestSlowLogKeepsWhatIsSlow(t *testing.T) {
	h, step := ticking(t, time.Millisecond)
	admin, app := h.admin(), h.open()
	app.do("CLIENT", "SETNAME", "worker")
	app.do("GET", "quick")
	step(12 * time.Millisecond)
	app.do("GET", "slow")
	app.pipeline([]string{"SET", "a", "1"}, []string{"SET", "b", "2"}, []string{"GET", "a"})
	step(time.Millisecond)
	require.Equal(t, ":2", admin.run("SLOWLOG LEN"))
	entries := parseReply(t, admin.do("SLOWLOG", "GET")).items
	require.Equal(t, []string{":1", "12000"}, []string{entries[0].items[0].text, entries[0].items[2].text[1:]})
	require.Equal(t, []node{{text: "$SET"}, {text: "$a"}, {text: "$1"}, {text: "$... (and 2 more commands in the same transaction)"}}, entries[0].items[3].items)
	require.Equal(t, []node{{text: "$GET"}, {text: "$slow"}}, entries[1].items[3].items)
	require.Equal(t, "$127.0.0.1:50000", entries[1].items[4].text)
	require.Equal(t, "$worker", entries[1].items[5].text)
	require.Equal(t, "-NOPERM only the admin may run the 'slowlog|get' command", app.run("SLOWLOG GET"))

	h.engine.Reconfigure(Settings{SlowLogThreshold: time.Millisecond, SlowLogMax: 3})
	for range 5 {
		app.do("PING")
	}
	entries = parseReply(t, admin.do("SLOWLOG", "GET", "-1")).items
	require.Len(t, entries, 3)
	require.Equal(t, "$PING", entries[2].items[3].items[0].text)
	h.engine.Reconfigure(Settings{SlowLogThreshold: -1, SlowLogMax: 3})
	app.do("GET", "x")
	require.NotContains(t, admin.do("SLOWLOG", "GET"), "$GET")
}

// observed tells the engine what a test makes up.
type observed struct {
	storage.Store
	told func(event string, took time.Duration)
}

func (o *observed) Observe(told func(string, time.Duration)) { o.told = told }

func TestLatencyOfTheStore(t *testing.T) {
	clock := storetest.NewClock()
	store := &observed{Store: storetest.NewMemory(clock)}
	h := newHarnessOn(t, store, clock)
	require.Nil(t, store.told, "the monitor is off")
	h.engine.Reconfigure(Settings{LatencyThreshold: 10 * time.Millisecond})
	store.told(storage.TookJournalWrite, 9*time.Millisecond)
	store.told(storage.TookJournalSync, 12*time.Millisecond)
	latest := parseReply(t, h.admin().do("LATENCY", "LATEST")).items
	require.Len(t, latest, 1)
	require.Equal(t, "$aof-fsync-always", latest[0].items[0].text)
	require.Equal(t, []node{{text: ":12"}, {text: ":12"}}, latest[0].items[2:])
	h.engine.Reconfigure(Settings{})
	require.Nil(t, store.told)
}

func TestLatencyMonitor(t *testing.T) {
	h, step := ticking(t, time.Millisecond)
	admin, app := h.admin(), h.open()
	require.Contains(t, admin.do("LATENCY", "DOCTOR"), "is off")
	h.engine.Reconfigure(Settings{SlowLogThreshold: -1, LatencyThreshold: 10 * time.Millisecond})
	require.Contains(t, admin.do("LATENCY", "DOCTOR"), "Nothing took 10 ms")
	for _, d := range []time.Duration{20 * time.Millisecond, 5 * time.Millisecond, 40 * time.Millisecond, 30 * time.Millisecond} {
		step(d)
		app.do("GET", "k")
		step(1500 * time.Millisecond)
		h.engine.clock() // time passes
		step(time.Millisecond)
	}
	step(15 * time.Millisecond)
	app.do("MEMORY", "USAGE", "k")
	step(time.Microsecond)
	latest := parseReply(t, admin.do("LATENCY", "LATEST")).items
	require.Len(t, latest, 2)
	require.Equal(t, "$command", latest[0].items[0].text)
	require.Equal(t, []node{{text: ":15"}, {text: ":15"}}, latest[0].items[2:])
	require.Equal(t, "$fast-command", latest[1].items[0].text)
	require.Equal(t, []node{{text: ":30"}, {text: ":40"}}, latest[1].items[2:])
	history := parseReply(t, admin.do("LATENCY", "HISTORY", "fast-command")).items
	require.Len(t, history, 3, "without the one of 5 ms")
	graph := bodyOf(t, admin.do("LATENCY", "GRAPH", "fast-command"))
	require.True(t, strings.HasPrefix(graph, "fast-command - high 40 ms, low "), graph)
	require.Contains(t, graph, "(all time high 40 ms)\n"+strings.Repeat("-", 80)+"\n")
	require.Contains(t, admin.do("LATENCY", "DOCTOR"), "1. command: 1 seconds with spikes, 15 ms on average, the worst ever 15 ms.")
	require.Equal(t, ":1", admin.run("LATENCY RESET command nope"))
	require.Equal(t, ":1", admin.run("LATENCY RESET"))
	require.Equal(t, "*0", admin.run("LATENCY LATEST"))
}

func TestLatencyHistogramCounts(t *testing.T) {
	h, step := ticking(t, 3*time.Microsecond)
	admin, app := h.admin(), h.open()
	app.do("GET", "k")
	app.pipeline([]string{"GET", "k"}, []string{"GET", "k"}, []string{"GET", "k"}) // 1 us each
	step(100 * time.Microsecond)
	app.do("GET", "k")
	app.do("SET", "k", "v")
	require.Equal(t, "*4\r\n$3\r\nget\r\n*4\r\n$5\r\ncalls\r\n:5\r\n$14\r\nhistogram_usec\r\n*6\r\n:1\r\n:3\r\n:4\r\n:4\r\n:128\r\n:5\r\n"+
		"$3\r\nset\r\n*4\r\n$5\r\ncalls\r\n:1\r\n$14\r\nhistogram_usec\r\n*2\r\n:128\r\n:1\r\n", admin.do("LATENCY", "HISTOGRAM", "get", "SET", "nope"))
	_, fields := infoOf(t, admin.do("INFO", "commandstats"))
	require.Equal(t, "calls=5,usec=106,usec_per_call=21.20,rejected_calls=0,failed_calls=0", fields["cmdstat_get"])
}

// Every time falls into one cell, and cells are in order.
func TestLatencyCells(t *testing.T) {
	last := int64(0)
	for i := range latencyCells {
		end := cellEnd(i)
		require.Greater(t, end, last)
		require.Equal(t, i, cellOf(end-1))
		require.Equal(t, min(i+1, latencyCells-1), cellOf(end))
		last = end
	}
	require.Equal(t, latencyCells-1, cellOf(1<<62))
	require.Zero(t, cellOf(-1))
}

func TestMonitorShowsCommands(t *testing.T) {
	h := newHarness(t)
	stamp := "+" + strconv.FormatInt(h.clock.Now()/1000, 10) + "." // the clock stands still
	monitor := func(p *auth.Principal) *client {
		c := h.connect()
		c.s.become(p)
		return c
	}
	lines := func(c *client) (list []string) {
		for line := range strings.Lines(c.pushed()) {
			require.True(t, strings.HasPrefix(line, stamp), line)
			_, rest, _ := strings.Cut(line, " ")
			list = append(list, strings.TrimSuffix(rest, "\r\n"))
		}
		return list
	}
	a := h.open()
	all := monitor(&auth.Principal{Admin: true})
	one := monitor(&auth.Principal{Admin: true, App: auth.NewApp(storage.ID{Tenant: "t", App: "b"}, wideOpen())})
	require.Equal(t, "+OK", all.run("MONITOR"))
	require.Empty(t, all.pipeline([]string{"MONITOR"}))
	require.Equal(t, "+OK", one.run("MONITOR"))
	b := h.session(storage.ID{Tenant: "t", App: "b"}, wideOpen())

	a.do("SET", "k", "a\"\\\n\x01\xff")
	shown := all.pushed()
	require.Contains(t, shown, "\"a\\\"\\\\\\n\\x01\\xff\"\r\n")
	require.Regexp(t, "^\\+\\d+\\.\\d{6} \\[0 127.0.0.1:50000\\] \"SET\" \"k\" ", shown)
	a.pipeline([]string{"MULTI"}, []string{"GET", "k"}, []string{"GET", "j"}, []string{"EXEC"})
	require.Equal(t, []string{`[0 127.0.0.1:50000] "MULTI"`, `[0 127.0.0.1:50000] "GET" "k"`, `[0 127.0.0.1:50000] "GET" "j"`, `[0 127.0.0.1:50000] "EXEC"`}, lines(all))
	a.run("WATCH k", "SET k v", "MULTI", "DEL k")
	all.pushed()
	require.Equal(t, "*-1", a.run("EXEC"))
	require.Equal(t, []string{`[0 127.0.0.1:50000] "EXEC"`}, lines(all), "what was not done does not show")
	a.run("SELECT 1", "GET k", "NOSUCH", "GET", "CLIENT LIST", "SLOWLOG GET")
	require.Equal(t, []string{`[0 127.0.0.1:50000] "SELECT" "1"`, `[1 127.0.0.1:50000] "GET" "k"`}, lines(all))
	require.Empty(t, one.pushed())
	b.do("SET", "k", "v")
	require.Equal(t, []string{`[0 127.0.0.1:50000] "SET" "k" "v"`}, lines(one))
	all.pushed()

	// Secrets stay secret.
	h.connect().run("AUTH t/a hunter2", "AUTH hunter2", "HELLO 3 AUTH t/a hunter2 SETNAME x")
	require.Equal(t, []string{`[0 127.0.0.1:50000] "AUTH" "(redacted)" "(redacted)"`, `[0 127.0.0.1:50000] "AUTH" "(redacted)"`,
		`[0 127.0.0.1:50000] "HELLO" "3" "AUTH" "(redacted)" "(redacted)" "SETNAME" "x"`}, lines(all))

	// Its own commands stand behind their replies.
	out := string(all.raw([]string{"PING"}))
	require.Regexp(t, `^\+PONG\r\n\+\d+\.\d{6} \[0 127.0.0.1:50000\] "PING"\r\n$`, out)

	admin := h.admin()
	require.Contains(t, admin.do("CLIENT", "LIST"), " flags=O ")
	all.pushed()
	require.Contains(t, string(all.raw([]string{"RESET"})), "+RESET")
	h.engine.EndSession(one.s)
	require.False(t, h.engine.monitors.any())
	a.do("GET", "k")
	require.Empty(t, all.pushed())
	deaf, _ := h.killable(&auth.Principal{Admin: true}, "1:1")
	require.Equal(t, "-ERR this connection cannot be sent messages, so it cannot MONITOR", deaf.run("MONITOR"))
	require.Equal(t, "-NOPERM only the admin may run the 'monitor' command", a.run("MONITOR"))
}
