package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Bounds on what a client may do before its request is known.
const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 128 << 10 // the path form has its arguments here
)

// connections counts those that are open.
type connections struct {
	open    atomic.Int64
	refused atomic.Int64
}

func (g *Gateway) initServer() {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	g.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			g.deadline(w)
			g.ServeHTTP(w, r)
		}),
		Protocols:         protocols,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         g.count,
		ErrorLog:          slog.NewLogLogger(g.options.Log.Handler(), slog.LevelDebug), // what clients do wrong
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 250},
	}
	g.server.RegisterOnShutdown(g.stop)
}

// count keeps the number of connections within its bound. Refused ones are
// closed: to answer them would take what they are refused for.
func (g *Gateway) count(nc net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if g.conns.open.Add(1) > int64(g.options.MaxConnections) {
			g.conns.refused.Add(1)
			_ = nc.Close()
		}
	case http.StateClosed, http.StateHijacked:
		g.conns.open.Add(-1)
	case http.StateActive, http.StateIdle:
	}
}

// Serve answers on ln until Shutdown, and then returns nil.
func (g *Gateway) Serve(ln net.Listener) error {
	if err := g.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown ends streams, lets requests that have begun get their answers, and
// closes what is left when ctx ends; then it returns its error.
func (g *Gateway) Shutdown(ctx context.Context) error {
	err := g.server.Shutdown(ctx)
	if err != nil {
		_ = g.server.Close()
	}
	return err
}
