package commands

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

const (
	// huntSecret is in values, messages, scripts and names of the victim that no
	// hostile client ever sends.
	huntSecret = "SECRET"
	// huntPrefix is of the keys that the neighbour's token opens.
	huntPrefix = "own:"
	// huntOrigin is where the tokens of the hostile clients may be used in browsers.
	huntOrigin = "https://a.example"
)

// lasting are the connections that each hostile client has all the time: one in
// RESP2, one in RESP3, and one that listens to all that it may hear.
var lasting = []string{"2", "3", "ear"}

var victimApp = storage.ID{Tenant: "acme", App: "shop"}

// huntWorld is a server with a victim, who may be away, and its two enemies:
// a stranger in another namespace, and a neighbour who has a prefix of the
// victim's.
type huntWorld struct {
	t        *testing.T
	h        *harness
	clock    *storetest.Clock
	clients  map[string]*client // of the hostile ones
	who      map[string]*auth.Principal
	secrets  map[string]string // of their tokens, and of the victim's
	names    *strings.Replacer // gives the tokens of both worlds the same ids
	victim   *auth.Principal
	victims  []*client // connections of the victim; none where it is away
	killed   int       // of these
	versions shownVersions
	// learnt is what the hostile clients know of the victim, by what it is.
	learnt map[string][]string
}

func newHuntWorld(t *testing.T, open func(*storetest.Clock) storage.Store) *huntWorld {
	t.Helper()
	clock := storetest.NewClock()
	w := &huntWorld{t: t, clock: clock, h: newHarnessOn(t, open(clock), clock), clients: make(map[string]*client), versions: shownVersions{numbers: make(map[string]int)}}
	w.h.engine.SetKeyspaceEvents("KEAmn")
	w.who, w.secrets = make(map[string]*auth.Principal), make(map[string]string)
	for _, id := range []storage.ID{victimApp, {Tenant: "rival", App: "shop"}} {
		app, err := w.h.dir.CreateApp(context.Background(), id, auth.Overrides{})
		require.NoError(t, err)
		app.SetLimits(wideOpen())
		if id == victimApp {
			w.victim = w.token(id, "victim", auth.Scope{})
			w.token(id, "neighbour", auth.Scope{Prefix: huntPrefix, Origins: []string{huntOrigin}})
		} else {
			w.token(id, "stranger", auth.Scope{Origins: []string{huntOrigin}})
		}
	}
	delete(w.who, "victim")
	w.names = strings.NewReplacer(w.who["stranger"].Token.ID, "strangerstranger", w.who["neighbour"].Token.ID, "neighbourneighbo")
	// The same in both worlds: keys that the neighbour may see.
	setup := w.connect(w.victim, "")
	setup.pipeline([]string{"MSET", "own:a", "1", "own:b", "text", "own:n", "7"}, []string{"SELECT", "1"}, []string{"SET", "own:a", "one"})
	w.h.engine.EndSession(setup.s)
	for name := range w.who {
		for _, conn := range lasting {
			w.clients[name+conn] = nil
		}
	}
	for _, name := range []string{"stranger", "neighbour"} {
		for _, conn := range lasting {
			w.restore(name, conn, true)
		}
	}
	return w
}

// token makes a token, and signs in with it.
func (w *huntWorld) token(id storage.ID, who string, scope auth.Scope) *auth.Principal {
	w.t.Helper()
	secret, _, err := w.h.dir.CreateToken(context.Background(), id, huntSecret+"-"+who, scope)
	require.NoError(w.t, err)
	p, err := w.h.dir.Authenticate(context.Background(), "", secret)
	require.NoError(w.t, err)
	w.who[who], w.secrets[who] = p, secret
	return p
}

// connect opens a connection a millisecond later.
func (w *huntWorld) connect(p *auth.Principal, remote string) *client {
	w.clock.Advance(1e6)
	box := new(inbox)
	if remote == "" {
		remote = "127.0.0.1:50000"
	}
	s := w.h.engine.NewSession(SessionOptions{Door: "resp", Remote: remote, Local: "127.0.0.1:6379", Push: box.push, TakePushed: box.take})
	c := &client{t: w.t, e: w.h.engine, s: s, inbox: box}
	s.become(p)
	return c
}

