package commands

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/bunt"
	"github.com/cubbykv/cubby/storage/storetest"
)

// eventsOn is a harness that tells all events; on is a store to use, or nil.
func eventsOn(t *testing.T, h *harness) *harness {
	t.Helper()
	h.engine.SetKeyspaceEvents("KEAmn")
	return h
}

// hearer returns a client of the namespace that hears of all keyevents.
func (h *harness) hearer(id storage.ID) *client {
	c := h.session(id, wideOpen())
	require.Equal(h.t, byte('*'), c.do("PSUBSCRIBE", "__keyevent@*__:*")[0])
	return c
}

// heard returns the events that were pushed since the last call, as
// "db event key".
func (c *client) heard() []string {
	c.t.Helper()
	var list []string
	for _, raw := range splitReplies(c.t, []byte(c.pushed())) {
		fields := elements(c.t, raw)
		channel := bodyOf(c.t, fields[len(fields)-2])
		list = append(list, channel[len(keyeventPrefix):len(keyeventPrefix)+1]+" "+channel[len(keyeventPrefix)+len("0__:"):]+" "+bodyOf(c.t, fields[len(fields)-1]))
	}
	return list
}

var testApp = storage.ID{Tenant: "t", App: "a"}

func TestParseEvents(t *testing.T) {
	for flags, want := range map[string]eventClass{
		"": 0, "Ag$": 0, "K": eventKeyspace, "Eg": eventKeyevent | eventGeneric,
		"KA": eventKeyspace | eventGeneric | eventString | eventExpired | eventEvicted | eventNoType, "Kmn": eventKeyspace | eventKeymiss | eventNew,
		"Klshzt": eventKeyspace,
	} {
		require.Equal(t, want, parseEvents(flags), flags)
	}
}

func TestWhoMayHearEvents(t *testing.T) {
	for name, want := range map[string]bool{
		"__keyspace@0__:k": true, "__keyevent@1__:del": true, "news": false, "__key": false,
		"*": true, "__*": true, "_?key*": true, "__keyspace@*": true, "[_]*": true, "n*": false, "__keyring*": false, "": false,
	} {
		kind := subChannel
		if len(literalPrefix(name)) != len(name) || name == "" {
			kind = subPattern
		}
		if name == "" {
			kind = subChannel
		}
		require.Equal(t, want, hearsEvents(kind, name), name)
		require.False(t, hearsEvents(subShard, name))
	}
}

func TestEventsOfKVCommands(t *testing.T) {
	h := eventsOn(t, newHarness(t))
	b, c := h.hearer(testApp), h.open()
	tests := []struct {
		command []string
		events  []string
	}{
		{[]string{"KV.SET", "a", "1"}, []string{"0 new a", "0 set a"}},
		{[]string{"KV.SET", "a", "1", "TTL", "100"}, []string{"0 set a", "0 expire a"}},
		{[]string{"KV.SET", "a", "1", "KEEPTTL"}, []string{"0 set a"}},
		{[]string{"KV.SET", "a", "1", "NX"}, nil},
		{[]string{"KV.SET", "a", "nonsense"}, nil},
		{[]string{"KV.MSET", "TTL", "100", "b", "1", "c", "2"}, []string{"0 new b", "0 set b", "0 expire b", "0 new c", "0 set c", "0 expire c"}},
		{[]string{"KV.MSET", "b", "1", "c", "nonsense"}, nil},
		{[]string{"KV.GET", "none"}, []string{"0 keymiss none"}},
		{[]string{"KV.MGET", "a", "none"}, []string{"0 keymiss none"}},
		{[]string{"KV.META", "none"}, []string{"0 keymiss none"}},
		{[]string{"KV.DEL", "a"}, []string{"0 del a"}},
		{[]string{"KV.DEL", "a"}, nil},
		{[]string{"KV.APPENDUNIQUE", "l", `[{"id":1}]`}, []string{"0 new l", "0 set l"}},
		{[]string{"KV.APPENDUNIQUE", "l", `[{"id":2}]`, "TTL", "100"}, []string{"0 set l", "0 expire l"}},
		{[]string{"KV.POPALL", "b"}, nil},
		{[]string{"KV.POPALL", "l"}, []string{"0 del l"}},
		{[]string{"KV.POPALL", "l"}, []string{"0 keymiss l"}},
		{[]string{"MSETEX", "2", "x", "1", "y", "2", "EX", "100"}, []string{"0 new x", "0 set x", "0 expire x", "0 new y", "0 set y", "0 expire y"}},
		{[]string{"MSETEX", "2", "x", "1", "q", "2", "XX"}, nil},
		{[]string{"DELIFEQ", "x", "no"}, nil},
		{[]string{"DELIFEQ", "x", "1"}, []string{"0 del x"}},
		{[]string{"SET", "y", "3", "IFEQ", "2"}, []string{"0 set y"}},
	}
	for _, tt := range tests {
		c.do(tt.command...)
		require.Equal(t, tt.events, b.heard(), "%q", tt.command)
	}
}

