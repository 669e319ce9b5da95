package commands

import (
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/bunt"
	"github.com/cubbykv/cubby/storage/storetest"
)

// TestHuntForLeaks lets two hostile clients loose on a namespace that is not
// theirs: one of another tenant, and one whose token opens a few keys of it. They
// run every command of the table with arguments that the random replay makes,
// and in the place of each argument names that they should not know: keys,
// cursors, versions, scripts, connections, channels.
//
// It is done twice at the same time, in a world where the victim has data,
// connections and scripts and is busy, and in one where it has none. What the
// clients are answered and sent has to be the same to the byte. Secrets that
// they never sent must not come back, and nothing of the victim's may change.
//
// A plain run repeats a known sequence. CUBBY_TEST_STEPS makes a longer and new
// one, CUBBY_TEST_SEED repeats one.
func TestHuntForLeaks(t *testing.T) {
	steps, seed := 4000, uint64(1)
	if text := os.Getenv("CUBBY_TEST_STEPS"); text != "" {
		var err error
		steps, err = strconv.Atoi(text)
		require.NoError(t, err, "CUBBY_TEST_STEPS")
	}
	if os.Getenv("CUBBY_TEST_SEED") != "" || os.Getenv("CUBBY_TEST_STEPS") != "" {
		seed = chooseSeed(t)
	}
	parts := [2]huntPart{firstHalf, secondHalf}
	if os.Getenv("CUBBY_TEST_STEPS") != "" {
		parts = [2]huntPart{wholeHunt, wholeHunt}
	}
	t.Run("double", func(t *testing.T) {
		hunt(t, steps/2, parts[0], seed, memoryStore)
	})
	t.Run("bunt", func(t *testing.T) {
		hunt(t, steps/2, parts[1], seed, func(clock *storetest.Clock) storage.Store {
			store, err := bunt.Open(bunt.Options{Clock: clock.Now, Log: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, store.Close()) })
			return store
		})
	})
}

// huntPart is how much of what is not drawn a hunt goes through. In a plain run
// each of the two stores gets one half.
type huntPart int

const (
	firstHalf huntPart = iota
	secondHalf
	wholeHunt
)

func (p huntPart) has(i int) bool { return p == wholeHunt || i%2 == int(p) }

// hunter is one hunt.
type hunter struct {
	t        *testing.T
	g        *treeGenerator
	rnd      *rand.Rand // of the victim, who acts in one world only
	rows     []*Command
	often    []*Command // of rows
	busy     *huntWorld // where the victim is
	quiet    *huntWorld
	canaries []string          // what the hostile clients know and should not
	answered map[*Command]bool // without an error
	last     []string
}

func newHunter(t *testing.T, seed uint64, open func(*storetest.Clock) storage.Store) *hunter {
	t.Helper()
	u := &hunter{t: t, g: newTreeGenerator(), rnd: rand.New(rand.NewPCG(seed, 1)), answered: make(map[*Command]bool)}
	u.g.rnd, u.g.used = rand.New(rand.NewPCG(seed, 0)), make(map[int]bool)
	u.g.names.walk(func(row *Command) {
		if row.Run != nil {
			u.rows = append(u.rows, row)
		}
	})
	u.often = slices.DeleteFunc(slices.Clone(u.rows), func(row *Command) bool { return !slices.Contains(huntedOften, row.Name) })
	u.busy, u.quiet = newHuntWorld(t, open), newHuntWorld(t, open)
	u.quiet.h.engine.runID = u.busy.h.engine.runID
	u.canaries = u.busy.plant()
	u.quiet.clock.Set(u.busy.clock.Now())
	return u
}

func memoryStore(clock *storetest.Clock) storage.Store { return storetest.NewMemory(clock) }

