package integration

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// missing stands for the value of a key that does not exist.
const missing = ""

// ledger is what one client knows of its own keys: what was acknowledged, and
// what the one command may have done that was never answered.
type ledger struct {
	app    string
	name   string
	rng    *rand.Rand
	serial int

	known map[string]string // by key; a deleted one is missing
	doubt *intent
}

// intent is one command, or several, and what they make of their keys.
type intent struct {
	after map[string]string
	send  func(redis.Pipeliner)
	txn   bool     // inside MULTI and EXEC
	apart []string // commands that stand alone: the key of each; nil is all or nothing
}

func newLedger(app, name string, rng *rand.Rand) *ledger {
	return &ledger{app: app, name: name, rng: rng, known: make(map[string]string)}
}

// write sends random writes, one after another, until one is not answered.
// Each acknowledged one is told to acked.
func (l *ledger) write(kv *redis.Client, acked func()) error {
	for {
		next := l.next()
		l.doubt = next
		pipelined := kv.Pipelined
		if next.txn {
			pipelined = kv.TxPipelined
		}
		cmds, err := pipelined(background, func(p redis.Pipeliner) error { next.send(p); return nil })
		if err != nil {
			l.takeAnswered(cmds)
			return err
		}
		maps.Copy(l.known, next.after)
		l.doubt = nil
		acked()
	}
}

// takeAnswered moves what was answered of a pipeline that broke off out of
// doubt. go-redis gives all its commands the error, but keeps the replies.
func (l *ledger) takeAnswered(cmds []redis.Cmder) {
	for i, key := range l.doubt.apart {
		if cmds[i].(*redis.StatusCmd).Val() == "OK" {
			l.known[key] = l.doubt.after[key]
			delete(l.doubt.after, key)
		}
	}
}

func (l *ledger) key(kind string, of int) string {
	return fmt.Sprintf("%s:%s:%d", l.name, kind, l.rng.IntN(of))
}

// value is never repeated, so that an older one cannot pass for it.
func (l *ledger) value() string {
	l.serial++
	return fmt.Sprintf("%s-%d-%s", l.name, l.serial, strings.Repeat("x", l.rng.IntN(1500)))
}

func (l *ledger) next() *intent {
	switch l.rng.IntN(8) {
	case 0, 1:
		key, value := l.key("set", 200), l.value()
		return &intent{after: map[string]string{key: value},
			send: func(p redis.Pipeliner) { p.Set(background, key, value, 0) }}
	case 2:
		key, value := l.key("json", 100), strconv.Quote(l.value())
		return &intent{after: map[string]string{key: value},
			send: func(p redis.Pipeliner) { p.Do(background, "KV.SET", key, value) }}
	case 3:
		pair, value := l.key("pair", 50), l.value()
		return &intent{after: map[string]string{pair + ":a": value, pair + ":b": value}, txn: true,
			send: func(p redis.Pipeliner) {
				p.Set(background, pair+":a", value, 0)
				p.Set(background, pair+":b", value, 0)
			}}
	case 4:
		key := l.key("counter", 5)
		n, _ := strconv.Atoi(l.known[key])
		return &intent{after: map[string]string{key: strconv.Itoa(n + 1)},
			send: func(p redis.Pipeliner) { p.Incr(background, key) }}
	case 5:
		key := l.key("set", 200)
		return &intent{after: map[string]string{key: missing},
			send: func(p redis.Pipeliner) { p.Del(background, key) }}
	case 6:
		after, words := make(map[string]string), []any(nil)
		for range 5 {
			after[l.key("mset", 100)] = l.value()
		}
		for key, value := range after {
			words = append(words, key, value)
		}
		return &intent{after: after, send: func(p redis.Pipeliner) { p.MSet(background, words...) }}
	default:
		after := make(map[string]string)
		for range 20 {
			after[l.key("pipe", 200)] = l.value()
		}
		apart := slices.Collect(maps.Keys(after))
		return &intent{after: after, apart: apart, send: func(p redis.Pipeliner) {
			for _, key := range apart {
				p.Set(background, key, after[key], 0)
			}
		}}
	}
}

