package commands

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cubbykv/cubby/storage"
)

// hubs finds the hub of a namespace. Most namespaces have none: a hub exists
// while some connection waits for messages.
type hubs struct {
	// generation changes whenever a hub comes or goes, so that a session which
	// looked one up (or found none) need not look again until then.
	generation atomic.Uint64
	mu         sync.Mutex // guards byID and the hubs' members
	byID       map[storage.ID]*hub
	engine     *Engine
}

// hub is where the connections of one namespace leave messages for each other.
// Lock order: the store's spaces, mu, a session's.
type hub struct {
	id      storage.ID
	members int // sessions that are attached; guarded by hubs.mu

	// crowd is the members and patterns, about: what a message may have to go past.
	crowd atomic.Int32
	// hearers counts the channels and patterns that may stand for keyspace events.
	hearers  atomic.Int32
	settling sync.Mutex  // one at a time changes told
	told     atomic.Bool // the store tells of expired keys, or is about to

	tracking trackingTable
	engine   *Engine

	mu        sync.Mutex
	audiences [subscriptionKinds]map[string]*audience
	patterns  []*audience // those of subPattern, in the order of their creation
	bytes     int         // that the audiences take, about
	queue     []*delivery // in the order in which their transactions took effect
}

// audience are the subscribers of one channel or pattern.
type audience struct {
	name     string
	narrowed int // sessions whose token has a key prefix
	sessions map[*Session]struct{}
	glob     *glob // of a pattern
}

// subscriptionKind tells channels, patterns and shard channels apart.
type subscriptionKind int

const (
	subChannel subscriptionKind = iota
	subPattern
	subShard
	subscriptionKinds
)

func (hs *hubs) init(e *Engine) {
	hs.engine = e
	hs.byID = make(map[storage.ID]*hub)
	hs.generation.Store(1)
}

// attach makes a session a member of its namespace's hub, which is created at
// the first.
func (hs *hubs) attach(id storage.ID) *hub {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h := hs.byID[id]
	if h == nil {
		h = &hub{id: id, engine: hs.engine}
		h.tracking.init(hs.engine.trackedKeys)
		for kind := range h.audiences {
			h.audiences[kind] = make(map[string]*audience)
		}
		hs.byID[id] = h
		hs.generation.Add(1)
	}
	h.members++
	h.crowd.Add(1)
	return h
}

// detach ends a membership.
func (hs *hubs) detach(h *hub) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h.crowd.Add(-1)
	if h.members--; h.members == 0 {
		delete(hs.byID, h.id)
		hs.generation.Add(1)
	}
}

func (hs *hubs) find(id storage.ID) *hub {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return hs.byID[id]
}

// all lists the hubs there are.
func (hs *hubs) all() []*hub {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	list := make([]*hub, 0, len(hs.byID))
	for _, h := range hs.byID {
		list = append(list, h)
	}
	return list
}

// hubOf returns the hub of the session's namespace, or nil. It costs next to
// nothing as long as no hub comes or goes.
func (e *Engine) hubOf(s *Session) *hub {
	if s.hub != nil {
		return s.hub
	}
	if g := e.hubs.generation.Load(); g != s.looked {
		s.found, s.looked = nil, g
		if p := s.principal; p != nil && p.App != nil {
			s.found = e.hubs.find(p.App.ID)
		}
	}
	return s.found
}

// maxPatterns bounds the different patterns in one namespace, each of which is
// compared with each message.
const maxPatterns = 4096

// maxHubBytes bounds what all subscriptions of one namespace take: a connection
// has a bound of its own, but there may be thousands.
const maxHubBytes = 256 << 20

// What a name that somebody subscribed to takes beside its bytes, and what each
// subscription to it, about.
const (
	audienceCost = 500
	memberCost   = 200
)