func (w *huntWorld) client(who, conn string) *client { return w.clients[who+conn] }

// request begins a request over HTTP, as the gateway does, from a browser.
func (w *huntWorld) request(who string) {
	w.t.Helper()
	w.clock.Advance(1e6)
	c := &client{t: w.t, e: w.h.engine, inbox: new(inbox), wraps: true,
		s: w.h.engine.NewSession(SessionOptions{Door: "http", Remote: "127.0.0.1:50000", Local: "127.0.0.1:8080", Origin: huntOrigin, Stateless: true})}
	var out resp.Writer
	signIn := Request{Argv: [][]byte{[]byte("AUTH"), []byte(w.secrets[who])}, Own: true}
	w.h.engine.Do(context.Background(), c.s, []Request{signIn}, &out)
	require.Equal(w.t, "+OK\r\n", string(out.Bytes()))
	w.clients[who+"http"] = c
}

// end ends a connection that is not one of the lasting ones.
func (w *huntWorld) end(who, conn string) {
	w.h.engine.EndSession(w.clients[who+conn].s)
	delete(w.clients, who+conn)
}

// restore makes a hostile connection usable again, or anew.
func (w *huntWorld) restore(who, conn string, anew bool) {
	c := w.clients[who+conn]
	switch {
	case !slices.Contains(lasting, conn):
		return
	case c == nil || anew || c.s.Closing():
		if c != nil {
			w.h.engine.EndSession(c.s)
		}
		c = w.connect(w.who[who], "")
		w.clients[who+conn] = c
	case c.s.principal != w.who[who]:
		c.s.become(w.who[who])
	default:
		return
	}
	if conn != "2" {
		c.raw([]string{"HELLO", "3"})
	}
	if conn == "ear" {
		c.raw([]string{"PSUBSCRIBE", "*", "canary*"}, []string{"SUBSCRIBE", "own:news", "__keyspace@0__:own:a", "__keyevent@0__:set"}, []string{"SSUBSCRIBE", "own:shard"},
			[]string{"CLIENT", "TRACKING", "ON", "BCAST"})
	}
	if conn == "3" {
		c.raw([]string{"SCRIPT", "LOAD", ownScript})
	}
}

// shown finds versions in replies.
var shownVersionPattern = regexp.MustCompile(`\$7\r\nversion\r\n:(\d+)\r\n`)

// comparable replaces versions, which count the writes of everybody and are
// enciphered, by how many others were shown before, and the ids of the hostile
// clients' own tokens, which are random.
func (w *huntWorld) comparable(raw string) string {
	return shownVersionPattern.ReplaceAllStringFunc(w.names.Replace(raw), func(match string) string {
		text := shownVersionPattern.FindStringSubmatch(match)[1]
		v := &w.versions
		if _, known := v.numbers[text]; !known {
			v.numbers[text] = len(v.numbers)
			n, err := strconv.ParseUint(text, 10, 64)
			require.NoError(w.t, err)
			v.inOrder = append(v.inOrder, n)
		}
		return fmt.Sprintf("version #%d", v.numbers[text])
	})
}