func hunt(t *testing.T, steps int, part huntPart, seed uint64, open func(*storetest.Clock) storage.Store) {
	t.Helper()
	u := newHunter(t, seed, open)
	defer func() {
		if t.Failed() {
			t.Logf("seed %d; the last commands were\n%s", seed, strings.Join(u.last[max(0, len(u.last)-16):], "\n"))
		}
	}()
	// First each command is to answer something else than an error.
	for _, row := range u.rows {
		for try := 0; try < 400 && !u.answered[row] && unanswered[row.Name] == "" && !row.has(Admin); try++ {
			u.attack(row, pick(&u.g.generator, "stranger", "stranger", "neighbour"), false)
		}
	}
	u.pause()
	u.cursors()
	u.inherit(part)
	u.each(part)
	for step := 0; step < steps && !t.Failed(); step++ {
		if step%100 == 0 {
			u.refill()
		}
		row := u.rows[step/2%len(u.rows)]
		if step%2 == 1 {
			row = u.often[step/2%len(u.often)]
		}
		u.attack(row, pick(&u.g.generator, "stranger", "neighbour"), true)
	}
	for _, row := range u.rows {
		if !u.answered[row] && unanswered[row.Name] == "" && !row.has(Admin) {
			t.Errorf("%s only answered errors, so the hunt learns little of it: give it arguments in huntArguments, or say in unanswered why", row.Name)
		}
	}
	u.busy.versions.judge(t)
}

// huntedOften are commands that tell of more than their arguments name.
var huntedOften = []string{
	"scan", "keys", "kv.list", "kv.meta", "kv.usage", "dbsize", "randomkey", "info", "client|list", "client|id", "client|kill", "client|tracking",
	"psubscribe", "subscribe", "publish", "pubsub|channels", "pubsub|numsub", "eval", "evalsha", "script|exists", "copy", "rename", "kv.set", "watch", "flushdb", "flushall",
}

// unanswered are commands that only answer errors to the hostile clients, beside
// those of the admin.
var unanswered = map[string]string{
	"auth":                    "they know no secrets",
	"exec":                    "comes with MULTI",
	"discard":                 "comes with MULTI",
	"object|freq":             "always an error",
	"script|kill":             "no script runs",
	"waitaof":                 "there is no journal",
	"client|caching":          "needs OPTIN or OPTOUT",
	"asking":                  noCluster,
	"readonly":                noCluster,
	"readwrite":               noCluster,
	"cluster|countkeysinslot": noCluster,
	"cluster|getkeysinslot":   noCluster,
	"cluster|help":            noCluster,
	"cluster|info":            noCluster,
	"cluster|keyslot":         noCluster,
	"cluster|links":           noCluster,
	"cluster|myid":            noCluster,
	"cluster|nodes":           noCluster,
	"cluster|shards":          noCluster,
	"cluster|slots":           noCluster,
}

const noCluster = "there is no cluster"

// attack has one of the hostile clients run a command, in both worlds.
func (u *hunter) attack(row *Command, who string, withCanaries bool) {
	u.t.Helper()
	g := u.g
	conn := pick(&g.generator, "2", "2", "3", "3", "http")
	args := u.arguments(row, who, withCanaries)
	form := "plain"
	switch {
	case !withCanaries || g.chance(60):
	case g.chance(40):
		form = "multi"
	default:
		form = "eval"
	}
	if conn == "http" {
		u.busy.request(who)
		u.quiet.request(who)
	}
	reply := u.strike(who, conn, inForm(form, row, args))
	if form == "plain" && reply != "" && reply[0] != '-' && reply != "+QUEUED\r\n" {
		u.answered[row] = true
	}
	again := g.chance(15)
	for _, w := range []*huntWorld{u.busy, u.quiet} {
		if conn == "http" {
			w.end(who, conn)
		}
		w.restore(who, conn, again)
	}
}

// inForm makes a batch of calls of a command: as they are, in MULTI, or in
// scripts.
func inForm(form string, row *Command, calls ...[]string) (batch [][]string) {
	switch form {
	case "multi":
		return slices.Concat([][]string{{"MULTI"}}, calls, [][]string{{"EXEC"}})
	case "eval":
		for _, args := range calls {
			// The name in the text gives the script what the command needs.
			batch = append(batch, append([]string{"EVAL", "return redis.pcall(unpack(ARGV)) -- " + row.Name, "0"}, args...))
		}
		return batch
	default:
		return calls
	}
}

