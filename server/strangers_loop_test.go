//go:build linux

package server

import (
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLoopClosesStrangers(t *testing.T) {
	d := onLoop(t, Options{SignInTimeout: time.Hour}, unsigned)
	silent, slow, in := d.dial(), d.dial(), d.dial()
	in.signIn()
	slow.say("*2\r\n$4\r\nAU")
	d.loopConnOf(slow)
	d.loopConnOf(silent)
	d.inLoop(59*time.Minute, (*loop).tick)
	slow.say("T")
	d.inLoop(61*time.Minute, (*loop).tick)
	silent.hearsEnd("")
	_, _ = io.ReadAll(slow.r) // a reset when the last byte was not read
	in.say(command("PING"))
	in.hears("+PONG\r\n")
	eventually(t, func() bool { return d.Stats().Open == 1 && d.Stats().Strangers == 0 })
}

// A connection gets one command per turn before it has signed in, however many it
// has sent: counted in turns of the loop.
func TestLoopTakesOneCommandOfAStrangerPerTurn(t *testing.T) {
	const commands = 10_000
	var l *loop
	turns := map[time.Time]int{} // commands of each, by its beginning
	d := onLoop(t, Options{}, unsigned, func(p *fakePeer) {
		p.seen = func([][]byte) { turns[l.now]++ }
	})
	d.inLoop(0, func(own *loop) { l = own })
	c := d.dial()
	go c.say(strings.Repeat(command("AUTH", "wrong"), commands))
	answers := make([]byte, commands*len("-WRONGPASS no\r\n"))
	_, err := io.ReadFull(c.r, answers)
	require.NoError(t, err)
	d.inLoop(0, func(*loop) {
		require.Len(t, turns, commands)
	})
}

// A held answer goes when its time is over, and then the next command runs.
func TestLoopHoldsAnswers(t *testing.T) {
	d := onLoop(t, Options{}, heldAfterAuth(new(atomic.Int64)))
	c := d.dial()
	c.say(command("AUTH", "wrong"))
	lc := d.loopConnOf(c)
	held := func() (is bool) {
		d.inLoop(0, func(*loop) { is = lc.held != nil })
		return is
	}
	eventually(t, held)
	c.say(command("PING"))
	d.inLoop(time.Minute, (*loop).tick)
	require.True(t, held())
	d.inLoop(0, func(*loop) { lc.release() })
	c.hears("-WRONGPASS no\r\n+PONG\r\n")
	require.False(t, held())

	c.say(command("AUTH", "wrong"))
	eventually(t, held)
	require.NoError(t, c.Close())
	d.inLoop(0, func(*loop) { lc.release() })
	eventually(t, func() bool { return d.Stats().Open == 0 })
}
