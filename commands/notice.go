package commands

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// notice is a message to the subscribers of a channel that a command under way
// gave rise to. It goes out when the command's effects are certain.
type notice struct {
	kind    subscriptionKind // subChannel or subShard
	channel string
	payload string
	stays   bool // also when the command fails
}

// notices are what the commands of a run have to tell.
type notices struct {
	list []notice
	own  []insertion // what the session itself gets of them
	// reserved is the place of list among those of other sessions, while the
	// transaction that it came from is not decided.
	reserved *delivery
}

// insertion is a message for the session whose own command caused it. It takes
// its place among the replies.
type insertion struct {
	at   int // position in the replies; behindReply until that is known
	rank insertionRank
	msg  []byte

	stays bool // also when the command fails
}

const (
	behindReply = -1
	behindBatch = -2
)

// insertionRank orders what stands between two replies.
type insertionRank int8

const (
	withReply  insertionRank = iota // told by the command before, after it had answered
	afterReply                      // invalidations that the command before caused
	nextReply                       // told by the command behind, before it answers
)

// findHub looks who has to be told of what. It does so under the store's locks:
// who comes later reads later, too.
func (r *run) findHub() {
	r.hub = r.engine.hubOf(r.session)
	r.events = r.eventsWanted()
	r.tracked = r.hub != nil && r.hub.tracking.clients.Load() > 0
}

// told is the run that collects messages: a script's commands have none of
// their own.
func (r *run) told() *run {
	if r.outer != nil {
		return r.outer
	}
	return r
}

// tell collects a message. It is for handlers, through Call.
func (r *run) tell(n notice) {
	r = r.told()
	n.channel, n.payload = strings.Clone(n.channel), strings.Clone(n.payload)
	r.notices.list = append(r.notices.list, n)
	s := r.session
	r.hub = r.engine.hubOf(s) // SUBSCRIBE in the same transaction may have made it
	if s.subs.total == 0 || !mayHear(s.principal.Prefix(), &n) {
		return
	}
	// As in Redis 7.0 it stands before the reply when the command has not
	// answered yet. Within a transaction Redis breaks EXEC's reply in two, which
	// no client expects; there it follows.
	at, rank := behindReply, withReply
	if r.txn == nil && r.out.Len() == r.commandAt {
		at, rank = r.commandAt, nextReply
	}
	proto := r.out.Proto()
	if _, ok := s.subs.names[n.kind][n.channel]; ok {
		r.notices.own = append(r.notices.own, insertion{at, rank, n.message().bytes(proto), n.stays})
	}
	if n.kind != subChannel {
		return
	}
	for pattern, g := range s.subs.names[subPattern] {
		if g.match(n.channel) {
			r.notices.own = append(r.notices.own, insertion{at, rank, n.messageTo(pattern).bytes(proto), n.stays})
		}
	}
}

func (n *notice) message() *message {
	word := "message"
	if n.kind == subShard {
		word = "smessage"
	}
	return newMessage(word, n.channel, n.payload)
}

func (n *notice) messageTo(pattern string) *message {
	return newMessage("pmessage", pattern, n.channel, n.payload)
}

// cut forgets what was collected since a mark, for a command that failed.
func (n *notices) cut(list, own int) {
	for _, each := range n.list[list:] {
		if each.stays {
			n.list[list] = each
			list++
		}
	}
	for _, each := range n.own[own:] {
		if each.stays {
			n.own[own] = each
			own++
		}
	}
	n.list, n.own = n.list[:list], n.own[:own]
}

// place gives the insertions that stand behind a reply their position.
func (n *notices) place(from, end int) {
	for i := from; i < len(n.own); i++ {
		if n.own[i].at == behindReply {
			n.own[i].at = end
		}
	}
}

// insert puts the session's own messages among its replies.
func (n *notices) insert(out *resp.Writer) {
	slices.SortStableFunc(n.own, func(a, b insertion) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.rank, b.rank))
	})
	for i := len(n.own) - 1; i >= 0; i-- {
		out.InsertPush(n.own[i].at, n.own[i].msg)
	}
	clear(n.own)
	n.own = n.own[:0]
}

// delivery are the notices of one run on their way to other sessions.
type delivery struct {
	list    []notice
	from    *Session // which has got its own already
	after   storage.Seq
	decided bool
	now     int64 // Unix milliseconds, when it is delivered
}

// reserve takes the next place in the order of deliveries. A transaction does
// so while it still holds its locks, so that subscribers hear of changes in the
// order in which they took effect.
func (h *hub) reserve() *delivery {
	d := new(delivery)
	h.mu.Lock()
	h.queue = append(h.queue, d)
	h.mu.Unlock()
	return d
}

// decide fills the place that reserve took, perhaps with nothing, and delivers
// whatever no earlier place holds up. It never blocks for long: nobody waits
// here for a disk or a client.
func (h *hub) decide(d *delivery, list []notice, from *Session, after storage.Seq) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d.list, d.from, d.after, d.decided = list, from, after, true
	h.advance()
}

// advance delivers what nothing undecided holds up. Callers hold mu.
func (h *hub) advance() {
	n := 0
	for ; n < len(h.queue) && h.queue[n].decided; n++ {
		h.queue[n].now = h.engine.clock().UnixMilli()
		h.deliver(h.queue[n])
	}
	h.queue = h.queue[n:]
}

// deliver pushes notices to all who subscribed, except to who caused them.
// Callers hold mu.
func (h *hub) deliver(d *delivery) {
	for i := range d.list {
		n := &d.list[i]
		if a := h.audiences[n.kind][n.channel]; a != nil {
			a.send(n.message(), n, d)
		}
		if n.kind != subChannel {
			continue
		}
		for _, a := range h.patterns {
			if a.glob.match(n.channel) {
				a.send(n.messageTo(a.name), n, d)
			}
		}
	}
}

// send pushes a message, in which n is told. What a session's principal is does
// not change while it is in an audience: see Session.become.
func (a *audience) send(m *message, n *notice, d *delivery) {
	for s := range a.sessions {
		switch {
		case s == d.from, a.narrowed > 0 && !mayHear(s.principal.Prefix(), n):
		case !s.principal.Valid(d.now):
			s.cutOff()
		default:
			s.send(m, d.after)
		}
	}
}

// reserveNotices takes the place of what the run collected in the order of
// deliveries; a run without any needs none.
func (r *run) reserveNotices() {
	if len(r.notices.list) > 0 && r.hub != nil {
		r.notices.reserved = r.hub.reserve()
	}
}

// dropNotices forgets what the run collected: nothing of it happened.
func (r *run) dropNotices() {
	r.dropChanges(0)
	n := &r.notices
	if d := n.reserved; d != nil {
		n.reserved = nil
		r.hub.decide(d, nil, nil, 0)
	}
	n.list, n.own = n.list[:0], n.own[:0]
}

// deliverNotices sends what the run collected. What it tells of is certain
// when Wait(after) returns.
func (r *run) deliverNotices(after storage.Seq) {
	r.deliverChanges()
	n := &r.notices
	if len(n.own) > 0 {
		n.insert(r.out)
	}
	if len(n.list) == 0 {
		return
	}
	if d := n.reserved; d != nil {
		n.reserved = nil
		r.hub.decide(d, n.list, r.session, after)
	}
	n.list = nil // others may still have it
}
