package server

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testcert"
	"github.com/cubbykv/cubby/internal/tlsconf"
)

// secureDoor serves TLS to clients of a CA.
func secureDoor(t *testing.T, ca *testcert.CA, names bool) (*door, string) {
	t.Helper()
	pair := ca.Issue(t, "server")
	c, err := tlsconf.Server(tlsconf.Options{CertFile: pair.Cert, KeyFile: pair.Key, CAFile: ca.File, Clients: tls.RequireAndVerifyClientCert})
	require.NoError(t, err)
	current := new(tlsconf.Current)
	current.Set(c, names)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d := newDoor(t, Options{}, nil)
	d.serve(current.Listen(plain))
	return d, plain.Addr().String()
}

func TestTheEngineLearnsWhoseCertificateItIs(t *testing.T) {
	ca := testcert.New(t, "ca")
	until := time.Now().Add(time.Hour).Truncate(time.Second)
	pair := ca.Issue(t, "acme/shop", testcert.Until(until)).Load(t)
	for _, names := range []bool{false, true} {
		d, addr := secureDoor(t, ca, names)
		nc, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: ca.Pool, Certificates: []tls.Certificate{pair}})
		require.NoError(t, err)
		c := newClient(t, nc)
		c.say("PING\r\n")
		c.hears("+PONG\r\n")
		got := d.peer(0).opts.Certificate
		if !names {
			require.Nil(t, got)
			continue
		}
		require.NotNil(t, got)
		require.Equal(t, "acme/shop", got.Name)
		require.Equal(t, until.UnixMilli(), got.EndsAt)
	}
}

// With TLS 1.3 a client has sent its first command when the server refuses its
// certificate. It must learn why all the same.
func TestRefusedClientsLearnWhy(t *testing.T) {
	ca := testcert.New(t, "ca")
	d, addr := secureDoor(t, ca, true)
	nc, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: ca.Pool})
	require.NoError(t, err)
	defer nc.Close()
	_, err = nc.Write([]byte("PING\r\n"))
	require.NoError(t, err)
	eventually(t, func() bool { return d.Stats().Open == 0 && d.Stats().Accepted == 1 })
	_, err = nc.Read(make([]byte, 1))
	require.EqualError(t, err, "remote error: tls: certificate required")
}

// What speaks no TLS is let go at once.
func TestPlainClientOfASecureDoor(t *testing.T) {
	d, addr := secureDoor(t, testcert.New(t, "ca"), true)
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer nc.Close()
	_, err = nc.Write([]byte("*1\r\n$4\r\nPING\r\n"))
	require.NoError(t, err)
	eventually(t, func() bool { return d.Stats().Open == 0 && d.Stats().Accepted == 1 })
}
