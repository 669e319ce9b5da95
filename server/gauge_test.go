package server

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What CLIENT LIST tells of a connection's buffers.
func TestBuffersAreTold(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	c := d.dial()
	c.say("PING\r\n")
	c.hears("+PONG\r\n")
	told := d.peer(0).opts.Buffers
	const half = "*2\r\n$4\r\nECHO\r\n$3\r\na"
	c.say(half)
	eventually(t, func() bool { return told().Query == int64(len(half)) })
	require.Equal(t, int64(quietBuffer-len(half)), told().QueryFree)
	c.say("bc\r\n")
	c.hears("$3\r\nabc\r\n")
	eventually(t, func() bool {
		b := told()
		return b.Query == 0 && b.Unsent == 0 && b.Reply > 0 && b.ReplyPeak >= int64(len("$3\r\nabc\r\n"))
	})

	const replies = 8
	c.say(strings.Repeat("BIG\r\n", replies))
	eventually(t, func() bool { return told().Unsent > 0 })
	_, err := io.CopyN(io.Discard, c.r, replies*int64(len(bulk(""))+6+4<<20))
	require.NoError(t, err)
	eventually(t, func() bool { return told().Unsent == 0 })
}
