package commands

import (
	"slices"

	"github.com/stretchr/testify/require"
)

// heirloom is what somebody leaves on a connection that signs in again as
// another.
type heirloom struct {
	name  string
	admin bool // left by the admin, not by the victim
	left  [][]string
	// kept is how the client wants its answers, which stays. It tells a new
	// connection the same.
	kept [][]string
}

var heirlooms = []heirloom{
	{name: "database", left: [][]string{{"SELECT", "1"}}},
	{name: "MULTI", left: [][]string{{"MULTI"}, {"SET", "own:a", huntSecret}, {"PUBLISH", "canary:news", "x"}}},
	{name: "MULTI, spoiled", left: [][]string{{"MULTI"}, {"NOSUCH"}}},
	{name: "MULTI, discarded", left: [][]string{{"WATCH", "canary:key"}, {"MULTI"}, {"GET", "canary:key"}, {"DISCARD"}}},
	{name: "WATCH", left: [][]string{{"WATCH", "canary:key", "canary:missing", "a"}, {"SET", "canary:key", huntSecret}}},
	{name: "SUBSCRIBE", left: [][]string{{"SUBSCRIBE", "canary:news", "own:news", "a"}, {"SSUBSCRIBE", "canary:shard"}}},
	{name: "PSUBSCRIBE", left: [][]string{{"PSUBSCRIBE", "*", "canary*", "__key*__:*"}}},
	{name: "TRACKING", left: [][]string{{"CLIENT", "TRACKING", "ON"}, {"MGET", "canary:key", "own:a", "a"}}},
	{name: "TRACKING NOLOOP", left: [][]string{{"CLIENT", "TRACKING", "ON", "NOLOOP"}, {"MGET", "canary:key", "own:a", "a"}}},
	{name: "TRACKING BCAST", left: [][]string{{"CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "canary", "PREFIX", "own:"}}},
	{name: "TRACKING OPTIN", left: [][]string{{"CLIENT", "TRACKING", "ON", "OPTIN"}, {"CLIENT", "CACHING", "YES"}}},
	{name: "TRACKING OPTOUT", left: [][]string{{"CLIENT", "TRACKING", "ON", "OPTOUT"}, {"GET", "own:a"}, {"CLIENT", "CACHING", "NO"}}},
	{name: "TRACKING REDIRECT", left: [][]string{{"CLIENT", "TRACKING", "ON", "REDIRECT", "@id"}, {"GET", "own:a"}}},
	{name: "scripts", left: [][]string{{"SCRIPT", "LOAD", heirScript}, {"EVAL", "return 'SECRET'", "0"}}},
	{name: "SCAN cursor", left: [][]string{{"SCAN", "0", "COUNT", "1"}}},
	{name: "SETNAME", left: [][]string{{"CLIENT", "SETNAME", huntSecret}}},
	{name: "SETINFO", left: [][]string{{"CLIENT", "SETINFO", "LIB-NAME", huntSecret}, {"CLIENT", "SETINFO", "LIB-VER", huntSecret}}},
	{name: "NO-TOUCH", left: [][]string{{"CLIENT", "NO-TOUCH", "ON"}, {"CLIENT", "NO-EVICT", "ON"}}},
	{name: "REPLY SKIP", left: [][]string{{"GET", "canary:key"}, {"CLIENT", "REPLY", "SKIP"}}},
	{name: "REPLY OFF", left: [][]string{{"CLIENT", "REPLY", "OFF"}, {"GET", "canary:key"}}, kept: [][]string{{"CLIENT", "REPLY", "OFF"}}},
	{name: "failed reads", left: [][]string{{"GET", "canary:missing"}, {"NOSUCH"}, {"AUTH", "wrong"}}},
	{name: "MONITOR", admin: true, left: [][]string{{"CLIENT", "SETNAME", huntSecret}, {"MONITOR"}}},
	{name: "APP.USE", admin: true, left: [][]string{{"APP.USE", "acme/shop"}, {"SELECT", "1"}, {"CLIENT", "TRACKING", "ON", "BCAST"}}},
}

// heirScript is loaded on a connection that is somebody else's then.
const heirScript = "return 'SECRET of one before'"

// heirs ask for everything that a connection knows of itself.
var heirs = [][]string{
	{"CLIENT", "INFO"}, {"CLIENT", "GETNAME"}, {"CLIENT", "TRACKINGINFO"}, {"CLIENT", "GETREDIR"}, {"CLIENT", "LIST"}, {"CLIENT", "ID"}, {"CLIENT", "CACHING", "YES"},
	{"EXEC"}, {"DISCARD"}, {"GET", "own:a"}, {"KEYS", "*"}, {"DBSIZE"}, {"SCAN", "@cursor"}, {"EVALSHA", shaOf(heirScript), "0"}, {"SCRIPT", "EXISTS", shaOf(heirScript)},
	{"MULTI"}, {"GET", "own:a"}, {"EXEC"}, {"PUBSUB", "CHANNELS"}, {"PUBSUB", "NUMSUB", "own:news", "canary:news"}, {"INFO"}, {"KV.USAGE"},
	{"SET", "own:a", "2"}, {"PING"}, {"UNSUBSCRIBE"}, {"PUNSUBSCRIBE"}, {"CLIENT", "TRACKING", "OFF"}, {"CLIENT", "NO-TOUCH", "OFF"},
}

// inherit gives connections that were the victim's, or the admin's, to the
// hostile clients: they sign in again, as pools and proxies do. From there on
// each has to be like one that was never anybody else's.
func (u *hunter) inherit(part huntPart) {
	u.t.Helper()
	n := 0
	for _, loom := range heirlooms {
		for _, who := range []string{"stranger", "neighbour"} {
			for _, proto := range []string{"2", "3"} {
				for _, pipelined := range []bool{false, true} {
					if n++; part.has(n) {
						u.inheritOne(&loom, who, proto, pipelined)
					}
				}
			}
		}
	}
}

func (u *hunter) inheritOne(loom *heirloom, who, proto string, pipelined bool) {
	u.t.Helper()
	u.refill()
	u.note(who, proto, "after "+loom.name)
	before := u.busy.victimState(who)
	heir, fresh := u.busy.connect(nil, ""), u.quiet.connect(nil, "")
	u.busy.clients[who+"heir"], u.quiet.clients[who+"heir"] = heir, fresh
	former := []string{"AUTH", u.busy.secrets["victim"]}
	if loom.admin {
		former = []string{"AUTH", "admin", testAdminPassword}
	}
	require.Equal(u.t, "+OK\r\n", heir.do(former...))
	heir.raw([]string{"HELLO", proto})
	left := u.known(loom.left)
	if signIn := []string{"AUTH", u.busy.secrets[who]}; pipelined {
		heir.raw(append(left, signIn)...)
	} else {
		heir.raw(left...)
		heir.raw(signIn)
	}
	if heir.s.principal == nil || heir.s.principal.Token.Same(u.busy.victim.Token) { // in a transaction, and while subscribed in RESP2, AUTH is refused
		heir.raw([]string{"RESET"}, []string{"AUTH", u.busy.secrets[who]})
	}
	u.busy.ownDoing()
	fresh.raw([]string{"AUTH", u.quiet.secrets[who]})
	require.True(u.t, heir.s.principal.Token.Same(u.busy.who[who].Token))
	for _, c := range []*client{heir, fresh} {
		c.raw(append([][]string{{"HELLO", proto}}, loom.kept...)...)
	}
	if loom.name != "WATCH" { // which writes
		u.unchanged(before, who, "what the victim has changed when the %s followed it, after %s", who, loom.name)
	}
	u.both(who, "heir", func(c *client) string { return c.pushed() })
	u.betray(who)
	for _, args := range u.known(heirs) {
		u.note(who, "heir", args)
		u.both(who, "heir", func(c *client) string { return string(c.raw(args)) })
		u.both(who, "2", func(c *client) string { return string(c.raw([]string{"CLIENT", "LIST"})) })
	}
	u.betray(who)
	for range 3 {
		row := u.often[u.g.rnd.IntN(len(u.often))]
		if !heir.s.Closing() {
			u.strike(who, "heir", inForm("plain", row, u.arguments(row, who, true)))
		}
	}
	if loom.kept != nil && !heir.s.Closing() {
		u.note(who, "heir", "CLIENT REPLY ON")
		u.both(who, "heir", func(c *client) string {
			return string(c.raw([]string{"CLIENT", "REPLY", "ON"}, []string{"CLIENT", "INFO"}))
		})
	}
	for _, w := range []*huntWorld{u.busy, u.quiet} {
		w.end(who, "heir")
	}
}

// known puts what was learnt in place of words such as @cursor.
func (u *hunter) known(batch [][]string) (list [][]string) {
	for _, args := range batch {
		args = slices.Clone(args)
		for i, a := range args {
			if known := u.busy.learnt[a]; known != nil {
				args[i] = known[len(known)-1]
			}
		}
		list = append(list, args)
	}
	return list
}

// betray has the victim do what the former life of a connection would tell of.
func (u *hunter) betray(who string) {
	u.t.Helper()
	main := u.busy.victims[0]
	main.pipeline([]string{"PUBLISH", "canary:news", huntSecret}, []string{"PUBLISH", "a", huntSecret}, []string{"SPUBLISH", "canary:shard", huntSecret},
		[]string{"SET", "canary:key", huntSecret}, []string{"SET", "canary:missing", huntSecret}, []string{"SET", "a", huntSecret}, []string{"DEL", "canary:missing", "a"})
	u.busy.ownDoing()
	u.both(who, "heir", func(c *client) string { return c.pushed() })
}