// strike has one of the hostile clients send a batch, in both worlds, and looks
// at what has come of it.
func (u *hunter) strike(who, conn string, batch [][]string) (reply string) {
	u.t.Helper()
	u.note(who, conn, batch)
	before := u.busy.victimState(who)
	reply = u.both(who, conn, func(c *client) string { return string(c.raw(batch...)) })
	u.unchanged(before, who, "what the victim has changed by %q of %s", batch, who)
	u.busy.victimHears(who)
	if strings.Contains(strings.ToLower(u.last[len(u.last)-1]), "pause") { // nobody moves the clock on
		u.both(who, "ear", func(c *client) string { return string(c.raw([]string{"CLIENT", "UNPAUSE"})) })
	}
	u.busy.victimActs(u.rnd)
	if !slices.Contains(lasting, conn) {
		u.both(who, conn, func(c *client) string { return c.pushed() })
	}
	for _, conn := range lasting {
		u.both(who, conn, func(c *client) string { return c.pushed() })
	}
	for _, w := range []*huntWorld{u.busy, u.quiet} {
		w.clock.Advance(1e6) // a millisecond
	}
	return reply
}

// unchanged compares what the victim has.
func (u *hunter) unchanged(before victimState, who, format string, args ...any) {
	u.t.Helper()
	if after := u.busy.victimState(who); after != before {
		require.Equal(u.t, before, after, append([]any{format}, args...)...)
	}
}

// note remembers what is about to be done, for whoever has to find out why it
// went wrong.
func (u *hunter) note(who, conn string, what any) {
	u.last = append(u.last, fmt.Sprintf("%s %s: %q", who, conn, what))
	if len(u.last) > 100 {
		u.last = u.last[50:]
	}
}

// both does something in both worlds, and compares.
func (u *hunter) both(who, conn string, do func(*client) string) string {
	u.t.Helper()
	busy, quiet := do(u.busy.client(who, conn)), do(u.quiet.client(who, conn))
	require.NotContains(u.t, busy, huntSecret, "a secret of the victim")
	a, b := u.busy.comparable(busy), u.quiet.comparable(quiet)
	if a != b && !random(u.last[len(u.last)-1]) && !slices.Equal(inOneOrder(frames(a)), inOneOrder(frames(b))) {
		require.Equal(u.t, b, a, "%s; where the victim is not, and where it is", u.last[len(u.last)-1])
	}
	return busy
}

// random tells of requests whose replies are made of random numbers.
func random(request string) bool {
	request = strings.ToLower(request)
	return slices.ContainsFunc([]string{"randomkey", "genpass", `"token.session"`}, func(s string) bool { return strings.Contains(request, s) })
}

// arguments makes a call of a command, in which names that the client should not
// know take the place of some arguments.
func (u *hunter) arguments(row *Command, who string, withCanaries bool) []string {
	g := u.g
	args := g.of(row).args
	if special := huntArguments[row.Name]; special != nil {
		args = append(strings.Split(row.Name, "|"), special[g.rnd.IntN(len(special))]...)
	}
	if who == "neighbour" && g.chance(80) {
		u.own(row, args)
	}
	named := strings.Count(row.Name, "|") + 1
	if aimed := huntAims[row.Name]; withCanaries && aimed != nil && g.chance(50) {
		args = append(strings.Split(row.Name, "|"), aimed[g.rnd.IntN(len(aimed))]...)
		for i, a := range args {
			if known := u.busy.learnt[a]; known != nil {
				args[i] = pick(&g.generator, known...)
			}
		}
		return args
	}
	if !withCanaries || len(args) == named && g.chance(80) {
		return args
	}
	for n := 1 + g.rnd.IntN(2); n > 0; n-- {
		canary := pick(&g.generator, u.canaries...)
		if at := named + g.rnd.IntN(len(args)-named+1); at == len(args) {
			args = append(args, canary)
		} else {
			args[at] = canary
		}
	}
	return args
}

