package commands

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

// tracking returns a client of the namespace in RESP3 that tracks.
func (h *harness) tracking(options ...string) *client {
	c := h.open().resp3()
	require.Equal(h.t, "+OK\r\n", c.do(append([]string{"CLIENT", "TRACKING", "ON"}, options...)...))
	return c
}

// invalidated is the message about keys in RESP3.
func invalidated(keys ...string) string {
	return string((&invalidation{keys: keys}).bytes(resp.V3, resp.V3))
}

func TestTrackingStaysInTheNamespace(t *testing.T) {
	h := newHarness(t)
	a, all := h.tracking(), h.tracking("BCAST")
	other := h.session(storage.ID{Tenant: "t", App: "b"}, wideOpen()).resp3()
	a.do("GET", "k")
	other.pipeline([]string{"SET", "k", "v"}, []string{"FLUSHALL"})
	require.Empty(t, a.pushed()+all.pushed())
	require.Contains(t, other.do("INFO"), "tracking_clients:0\r\n")
	require.Contains(t, other.do("INFO", "stats"), "tracking_total_keys:0\r\ntracking_total_items:0\r\ntracking_total_prefixes:0\r\n")
	require.Contains(t, a.do("INFO"), "tracking_clients:2\r\n")
	require.Contains(t, a.do("INFO", "stats"), "tracking_total_keys:1\r\ntracking_total_items:1\r\ntracking_total_prefixes:1\r\n")
	require.Contains(t, h.admin().do("INFO"), "tracking_clients:2\r\n")

	id := strconv.FormatInt(a.s.id, 10)
	require.Equal(t, "-"+errRedirectUnknown.Error()+"\r\n", other.do("CLIENT", "TRACKING", "ON", "REDIRECT", id))
	require.Equal(t, "-"+errNoNamespace.Error()+"\r\n", h.admin().do("CLIENT", "TRACKING", "ON"))
	app := auth.NewApp(testApp, wideOpen())
	other.s.become(&auth.Principal{App: app, Token: &auth.Token{App: app.ID, Scope: auth.Scope{Prefix: "mine:"}}})
	require.Contains(t, other.do("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "min"), "-NOPERM")
}

// Whoever leaves the namespace hears nothing more of it.
func TestRedirectEndsWithTheSignIn(t *testing.T) {
	h := newHarness(t)
	target, b := h.open().resp3(), h.open()
	a := h.tracking("REDIRECT", strconv.FormatInt(target.s.id, 10))
	a.do("GET", "k")
	b.do("SET", "k", "v")
	require.Equal(t, invalidated("k"), target.pushed())
	a.do("GET", "k")
	target.s.become(&auth.Principal{App: auth.NewApp(storage.ID{Tenant: "t", App: "b"}, wideOpen())})
	b.do("SET", "k", "v")
	require.Empty(t, target.pushed())
	require.Equal(t, fmt.Sprintf(">2\r\n$21\r\ntracking-redir-broken\r\n:%d\r\n", target.s.id), a.pushed())
	require.Contains(t, a.do("CLIENT", "TRACKINGINFO"), "broken_redirect")
	require.Contains(t, a.do("CLIENT", "INFO"), " flags=tR ")
}

func TestClientListShowsTracking(t *testing.T) {
	h := newHarness(t)
	require.Contains(t, h.tracking("BCAST").do("CLIENT", "INFO"), " flags=tB ")
	b := h.open()
	c := h.tracking("REDIRECT", strconv.FormatInt(b.s.id, 10))
	require.Contains(t, c.do("CLIENT", "INFO"), fmt.Sprintf(" redir=%d ", b.s.id))
	require.Contains(t, b.do("CLIENT", "INFO"), " redir=-1 ")
}

// The table has a bound: whoever loses a place in it is told.
func TestTrackingTableIsBounded(t *testing.T) {
	h := newHarness(t)
	h.engine.trackedKeys = 10
	c := h.tracking()
	told := ""
	for i := range 100 {
		told += string(c.raw([]string{"GET", fmt.Sprint("k", i)})) + c.pushed()
	}
	require.Equal(t, 90, strings.Count(told, "invalidate"))
	require.Equal(t, trackingSizes{clients: 1, keys: 10, items: 10}, c.s.hub.tracking.sizes())

	h = newHarness(t)
	keep := h.tracking()
	keep.do("GET", "hot")
	for range 1000 { // come and go, and nobody changes the key
		c := h.tracking()
		c.do("GET", "hot")
		h.engine.EndSession(c.s)
	}
	require.Less(t, keep.s.hub.tracking.sizes().items, 10)
	h.open().do("SET", "hot", "v")
	require.Equal(t, invalidated("hot"), keep.pushed())

	c = h.tracking("BCAST", "PREFIX", "start")
	var many []string
	for i := range maxTrackedPrefixes {
		many = append(many, "PREFIX", fmt.Sprintf("p%03d", i))
	}
	require.Equal(t, "-"+errPrefixesFull.Error()+"\r\n", c.do(append([]string{"CLIENT", "TRACKING", "ON", "BCAST"}, many...)...))
	h.engine.EndSession(c.s)
	h.engine.EndSession(keep.s)
	require.Empty(t, h.engine.hubs.all())
}

// A change that did not last leaves the table as it was, for the next one.
func TestTrackingOfWhatWasTakenBack(t *testing.T) {
	h, store := newFaulty(t)
	c, b := h.tracking(), h.open()
	b.do("SET", "k", "v")
	c.do("GET", "k")
	store.err = fmt.Errorf("%w: full", storage.ErrWriteFailed)
	b.pipeline([]string{"SET", "k", "w"}, []string{"FLUSHALL"}, []string{"GET", "k"})
	require.Empty(t, c.pushed())
	store.err = nil
	limits := wideOpen()
	limits.MaxKeys = [2]int64{1, 1}
	h.session(testApp, limits).do("MSET", "k", "2", "other", "1")
	require.Empty(t, c.pushed())
	b.do("SET", "k", "x")
	require.Equal(t, invalidated("k"), c.pushed())
}

func TestTrackingOfAScriptThatWasEnded(t *testing.T) {
	h := newHarness(t)
	c, b := h.tracking(), h.open()
	h.limitScripts(func(o *ScriptOptions) { o.TimeLimit = time.Millisecond })
	c.do("GET", "k")
	for _, text := range []string{"redis.call('set', 'k', 'v') while true do end", "redis.call('flushall') while true do end"} {
		require.Contains(t, b.do("EVAL", text, "1", "k"), "nothing of it was kept")
		require.Empty(t, c.pushed())
	}
	b.do("SET", "k", "v")
	require.Equal(t, invalidated("k"), c.pushed())
}

func TestTrackingOnAStoreThatRunsTwice(t *testing.T) {
	clock := storetest.NewClock()
	h := newHarnessOn(t, &rerun{storetest.NewMemory(clock)}, clock)
	c, b := h.tracking(), h.open()
	require.Equal(t, "_\r\n+OK\r\n"+invalidated("k")+"$1\r\nv\r\n", string(c.raw([]string{"GET", "k"}, []string{"SET", "k", "v"}, []string{"GET", "k"})))
	b.do("SET", "k", "w")
	require.Equal(t, invalidated("k"), c.pushed())
	b.do("SET", "k", "w")
	require.Empty(t, c.pushed())

	c = h.tracking("OPTIN")
	c.pipeline([]string{"CLIENT", "CACHING", "YES"}, []string{"GET", "k"}, []string{"GET", "j"})
	b.do("MSET", "k", "1", "j", "1")
	require.Equal(t, invalidated("k"), c.pushed())
}

func TestExpiryInvalidates(t *testing.T) {
	clock := storetest.NewClock()
	h := expiring(t, clock)
	h.engine.events.Store(0) // tracking alone is reason enough to be told
	c, all := h.tracking(), h.tracking("BCAST", "PREFIX", "k")
	h.open().do("SET", "k", "v", "PX", "1000")
	require.Equal(t, "$1\r\nv\r\n", c.do("GET", "k"))
	all.pushed()
	clock.Advance(time.Second)
	h.engine.NoticeExpired(context.Background())
	require.Equal(t, invalidated("k"), c.pushed())
	require.Equal(t, invalidated("k"), all.pushed())
}

// Under appendfsync always too a copy is invalidated at once: see invalidate.go.
func TestInvalidationsWaitForNothing(t *testing.T) {
	h := newHarness(t)
	c := h.tracking()
	var after []storage.Seq
	c.s.opts.Push = func(_ []byte, s storage.Seq) { after = append(after, s) }
	c.do("GET", "k")
	h.open().do("SET", "k", "v")
	require.Equal(t, []storage.Seq{0}, after)
}

// cache is a client that keeps what it reads until it is told otherwise.
type cache struct {
	*client
	values map[string]string
}

func (c *cache) get(keys ...string) {
	batch := make([][]string, len(keys))
	for i, key := range keys {
		batch[i] = []string{"GET", key}
	}
	for i, reply := range c.pipeline(batch...) {
		c.values[keys[i]] = reply
	}
	c.listen()
}

// listen reads what a door would send behind the replies.
func (c *cache) listen() {
	for _, raw := range splitReplies(c.t, []byte(c.pushed())) {
		for _, key := range elements(c.t, elements(c.t, raw)[1]) {
			delete(c.values, bodyOf(c.t, key))
		}
	}
}

// However reads and writes meet, no copy outlives its value.
func TestNoCopyIsStale(t *testing.T) {
	const caches, writers, each = 4, 3, 300
	h := newHarness(t)
	keys := []string{"a", "b", "c"}
	var readers []*cache
	for i := range caches {
		options := [][]string{nil, {"BCAST"}, {"BCAST", "PREFIX", "a", "PREFIX", "b", "PREFIX", "c"}, nil}[i]
		readers = append(readers, &cache{h.tracking(options...), make(map[string]string)})
	}
	var wg sync.WaitGroup
	for w := range writers {
		c := h.open()
		wg.Go(func() {
			for n := range each {
				c.pipeline([]string{"SET", keys[n%3], fmt.Sprint(w, n)}, []string{"GET", "a"}, []string{"INCR", keys[(n+w)%3] + "x"}, []string{"DEL", keys[(n+1)%3]})
			}
		})
	}
	for _, r := range readers {
		wg.Go(func() {
			for range each {
				r.get(keys...)
			}
		})
	}
	wg.Wait()
	now := h.open()
	for i, r := range readers {
		r.listen()
		for key, value := range r.values {
			want := now.do("GET", key)
			if want == "$-1\r\n" {
				want = "_\r\n"
			}
			require.Equal(t, want, value, "reader %d, key %s", i, key)
		}
	}
}
