package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testcert"
)

// seen is what a door sees of a connection.
type seen struct {
	err   error
	name  string
	until time.Time
	ok    bool
	state tls.ConnectionState
}

// door answers one byte to whoever shakes hands.
type door struct {
	t       *testing.T
	current Current
	addr    string
	seen    chan seen
}

func newDoor(t *testing.T, o Options, names bool) *door {
	d := &door{t: t, seen: make(chan seen, 1)}
	d.set(o, names)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = plain.Close() })
	d.addr = plain.Addr().String()
	ln := d.current.Listen(plain)
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			c := nc.(*Conn)
			s := seen{err: c.HandshakeContext(t.Context())}
			if s.err == nil {
				s.name, s.until, s.ok = c.Verified()
				s.state = c.ConnectionState()
				_, _ = c.Write([]byte("."))
			}
			_ = c.Close()
			d.seen <- s
		}
	}()
	return d
}

func (d *door) set(o Options, names bool) {
	d.t.Helper()
	c, err := Server(o)
	require.NoError(d.t, err)
	d.current.Set(c, names)
}

// visit connects, and returns what both ends think of it.
func (d *door) visit(c *tls.Config) (seen, error) {
	d.t.Helper()
	nc, err := tls.Dial("tcp", d.addr, c)
	if err == nil {
		_, err = io.ReadFull(nc, make([]byte, 1)) // with TLS 1.3 refusals come behind the handshake
		_ = nc.Close()
	}
	return <-d.seen, err
}

func TestClientCertificates(t *testing.T) {
	ca, other := testcert.New(t, "ca"), testcert.New(t, "other")
	server := ca.Issue(t, "server")
	soon := time.Now().Add(time.Hour).Truncate(time.Second)
	for _, clients := range []tls.ClientAuthType{tls.NoClientCert, tls.VerifyClientCertIfGiven, tls.RequireAndVerifyClientCert} {
		for _, names := range []bool{false, true} {
			d := newDoor(t, Options{CertFile: server.Cert, KeyFile: server.Key, CAFile: ca.File, Clients: clients}, names)
			for _, tt := range []struct {
				name  string
				pair  *testcert.Pair
				right bool
			}{
				{"none", nil, false},
				{"right", ptr(ca.Issue(t, "acme/shop", testcert.Until(soon))), true},
				{"of another CA", ptr(other.Issue(t, "acme/shop")), false},
				{"expired", ptr(ca.Issue(t, "acme/shop", testcert.Until(time.Now().Add(-time.Hour)))), false},
				{"not for clients", ptr(ca.Issue(t, "acme/shop", func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[:1] })), false},
			} {
				for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
					c := &tls.Config{RootCAs: ca.Pool, MaxVersion: version}
					if tt.pair != nil {
						pair := tt.pair.Load(t)
						// Sent even where the server asks for another CA's.
						c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
					}
					got, err := d.visit(c)
					served := clients == tls.NoClientCert || tt.right || tt.pair == nil && clients == tls.VerifyClientCertIfGiven
					require.Equal(t, served, err == nil, "%s %v: %v", tt.name, clients, err)
					require.Equal(t, served, got.err == nil, "%s %v: %v", tt.name, clients, got.err)
					verified := names && tt.right && clients != tls.NoClientCert
					require.Equal(t, verified, got.ok, "%s %v", tt.name, clients)
					if verified {
						require.Equal(t, "acme/shop", got.name)
						require.True(t, soon.Equal(got.until), "%v", got.until)
					} else {
						require.Empty(t, got.name)
					}
				}
			}
		}
	}
}

func ptr[T any](v T) *T { return &v }

// What a certificate proves ends with its CA.
func TestVerifiedUntilTheChainEnds(t *testing.T) {
	ca := testcert.New(t, "ca") // two days
	server := ca.Issue(t, "server")
	d := newDoor(t, Options{CertFile: server.Cert, KeyFile: server.Key, CAFile: ca.File, Clients: tls.RequireAndVerifyClientCert}, true)
	long := ca.Issue(t, "acme/shop", testcert.Until(time.Now().Add(10000*time.Hour)))
	got, err := d.visit(&tls.Config{RootCAs: ca.Pool, Certificates: []tls.Certificate{long.Load(t)}})
	require.NoError(t, err)
	require.True(t, got.ok)
	require.Less(t, got.until, time.Now().Add(49*time.Hour))
}

func TestWhatIsNegotiated(t *testing.T) {
	ca := testcert.New(t, "ca")
	server := ca.Issue(t, "server")
	o := Options{CertFile: server.Cert, KeyFile: server.Key}
	d := newDoor(t, o, false)
	client := func(version uint16) *tls.Config {
		return &tls.Config{RootCAs: ca.Pool, MinVersion: tls.VersionTLS10, MaxVersion: version}
	}
	_, err := d.visit(client(tls.VersionTLS11))
	require.Error(t, err)

	o.Protocols = Protocols{tls.VersionTLS13, tls.VersionTLS13}
	d.set(o, false)
	_, err = d.visit(client(tls.VersionTLS12))
	require.Error(t, err)
	got, err := d.visit(client(tls.VersionTLS13))
	require.NoError(t, err)
	require.EqualValues(t, tls.VersionTLS13, got.state.Version)

	o.Protocols = Protocols{tls.VersionTLS12, tls.VersionTLS12}
	o.Ciphers = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}
	d.set(o, false)
	got, err = d.visit(client(tls.VersionTLS13))
	require.NoError(t, err)
	require.EqualValues(t, tls.VersionTLS12, got.state.Version)
	require.Equal(t, o.Ciphers[0], got.state.CipherSuite)
}

// A session ends with the configuration that it was made under, and what was
// verified then is still known when it is resumed.
func TestSessions(t *testing.T) {
	ca, other := testcert.New(t, "ca"), testcert.New(t, "other")
	server := ca.Issue(t, "server")
	o := Options{CertFile: server.Cert, KeyFile: server.Key, CAFile: ca.File, Clients: tls.RequireAndVerifyClientCert}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		d := newDoor(t, o, true)
		c := &tls.Config{RootCAs: ca.Pool, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(0),
			Certificates: []tls.Certificate{ca.Issue(t, "acme/shop").Load(t)}}
		for _, resumed := range []bool{false, true, true} {
			got, err := d.visit(c)
			require.NoError(t, err)
			require.Equal(t, resumed, got.state.DidResume)
			require.True(t, got.ok)
			require.Equal(t, "acme/shop", got.name)
		}
		distrust := o
		distrust.CAFile = other.File
		d.set(distrust, true)
		_, err := d.visit(c)
		require.Error(t, err, "the CA of this client is gone")

		full := o
		full.NoSessions = true
		d.set(full, true)
		for range 3 {
			got, err := d.visit(c)
			require.NoError(t, err)
			require.False(t, got.state.DidResume)
		}
	}
}
