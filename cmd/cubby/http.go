package main

import (
	"context"
	"net"

	"github.com/cubbykv/cubby/config"
	"github.com/cubbykv/cubby/gateway"
	"github.com/cubbykv/cubby/internal/tlsconf"
)

// listenHTTP opens what the HTTP door listens on, or nothing. A port that only
// --dev asked for may be taken: then there is no HTTP.
func listenHTTP(ctx context.Context, c *config.Config, secure *tlsconf.Current) (list []net.Listener, err error) {
	for _, port := range []struct {
		directive string
		number    int
	}{{"http-port", c.HTTPPort}, {"http-tls-port", c.TLS.HTTPPort}} {
		if port.number == 0 {
			continue
		}
		for _, a := range c.Bind {
			ln, err := listenTCP(ctx, a, port.number, port.directive)
			if err != nil && port.directive == "http-port" && c.HTTPOptional {
				break
			}
			if err != nil {
				closeAll(list)
				return nil, err
			}
			if ln != nil && port.directive == "http-tls-port" {
				ln = secureListener{secure.ListenWeb(ln)}
			}
			if ln != nil {
				list = append(list, ln)
			}
		}
	}
	return list, nil
}

// serveHTTP answers on the listeners until shutdownHTTP.
func (p *process) serveHTTP(list []net.Listener, failed chan<- error) {
	if len(list) == 0 {
		return
	}
	c := p.config
	o := gateway.Options{Engine: p.engine.Load(), Log: p.log, Local: p.anonymous != nil}
	configureHTTP(&o, c)
	p.web = gateway.New(o)
	for _, ln := range list {
		go func() {
			if err := p.web.Serve(ln); err != nil {
				failed <- err
			}
		}()
	}
}

// configureHTTP fills in what the configuration says of requests over HTTP.
func configureHTTP(o *gateway.Options, c *config.Config) {
	o.MaxConnections = c.MaxClients
	o.MaxStrangers = max(c.MaxClients*c.SignInMaxClients/100, 1)
	o.MaxStrangersPerAddress = c.SignInMaxClientsAddress
	o.MaxBodyBytes = int(c.ClientQueryBufferLimit)
	o.MaxBulkBytes = int(c.ProtoMaxBulkLen)
	o.MaxReplyBytes = int(c.ClientOutputBufferLimits.Normal.Hard)
	o.PushBytes = int(c.ClientOutputBufferLimits.PubSub.Hard)
	o.RequestTimeout = c.ClientWriteTimeout
}

func (p *process) shutdownHTTP(ctx context.Context) {
	if p.web == nil {
		return
	}
	if err := p.web.Shutdown(ctx); err != nil {
		p.log.Warn("some requests over HTTP were cut off before they had finished", "error", err)
	}
}