// What did not happen is not told.
func TestEventsOfWhatWasTakenBack(t *testing.T) {
	h, store := newFaulty(t)
	eventsOn(t, h)
	b := h.hearer(testApp)
	limits := wideOpen()
	limits.MaxKeys = [2]int64{2, 2}
	c := h.session(testApp, limits)

	c.pipeline([]string{"SET", "a", "1"}, []string{"MSET", "b", "1", "c", "1"}, []string{"INCR", "a"})
	require.Equal(t, []string{"0 new a", "0 set a", "0 incrby a"}, b.heard(), "MSET was refused as a whole")

	store.err = fmt.Errorf("%w: full", storage.ErrWriteFailed)
	c.pipeline([]string{"SET", "a", "2"}, []string{"GET", "none"}, []string{"SET", "a", "3"})
	require.Equal(t, []string{"0 keymiss none"}, b.heard())
	c.pipeline([]string{"MULTI"}, []string{"SET", "a", "2"}, []string{"PUBLISH", "__keyevent@0__:x", "m"}, []string{"SUBSCRIBE", "q"}, []string{"EXEC"})
	require.Empty(t, b.heard())
	require.Zero(t, c.s.subs.total, "the subscription is taken back as well")

	store.err = nil
	c.pipeline([]string{"MULTI"}, []string{"SET", "a", "2"}, []string{"MSET", "x", "1", "y", "1"}, []string{"DEL", "a"}, []string{"EXEC"})
	require.Equal(t, []string{"0 set a", "0 del a"}, b.heard())
}

func TestEventsOfAStoreThatRunsTwice(t *testing.T) {
	clock := storetest.NewClock()
	h := eventsOn(t, newHarnessOn(t, &rerun{storetest.NewMemory(clock)}, clock))
	b, c := h.hearer(testApp), h.open().resp3()
	c.do("SUBSCRIBE", "__keyevent@0__:incrby")
	require.Equal(t, pushOf(3, "message", "__keyevent@0__:incrby", "n")+":1\r\n", string(c.raw([]string{"INCR", "n"})))
	require.Equal(t, []string{"0 new n", "0 incrby n"}, b.heard())
	c.pipeline([]string{"MULTI"}, []string{"INCR", "n"}, []string{"PUBLISH", "__keyevent@0__:x", "m"}, []string{"SUBSCRIBE", "q"}, []string{"UNSUBSCRIBE"}, []string{"EXEC"})
	require.Equal(t, []string{"0 incrby n", "0 x m"}, b.heard())
	require.Zero(t, c.s.subs.total)
}

func TestEventsStayInTheNamespace(t *testing.T) {
	h := eventsOn(t, newHarness(t))
	b := h.hearer(testApp)
	other := h.session(storage.ID{Tenant: "t", App: "b"}, wideOpen())
	other.do("SET", "secret", "v")
	require.Empty(t, b.heard())
	h.open().do("SET", "mine", "v")
	require.Equal(t, []string{"0 new mine", "0 set mine"}, b.heard())
}

// A store on disk that is slow to confirm: what is told depends on it.
func TestEventsWaitForTheirWrites(t *testing.T) {
	store, err := bunt.Open(bunt.Options{Dir: t.TempDir(), Sync: bunt.SyncAlways, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	h := eventsOn(t, newHarnessOn(t, store, nil))
	b, c := h.hearer(testApp), h.open()
	for _, cmds := range [][][]string{
		{{"SET", "k", "v"}}, {{"MULTI"}, {"SET", "k", "v"}, {"EXEC"}}, {{"MULTI"}, {"SET", "k", "v"}, {"PUBLISH", "__keyevent@0__:x", "m"}, {"EXEC"}},
		{{"SET", "k", "v"}, {"PUBLISH", "__keyevent@0__:x", "m"}},
	} {
		before := b.inbox.after
		c.pipeline(cmds...)
		require.Greater(t, b.inbox.after, before, "%q", cmds)
	}
}

// expiring is a harness whose store tells of expired keys.
func expiring(t *testing.T, clock *storetest.Clock) *harness {
	t.Helper()
	var engine atomic.Pointer[Engine]
	o := bunt.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), OnExpired: func(db int, id storage.ID, keys []string) {
		engine.Load().Expired(db, id, keys)
	}}
	if clock != nil {
		o.Clock = clock.Now
	}
	store, err := bunt.Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	h := eventsOn(t, newHarnessOn(t, store, clock))
	engine.Store(h.engine)
	return h
}

