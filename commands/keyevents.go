package commands

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/cubbykv/cubby/storage"
)

// Keyspace notifications: what a command does to a key is told to the channels
// __keyspace@<db>__:<key> and __keyevent@<db>__:<event> of the namespace, as
// notify-keyspace-events has it. See
// https://redis.io/docs/latest/develop/use/keyspace-notifications/.

// eventClass is a set of classes of events.
type eventClass uint16

const (
	eventKeyspace eventClass = 1 << iota // K: tell the keys' channels
	eventKeyevent                        // E: tell the events' channels
	eventGeneric                         // g: of any type of value
	eventString                          // $
	eventExpired                         // x
	eventEvicted                         // e: never happens
	eventKeymiss                         // m
	eventNew                             // n
	eventNoType                          // l s h z t d: types that do not exist here

	// eventAll is A. As in Redis it leaves out keymiss and new.
	eventAll = eventGeneric | eventString | eventExpired | eventEvicted | eventNoType
)

// parseEvents reads the value of notify-keyspace-events, which package config
// has checked. Without a channel to tell there are no events.
func parseEvents(flags string) eventClass {
	var c eventClass
	for _, f := range flags {
		switch f {
		case 'K':
			c |= eventKeyspace
		case 'E':
			c |= eventKeyevent
		case 'A':
			c |= eventAll
		case 'g':
			c |= eventGeneric
		case '$':
			c |= eventString
		case 'x':
			c |= eventExpired
		case 'm':
			c |= eventKeymiss
		case 'n':
			c |= eventNew
		}
	}
	if c&(eventKeyspace|eventKeyevent) == 0 {
		return 0
	}
	return c
}

// What the names of the channels begin with.
const (
	keyspacePrefix = "__keyspace@"
	keyeventPrefix = "__keyevent@"
)

// hearsEvents tells whether a subscription may stand for such a channel.
func hearsEvents(kind subscriptionKind, name string) bool {
	switch kind {
	case subChannel:
		return strings.HasPrefix(name, keyspacePrefix) || strings.HasPrefix(name, keyeventPrefix)
	case subPattern:
		start := literalPrefix(name)
		for _, prefix := range []string{keyspacePrefix, keyeventPrefix} {
			if strings.HasPrefix(start, prefix) || strings.HasPrefix(prefix, start) {
				return true
			}
		}
	}
	return false
}

// notify tells of an event in the database in use. It costs nothing as long as
// nobody listens.
func (c *Call) notify(class eventClass, event, key string) {
	if c.run.events&class != 0 {
		c.run.tellEvent(c.db, class, event, key)
	}
}

// notifyIn is notify for commands that touch both databases.
func (c *Call) notifyIn(db int, class eventClass, event, key string) {
	if c.run.events&class != 0 {
		c.run.tellEvent(db, class, event, key)
	}
}

// notifySet tells of a value that was set, and of a TTL that was given with it.
func (c *Call) notifySet(key string, withTTL bool) {
	c.notify(eventString, "set", key)
	if withTTL {
		c.notify(eventGeneric, "expire", key)
	}
}

// notifyNew tells of a key that put is about to create.
func (c *Call) notifyNew(key string) error {
	_, found, err := c.get(key)
	if err == nil && !found {
		c.notify(eventNew, "new", key)
	}
	return err
}

// lookup is get for commands that read: Redis tells of keys that they miss.
func (c *Call) lookup(key string) (storage.Entry, bool, error) {
	e, found, err := c.get(key)
	if err == nil && !found {
		c.notify(eventKeymiss, "keymiss", key)
	}
	return e, found, err
}

// del deletes a key as DEL does, and tells whether it was there.
func (c *Call) del(key string) (bool, error) {
	found, err := c.remove(key)
	if found {
		c.notify(eventGeneric, "del", key)
	}
	return found, err
}

func (r *run) tellEvent(db int, class eventClass, event, key string) {
	for _, n := range eventNotices(r.engine.eventsTold(), db, event, key) {
		n.stays = class == eventKeymiss // Redis tells of it before it knows how the command ends
		r.tell(n)
	}
}

