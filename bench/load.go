package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// workload appends requests and knows how long each reply is, so that the
// generator spends its time on sending and not on parsing.
type workload struct {
	name     string
	replyLen func(valueSize int) int
	append   func(buf []byte, l *lane) []byte
}

var workloads = []workload{
	{"GET", bulkLen, func(buf []byte, l *lane) []byte { return appendCommand(buf, "GET", l.key(l.rng.IntN(l.keys))) }},
	{"SET overwrite", okLen, func(buf []byte, l *lane) []byte {
		return appendCommand(buf, "SET", l.key(l.rng.IntN(l.keys)), l.value)
	}},
	{"SET EX", okLen, func(buf []byte, l *lane) []byte {
		return appendCommand(buf, "SET", l.key(l.rng.IntN(l.keys)), l.value, []byte("EX"), []byte("3600"))
	}},
	{"SET insert", okLen, func(buf []byte, l *lane) []byte {
		return appendCommand(buf, "SET", l.key(l.keys+int(inserted.Add(1))), l.value)
	}},
}

// inserted numbers keys that nobody used before, on either server.
var inserted atomic.Int64

func okLen(int) int { return len("+OK\r\n") }

func bulkLen(size int) int { return len("$\r\n\r\n") + len(strconv.Itoa(size)) + size }

// lane is one connection.
type lane struct {
	conn   net.Conn
	prefix string
	keys   int
	value  []byte
	rng    *rand.Rand
	keyBuf []byte
}

func (l *lane) key(n int) []byte {
	l.keyBuf = append(append(l.keyBuf[:0], l.prefix...), "key:"...)
	l.keyBuf = strconv.AppendInt(l.keyBuf, int64(n), 10)
	return l.keyBuf
}

func appendCommand(buf []byte, name string, args ...[]byte) []byte {
	buf = append(buf, '*')
	buf = strconv.AppendInt(buf, int64(1+len(args)), 10)
	buf = append(buf, "\r\n$"...)
	buf = strconv.AppendInt(buf, int64(len(name)), 10)
	buf = append(append(append(buf, "\r\n"...), name...), "\r\n"...)
	for _, a := range args {
		buf = append(buf, '$')
		buf = strconv.AppendInt(buf, int64(len(a)), 10)
		buf = append(append(append(buf, "\r\n"...), a...), "\r\n"...)
	}
	return buf
}

// exchange sends one batch and reads its replies.
func (l *lane) exchange(w workload, pipeline int, out, in []byte) ([]byte, error) {
	out = out[:0]
	for range pipeline {
		out = w.append(out, l)
	}
	if _, err := l.conn.Write(out); err != nil {
		return out, err
	}
	if _, err := io.ReadFull(l.conn, in[:1]); err != nil {
		return out, err
	}
	if in[0] == '-' {
		n, _ := l.conn.Read(in[1:])
		return out, fmt.Errorf("server answered %q", in[:1+n])
	}
	_, err := io.ReadFull(l.conn, in[1:])
	return out, err
}

// drive lets all lanes send for a while and returns commands per second.
func drive(ctx context.Context, lanes []*lane, w workload, pipeline, valueSize int, d time.Duration) (float64, error) {
	var (
		total atomic.Int64
		wg    sync.WaitGroup
		errs  = make([]error, len(lanes))
	)
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	began := time.Now()
	for i, l := range lanes {
		wg.Go(func() {
			out := make([]byte, 0, 64<<10)
			in := make([]byte, pipeline*w.replyLen(valueSize))
			for ctx.Err() == nil {
				var err error
				if out, err = l.exchange(w, pipeline, out, in); err != nil {
					errs[i] = err
					cancel()
					return
				}
				total.Add(int64(pipeline))
			}
		})
	}
	wg.Wait()
	return float64(total.Load()) / time.Since(began).Seconds(), errors.Join(errs...)
}