// subscribe adds a session to an audience. Errors: there is no room.
func (h *hub) subscribe(s *Session, kind subscriptionKind, name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.audiences[kind][name]
	cost := memberCost + len(name)
	if a == nil {
		cost += audienceCost + len(name)
	}
	if h.bytes+cost > maxHubBytes {
		return errHubFull
	}
	if a == nil && kind == subPattern && len(h.patterns) >= maxPatterns {
		return errPatternsFull
	}
	h.bytes += cost
	if a == nil {
		a = &audience{name: strings.Clone(name), sessions: make(map[*Session]struct{})}
		h.audiences[kind][a.name] = a
		if hearsEvents(kind, a.name) {
			h.hearers.Add(1)
		}
		if kind == subPattern {
			a.glob = compileGlob(a.name)
			h.patterns = append(h.patterns, a)
			h.crowd.Add(1)
		}
	}
	if _, already := a.sessions[s]; !already {
		a.sessions[s] = struct{}{}
		if s.principal.Prefix() != "" {
			a.narrowed++
		}
	}
	return nil
}

// unsubscribe takes a session out of an audience.
func (h *hub) unsubscribe(s *Session, kind subscriptionKind, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leave(s, kind, name)
}

// leave is unsubscribe for those who hold mu.
func (h *hub) leave(s *Session, kind subscriptionKind, name string) {
	a := h.audiences[kind][name]
	if a == nil {
		return
	}
	if _, ok := a.sessions[s]; !ok {
		return
	}
	delete(a.sessions, s)
	if s.principal.Prefix() != "" {
		a.narrowed--
	}
	h.bytes -= memberCost + len(name)
	if len(a.sessions) > 0 {
		return
	}
	h.bytes -= audienceCost + len(name)
	delete(h.audiences[kind], name)
	if hearsEvents(kind, name) {
		h.hearers.Add(-1)
	}
	if kind == subPattern {
		h.crowd.Add(-1)
		for i := range h.patterns {
			if h.patterns[i] == a {
				h.patterns = append(h.patterns[:i], h.patterns[i+1:]...)
				break
			}
		}
	}
}

// receivers counts to whom a message would go. Who subscribed twice gets it
// twice. known are those that a token with a key prefix may know of: tokens with
// that prefix or a longer one.
func (h *hub) receivers(m *notice, prefix string) (all, known int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	count := func(a *audience) {
		heard := func(s *Session) bool { return mayHear(s.principal.Prefix(), m) }
		all += a.count("", heard)
		known += a.count(prefix, heard)
	}
	if a := h.audiences[m.kind][m.channel]; a != nil {
		count(a)
	}
	if m.kind == subChannel {
		for _, a := range h.patterns {
			if a.glob.match(m.channel) {
				count(a)
			}
		}
	}
	return all, known
}

// count counts the sessions in the audience that a token with a key prefix may
// know of, and that also fit.
func (a *audience) count(prefix string, fits func(*Session) bool) int {
	if a.narrowed == 0 {
		if prefix == "" {
			return len(a.sessions)
		}
		return 0
	}
	n := 0
	for s := range a.sessions {
		if strings.HasPrefix(s.principal.Prefix(), prefix) && (fits == nil || fits(s)) {
			n++
		}
	}
	return n
}

// channels lists the channels of a kind that match a pattern (nil matches all),
// and that somebody subscribed to of whom a token with a key prefix may know.
func (h *hub) channels(kind subscriptionKind, pattern *glob, prefix string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []string
	for name, a := range h.audiences[kind] {
		if (pattern == nil || pattern.match(name)) && a.count(prefix, nil) > 0 {
			list = append(list, name)
		}
	}
	return list
}

// subscribers counts the sessions that subscribed to name itself, and that a token
// with a key prefix may know of.
func (h *hub) subscribers(kind subscriptionKind, name, prefix string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.audiences[kind][name]; a != nil {
		return a.count(prefix, nil)
	}
	return 0
}

// sizes counts the different names that are subscribed to.
func (h *hub) sizes() (n [subscriptionKinds]int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for kind := range n {
		n[kind] = len(h.audiences[kind])
	}
	return n
}