// eventNotices are the messages for one event.
func eventNotices(told eventClass, db int, event, key string) []notice {
	where := strconv.Itoa(db) + "__:"
	notices := make([]notice, 0, 2)
	if told&eventKeyspace != 0 {
		notices = append(notices, notice{kind: subChannel, channel: keyspacePrefix + where + key, payload: event})
	}
	if told&eventKeyevent != 0 {
		notices = append(notices, notice{kind: subChannel, channel: keyeventPrefix + where + event, payload: key})
	}
	return notices
}

// eventsWanted are the classes that somebody in the namespace may hear of.
func (r *run) eventsWanted() eventClass {
	if r.engine.eventsTold() == 0 || r.hub == nil || r.hub.hearers.Load() == 0 {
		return 0
	}
	return r.engine.eventsTold()
}

// eventsTold are the classes of notify-keyspace-events.
func (e *Engine) eventsTold() eventClass { return eventClass(e.events.Load()) }

// SetKeyspaceEvents changes the flags of notify-keyspace-events while the
// engine runs.
func (e *Engine) SetKeyspaceEvents(flags string) {
	classes := uint32(parseEvents(flags))
	if e.events.Swap(classes) == classes {
		return
	}
	for _, h := range e.hubs.all() {
		e.settle(context.Background(), h)
	}
}

// Expired takes note of keys that the store found expired. The store calls it
// for the databases for which storage.Expirer was told to, outside its locks.
func (e *Engine) Expired(db int, id storage.ID, keys []string) {
	h := e.hubs.find(id)
	if h == nil {
		return
	}
	if t := &h.tracking; t.clients.Load() > 0 {
		changes := make([]forgotten, len(keys))
		for i, key := range keys {
			changes[i] = forgotten{key: key, readers: t.take(key)}
		}
		h.invalidate(changes, nil)
	}
	if e.eventsTold()&eventExpired == 0 || h.hearers.Load() == 0 {
		return
	}
	d := &delivery{decided: true}
	for _, key := range keys {
		d.list = append(d.list, eventNotices(e.eventsTold(), db, "expired", key)...)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	// In front of what is not decided yet: the command that found the key expired
	// may be the one that sets it anew.
	h.queue = slices.Insert(h.queue, 0, d)
	h.advance()
}

// NoticeExpired removes expired keys at once wherever somebody wants to hear of
// them. Stores do so by themselves; this is for tests whose clock jumps.
func (e *Engine) NoticeExpired(ctx context.Context) {
	for _, h := range e.hubs.all() {
		for db := range storage.Databases {
			ns, err := e.store.Namespace(ctx, db, h.id)
			for n := 1; err == nil && n > 0; {
				_, err = ns.Update(ctx, nil, func(tx storage.Tx) (err error) {
					n, err = tx.Purge(purgeMax)
					return err
				})
			}
		}
	}
}

// wantsExpired tells whether somebody wants to hear of expired keys.
func (e *Engine) wantsExpired(h *hub) bool {
	return e.eventsTold()&eventExpired != 0 && h.hearers.Load() > 0 || h.tracking.clients.Load() > 0
}

// settle sees to it that the store tells of expired keys as long as somebody
// wants to know. It may wait for the store, so callers hold no lock.
func (e *Engine) settle(ctx context.Context, h *hub) {
	store, ok := e.store.(storage.Expirer)
	if !ok {
		return
	}
	h.settling.Lock()
	defer h.settling.Unlock()
	for { // again, because somebody may have relied on told while it was true
		want := e.wantsExpired(h)
		if want == h.told.Load() {
			return
		}
		h.told.Store(want)
		for db := range storage.Databases {
			store.WantEvents(db, h.id, want)
			if !want {
				continue
			}
			// What is not in memory expires unnoticed.
			if ns, err := e.store.Namespace(ctx, db, h.id); err == nil {
				_, _ = ns.View(ctx, nil, func(storage.Tx) error { return nil })
			}
		}
	}
}