// plant brings the victim into its world, and returns what its enemies have
// learnt.
func (w *huntWorld) plant() (canaries []string) {
	w.t.Helper()
	clients := make(map[string]*client)
	for i, name := range []string{"main", "resp3", "listener", "tracker", "queue", "watcher"} {
		c := w.connect(w.victim, fmt.Sprintf("10.9.8.7:%d", 1000+i))
		c.s.opts.Kill = func() { w.killed++ }
		clients[name] = c
		w.victims = append(w.victims, c)
		c.do("CLIENT", "SETNAME", huntSecret+"-"+name)
	}
	clients["resp3"].do("CLIENT", "SETNAME", "canary-name")
	main := clients["main"]
	main.pipeline([]string{"MSET", "canary:key", huntSecret, "canary:json", `{"s":"SECRET"}`, "canary:n", "4711", "zz:canary", huntSecret},
		[]string{"SET", "canary:ttl", huntSecret, "EX", "100000"}, []string{"SELECT", "1"}, []string{"SET", "canary:key", huntSecret}, []string{"SELECT", "0"})
	script := "return 'SECRET script'"
	main.do("SCRIPT", "LOAD", script)
	clients["resp3"].resp3()
	clients["listener"].raw([]string{"SUBSCRIBE", "canary:news", "__keyevent@0__:set"}, []string{"PSUBSCRIBE", "*"}, []string{"SSUBSCRIBE", "canary:shard"})
	clients["tracker"].resp3().raw([]string{"CLIENT", "TRACKING", "ON", "BCAST"})
	clients["resp3"].raw([]string{"CLIENT", "TRACKING", "ON"}, []string{"GET", "canary:key"})
	clients["queue"].raw([]string{"MULTI"}, []string{"SET", "canary:queued", huntSecret})
	clients["watcher"].raw([]string{"WATCH", "canary:key", "canary:missing"})
	for _, c := range w.victims {
		c.pushed()
	}
	cursor := parseReply(w.t, main.do("SCAN", "0", "COUNT", "1")).items[0].text[1:]
	meta := parseReply(w.t, main.do("KV.META", "canary:json"))
	version := meta.items[slices.Index(texts(meta.items), "$version")+1].text[1:]
	ids := make([]string, len(w.victims))
	for i, c := range w.victims {
		ids[i] = strconv.FormatInt(c.s.id, 10)
	}
	w.learnt = map[string][]string{
		"@key":     {"canary:key", "canary:json", "canary:missing", "zz:canary", "acme/shop/canary:key", "acme/shop:canary:key"},
		"@channel": {"canary:news", "canary:shard", "__keyspace@0__:canary:key", "__keyspace@0__:zz:canary"},
		"@pattern": {"canary*", "*", "__key*__:*"},
		"@cursor":  {cursor, strconv.FormatUint(fingerprint("canary:key"), 10), strconv.FormatUint(fingerprint("zz:canary"), 10)},
		"@page":    {formatListCursor("canary:key"), formatListCursor("canary:"), formatListCursor("zz:canary")},
		"@version": {version},
		"@sha":     {shaOf(script)},
		"@id":      ids,
		"@addr":    {"10.9.8.7:1000", "10.9.8.7:1001"},
		"@token":   {w.victim.Token.ID},
		"@name":    {"canary-name"},
		"@app":     {"acme/shop", "acme"},
		"":         {"__keyevent@0__:set", "a", "own:a", "own:", "0", "1", "own:../canary:key", "own:a\x00canary:key", "default"},
	}
	for _, kind := range slices.Sorted(maps.Keys(w.learnt)) {
		canaries = append(canaries, w.learnt[kind]...)
	}
	delete(w.learnt, "") // these mean nothing in particular
	return canaries
}

// victimState is all that the victim has, and what is kept for it.
type victimState struct {
	keys    string
	shown   [6]shownState // of its connections
	session [6]struct{ closing, waits, inHub bool }
	rest    string
}

func (w *huntWorld) victimState(who string) (state victimState) {
	w.t.Helper()
	var b []byte
	for db := range storage.Databases {
		ns, err := w.h.store.Namespace(context.Background(), db, victimApp)
		require.NoError(w.t, err)
		_, err = ns.View(context.Background(), nil, func(tx storage.Tx) error {
			return tx.Ascend("", func(key string, e storage.Entry) bool {
				if who != "neighbour" || !strings.HasPrefix(key, huntPrefix) {
					b = strconv.AppendQuote(append(b, '\n', byte('0'+db), ' '), key)
					b = append(append(append(b, ' '), e.Value...), ' ')
					b = strconv.AppendInt(append(strconv.AppendInt(b, e.ExpiresAt, 10), ' '), e.UpdatedAt, 10)
					b = strconv.AppendUint(append(b, ' '), e.Version, 10)
				}
				return true
			})
		})
		require.NoError(w.t, err)
	}
	state.keys = string(b)
	b = nil
	for i, c := range w.victims {
		state.shown[i] = c.s.snapshot()
		in := &state.session[i]
		in.closing, in.inHub = c.s.closing, c.s.hub != nil
		in.waits = c.e.mustWait(c.s, Request{Argv: [][]byte{[]byte("SET"), []byte("a"), []byte("1")}}) != nil
	}
	space := w.victims[0].s.scriptSpace()
	space.mu.Lock()
	for name := range space.scripts {
		if name.scope == "" && name.sha == shaOf("return 'SECRET script'") {
			b = append(b, "the script is there\n"...)
		}
	}
	space.mu.Unlock()
	if h := w.h.engine.hubs.find(victimApp); h != nil {
		h.tracking.mu.Lock()
		readers := h.tracking.keys["canary:key"]
		h.tracking.mu.Unlock()
		b = fmt.Appendf(b, "tracked %v\n", readers != nil && slices.Contains(readers.ids, w.victims[1].s.id))
	}
	state.rest = string(fmt.Appendf(b, "killed %d", w.killed))
	return state
}

