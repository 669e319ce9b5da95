package commands

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/bunt"
)

// The history of some clients that share a few keys must look as if every
// command, and every transaction as a whole, happened at one instant between
// its request and its reply: linearizability, checked with porcupine.

// linearOp is what a client asked; its output is the raw reply.
type linearOp struct {
	kind string // get, set, incr, pair (one value to two keys), read (two keys), cas
	a, b string
	from string // cas
	to   string
}

// linearState is the value of each key; a missing key is missing here too. It
// is printed to be compared.
type linearState map[string]string

func (s linearState) String() string { return fmt.Sprint(map[string]string(s)) }

func (s linearState) with(kv ...string) linearState {
	next := make(linearState, len(s)+1)
	for k, v := range s {
		next[k] = v
	}
	for i := 0; i < len(kv); i += 2 {
		next[kv[i]] = kv[i+1]
	}
	return next
}

func bulkReply(s linearState, key string) string {
	v, ok := s[key]
	if !ok {
		return "$-1\r\n"
	}
	return fmt.Sprintf("$%d\r\n%s\r\n", len(v), v)
}

var registers = porcupine.Model{
	Init: func() any { return linearState{} },
	Step: func(state, input, output any) (bool, any) {
		s, op, reply := state.(linearState), input.(linearOp), output.(string)
		switch op.kind {
		case "get":
			return reply == bulkReply(s, op.a), s
		case "read":
			return reply == "*2\r\n"+bulkReply(s, op.a)+bulkReply(s, op.b), s
		case "set":
			return reply == "+OK\r\n", s.with(op.a, op.to)
		case "pair":
			return reply == "*2\r\n+OK\r\n+OK\r\n", s.with(op.a, op.to, op.b, op.to)
		case "cas":
			if reply == "*-1\r\n" { // somebody wrote between WATCH and EXEC
				return true, s
			}
			return s[op.a] == op.from && reply == "*1\r\n+OK\r\n", s.with(op.a, op.to)
		}
		return false, s
	},
	Equal: func(a, b any) bool { return a.(linearState).String() == b.(linearState).String() },
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%+v -> %q", input, output)
	},
}

func TestHistoriesAreLinearizable(t *testing.T) {
	for _, mode := range []bunt.SyncMode{bunt.SyncEverySecond, bunt.SyncAlways} {
		t.Run(mode.String(), func(t *testing.T) {
			rng := seeded(t)
			for range 8 {
				history := recordHistory(t, mode, rng.Uint64())
				result, info := porcupine.CheckOperationsVerbose(registers, history, 20*time.Second)
				if result == porcupine.Illegal {
					path := t.TempDir() + "/history.html"
					_ = porcupine.VisualizePath(registers, info, path)
					t.Fatalf("a history of %d operations is not linearizable; see %s", len(history), path)
				}
				require.Equal(t, porcupine.Ok, result, "undecided in time")
			}
		})
	}
}

func recordHistory(t *testing.T, mode bunt.SyncMode, seed uint64) []porcupine.Operation {
	t.Helper()
	const clients, steps = 5, 40
	store, err := bunt.Open(bunt.Options{Dir: t.TempDir(), Sync: mode})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	h := newHarnessOn(t, store, nil)
	var (
		mu      sync.Mutex
		history []porcupine.Operation
		wg      sync.WaitGroup
		began   = time.Now()
	)
	for n := range clients {
		c := h.session(storage.ID{Tenant: "t", App: "a"}, wideOpen())
		rng := rand.New(rand.NewPCG(seed, uint64(n)))
		wg.Go(func() {
			for i := range steps {
				op := randomLinearOp(rng, fmt.Sprintf("%d.%d", n, i))
				var prepare func() bool
				if op.kind == "cas" {
					prepare = func() bool { return c.watchAndRead(&op) }
				}
				if prepare != nil && !prepare() {
					continue
				}
				call := time.Since(began).Nanoseconds()
				reply := c.linear(op)
				returned := time.Since(began).Nanoseconds()
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: n, Input: op, Call: call, Output: reply, Return: returned})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return history
}

func randomLinearOp(rng *rand.Rand, value string) linearOp {
	keys := []string{"x", "y", "z"}
	rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	kinds := []string{"get", "get", "set", "set", "pair", "read", "cas"}
	return linearOp{kind: kinds[rng.IntN(len(kinds))], a: keys[0], b: keys[1], to: value}
}

// watchAndRead begins a compare-and-set; what it read is judged only if the
// EXEC succeeds.
func (c *client) watchAndRead(op *linearOp) bool {
	c.do("WATCH", op.a)
	reply := c.do("GET", op.a)
	if reply == "$-1\r\n" {
		c.do("UNWATCH")
		return false
	}
	op.from = strings.Split(reply, "\r\n")[1]
	return true
}

// linear runs an operation and returns the reply that the model judges.
func (c *client) linear(op linearOp) string {
	switch op.kind {
	case "get":
		return c.do("GET", op.a)
	case "read":
		return c.do("MGET", op.a, op.b)
	case "set":
		return c.do("SET", op.a, op.to)
	case "pair":
		return c.pipeline([]string{"MULTI"}, []string{"SET", op.a, op.to}, []string{"SET", op.b, op.to}, []string{"EXEC"})[3]
	default: // cas
		return c.pipeline([]string{"MULTI"}, []string{"SET", op.a, op.to}, []string{"EXEC"})[2]
	}
}
