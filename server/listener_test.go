package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMaxClients(t *testing.T) {
	d := openDoor(t, Options{MaxClients: 2}, nil)
	one, two := d.dial(), d.dial()
	one.say("PING\r\n")
	one.hears("+PONG\r\n")
	two.say("PING\r\n")
	two.hears("+PONG\r\n")
	three := d.dial()
	three.say("PING\r\n") // clients speak before they listen
	three.hearsEnd("-ERR max number of clients reached\r\n")
	require.Equal(t, int64(1), d.Stats().Refused)

	require.NoError(t, one.Close())
	eventually(t, func() bool { return d.Stats().Open == 1 })
	four := d.dial()
	four.say("PING\r\n")
	four.hears("+PONG\r\n")
}

// elsewhere makes a listener's peers appear to come from another machine.
type elsewhere struct{ net.Listener }

func (l elsewhere) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return foreignConn{nc.(*net.TCPConn)}, nil
}

type foreignConn struct{ *net.TCPConn }

func (foreignConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 5} }

func TestProtectedMode(t *testing.T) {
	password := false
	d := newDoor(t, Options{ProtectedMode: true, PasswordSet: func() bool { return password }}, nil)
	near, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d.serve(near)
	far, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d.serve(elsewhere{far})

	c := dial(t, "tcp", near.Addr().String())
	c.say("PING\r\n")
	c.hears("+PONG\r\n")

	c = dial(t, "tcp", far.Addr().String())
	c.say("PING\r\n")
	c.hearsEnd(replyProtected)
	require.Contains(t, replyProtected, "-DENIED Cubby is running in protected mode because no admin password is configured.")

	d.Reconfigure(func(o *Options) { o.PasswordSet = func() bool { return true } })
	c = dial(t, "tcp", far.Addr().String())
	c.say("PING\r\n")
	c.hears("+PONG\r\n")
}

// TLS is a listener like any other.
func TestTLS(t *testing.T) {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d := newDoor(t, Options{KeepAlive: time.Minute}, nil)
	d.serve(tls.NewListener(plain, &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}))

	silent, err := net.Dial("tcp", plain.Addr().String()) // never shakes hands
	require.NoError(t, err)
	defer silent.Close()
	nc, err := tls.Dial("tcp", plain.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	c := newClient(t, nc)
	c.say(command("ECHO", "secret") + "PING\r\n")
	c.hears("$6\r\nsecret\r\n+PONG\r\n")
	eventually(t, func() bool { return d.Stats().Open == 2 })
	require.NoError(t, d.shutdown())
	c.hearsEnd("")
}

func selfSigned(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
