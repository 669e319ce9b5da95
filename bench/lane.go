package main

import (
	"bufio"
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

// patience is how long a reply may take before the run is given up.
const patience = 60 * time.Second

// lane is one connection, signed in to one namespace.
type lane struct {
	conn       net.Conn
	r          *bufio.Reader // for replies whose length varies
	login      func(namespace int) (auth []string, prefix string)
	prefix     string
	namespaces int
	keys       int
	value      []byte
	rng        *rand.Rand
	hist       histogram

	keyBuf, out, in []byte

	token string // over HTTP
	body  []byte
}

// lane connects and signs in.
func (t *target) lane(namespace int, f fill) (*lane, error) {
	c, err := t.dial()
	if err != nil {
		return nil, err
	}
	auth, prefix := t.login(namespace)
	if t.http { // it signs in with each request
		l := t.newLane(c, prefix, namespace, f)
		l.token = auth[len(auth)-1]
		return l, nil
	}
	if _, err := c.command("AUTH", auth...); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("%s: AUTH: %w", t.name, err)
	}
	return t.newLane(c, prefix, namespace, f), nil
}

func (t *target) newLane(c *client, prefix string, namespace int, f fill) *lane {
	return &lane{
		conn: c.Conn, r: bufio.NewReaderSize(c.Conn, 64<<10), login: t.login, prefix: prefix,
		namespaces: f.namespaces, keys: f.keys, value: valueOf(f.value),
		rng: rand.New(rand.NewPCG(uint64(namespace), 1)),
	}
}

// key builds a name in the lane's buffer; digits pads the number with zeros.
func (l *lane) key(stem string, n, digits int) []byte {
	l.keyBuf = append(append(l.keyBuf[:0], l.prefix...), stem...)
	l.keyBuf = appendPadded(l.keyBuf, n, digits)
	return l.keyBuf
}

func appendPadded(buf []byte, n, digits int) []byte {
	for limit := 10; digits > 1; digits, limit = digits-1, limit*10 {
		if n < limit {
			buf = append(buf, '0')
		}
	}
	return strconv.AppendInt(buf, int64(n), 10)
}

func (l *lane) anyKey() []byte { return l.key("key:", l.rng.IntN(l.keys), 0) }

func (l *lane) newKey() []byte { return l.key("new:", int(inserted.Add(1)), 0) }

// hop moves to any other namespace; the requests it needs for that are appended.
func (l *lane) hop(buf []byte) ([]byte, int) {
	auth, prefix := l.login(l.rng.IntN(l.namespaces))
	if prefix != "" { // the prefix is all there is to it
		l.prefix = prefix
		return buf, 0
	}
	return appendCommand(buf, "AUTH", []byte(auth[0])), 1
}

// exchange sends one batch and reads its replies.
func (l *lane) exchange(w *workload, pipeline int) error {
	if w.exchange != nil {
		return w.exchange(l, pipeline)
	}
	l.out = l.out[:0]
	replies := pipeline
	if w.begin != nil {
		var more int
		l.out, more = w.begin(l.out, l)
		replies += more
	}
	for range pipeline {
		l.out = w.append(l.out, l)
	}
	began := time.Now()
	if _, err := l.conn.Write(l.out); err != nil {
		return err
	}
	if err := l.readReplies(w, replies); err != nil {
		return err
	}
	l.hist.record(time.Since(began))
	return nil
}

func (l *lane) readReplies(w *workload, replies int) error {
	if w.replyLen == nil {
		return skipReplies(l.r, replies)
	}
	size, first := w.replyLen(len(l.value))
	if need := size * replies; cap(l.in) < need {
		l.in = make([]byte, need)
	}
	in := l.in[:size*replies]
	n, err := io.ReadFull(l.conn, in)
	if err != nil {
		// What came instead says more than the timeout does.
		return errors.Join(err, checkReplies(in[:n], size, first))
	}
	return checkReplies(in, size, first)
}

// drive lets all lanes send for a while. It returns commands per second and the
// latencies of all batches.
func drive(ctx context.Context, lanes []*lane, w *workload, pipeline int, d time.Duration) (float64, *histogram, error) {
	var (
		total atomic.Int64
		stop  atomic.Bool
		wg    sync.WaitGroup
		errs  = make([]error, len(lanes))
	)
	defer context.AfterFunc(ctx, func() { stop.Store(true) })()
	began := time.Now()
	timer := time.AfterFunc(d, func() { stop.Store(true) })
	defer timer.Stop()
	for i, l := range lanes {
		l.hist = histogram{}
		_ = l.conn.SetDeadline(began.Add(d + patience))
		wg.Go(func() {
			batches := 0
			for !stop.Load() {
				if errs[i] = l.exchange(w, pipeline); errs[i] != nil {
					stop.Store(true)
					return
				}
				batches++
			}
			total.Add(int64(batches * pipeline))
		})
	}
	wg.Wait()
	rate := float64(total.Load()) / time.Since(began).Seconds()
	all := new(histogram)
	for _, l := range lanes {
		all.add(&l.hist)
	}
	return rate, all, errors.Join(append(errs, ctx.Err())...)
}

// valueOf is a value of that many bytes, valid JSON so that the same serves all.
func valueOf(size int) []byte {
	v := make([]byte, max(size, 2))
	for i := range v {
		v[i] = 'a' + byte(i%26)
	}
	v[0], v[len(v)-1] = '"', '"'
	return v
}

func closeLanes(lanes []*lane) {
	for _, l := range lanes {
		_ = l.conn.Close()
	}
}
