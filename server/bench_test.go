package server

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/cubbykv/cubby/commands"
)

// BenchmarkDoor measures the door alone, over loopback, with an engine that
// answers SET from a map. One operation is one command.
func BenchmarkDoor(b *testing.B) {
	for _, pipeline := range []int{1, 16, 256} {
		for _, size := range []int{64, 1024} {
			b.Run(fmt.Sprintf("P%d/%dB", pipeline, size), func(b *testing.B) {
				d := openDoor(b, Options{}, func(p *fakePeer) {})
				c := dial(b, d.addr)
				batch := strings.Repeat(command("SET", "key:000000001", strings.Repeat("v", size)), pipeline)
				answer := make([]byte, len("+OK\r\n")*pipeline)
				_ = c.SetDeadline(time.Time{})
				b.ReportAllocs()
				b.SetBytes(int64(len(batch) / pipeline))
				for n := 0; n < b.N; n += pipeline {
					if _, err := io.WriteString(c, batch); err != nil {
						b.Fatal(err)
					}
					if _, err := io.ReadFull(c, answer); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkGuard measures what the guard adds: bytes in, requests out.
func BenchmarkGuard(b *testing.B) {
	for _, pipeline := range []int{1, 16} {
		b.Run(fmt.Sprintf("P%d", pipeline), func(b *testing.B) {
			g := newGuard()
			in := strings.Repeat(command("SET", "key:000000001", strings.Repeat("v", 64)), pipeline)
			lim := bounds{request: 1 << 20, bulk: 1 << 20, signedIn: true}
			var batch []commands.Request
			b.ReportAllocs()
			for n := 0; n < b.N; n += pipeline {
				g.arrived(copy(g.space(), in))
				if batch = g.rest(batch[:0], lim); len(batch) != pipeline {
					b.Fatal(len(batch))
				}
			}
		})
	}
}
