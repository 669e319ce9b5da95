package commands

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
)

func pubsubRows() []*Command {
	const group = "pubsub"
	// A pattern names no channel: a token with a key prefix may subscribe to any,
	// and hears what is for it. The two kinds that may stand for keyspace events may
	// wait for the store.
	named := KeySpec{First: 1, Last: -1, Step: 1}
	subscribe := func(name, since, syntax, doc string, arity int, flags Flag, channels KeySpec, run func(*Call) error) *Command {
		return &Command{Name: name, Arity: arity, Flags: flags | OwnConnection | Stateful | PubSub | Namespaced, Channels: channels, ACL: "pubsub slow", Group: group, Since: since,
			Syntax: syntax, Doc: doc, Also: "noscript loading stale", Run: run}
	}
	publish := func(name, since, syntax, doc string, kind subscriptionKind) *Command {
		return &Command{Name: name, Arity: 3, Flags: Tells | Namespaced, Channels: KeySpec{First: 1, Last: 1, Step: 1}, ACL: "pubsub fast", Group: group, Since: since,
			Syntax: syntax, Doc: doc, Also: "loading stale", Run: func(c *Call) error { return c.publish(kind) }}
	}
	ask := func(name, since, syntax, doc string, arity int, flags Flag, channels KeySpec, run func(*Call) error) *Command {
		return &Command{Name: "pubsub|" + name, Arity: arity, Flags: flags | Namespaced, Channels: channels, ACL: "pubsub slow", Group: group, Since: since,
			Syntax: syntax, Doc: doc, Also: "loading stale", Run: run}
	}
	none, counted := KeySpec{}, KeySpec{First: 2, Last: -1, Step: 1}
	join := func(kind subscriptionKind) func(*Call) error {
		return func(c *Call) error { return c.subscribe(kind) }
	}
	leave := func(kind subscriptionKind) func(*Call) error {
		return func(c *Call) error { return c.unsubscribe(kind) }
	}
	rows := []*Command{
		subscribe("subscribe", "2.0.0", "channel [channel ...]", "Subscribes the connection to channels of its namespace.", -2, Slow, named, join(subChannel)),
		subscribe("unsubscribe", "2.0.0", "[channel [channel ...]]", "Ends subscriptions to channels; without arguments, all of them.", -1, 0, none, leave(subChannel)),
		subscribe("psubscribe", "2.0.0", "pattern [pattern ...]", "Subscribes the connection to all channels that match patterns.", -2, Slow, none, join(subPattern)),
		subscribe("punsubscribe", "2.0.0", "[pattern [pattern ...]]", "Ends subscriptions to patterns; without arguments, all of them.", -1, 0, none, leave(subPattern)),
		publish("publish", "2.0.0", "channel message", "Sends a message to the subscribers of a channel, and returns how many there are.", subChannel),
		subscribe("ssubscribe", "7.0.0", "shardchannel [shardchannel ...]", "Subscribes to shard channels, which are apart from the others. One server is one shard.", -2, 0, named, join(subShard)),
		subscribe("sunsubscribe", "7.0.0", "[shardchannel [shardchannel ...]]", "Ends subscriptions to shard channels; without arguments, all of them.", -1, 0, none, leave(subShard)),
		publish("spublish", "7.0.0", "shardchannel message", "Sends a message to the subscribers of a shard channel, and returns how many there are.", subShard),
		{Name: "pubsub", Arity: -2, ACL: "slow", Group: group, Since: "2.8.0", Syntax: "subcommand [argument ...]", Doc: "A container for what is known about subscriptions."},
		ask("channels", "2.8.0", "[pattern]", "Lists the channels that have subscribers.", -2, Slow, none, func(c *Call) error { return c.listChannels(subChannel) }),
		{Name: "pubsub|help", Arity: 2, ACL: "slow", Group: group, Since: "6.2.0", Doc: "Lists the subcommands of PUBSUB.", Also: "loading stale", Run: runPubSubHelp},
		ask("numpat", "2.8.0", "", "Returns how many different patterns are subscribed to.", 2, WholeNamespace, none, runPubSubNumPat),
		ask("numsub", "2.8.0", "[channel [channel ...]]", "Returns how many connections subscribed to each of the channels, patterns left aside.", -2, 0, counted,
			func(c *Call) error { return c.countSubscribers(subChannel) }),
		ask("shardchannels", "7.0.0", "[pattern]", "Lists the shard channels that have subscribers.", -2, Slow, none, func(c *Call) error { return c.listChannels(subShard) }),
		ask("shardnumsub", "7.0.0", "[shardchannel [shardchannel ...]]", "Returns how many connections subscribed to each of the shard channels.", -2, 0, counted,
			func(c *Call) error { return c.countSubscribers(subShard) }),
	}
	return rows
}

