package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Bounds on what a client may do before its request is known.
const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 128 << 10 // the path form has its arguments here
)

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
		ConnState:         g.conns.changed,
		ConnContext:       g.conns.begin,
		ErrorLog:          slog.NewLogLogger(g.options().Log.Handler(), slog.LevelDebug), // what clients do wrong
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 250},
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
	g.stop()
	err := g.server.Shutdown(ctx)
	if err != nil {
		_ = g.server.Close()
	}
	return err
}
