package commands

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// trackingTable knows which connections of a namespace may have cached what
// they read (CLIENT TRACKING): by key, or by prefix in the broadcasting mode.
// As in Redis a key has no database here.
type trackingTable struct {
	clients atomic.Int32 // how many track: what every write asks

	mu       sync.Mutex
	most     int                           // how many keys may be remembered
	trackers map[int64]*tracker            // by the session's number
	keys     map[string]*readers           // who has read a key; some may have gone
	items    int                           // pairs in keys
	prefixes map[string]map[int64]*tracker // of those that broadcast
	lengths  map[int]int                   // how many prefixes have a length
}

// readers are behind a pointer because key may be borrowed memory: to assign to
// the map would replace its own copy.
type readers struct{ ids []int64 }

// tracker is a connection that tracks.
type tracker struct {
	session  *Session
	bcast    bool
	noLoop   bool  // not told of its own changes
	redirect int64 // the connection that is told in its place; 0 is none
}

// forgotten is what the table knew of a key. The transaction that changed the
// key took it out; it goes back when nothing comes of the transaction.
type forgotten struct {
	key     string
	readers []int64
	all     map[string]*readers // of every key: the database was flushed
	flush   bool
	script  bool // a script did it
	evicted bool // there was no room: whoever it is, its copy is no longer looked after
	at      int  // behind which reply the changing session is told; behindReply until that is known
}

func (t *trackingTable) init(most int) {
	t.most = most
	t.trackers = make(map[int64]*tracker)
	t.keys = make(map[string]*readers)
	t.prefixes = make(map[string]map[int64]*tracker)
	t.lengths = make(map[int]int)
}

// join adds a tracker, with the prefixes that it did not have yet.
func (t *trackingTable) join(k *tracker, prefixes []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := k.session.id
	if t.trackers[id] == nil {
		t.clients.Add(1)
	}
	t.trackers[id] = k
	for _, p := range prefixes {
		if t.prefixes[p] == nil {
			t.prefixes[p] = make(map[int64]*tracker)
			t.lengths[len(p)]++
		}
		t.prefixes[p][id] = k
	}
}

// leave removes a tracker. What it has read is forgotten when it changes.
func (t *trackingTable) leave(id int64, prefixes []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.trackers[id] == nil {
		return
	}
	delete(t.trackers, id)
	t.clients.Add(-1)
	for _, p := range prefixes {
		delete(t.prefixes[p], id)
		if len(t.prefixes[p]) == 0 {
			delete(t.prefixes, p)
			if t.lengths[len(p)]--; t.lengths[len(p)] == 0 {
				delete(t.lengths, len(p))
			}
		}
	}
}

// remember notes that a session has read key. It adds to changes what had to
// be forgotten when there was no room.
func (t *trackingTable) remember(id int64, key string, changes []forgotten) []forgotten {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keys[key] == nil && len(t.keys) >= t.most {
		victims := 2 // giveBack may have put in more than there is room for
		for victim := range t.keys {
			if changes = append(changes, forgotten{key: victim, readers: t.takeLocked(victim), evicted: true, at: behindReply}); len(t.keys) < t.most {
				break
			}
			if victims--; victims == 0 {
				break
			}
		}
	}
	t.add(id, key)
	return changes
}

// add is remember without a bound. Callers hold mu.
func (t *trackingTable) add(id int64, key string) {
	who := t.keys[key]
	if who == nil {
		who = new(readers)
		t.keys[strings.Clone(key)] = who
	}
	if slices.Contains(who.ids, id) {
		return
	}
	if n := len(who.ids); n == cap(who.ids) { // before it grows: who has gone?
		who.ids = slices.DeleteFunc(who.ids, func(id int64) bool { return t.trackers[id] == nil })
		t.items -= n - len(who.ids)
	}
	who.ids = append(who.ids, id)
	t.items++
}

// take forgets who has read key, and returns it.
func (t *trackingTable) take(key string) []int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.takeLocked(key)
}

func (t *trackingTable) takeLocked(key string) []int64 {
	who := t.keys[key]
	if who == nil {
		return nil
	}
	delete(t.keys, key)
	t.items -= len(who.ids)
	return who.ids
}

// takeAll forgets everything, and returns it.
func (t *trackingTable) takeAll() map[string]*readers {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.keys
	t.keys, t.items = make(map[string]*readers), 0
	return all
}

// giveBack undoes a take.
func (t *trackingTable) giveBack(f *forgotten) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, who := range f.all {
		for _, id := range who.ids {
			t.add(id, key)
		}
	}
	for _, id := range f.readers {
		t.add(id, f.key)
	}
}

// broadcast sorts changed keys by the prefixes that somebody wants to hear of.
// Callers hold mu.
func (t *trackingTable) broadcast(keys []string) map[string][]string {
	if len(t.prefixes) == 0 {
		return nil
	}
	var by map[string][]string
	for _, key := range keys {
		for n := range t.lengths {
			if n > len(key) || t.prefixes[key[:n]] == nil {
				continue
			}
			if by == nil {
				by = make(map[string][]string)
			}
			by[key[:n]] = append(by[key[:n]], key)
		}
	}
	return by
}

// trackingSizes are figures for INFO.
type trackingSizes struct{ clients, keys, items, prefixes int }

func (t *trackingTable) sizes() trackingSizes {
	t.mu.Lock()
	defer t.mu.Unlock()
	return trackingSizes{len(t.trackers), len(t.keys), t.items, len(t.prefixes)}
}