// own puts the neighbour's prefix in front of keys and channels.
func (u *hunter) own(row *Command, args []string) {
	argv := make([][]byte, len(args))
	for i := range args {
		argv[i] = []byte(args[i])
	}
	if !row.arityFits(len(args)) {
		return
	}
	for _, spec := range []KeySpec{row.Keys, row.Channels} {
		if spec.First == 0 && spec.Count == 0 && spec.Find == nil {
			continue
		}
		first, last, step := spec.find(argv)
		for i := first; i <= last && i < len(args); i += step {
			args[i] = huntPrefix + args[i]
		}
	}
}

// huntArguments are for commands of which the generator makes too little.
var huntArguments = map[string][][]string{
	"kv.list":                 {nil, {"PREFIX", "a"}, {"LIMIT", "2"}, {"CURSOR", "0"}, {"NOVALUES"}, {"PREFIX", "own:", "LIMIT", "1", "NOVALUES"}},
	"kv.set":                  {{"a", "1"}, {"b", "[]"}, {"a", "2", "XX"}, {"own:a", "[]", "IFVERSION", "0"}, {"a", "3", "IFVERSION", "1"}},
	"kv.mset":                 {{"a", "1", "b", "[]"}, {"TTL", "100", "own:a", "1", "own:b", "[]"}},
	"kv.get":                  {{"a"}, {"own:a"}, {"missing"}},
	"kv.mget":                 {{"missing", "missing"}, {"own:missing"}},
	"kv.appendunique":         {{"list", `[{"id":1}]`}, {"own:list", `[{"id":2}]`, "ID", "id"}, {"other", "[]"}},
	"kv.popall":               {{"list"}, {"missing"}, {"own:list"}},
	"kv.meta":                 {{"a"}, {"own:a"}, {"b"}, {"own:b"}},
	"command":                 {nil},
	"kv.purge":                {nil, {"LIMIT", "10"}},
	"scan":                    {{"0"}, {"0", "MATCH", "*"}, {"0", "COUNT", "1"}, {"1", "COUNT", "1"}, {"0", "MATCH", "canary*"}, {"0", "COUNT", "2", "TYPE", "string"}},
	"keys":                    {{"*"}, {"canary*"}, {"a*"}},
	"client|kill":             {{"ID", "99999"}, {"USER", "default", "SKIPME", "yes"}, {"TYPE", "normal"}, {"ADDR", "1.2.3.4:5"}, {"1.2.3.4:5"}, {"LADDR", "127.0.0.1:6379", "MAXAGE", "1"}},
	"client|list":             {nil, {"TYPE", "normal"}, {"TYPE", "pubsub"}, {"ID", "99999", "1"}},
	"client|tracking":         {{"ON"}, {"OFF"}, {"ON", "BCAST"}, {"ON", "BCAST", "PREFIX", "own:a"}, {"ON", "REDIRECT", "99999"}, {"ON", "OPTIN"}, {"ON", "NOLOOP"}, {"ON", "BCAST", "PREFIX", ""}},
	"client|pause":            {{"0"}, {"10"}, {"10", "WRITE"}},
	"client|reply":            {{"ON"}, {"SKIP"}},
	"token.session":           {{"ORIGIN", "https://a.example"}, {"ORIGIN", "https://a.example", "PREFIX", "own:"}},
	"evalsha":                 {{shaOf(ownScript), "0"}, {shaOf(ownScript), "1", "own:a"}},
	"evalsha_ro":              {{shaOf(ownScript), "0"}},
	"copy":                    {{"a", "b"}, {"a", "b", "REPLACE"}, {"own:a", "own:c", "DB", "1", "REPLACE"}, {"own:a", "b", "REPLACE"}},
	"info":                    {nil, {"all"}, {"everything"}, {"keyspace"}, {"stats", "clients"}, {"commandstats"}},
	"memory|usage":            {{"a"}, {"own:a"}, {"a", "SAMPLES", "1"}},
	"lolwut":                  {nil, {"VERSION", "5"}},
	"psubscribe":              {{"*"}, {"canary*"}, {"__key*__:*"}, {"__keyevent@*__:*", "a*"}},
	"script|load":             {{ownScript}, {"return 2"}},
	"restore":                 {{"r", "0", sealed("\x00\x01v"), "REPLACE"}, {"own:r", "0", sealed("\x00\x01v"), "REPLACE"}},
	"command|getkeysandflags": {{"get", "a"}, {"copy", "a", "b"}},
	"command|getkeys":         {{"get", "a"}, {"copy", "a", "b"}},
	"acl|cat":                 {nil, {"read"}},
}