// check compares the server's data with the ledger and takes over how the
// doubtful part ended. strict means that what was not answered was not done.
func (l *ledger) check(t *testing.T, kv *redis.Client, strict bool) (live int) {
	t.Helper()
	got := l.read(t, kv)
	done, undone := 0, 0
	for key, value := range got {
		if l.doubt != nil {
			if after, ok := l.doubt.after[key]; ok && value == after && after != l.known[key] {
				done++
				continue
			} else if ok {
				undone++
			}
		}
		require.Equal(t, l.known[key], value, "an acknowledged write of %s is lost", key)
	}
	if l.doubt != nil && l.doubt.apart == nil {
		require.False(t, done > 0 && undone > 0, "%d of %d keys were written: half a transaction", done, done+undone)
	}
	if strict {
		require.Zero(t, done, "a write was done and not answered")
	}
	l.known, l.doubt = got, nil
	for _, value := range got {
		if value != missing {
			live++
		}
	}
	return live
}

// read returns the values of all keys that the ledger knows.
func (l *ledger) read(t *testing.T, kv *redis.Client) map[string]string {
	t.Helper()
	cmds := make(map[string]*redis.StringCmd)
	_, err := kv.Pipelined(background, func(p redis.Pipeliner) error {
		for key := range l.known {
			cmds[key] = p.Get(background, key)
		}
		if l.doubt != nil {
			for key := range l.doubt.after {
				cmds[key] = p.Get(background, key)
			}
		}
		return nil
	})
	if !errors.Is(err, redis.Nil) {
		require.NoError(t, err)
	}
	got := make(map[string]string, len(cmds))
	for key, cmd := range cmds {
		got[key] = cmd.Val() // missing when it is nil
	}
	return got
}

// load is many clients that write at the same time.
type load struct {
	ledgers []*ledger
	tokens  map[string]string // by app
}

// newLoad opens apps and gives each of n clients one of them.
func newLoad(t *testing.T, s *cubby, n int, rng *rand.Rand) *load {
	t.Helper()
	l := &load{tokens: make(map[string]string)}
	apps := []string{"acme/shop", "acme/blog", "rival/shop"}
	for _, app := range apps {
		l.tokens[app] = s.app(t, app)
	}
	for i := range n {
		own := rand.New(rand.NewPCG(rng.Uint64(), uint64(i)))
		l.ledgers = append(l.ledgers, newLedger(apps[i%len(apps)], fmt.Sprintf("w%d", i), own))
	}
	return l
}

// run lets all clients write until end stops the server; end is called after
// so many acknowledged writes. It returns the error that each client met.
func (l *load) run(t *testing.T, s *cubby, protocol, writes int, end func()) []error {
	t.Helper()
	var (
		acked   atomic.Int64
		reached = make(chan struct{})
		clients sync.WaitGroup
		errs    = make([]error, len(l.ledgers))
	)
	tell := func() {
		if acked.Add(1) == int64(writes) {
			close(reached)
		}
	}
	for i, own := range l.ledgers {
		kv := s.client(t, l.tokens[own.app], protocol)
		clients.Go(func() { errs[i] = own.write(kv, tell) })
	}
	ended := make(chan struct{})
	go func() { clients.Wait(); close(ended) }()
	select {
	case <-reached:
	case <-ended:
		require.FailNow(t, "all clients gave up before the server was stopped", "%v", errs)
	}
	end()
	<-ended
	return errs
}

// check compares everything, and that there is nothing besides.
func (l *load) check(t *testing.T, s *cubby, strict bool) {
	t.Helper()
	live := make(map[string]int64)
	for _, own := range l.ledgers {
		kv := s.client(t, l.tokens[own.app], 3)
		live[own.app] += int64(own.check(t, kv, strict))
	}
	for app, want := range live {
		require.Equal(t, want, s.client(t, l.tokens[app], 3).DBSize(background).Val(), "keys of %s", app)
	}
}
