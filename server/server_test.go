package server

import (
	"strings"
	"testing"
)

func TestServesCommands(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	c := d.dial()
	c.say(command("PING"))
	c.hears("+PONG\r\n")
	c.say(command("SET", "k", "v") + command("GET", "k") + command("GET", "none") + "PING\r\n")
	c.hears("+OK\r\n$1\r\nv\r\n$-1\r\n+PONG\r\n")
}

// Values of all sizes around the buffers' arrive unharmed, alone and with
// neighbours, in one piece and in many.
func TestValuesOfAllSizes(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	c := d.dial()
	for _, size := range []int{0, 1, 4000, 4050, 4060, 4070, 4095, 4096, 4097, 8192, 32 << 10, 65000, 65536, 70000, 1 << 20} {
		v := strings.Repeat("x", size)
		c.say(command("SET", "k", v) + command("GET", "k") + "PING\r\n" + command("ECHO", v))
		c.hears("+OK\r\n" + bulk(v) + "+PONG\r\n" + bulk(v))
	}
}
