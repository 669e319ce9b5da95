package commands

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
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
	"github.com/cubbykv/cubby/storage/bunt"
	"github.com/cubbykv/cubby/storage/storetest"
)

// TestReplayGenerated sends random commands, which are made from the table, to
// Redis and to the engine, and wants the same bytes on all connections.
// CUBBY_TEST_STEPS lengthens it; the seed that a failure prints begins with
// the round that failed.
func TestReplayGenerated(t *testing.T) {
	steps := 12000
	if text := os.Getenv("CUBBY_TEST_STEPS"); text != "" {
		var err error
		steps, err = strconv.Atoi(text)
		require.NoError(t, err, "CUBBY_TEST_STEPS")
	}
	clock := storetest.NewClock()
	store, err := bunt.Open(bunt.Options{Dir: t.TempDir(), Clock: clock.Now, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	h := newHarnessOn(t, store, clock)
	// Values have the limit that they have here, DUMP compresses nothing, and no
	// command is slow.
	redis := redistest.Start(t, "--proto-max-bulk-len", "1mb", "--rdbcompression", "no", "--slowlog-log-slower-than", "-1")
	h.engine.anonymous = &auth.Principal{Admin: true, App: auth.NewApp(storage.ID{Tenant: "t", App: "a"}, wideOpen())}
	h.engine.config = &fakeConfig{timeout: "0", broken: ErrNoConfigFile}
	w := &twins{t: t, h: h, redis: redis}

	// Ever new seeds still meet oddities of Redis. A plain run repeats rounds that
	// are known to be equal; a long one (CUBBY_TEST_STEPS) looks for new ones.
	seed := uint64(1000)
	if os.Getenv("CUBBY_TEST_SEED") != "" || os.Getenv("CUBBY_TEST_STEPS") != "" {
		seed = chooseSeed(t)
	}
	g := newTreeGenerator()
	sent := make(map[*Command]int)
	for step := 0; step < steps && !t.Failed(); seed++ {
		g.rnd, g.used = rand.New(rand.NewPCG(seed, 0)), make(map[int]bool)
		step += g.round(t, w, seed, sent)
	}
	if steps >= 12000 && !t.Failed() {
		for _, row := range g.rows {
			if sent[row] == 0 {
				t.Errorf("%s was never sent", row.Name)
			}
		}
	}
}

// TestEveryCommandIsGenerated keeps commands of Redis's from being left out
// without a reason, and reasons from outliving what they are about.
func TestEveryCommandIsGenerated(t *testing.T) {
	g := newTreeGenerator()
	for _, rows := range redisFamilies() {
		for _, row := range rows {
			row := g.names.named([]byte(row.Name))
			if slices.Contains(g.rows, row) == (ungenerated[row.Name] != "") && isOfRedis(row.Name) {
				t.Errorf("%s is to be generated, or in ungenerated", row.Name)
			}
		}
	}
	for _, list := range []map[string]string{ungenerated, looselyCompared} {
		for name := range list {
			if row := g.names.named([]byte(name)); row == nil || !isOfRedis(name) {
				t.Errorf("%s is no command of ours that Redis has", name)
			}
		}
	}
}

func isOfRedis(name string) bool {
	for line := range strings.Lines(redisCommands) {
		if strings.Fields(line)[1] == name {
			return true
		}
	}
	return false
}

// dialogue is a round: a conversation of random commands.
type dialogue struct {
	*conversation
	g      *treeGenerator
	sent   map[*Command]int
	queued map[string][]generated // by connection: what its EXEC will answer
	multi  map[string]bool
	last   []string
	steps  int
	// publishing rounds publish in transactions, others subscribe there.
	publishing bool
	misses     bool // keymiss is told of
	redirected bool // somebody's invalidations go to another connection
}

// round runs about a hundred commands from empty databases on.
func (g *treeGenerator) round(t *testing.T, w *twins, seed uint64, sent map[*Command]int) (steps int) {
	t.Helper()
	g.steady, g.watching = g.chance(40), g.chance(40)
	g.tracking = g.steady && g.chance(50)
	events := ""
	if g.steady && g.chance(50) {
		events = pick(&g.generator, "KEAn", "KEAmn", "Kg", "E$", "A")
	}
	d := &dialogue{conversation: w.converse(t, pick(&g.generator, resp.V2, resp.V3)), g: g, sent: sent, queued: make(map[string][]generated), multi: make(map[string]bool)}
	d.misses = strings.Contains(events, "m")
	d.publishing = events != "" || g.chance(50)
	d.control.Do("CONFIG", "SET", "notify-keyspace-events", events)
	w.h.engine.SetKeyspaceEvents(events)
	defer d.end()
	defer func() {
		if t.Failed() {
			t.Logf("CUBBY_TEST_SEED=%d repeats this round, the last commands of which were\n%s", seed, strings.Join(d.last[max(0, len(d.last)-25):], "\n"))
		}
	}()
	d.batch("a", generated{args: []string{"SCRIPT", "FLUSH"}})
	for _, text := range fixedScripts[:2] {
		d.batch("a", generated{args: []string{"SCRIPT", "LOAD", text}})
	}
	for _, key := range randomKeys {
		if g.chance(60) {
			d.batch("a", generated{args: []string{"SET", key, g.text()}})
		}
	}
	if events != "" {
		d.batch("d", generated{args: []string{"PSUBSCRIBE", "__key*__:*"}})
	}
	for d.steps < 100 {
		d.step()
	}
	d.compareState()
	return d.steps
}

// step runs a command, or a batch, on one connection.
func (d *dialogue) step() {
	d.t.Helper()
	g := d.g
	conn := pick(&g.generator, "a", "a", "b", "b2", "c")
	if !g.steady && g.chance(3) && !d.multi[conn] {
		d.ending(conn)
		return
	}
	var batch []generated
	size := 1
	if g.chance(25) {
		size += g.rnd.IntN(6)
	}
	for len(batch) < size {
		switch {
		case d.multi[conn] && g.chance(25):
			batch = append(batch, generated{args: []string{pick(&g.generator, "EXEC", "EXEC", "EXEC", "exec", "DISCARD")}})
		case g.chance(4) && !d.multi[conn] && !d.unfit(conn, "multi"):
			batch = append(batch, generated{args: []string{"MULTI"}})
			d.multi[conn] = true
		default:
			next := d.fitting(conn)
			if len(batch) > 0 && alone(next[0].args) {
				continue
			}
			batch = append(batch, next...)
			d.multi[conn] = d.multi[conn] || strings.EqualFold(next[0].args[0], "MULTI")
		}
		if last := batch[len(batch)-1]; last.loose || alone(last.args) || slices.Contains([]string{"exec", "discard", "quit", "reset"}, strings.ToLower(last.args[0])) {
			break
		}
	}
	d.batch(conn, batch...)
}

// alone tells of a command that Redis refuses in a pipeline.
func alone(args []string) bool {
	return len(args) > 1 && strings.EqualFold(args[0], "SCRIPT") && strings.EqualFold(args[1], "DEBUG")
}

// fitting are commands that may be sent now.
func (d *dialogue) fitting(conn string) []generated {
	for {
		list := d.g.command()
		if !slices.ContainsFunc(list, func(c generated) bool {
			return d.unfit(conn, strings.ToLower(strings.Join(c.args, " "))) || answeredTwice(c.args)
		}) {
			return list
		}
	}
}

// answeredTwice tells of CLIENT TRACKING with prefixes that overlap, the first
// aside: see deliberate.
func answeredTwice(args []string) bool {
	if len(args) < 4 || !strings.EqualFold(args[1], "TRACKING") {
		return false
	}
	var prefixes []string
	for i := 3; i+1 < len(args); i++ {
		if strings.EqualFold(args[i], "PREFIX") {
			i++
			prefixes = append(prefixes, args[i])
		}
	}
	for i := 1; i < len(prefixes); i++ {
		if slices.ContainsFunc(prefixes[i+1:], func(p string) bool { return overlap(p, prefixes[i]) }) {
			return true
		}
	}
	return false
}

// unfit tells of a command what would make a difference that is deliberate:
// some cannot be part of a transaction, and a message that EXEC causes for its
// own connection follows the reply, which Redis breaks in two for it.
func (d *dialogue) unfit(conn, text string) bool {
	p := d.talker(conn)
	if strings.HasPrefix(text, "multi") {
		return p.ours.s.subs.total > 0
	}
	if d.misses && strings.HasPrefix(text, "mget") {
		return true // Redis tells of a key that it misses between two elements of the reply
	}
	if !d.multi[conn] {
		return false
	}
	for _, name := range []string{"hello", "client reply", "script debug", "subscribe", "psubscribe", "ssubscribe"} {
		if strings.HasPrefix(text, name) && (!strings.HasSuffix(name, "subscribe") || d.publishing) {
			return true
		}
	}
	return !d.publishing && strings.Contains(text, "publish")
}

// batch runs commands and compares what arrives where.
func (d *dialogue) batch(conn string, batch ...generated) {
	d.t.Helper()
	p := d.talker(conn)
	var request []byte
	var ours [][]string
	for _, c := range batch {
		d.steps++
		d.redirected = d.redirected || strings.Contains(strings.ToLower(strings.Join(c.args, " ")), "redirect @")
		d.last = append(d.last, fmt.Sprintf("%s| %q", conn, c.args))
		d.sent[c.row]++
		our, their := d.addressed(c.args)
		ours, request = append(ours, our), append(request, encodeCommand(their)...)
	}
	d.exchange(p, ours, request, func(name string, other *talker, got, want string) {
		if got != want && !slices.Equal(d.inOneOrder(got), d.inOneOrder(want)) && (other != p || !d.alike(conn, batch, got, want)) {
			d.t.Errorf("%q on connection %s; what connection %s hears:\nours:  %q\nRedis: %q", d.last[len(d.last)-len(batch):], conn, name, differing(got, want), differing(want, got))
		}
	})
	d.note(conn, batch)
	if d.t.Failed() {
		d.t.FailNow()
	}
}

// note keeps what the next comparison has to know.
func (d *dialogue) note(conn string, batch []generated) {
	p := d.conns[conn]
	if p.ours.s.Closing() {
		d.hangUp(p)
		delete(d.conns, conn)
		delete(d.multi, conn)
		delete(d.queued, conn)
		return
	}
	d.multi[conn] = p.ours.s.multi != nil
	d.queued[conn] = append(d.queued[conn], batch...)
	if !d.multi[conn] {
		d.queued[conn] = nil
	}
}

// ending makes a key end, and goes on when it has.
func (d *dialogue) ending(conn string) {
	d.t.Helper()
	g := d.g
	span, at := strconv.Itoa(1+g.rnd.IntN(3)), strconv.FormatInt(time.Now().UnixMilli()+int64(g.rnd.IntN(4)), 10)
	key := g.key()
	d.batch(conn, generated{args: pick(&g.generator, []string{"SET", key, g.text(), "PX", span}, []string{"PSETEX", key, span, g.text()}, []string{"PEXPIRE", key, span},
		[]string{"GETEX", key, "PX", span}, []string{"RESTORE", key, span, sealed("\x00\x01v"), "REPLACE"}, []string{"SET", key, g.text(), "PXAT", at, "GET"},
		[]string{"PEXPIREAT", key, at}, []string{"GETEX", key, "PXAT", at}, []string{"RESTORE", key, at, sealed("\x00\x01v"), "ABSTTL"},
		[]string{"EVAL", "return redis.call('set', KEYS[1], 'v', 'px', ARGV[1])", "1", key, span})})
	for end := time.Now().UnixMilli() + 5; ; {
		now := parts(d.control.Do("TIME"))
		if !strings.HasPrefix(now[0], "$10") {
			d.t.Fatalf("TIME: %q", now)
		}
		if time.Now().UnixMilli() > end {
			return
		}
	}
}

// compareState compares all keys of both databases, their ends, and what is
// known of subscriptions.
func (d *dialogue) compareState() {
	d.t.Helper()
	c := d.w.dial(d.t, resp.V2)
	defer func() {
		require.NoError(d.t, c.theirs.Close())
		c.ours.e.EndSession(c.ours.s)
	}()
	for _, db := range []string{"0", "1"} {
		c.do(true, "SELECT", db)
		c.do(true, append([]string{"EXISTS"}, randomKeys...)...)
		c.do(false, "KEYS", "*")
		keys := elements(d.t, c.theirs.Do("KEYS", "*"))
		for _, raw := range keys {
			key := raw[strings.IndexByte(raw, '\n')+1 : len(raw)-2]
			c.do(true, "DUMP", key)
			c.do(false, "PEXPIRETIME", key)
		}
		// Not that of Redis, which counts ended keys.
		require.Equal(d.t, ":"+strconv.Itoa(len(keys))+"\r\n", c.ours.do("DBSIZE"), "db %s has %q", db, keys)
	}
	c.do(true, "PUBSUB", "NUMPAT")
	c.do(true, "PUBSUB", "NUMSUB", "a", "b", "news", "n:1", "")
	c.do(true, "PUBSUB", "SHARDNUMSUB", "a", "b", "news", "n:1", "")
}

// end closes all connections, and waits until Redis has forgotten them.
func (d *dialogue) end() {
	for _, p := range d.conns {
		d.hangUp(p)
	}
	_ = d.control.Close()
}

// hangUp closes a connection, and waits until Redis has seen it.
func (d *dialogue) hangUp(p *talker) {
	_ = p.theirs.Close()
	p.ours.e.EndSession(p.ours.s)
	for range 3 {
		d.control.Do("PING")
	}
}