func TestExpiredEvents(t *testing.T) {
	clock := storetest.NewClock()
	h := expiring(t, clock)
	b, c := h.hearer(testApp), h.open()
	elsewhere := h.session(storage.ID{Tenant: "t", App: "b"}, wideOpen())
	elsewhere.do("SET", "secret", "v", "PX", "1000")
	c.pipeline([]string{"SET", "a", "1", "PX", "1000"}, []string{"SET", "b", "1", "PX", "1000"}, []string{"SELECT", "1"}, []string{"SET", "e", "1", "PX", "1000"}, []string{"SELECT", "0"})
	b.heard()
	clock.Advance(time.Second)
	c.do("SET", "a", "2")
	require.Equal(t, []string{"0 expired a", "0 new a", "0 set a"}, b.heard(), "the end comes before the new beginning")
	c.do("GET", "b")
	require.Equal(t, []string{"0 keymiss b"}, b.heard())
	h.engine.NoticeExpired(context.Background())
	require.Equal(t, []string{"0 expired b", "1 expired e"}, b.heard())
	h.engine.NoticeExpired(context.Background())
	require.Empty(t, b.heard(), "each is told once")

	// Nobody listens any more, so the store need not tell; then somebody does.
	b.do("PUNSUBSCRIBE")
	c.do("SET", "x", "1", "PX", "1000")
	clock.Advance(time.Second)
	c.do("SET", "x", "1", "PX", "1000")
	c.pipeline([]string{"MULTI"}, []string{"PSUBSCRIBE", "*"}, []string{"EXEC"})
	clock.Advance(time.Second)
	h.engine.NoticeExpired(context.Background())
	require.Equal(t, []string{"0 expired x"}, c.heardTwice())
}

// heardTwice is heard for one that hears of the keyspace channels too.
func (c *client) heardTwice() []string {
	var list []string
	for _, raw := range splitReplies(c.t, []byte(c.pushed())) {
		fields := elements(c.t, raw)
		if channel := bodyOf(c.t, fields[2]); channel[:len(keyeventPrefix)] == keyeventPrefix {
			list = append(list, channel[len(keyeventPrefix):len(keyeventPrefix)+1]+" "+channel[len(keyeventPrefix)+len("0__:"):]+" "+bodyOf(c.t, fields[3]))
		}
	}
	return list
}

// The store's own sweeper tells, without anybody touching the key.
func TestExpiredEventsComeByThemselves(t *testing.T) {
	h := expiring(t, nil)
	b := h.hearer(testApp)
	told := make(chan struct{}, 100)
	push := b.s.opts.Push
	b.s.opts.Push = func(msg []byte, after storage.Seq) {
		push(msg, after)
		told <- struct{}{}
	}
	h.open().do("SET", "a", "1", "PX", "20")
	for range 4 { // new, set, expire, expired
		select {
		case <-told:
		case <-time.After(10 * time.Second):
			t.Fatal("the end of the key was not told")
		}
	}
	require.Equal(t, []string{"0 new a", "0 set a", "0 expire a", "0 expired a"}, b.heard())
}

// Subscribers hear of changes to a key in the order in which they took effect.
func TestEventsOfManyWritersAreInOrder(t *testing.T) {
	const writers, each = 4, 200
	h := eventsOn(t, newHarness(t))
	b := h.hearer(testApp)
	done := make(chan struct{})
	for range writers {
		c := h.session(testApp, auth.DefaultLimits())
		go func() {
			defer func() { done <- struct{}{} }()
			for range each {
				c.pipeline([]string{"SETNX", "k", "v"}, []string{"DEL", "k"})
			}
		}()
	}
	for range writers {
		<-done
	}
	want := "set"
	n := 0
	for _, event := range b.heard() {
		switch event {
		case "0 new k":
			continue
		case "0 set k", "0 del k":
			require.Equal(t, "0 "+want+" k", event)
			want = map[string]string{"set": "del", "del": "set"}[want]
			n++
		}
	}
	require.Equal(t, "set", want)
	require.Positive(t, n)
}