// huntAims are arguments in which a word such as @key stands for something that
// the hostile clients should not know, where it means the most.
var huntAims = map[string][][]string{
	"scan":            {{"@cursor"}, {"@cursor", "COUNT", "1"}, {"0", "MATCH", "@key"}},
	"kv.list":         {{"CURSOR", "@page"}, {"PREFIX", "@key"}, {"PREFIX", "@key", "NOVALUES", "CURSOR", "@page"}},
	"keys":            {{"@key"}},
	"evalsha":         {{"@sha", "0"}},
	"evalsha_ro":      {{"@sha", "0"}},
	"script|exists":   {{"@sha"}, {"@sha", "@sha"}},
	"client|kill":     {{"ID", "@id"}, {"ADDR", "@addr"}, {"@addr"}, {"ID", "@id", "SKIPME", "no"}, {"USER", "acme/shop"}},
	"client|list":     {{"ID", "@id", "@id"}},
	"client|unblock":  {{"@id", "ERROR"}},
	"client|setname":  {{"@name"}},
	"auth":            {{"@app", "@token"}, {"@token"}, {"@app", "cub_x"}},
	"client|tracking": {{"ON", "REDIRECT", "@id"}, {"ON", "BCAST", "PREFIX", "@key"}},
	"kv.set":          {{"@key", "1", "IFVERSION", "@version"}, {"own:a", "1", "IFVERSION", "@version"}, {"@key", "1", "XX"}},
	"kv.meta":         {{"@key"}},
	"get":             {{"@key"}},
	"copy":            {{"own:a", "@key", "REPLACE"}, {"@key", "own:a", "REPLACE"}, {"@key", "own:x", "DB", "1", "REPLACE"}, {"own:a", "@key", "DB", "1", "REPLACE"}},
	"rename":          {{"own:a", "@key"}, {"@key", "own:x"}},
	"move":            {{"@key", "1"}},
	"watch":           {{"@key"}, {"own:a", "@key"}},
	"subscribe":       {{"@channel"}, {"@key"}},
	"psubscribe":      {{"@channel"}, {"*"}},
	"ssubscribe":      {{"@channel"}},
	"publish":         {{"@channel", "x"}},
	"spublish":        {{"@channel", "x"}},
	"pubsub|numsub":   {{"@channel", "@channel"}},
	"pubsub|channels": {{"@channel"}, {"*"}},
	"dump":            {{"@key"}},
	"object|encoding": {{"@key"}},
	"memory|usage":    {{"@key"}},
	"exists":          {{"@key", "@key"}},
	"lcs":             {{"own:a", "@key"}},
	"bitop":           {{"OR", "own:x", "@key"}, {"NOT", "@key", "own:a"}},
}

// ownScript is brought by both hostile clients.
const ownScript = "return {'own', #KEYS}"

// shownVersions are the versions that hostile clients were shown in one world.
type shownVersions struct {
	numbers map[string]int
	inOrder []uint64
}

// judge wants versions of which nobody can tell how many lie between two: plain
// counts would be small.
func (v *shownVersions) judge(t *testing.T) {
	t.Helper()
	require.Greater(t, len(v.inOrder), 5, "versions were hardly seen")
	small := 0
	for _, n := range v.inOrder {
		if n < 1<<36 { // one in 4096 is
			small++
		}
	}
	require.LessOrEqual(t, small, 1+len(v.inOrder)/100, "versions tell what was written in between: %v", v.inOrder)
}

// TestTheHuntKnowsItsCommands keeps exceptions from outliving their commands.
func TestTheHuntKnowsItsCommands(t *testing.T) {
	names := newTable()
	for name := range unanswered {
		require.NotNil(t, names.named([]byte(name)), name)
	}
	for _, name := range slices.Concat(huntedOften, slices.Collect(maps.Keys(huntArguments)), slices.Collect(maps.Keys(huntAims))) {
		require.NotNil(t, names.named([]byte(name)), name)
	}
}