// victimActs lets the victim do something, if it is there.
func (w *huntWorld) victimActs(rnd *rand.Rand) {
	if len(w.victims) == 0 {
		return
	}
	defer w.ownDoing()
	main := w.victims[0]
	word := func(list ...string) string { return list[rnd.IntN(len(list))] }
	key := word("canary:key", "canary:more", "a", "b", "n", "key:1", "list", "own", "missing", "canary:missing")
	channel := word("canary:news", "a", "b", "news", "n:1", "", "*", "own", "__keyevent@0__:set")
	switch rnd.IntN(14) {
	case 0, 1:
		main.do("SET", key, huntSecret)
	case 2:
		main.do("DEL", key)
	case 3:
		main.do("PUBLISH", channel, huntSecret)
	case 4:
		main.do("SPUBLISH", channel, huntSecret)
	case 5:
		main.pipeline([]string{"SELECT", "1"}, []string{"SET", key, huntSecret, "EX", "1000"}, []string{"SELECT", "0"})
	case 6:
		main.do("EVAL", "redis.call('SET', KEYS[1], 'SECRET') return redis.call('PUBLISH', ARGV[1], 'SECRET')", "1", key, channel)
	case 7:
		w.h.engine.Expired(0, victimApp, []string{"canary:gone", key})
	case 8:
		c := w.connectLater()
		c.do("CLIENT", "SETNAME", huntSecret)
		c.do("GET", key)
		w.h.engine.EndSession(c.s)
	case 9:
		// So that the cursor stands for the last key, or for one before.
		keys, err := strconv.Atoi(strings.TrimSpace(main.do("DBSIZE")[1:]))
		require.NoError(w.t, err)
		main.do("SCAN", "0", "COUNT", strconv.Itoa(max(1, keys-1-rnd.IntN(3)/2)))
	case 10:
		main.pipeline([]string{"MULTI"}, []string{"SET", key, huntSecret}, []string{"PUBLISH", channel, huntSecret}, []string{"EXEC"})
	case 11:
		main.do("EVAL", fmt.Sprintf("return 'SECRET %d'", rnd.IntN(50)), "0")
	case 12:
		main.do("GETDEL", key)
	default:
		w.victims[1].do("GET", "canary:key")
	}
	w.victims[1].do("GET", "canary:key")
}

// ownDoing takes what the victim heard of itself.
func (w *huntWorld) ownDoing() {
	for _, c := range w.victims {
		c.pushed()
	}
}

// connectLater is connect for the victim: time does not go on for it, or the
// worlds would part.
func (w *huntWorld) connectLater() *client {
	box := new(inbox)
	c := &client{t: w.t, e: w.h.engine, inbox: box,
		s: w.h.engine.NewSession(SessionOptions{Door: "resp", Remote: "10.9.8.7:2000", Local: "127.0.0.1:6379", Push: box.push, TakePushed: box.take})}
	c.s.become(w.victim)
	return c
}

// victimHears wants the victim to hear nothing of the stranger, and of the
// neighbour only what is under its prefix.
func (w *huntWorld) victimHears(who string) {
	w.t.Helper()
	for _, c := range w.victims {
		for _, frame := range frames(c.pushed()) {
			if frame != "" && (who == "stranger" || !strings.Contains(frame, huntPrefix)) {
				require.Empty(w.t, frame, "what the victim heard of the %s", who)
			}
		}
	}
}
