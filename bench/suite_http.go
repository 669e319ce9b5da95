package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// nameOverRESP is Cubby, in the suite where nameCubby is its HTTP door and
// nameRedis redis-server behind a proxy.
const nameOverRESP = "cubby over RESP"

// httpWork sends commands as JSON: a single one by itself, several as a
// pipeline.
func httpWork(command func(buf []byte, l *lane) []byte) *workload {
	return &workload{exchange: func(l *lane, pipeline int) error {
		body, path := l.body[:0], "/"
		if pipeline > 1 {
			body, path = append(body, '['), "/pipeline"
		}
		for i := range pipeline {
			if i > 0 {
				body = append(body, ',')
			}
			body = command(body, l)
		}
		if pipeline > 1 {
			body = append(body, ']')
		}
		l.body = body
		l.out = fmt.Appendf(l.out[:0], "POST %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
			path, l.token, len(body))
		l.out = append(l.out, body...)
		began := time.Now()
		if _, err := l.conn.Write(l.out); err != nil {
			return err
		}
		if err := l.readAnswer(pipeline); err != nil {
			return err
		}
		l.hist.record(time.Since(began))
		return nil
	}}
}

var (
	httpGet = httpWork(func(buf []byte, l *lane) []byte {
		return append(append(append(buf, `["GET","`...), l.anyKey()...), `"]`...)
	})
	httpSet = httpWork(func(buf []byte, l *lane) []byte {
		buf = append(append(append(buf, `["SET","`...), l.anyKey()...), `",`...)
		return append(strconv.AppendQuote(buf, string(l.value)), ']')
	})
)

// readAnswer reads an answer of so many results.
func (l *lane) readAnswer(results int) error {
	size := -1
	for first := true; ; first = false {
		line, err := l.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("server answered %q", bytes.TrimSpace(line))
		}
		if digits, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if size, err = strconv.Atoi(string(bytes.TrimSpace(digits))); err != nil {
				return err
			}
		}
		if len(line) == 2 {
			break
		}
	}
	if size < 0 {
		return errors.New("the answer has no length")
	}
	if cap(l.in) < size {
		l.in = make([]byte, size)
	}
	body := l.in[:size]
	if _, err := io.ReadFull(l.r, body); err != nil {
		return err
	}
	if n := bytes.Count(body, []byte(`{"result":`)); n != results {
		return fmt.Errorf("server answered %q", body[:min(size, 120)])
	}
	return nil
}

// door is the HTTP door to a running target.
func (t *target) door(name, port string) *target {
	return &target{name: name, port: port, login: t.login, ctx: t.ctx, http: true}
}

// runHTTP compares Cubby's HTTP door with redis-server behind a minimal proxy,
// and with its own RESP door.
func runHTTP(b *bench) error {
	f := fill{namespaces: b.sized(100, 20), keys: b.sized(1000, 100), value: 64}
	web := freePort(b.ctx)
	servers, err := b.pair(everysec, f.namespaces, "--http-port", web)
	if err != nil {
		return err
	}
	redis, cubby := servers[0], servers[1]
	if err := b.loadAll(f, redis, cubby); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	proxy, err := b.start(&target{name: nameRedis + " behind a proxy", program: self, args: []string{httpProxy, "{port}", redis.port}, login: redis.login})
	if err != nil {
		return err
	}
	resp := &target{name: nameOverRESP, port: cubby.port, login: cubby.login, ctx: cubby.ctx}
	var cells []cell
	for _, o := range []struct {
		op
		http *workload
	}{{opGet, httpGet}, {opSet, httpSet}} {
		for _, p := range []int{1, pipelined} {
			cells = append(cells, cell{series{Name: o.name, Pipeline: p, Conns: usualConns, Fsync: everysec},
				map[string]*workload{nameRedis: o.http, nameCubby: o.http, nameOverRESP: o.work}})
		}
	}
	return b.measureCells(cells, f, []*target{proxy.door(nameRedis, proxy.port), cubby.door(nameCubby, web), resp})
}
