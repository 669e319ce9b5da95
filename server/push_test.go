package server

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

func TestPushesGoOutInOrder(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	c := d.dial()
	c.say("PING\r\n")
	c.hears("+PONG\r\n")
	push := d.peer(0).opts.Push
	var want strings.Builder
	for i := range 1000 {
		push(fmt.Appendf(nil, ":%d\r\n", i), 0)
		fmt.Fprintf(&want, ":%d\r\n", i)
	}
	c.hears(want.String())
}

// What is pushed while a batch runs tells of something later than its replies.
func TestPushesWaitForTheBatch(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	c := d.dial()
	c.say("PING\r\n")
	c.hears("+PONG\r\n")
	p := d.peer(0)
	c.say("ECHO a\r\nHANG\r\nECHO b\r\n")
	<-p.hanging
	p.opts.Push([]byte("+pushed\r\n"), 0)
	close(p.hang)
	c.hears("$1\r\na\r\n+DONE\r\n$1\r\nb\r\n+pushed\r\n")
}

func TestPushedWaitsForTheStore(t *testing.T) {
	allowed, asked := make(chan error), make(chan storage.Seq, 10)
	d := openDoor(t, Options{EventLoops: -1}, func(p *fakePeer) {
		p.waiting = func(s storage.Seq) error {
			if s <= 1 { // the replies'
				return nil
			}
			asked <- s
			return <-allowed
		}
	})
	c := d.dial()
	c.say("PING\r\n")
	c.hears("+PONG\r\n")
	push := d.peer(0).opts.Push
	push([]byte("+lost\r\n"), 7)
	require.Equal(t, storage.Seq(7), <-asked)
	push([]byte("+kept\r\n"), 8)
	push([]byte("+last\r\n"), 0)
	c.say("ECHO between\r\n")
	c.hears("$7\r\nbetween\r\n")
	allowed <- errors.New("no disk")
	require.Equal(t, storage.Seq(8), <-asked)
	allowed <- nil
	c.hears("+kept\r\n+last\r\n")
}

func TestTakePushedPutsMessagesAmongReplies(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	c := d.dial()
	c.say("PING\r\n")
	c.hears("+PONG\r\n")
	p := d.peer(0)
	c.say("HANG\r\n")
	<-p.hanging
	p.opts.Push([]byte("+one\r\n"), 3)
	p.opts.Push([]byte("+two\r\n"), 2)
	var out resp.Writer
	require.Equal(t, storage.Seq(3), p.opts.TakePushed(&out))
	require.Equal(t, "+one\r\n+two\r\n", string(out.Bytes()))
	close(p.hang)
	c.say("PING\r\n")
	c.hears("+DONE\r\n+PONG\r\n")
}

// Nobody waits for a client that does not read, and it does not fill the
// server's memory.
func TestSlowSubscriberIsCutOff(t *testing.T) {
	d := openDoor(t, Options{PushLimit: BufferLimit{Hard: 1 << 20}}, nil)
	c := d.dial()
	c.say("PING\r\n")
	c.hears("+PONG\r\n")
	p := d.peer(0)
	msg := make([]byte, 64<<10)
	for ended := false; !ended; {
		p.opts.Push(msg, 0)
		select {
		case <-p.ended:
			ended = true
		default:
		}
	}
	eventually(t, func() bool { return strings.Contains(d.log.String(), "class pubsub") })
	p.opts.Push(msg, 0) // whoever has not heard of the end yet
}

func TestManyPushersAndReplies(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	c := d.dial()
	c.say("PING\r\n")
	c.hears("+PONG\r\n")
	push := d.peer(0).opts.Push
	const pushers, each = 8, 200
	var wg sync.WaitGroup
	for i := range pushers {
		wg.Go(func() {
			for n := range each {
				push(fmt.Appendf(nil, ">2\r\n:%d\r\n:%d\r\n", i, n), 0)
			}
		})
	}
	wg.Go(func() {
		for range each {
			c.say("ECHO reply\r\n")
		}
	})
	next, replies := [pushers]int{}, 0
	for range pushers*each + each {
		raw, err := resp.ReadRaw(c.r)
		require.NoError(t, err)
		if raw[0] == '$' {
			replies++
			continue
		}
		var i, n int
		_, err = fmt.Sscanf(string(raw), ">2\r\n:%d\r\n:%d\r\n", &i, &n)
		require.NoError(t, err)
		require.Equal(t, next[i], n)
		next[i]++
	}
	require.Equal(t, each, replies)
	wg.Wait()
}
