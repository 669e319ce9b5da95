// Command sdkserver is a server in memory for the tests of the SDKs. Its clock
// stands still until it is told to move. It prints where it listens, then
// answers each line of JSON on its standard input with one on its standard
// output, and ends with its input.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/gateway"
	"github.com/cubbykv/cubby/internal/inmemory"
	"github.com/cubbykv/cubby/server"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sdkserver:", err)
		os.Exit(1)
	}
}

// order is a line of the input.
type order struct {
	Do     string            `json:"do"`
	Name   string            `json:"name"`
	Limits map[string]string `json:"limits"`
	Scope  struct {
		ReadOnly bool     `json:"readonly"`
		Prefix   string   `json:"prefix"`
		Origins  []string `json:"origins"`
	} `json:"scope"`
	MS int64 `json:"ms"`
}

// testServer is a server whose clock stands still.
type testServer struct {
	engine *inmemory.Engine
	ms     atomic.Int64
}

// startsAt is when the clock begins, in Unix milliseconds.
const startsAt = 1_800_000_000_000

func run(in io.Reader, out io.Writer) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s := new(testServer)
	s.ms.Store(startsAt)
	var err error
	s.engine, err = inmemory.New(inmemory.Options{Clock: func() time.Time { return time.UnixMilli(s.ms.Load()) }, Log: log})
	if err != nil {
		return err
	}
	defer func() { _ = s.engine.Close() }()
	listen := func() (net.Listener, error) {
		return new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	}
	resp, err := listen()
	if err != nil {
		return err
	}
	web, err := listen()
	if err != nil {
		return err
	}
	door := server.New(server.Options{Engine: s.engine.Engine, Log: log})
	go func() { _ = door.Serve(resp) }()
	http := gateway.New(gateway.Options{Engine: s.engine.Engine, Log: log})
	go func() { _ = http.Serve(web) }()
	answers := json.NewEncoder(out)
	answers.SetEscapeHTML(false)
	if err := answers.Encode(map[string]string{"resp": resp.Addr().String(), "http": "http://" + web.Addr().String()}); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var o order
		var answer any
		err := json.Unmarshal(lines.Bytes(), &o)
		if err == nil {
			answer, err = s.obey(o)
		}
		if err != nil {
			answer = map[string]string{"error": err.Error()}
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return errors.Join(lines.Err(), http.Shutdown(ctx), door.Shutdown(ctx))
}

func (s *testServer) obey(o order) (any, error) {
	switch o.Do {
	case "app":
		return s.app(o)
	case "advance":
		s.ms.Add(o.MS)
		s.engine.NoticeExpired(context.Background())
		fallthrough
	case "now":
		return map[string]int64{"now": s.ms.Load()}, nil
	}
	return nil, fmt.Errorf("%q is unknown", o.Do)
}

// app returns a new token for an app, which is made when it is missing.
func (s *testServer) app(o order) (any, error) {
	var words []string
	for name, value := range o.Limits {
		words = append(words, name, value)
	}
	_, err := s.engine.CreateApp(o.Name, slices.Clip(words)...)
	if err != nil && !errors.Is(err, auth.ErrAppExists) {
		return nil, err
	}
	id, err := auth.ParseID(o.Name)
	if err != nil {
		return nil, err
	}
	secret, _, err := s.engine.Directory.CreateToken(context.Background(), id, "", auth.Scope{
		ReadOnly: o.Scope.ReadOnly, Prefix: o.Scope.Prefix, Origins: o.Scope.Origins,
	})
	return map[string]string{"user": o.Name, "token": secret}, err
}
