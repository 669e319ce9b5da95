package tlsconf

import (
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"
)

// Current is the configuration that new connections get. The zero value has
// none: Set comes before the first Accept.
type Current struct{ setting atomic.Pointer[setting] }

type setting struct {
	config *tls.Config
	web    *tls.Config // the same for HTTP
	names  bool
}

// Set replaces the configuration for connections to come. Those that exist keep
// theirs. With names, the common name of a client's certificate is a credential
// (Conn.Verified). Tickets are sealed with keys of the configuration that gave
// them, so no session survives a change: whoever comes back is verified anew.
func (c *Current) Set(config *tls.Config, names bool) {
	web := config.Clone()
	web.NextProtos = []string{"h2", "http/1.1"}
	c.setting.Store(&setting{config, web, names})
}

// Listen returns a listener whose connections speak TLS. They shake hands at
// their first use and not in Accept.
func (c *Current) Listen(ln net.Listener) net.Listener { return &listener{ln, c} }

// ListenWeb is Listen for HTTP: its connections are *tls.Conn, which package
// net/http asks for, and offer HTTP/2.
func (c *Current) ListenWeb(ln net.Listener) net.Listener { return &webListener{ln, c} }

type webListener struct {
	net.Listener
	current *Current
}

func (l *webListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return tls.Server(nc, l.current.setting.Load().web), nil
}

type listener struct {
	net.Listener
	current *Current
}

func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := l.current.setting.Load()
	return &Conn{tls.Server(nc, s.config), s.names}, nil
}

// Conn is a connection of such a listener.
type Conn struct {
	*tls.Conn
	names bool
}

// Verified returns the common name of the client's certificate and when the
// proof of it ends, once hands are shaken. It is not ok unless a CA of the
// configuration vouches for the certificate and names are credentials there.
func (c *Conn) Verified() (name string, until time.Time, ok bool) {
	if !c.names {
		return "", until, false
	}
	chains := c.ConnectionState().VerifiedChains
	if len(chains) == 0 {
		return "", until, false
	}
	// A chain is as good as the first of its certificates that ends; of several
	// chains any will do.
	for _, chain := range chains {
		ends := chain[0].NotAfter
		for _, cert := range chain[1:] {
			if cert.NotAfter.Before(ends) {
				ends = cert.NotAfter
			}
		}
		if ends.After(until) {
			until = ends
		}
	}
	return chains[0][0].Subject.CommonName, until, true
}