// Bounds on what one connection can make the server remember. Redis has none.
const (
	maxSubscriptions     = 10_000
	maxSubscriptionBytes = 8 << 20
	subscriptionCost     = 64 // bytes that a subscription takes beside its name
	// maxChannelName is how long a name may be beside a key in it. Matching a
	// pattern takes at most the square of it.
	maxChannelName = 1024
)

var (
	errSubscriptionsFull = kverr.Newf(kverr.BadInput, "the connection would have more than %d subscriptions, or names of more than %d bytes in all",
		maxSubscriptions, maxSubscriptionBytes).WithHint("a pattern may stand for many channels, and a second connection has its own bounds")
	errHubFull = kverr.Newf(kverr.BadInput, "the subscriptions of the namespace would take more than %d bytes", maxHubBytes).
			WithHint("subscribe to fewer channels, or to patterns")
	errPatternsFull = kverr.Newf(kverr.BadInput, "the namespace would have more than %d different patterns", maxPatterns).
			WithHint("subscribe to channels, or with fewer patterns")
)

func (c *Call) checkChannel(name string) error {
	if most := maxChannelName + c.Limits.KeyBytes; len(name) > most {
		return kverr.Newf(kverr.BadInput, "the channel's name is %d bytes long; at most %d are allowed", len(name), most)
	}
	return nil
}

// subscriptions are those of one session.
type subscriptions struct {
	names [subscriptionKinds]map[string]*glob // the glob is nil unless it is a pattern
	total int
	bytes int
}

// count is what the replies to a kind of subscription tell: shard channels are
// counted apart.
func (u *subscriptions) count(kind subscriptionKind) int64 {
	if kind == subShard {
		return int64(len(u.names[subShard]))
	}
	return int64(len(u.names[subChannel]) + len(u.names[subPattern]))
}

