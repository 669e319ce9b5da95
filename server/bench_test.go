package server

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/redcon"

	"github.com/cubbykv/cubby/commands"
)

// BenchmarkDoor measures the door alone, over loopback, with an engine that
// answers SET from a map. One operation is one command.
func BenchmarkDoor(b *testing.B) {
	for _, pipeline := range []int{1, 16, 256} {
		for _, size := range []int{64, 1024} {
			b.Run(fmt.Sprintf("P%d/%dB", pipeline, size), func(b *testing.B) {
				d := openDoor(b, Options{}, nil)
				exchange(b, d.addr, pipeline, size)
			})
		}
	}
}

// exchange sends b.N commands in batches over 50 connections and reads the
// replies.
func exchange(b *testing.B, addr string, pipeline, size int) {
	batch := strings.Repeat(command("SET", "key:000000001", strings.Repeat("v", size)), pipeline)
	b.ReportAllocs()
	b.SetBytes(int64(len(batch) / pipeline))
	b.SetParallelism(50 / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		c := dial(b, "tcp", addr)
		_ = c.SetDeadline(time.Time{})
		answer := make([]byte, len("+OK\r\n")*pipeline)
		for pb.Next() {
			for range pipeline - 1 {
				pb.Next()
			}
			if _, err := io.WriteString(c, batch); err != nil {
				b.Error(err)
			}
			if _, err := io.ReadFull(c, answer); err != nil {
				b.Error(err)
			}
		}
	})
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

// BenchmarkBareRedcon is the same traffic with nothing between the socket and
// redcon, to compare BenchmarkDoor with.
func BenchmarkBareRedcon(b *testing.B) {
	for _, pipeline := range []int{1, 16, 256} {
		for _, size := range []int{64, 1024} {
			b.Run(fmt.Sprintf("P%d/%dB", pipeline, size), func(b *testing.B) {
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				require.NoError(b, err)
				defer ln.Close()
				go func() {
					_ = redcon.Serve(ln, func(conn redcon.Conn, _ redcon.Command) { conn.WriteString("OK") }, nil, nil)
				}()
				exchange(b, ln.Addr().String(), pipeline, size)
			})
		}
	}
}
