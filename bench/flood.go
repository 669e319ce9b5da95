package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// floodProgram is the first argument that turns this program into the clients
// of a namespace that floods. They are a process of their own so that whoever
// measures the neighbours does not share a scheduler with them.
const floodProgram = "flood"

// flood is one way to send more than one's share.
type flood struct {
	name      string
	listeners int // connections that subscribe
	// append writes a batch and returns how many replies it gets.
	append func(buf []byte, l *lane, redis bool) ([]byte, int)
}

const (
	floodConns   = 50
	floodKeys    = 5000
	floodChannel = "flood"
	// burn is a script that does nothing for some time.
	burn = "local n = 0 for i = 1, 1000000 do n = n + i end return 1"
)

// floods are the ways, in the order in which they run.
var floods = []flood{
	{name: "GET and SET of 64 B, pipelines of 200", append: repeated(200, func(buf []byte, l *lane, _ bool) []byte {
		if l.rng.IntN(2) == 0 {
			return workGet.append(buf, l)
		}
		return workSet.append(buf, l)
	})},
	{name: "SET of 64 KB, pipelines of 16", append: repeated(16, func(buf []byte, l *lane, _ bool) []byte {
		return appendCommand(buf, "SET", l.key("large:", l.rng.IntN(100), 0), largeValue)
	})},
	{name: "KV.LIST of 1,000, pipelines of 10", append: repeated(10, func(buf []byte, l *lane, redis bool) []byte {
		if redis {
			return appendCommand(buf, "SCAN", []byte("0"), []byte("MATCH"), append([]byte(l.prefix), '*'), []byte("COUNT"), []byte("1000"))
		}
		return appendCommand(buf, "KV.LIST", []byte("LIMIT"), []byte("1000"))
	})},
	{name: "MGET of 200, pipelines of 20", append: repeated(20, func(buf []byte, l *lane, _ bool) []byte {
		return appendMGet(buf, l, 200)
	})},
	{name: "MULTI with 1,000 SETs", append: func(buf []byte, l *lane, _ bool) ([]byte, int) {
		buf = appendCommand(buf, "MULTI")
		buf, n := repeated(1000, func(buf []byte, l *lane, _ bool) []byte { return workSet.append(buf, l) })(buf, l, false)
		return appendCommand(buf, "EXEC"), n + 2
	}},
	{name: "PUBLISH of 1 KB to 20 subscribers, pipelines of 100", listeners: 20, append: repeated(100, func(buf []byte, l *lane, _ bool) []byte {
		return appendCommand(buf, "PUBLISH", []byte(l.prefix+floodChannel), largeValue[:1024])
	})},
	{name: "scripts of a million steps", append: repeated(1, func(buf []byte, _ *lane, _ bool) []byte {
		return appendCommand(buf, "EVAL", []byte(burn), []byte("0"))
	})},
}

var largeValue = valueOf(64 << 10)

// repeated makes a batch of single commands.
func repeated(n int, one func([]byte, *lane, bool) []byte) func([]byte, *lane, bool) ([]byte, int) {
	return func(buf []byte, l *lane, redis bool) ([]byte, int) {
		for range n {
			buf = one(buf, l, redis)
		}
		return buf, n
	}
}

func appendMGet(buf []byte, l *lane, keys int) []byte {
	buf = appendHead(buf, '*', 1+keys)
	buf = append(buf, "$4\r\nMGET\r\n"...)
	for range keys {
		k := l.anyKey()
		buf = appendHead(buf, '$', len(k))
		buf = append(append(buf, k...), "\r\n"...)
	}
	return buf
}

// floodArgs are the arguments of the program that floods namespace n of t.
func floodArgs(f *flood, t *target, n int) []string {
	auth, prefix := t.login(n)
	return append([]string{floodProgram, f.name, t.name, t.port, prefix}, auth...)
}

// runFlood floods until standard input ends, and then prints how many commands
// were answered.
func runFlood(args []string) error {
	if len(args) < 5 {
		return fmt.Errorf("%s takes a name, a server, its port, a prefix and a sign-in", floodProgram)
	}
	i := slices.IndexFunc(floods, func(f flood) bool { return f.name == args[0] })
	if i < 0 {
		return fmt.Errorf("there is no flood %q", args[0])
	}
	ctx, stop := context.WithCancel(context.Background())
	t := &target{ctx: ctx, name: args[1], port: args[2], login: func(int) ([]string, string) { return args[4:], args[3] }}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	n, err := floods[i].run(ctx, t)
	fmt.Println(n)
	return err
}

// run floods until ctx ends, and returns how many commands were answered.
func (f *flood) run(ctx context.Context, t *target) (int64, error) {
	var answered atomic.Int64
	size := fill{namespaces: 1, keys: floodKeys, value: 64}
	err := split(f.listeners+floodConns, f.listeners+floodConns, func(i, _ int) error {
		l, err := t.lane(0, size)
		if err != nil {
			return err
		}
		defer context.AfterFunc(ctx, func() { _ = l.conn.Close() })()
		defer l.conn.Close()
		work := func() error { return f.send(l, t.name == nameRedis, &answered) }
		if i < f.listeners {
			l.out = appendCommand(l.out[:0], "SUBSCRIBE", []byte(l.prefix+floodChannel))
			if _, err := l.conn.Write(l.out); err != nil {
				return err
			}
			work = func() error {
				_, err := io.Copy(io.Discard, l.conn)
				return err
			}
		}
		for ctx.Err() == nil {
			if err := work(); err != nil && ctx.Err() == nil {
				return err
			}
		}
		return nil
	})
	return answered.Load(), err
}

func (f *flood) send(l *lane, redis bool, answered *atomic.Int64) error {
	var replies int
	l.out, replies = f.append(l.out[:0], l, redis)
	if _, err := l.conn.Write(l.out); err != nil {
		return err
	}
	if err := skipReplies(l.r, replies); err != nil {
		return err
	}
	answered.Add(int64(replies))
	return nil
}

// parseAnswered reads what runFlood prints.
func parseAnswered(out string) (int64, error) {
	return strconv.ParseInt(strings.TrimSpace(out), 10, 64)
}