// sorted lists the names of a kind.
func (u *subscriptions) sorted(kind subscriptionKind) []string {
	list := make([]string, 0, len(u.names[kind]))
	for name := range u.names[kind] {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// join subscribes a session to name, and tells whether it was not before.
func (s *Session) join(kind subscriptionKind, name string) (isNew bool, err error) {
	u := &s.subs
	if _, already := u.names[kind][name]; already {
		return false, nil
	}
	cost := len(name) + subscriptionCost
	if u.total >= maxSubscriptions || u.bytes+cost > maxSubscriptionBytes {
		return false, errSubscriptionsFull
	}
	name = strings.Clone(name)
	s.attach()
	if err := s.hub.subscribe(s, kind, name); err != nil {
		return false, err
	}
	if u.names[kind] == nil {
		u.names[kind] = make(map[string]*glob)
	}
	var g *glob
	if kind == subPattern {
		g = compileGlob(name)
	}
	u.names[kind][name] = g
	u.total++
	u.bytes += cost
	return true, nil
}

// clone returns a copy that restore can return to.
func (u *subscriptions) clone() *subscriptions {
	c := *u
	for kind, names := range u.names {
		c.names[kind] = maps.Clone(names)
	}
	return &c
}

// restore returns to former subscriptions.
func (s *Session) restore(former *subscriptions) {
	for kind := range subscriptionKinds {
		for name := range s.subs.names[kind] {
			if _, ok := former.names[kind][name]; !ok {
				s.part(kind, name)
			}
		}
		for name := range former.names[kind] {
			_, _ = s.join(kind, name) // there was room for it
		}
	}
	s.showSubscriptions()
}

// part ends a subscription, if there is one.
func (s *Session) part(kind subscriptionKind, name string) {
	u := &s.subs
	if _, ok := u.names[kind][name]; !ok {
		return
	}
	delete(u.names[kind], name)
	u.total--
	u.bytes -= len(name) + subscriptionCost
	s.hub.unsubscribe(s, kind, name)
}

// subscriptionsChanged follows a command that may have changed them.
func (c *Call) subscriptionsChanged() {
	s := c.Session
	s.showSubscriptions()
	if c.inTransaction() {
		return // EXEC settles
	}
	c.settle()
}

// settle follows what may have changed what others have to tell the session.
// The store's locks are not held.
func (c *Call) settle() {
	s := c.Session
	switch {
	case s.hub == nil:
	case s.subs.total == 0 && !s.track.on:
		s.leaveHub()
	case c.Engine.wantsExpired(s.hub):
		if !s.hub.told.Load() {
			c.Engine.settle(c.Ctx, s.hub)
		}
	case s.hub.told.Load():
		go c.Engine.settle(context.Background(), s.hub) // nobody waits for it
	}
}

// showSubscriptions tells CLIENT LIST.
func (s *Session) showSubscriptions() {
	s.show(func(v *shownState) {
		for kind := range v.subs {
			v.subs[kind] = len(s.subs.names[kind])
		}
	})
}

// attach makes the session a member of its namespace's hub.
func (s *Session) attach() {
	if s.hub == nil {
		s.hub = s.engine.hubs.attach(s.principal.App.ID)
	}
}

// leaveHub ends everything that makes others push to the session.
func (s *Session) leaveHub() {
	h := s.hub
	s.found, s.looked = nil, 0
	if h == nil {
		return
	}
	h.mu.Lock()
	for kind, names := range s.subs.names {
		for name := range names {
			h.leave(s, subscriptionKind(kind), name)
		}
	}
	h.mu.Unlock()
	s.subs = subscriptions{}
	s.showSubscriptions()
	s.stopTracking()
	s.hub = nil
	end := func() {
		s.engine.settle(context.Background(), h)
		s.engine.hubs.detach(h)
	}
	if h.told.Load() {
		go end() // the store may be busy, and the connection need not wait
	} else {
		s.engine.hubs.detach(h)
	}
}

// takePushed puts messages that wait for the session among its replies. Who is
// about to answer that a subscription has ended, or that the protocol is
// another one, calls it first, so that nothing older comes later.
func (c *Call) takePushed() {
	s := c.Session
	if s.opts.TakePushed != nil && !c.inTransaction() {
		s.run.seq = max(s.run.seq, s.opts.TakePushed(c.Out))
	}
}

func errDenyBlocking(cmd *Command) error {
	return kverr.Newf(kverr.Err, "%s isn't allowed for a DENY BLOCKING client", strings.ToUpper(cmd.Name))
}

func (c *Call) subscribe(kind subscriptionKind) error {
	s := c.Session
	// Redis allows the older two inside a transaction, though EXEC's reply then
	// has more elements than it announces.
	if s.opts.Push == nil || kind == subShard && c.inTransaction() {
		return errDenyBlocking(c.Cmd)
	}
	for i := 1; i < c.argc(); i++ {
		if err := c.checkChannel(c.arg(i)); err != nil {
			return err
		}
	}
	defer c.subscriptionsChanged()
	var joined []string
	for i := 1; i < c.argc(); i++ {
		isNew, err := s.join(kind, c.arg(i))
		if err != nil {
			for _, name := range joined { // all or none
				s.part(kind, name)
			}
			return err
		}
		if isNew {
			joined = append(joined, c.arg(i))
		}
		c.confirm(kind, c.Argv[i])
	}
	return nil
}

func (c *Call) unsubscribe(kind subscriptionKind) error {
	s := c.Session
	defer c.subscriptionsChanged()
	if c.argc() == 1 {
		names := s.subs.sorted(kind)
		for i, name := range names {
			s.part(kind, name)
			if i == 0 {
				c.takePushed()
			}
			c.confirm(kind, []byte(name))
		}
		if len(names) == 0 {
			c.takePushed()
			c.confirm(kind, nil)
		}
		return nil
	}
	for i := 1; i < c.argc(); i++ {
		s.part(kind, c.arg(i))
		c.takePushed()
		c.confirm(kind, c.Argv[i])
	}
	return nil
}

// confirm answers for one name of a command; nil is none. It is a message and no
// reply, so CLIENT REPLY does not silence it.
func (c *Call) confirm(kind subscriptionKind, name []byte) {
	mark := c.Out.Mark()
	c.Out.Push(3)
	c.Out.BulkString(c.Cmd.Name)
	if name == nil {
		c.Out.Null()
	} else {
		c.Out.Bulk(name)
	}
	c.Out.Int(c.Session.subs.count(kind))
	c.Out.KeepPush(mark)
}

func (c *Call) publish(kind subscriptionKind) error {
	channel := c.arg(1)
	if err := c.checkChannel(channel); err != nil {
		return err
	}
	message := notice{kind: kind, channel: channel, payload: c.arg(2)}
	all, known := 0, 0
	if h := c.hub(); h != nil {
		all, known = h.receivers(&message, c.Session.principal.Prefix())
		c.Session.extra += all
	}
	if all > 0 {
		c.run.tell(message)
	}
	c.Out.Int(int64(known))
	return nil
}

func errPubSubUsage(argv [][]byte) error {
	return kverr.Newf(kverr.Err, "unknown subcommand or wrong number of arguments for '%s'. Try PUBSUB HELP.", cString(argv[1], 128))
}

func (c *Call) listChannels(kind subscriptionKind) error {
	var pattern *glob
	switch c.argc() {
	case 2:
	case 3:
		pattern = compileGlob(c.arg(2))
	default:
		return errPubSubUsage(c.Argv)
	}
	var names []string
	if h := c.hub(); h != nil {
		names = h.channels(kind, pattern, c.Session.principal.Prefix())
	}
	if prefix := c.Session.principal.Prefix(); prefix != "" {
		names = slices.DeleteFunc(names, func(name string) bool { return !mayName(prefix, name, false) })
	}
	slices.Sort(names)
	c.Out.Array(len(names))
	for _, name := range names {
		c.Out.BulkString(name)
	}
	return nil
}

func (c *Call) countSubscribers(kind subscriptionKind) error {
	c.Out.Array(2 * (c.argc() - 2))
	for i := 2; i < c.argc(); i++ {
		n := 0
		if h := c.hub(); h != nil {
			n = h.subscribers(kind, c.arg(i), c.Session.principal.Prefix())
		}
		c.Out.Bulk(c.Argv[i])
		c.Out.Int(int64(n))
	}
	return nil
}

func runPubSubNumPat(c *Call) error {
	n := 0
	if h := c.hub(); h != nil {
		n = h.sizes()[subPattern]
	}
	c.Out.Int(int64(n))
	return nil
}

func runPubSubHelp(c *Call) error {
	writeHelp(c,
		"CHANNELS [<pattern>]",
		"    Return the currently active channels matching a <pattern> (default: '*').",
		"NUMPAT",
		"    Return number of subscriptions to patterns.",
		"NUMSUB [<channel> ...]",
		"    Return the number of subscribers for the specified channels, excluding",
		"    pattern subscriptions(default: no channels).",
		"SHARDCHANNELS [<pattern>]",
		"    Return the currently active shard level channels matching a <pattern> (default: '*').",
		"SHARDNUMSUB [<shardchannel> ...]",
		"    Return the number of subscribers for the specified shard level channel(s)",
	)
	return nil
}
