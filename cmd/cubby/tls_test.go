package main

import (
	"crypto/tls"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testcert"
)

// secure is a server that speaks TLS, too.
type secure struct {
	*running
	ca   *testcert.CA
	pair testcert.Pair
	addr string
}

// serveTLS starts one that wants certificates of ca.
func (w *world) serveTLS(args ...string) *secure {
	w.t.Helper()
	s := &secure{ca: testcert.New(w.t, "ca")}
	s.pair = s.ca.Issue(w.t, "server")
	port := strconv.Itoa(freePort(w.t))
	s.addr = net.JoinHostPort("127.0.0.1", port)
	w.vars[passwordVar] = testPassword
	s.running = w.serve(append([]string{"--port", "0", "--tls-port", port, "--tls-cert-file", s.pair.Cert, "--tls-key-file", s.pair.Key,
		"--tls-ca-cert-file", s.ca.File, "--bind", "127.0.0.1"}, args...)...)
	return s
}

// secureClient connects with TLS, as whoever the certificates say.
func (s *secure) secureClient(certs ...tls.Certificate) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: s.addr, TLSConfig: &tls.Config{RootCAs: s.ca.Pool, Certificates: certs}, MaxRetries: -1, DialerRetries: 1, PoolSize: 1})
	s.w.t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestServeTLS(t *testing.T) {
	w := newWorld(t)
	s := w.serveTLS("--tls-auth-clients-namespace", "cn")
	ctx := t.Context()
	require.Contains(t, s.err.String(), "ready: accepting connections on "+s.addr+" (TLS), "+s.socket)

	// The command line, with the flags of redis-cli.
	mine := s.ca.Issue(t, "operator")
	flags := []string{"--addr", s.addr, "--tls", "--cacert", s.ca.File, "--cert", mine.Cert, "--key", mine.Key}
	cli := func(words ...string) result { return w.cubby(append(words, flags...)...) }
	require.Equal(t, exitOK, cli("app", "create", "acme/shop").code)
	token := secretOf(cli("token", "create", "acme/shop"))
	require.Equal(t, exitOK, cli("app", "create", "acme/other").code)
	_, port, _ := net.SplitHostPort(s.addr)
	require.Equal(t, port, infoField(t, s.client("admin", testPassword), "server", "tcp_port"))

	// A certificate in an app's name is a sign-in; AUTH is one above it.
	shop := s.secureClient(s.ca.Issue(t, "acme/shop").Load(t))
	require.NoError(t, shop.Set(ctx, "k", "v", 0).Err())
	other := s.secureClient(s.ca.Issue(t, "acme/other").Load(t))
	require.ErrorIs(t, other.Get(ctx, "k").Err(), redis.Nil)
	nobody := s.secureClient(mine.Load(t))
	require.ErrorContains(t, nobody.Get(ctx, "k").Err(), "NOAUTH")
	require.Contains(t, s.err.String(), "signs in to nothing")
	withToken := redis.NewClient(&redis.Options{Addr: s.addr, Username: "acme/shop", Password: token,
		TLSConfig: &tls.Config{RootCAs: s.ca.Pool, Certificates: []tls.Certificate{s.ca.Issue(t, "acme/other").Load(t)}}})
	defer withToken.Close()
	require.Equal(t, "v", withToken.Get(ctx, "k").Val())

	require.ErrorContains(t, s.secureClient().Ping(ctx).Err(), "certificate required")
	expired := s.ca.Issue(t, "acme/shop", testcert.Until(time.Now().Add(-time.Hour)))
	require.ErrorContains(t, s.secureClient(expired.Load(t)).Ping(ctx).Err(), "tls: expired certificate")
	require.Error(t, s.secureClient(testcert.New(t, "other").Issue(t, "acme/shop").Load(t)).Ping(ctx).Err())

	for _, tt := range []struct {
		flags []string
		err   string
	}{
		{[]string{"--tls", "--cert", mine.Cert, "--key", mine.Key}, "cannot prove who it is (x509: certificate signed by unknown authority"},
		{[]string{"--tls", "--cert", mine.Cert, "--key", mine.Key, "--cacert", s.ca.File, "--sni", "elsewhere"}, "valid for localhost, not elsewhere); name its CA with --cacert, or its name with --sni"},
		{[]string{"--tls", "--cacert", s.ca.File}, "refuses to speak TLS with us (tls: certificate required); it may want a certificate: --cert and --key"},
		{[]string{"--tls", "--cacert", "nothing.pem"}, "open nothing.pem: no such file"},
		{[]string{"--tls", "--cert", mine.Cert}, "--cert and --key go together"},
		{[]string{"--tls", "--insecure", "--cacert", s.ca.File}, "--insecure does not look at --cacert"},
		{[]string{"--cacert", s.ca.File}, "--cacert, --cert, --key, --sni and --insecure go with --tls"},
		{[]string{"--insecure"}, "go with --tls"},
		{[]string{"--tls", "--addr", s.socket}, "there is no TLS on a unix socket"},
	} {
		r := w.cubby(append([]string{"app", "list", "--addr", s.addr}, tt.flags...)...)
		require.NotEqual(t, exitOK, r.code, tt.flags)
		require.Contains(t, r.err, tt.err)
	}
	require.Contains(t, w.ok("app", "list", "--addr", s.addr, "--tls", "--insecure", "--cert", mine.Cert, "--key", mine.Key).out, "acme/shop")
	require.Equal(t, exitOK, cli("export", "acme/shop", "shop.jsonl").code)
	require.Equal(t, exitOK, cli("import", "acme/other", "shop.jsonl").code)
	require.Equal(t, "v", other.Get(ctx, "k").Val())
	require.NotContains(t, s.err.String(), "level=ERROR")
	require.Zero(t, s.stop())
}

// peerName is the name in the certificate that the server shows now.
func (s *secure) peerName(t *testing.T, certs ...tls.Certificate) string {
	t.Helper()
	nc, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: s.ca.Pool, Certificates: certs})
	require.NoError(t, err)
	defer nc.Close()
	return nc.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestCertificatesAreReplacedByConfigSet(t *testing.T) {
	w := newWorld(t)
	s := w.serveTLS("--requirepass", testPassword)
	ctx := t.Context()
	mine := s.ca.Issue(t, "operator").Load(t)
	admin := s.client("admin", testPassword)
	set := func(words ...any) error { return admin.Do(ctx, append([]any{"CONFIG", "SET"}, words...)...).Err() }
	require.Equal(t, "server", s.peerName(t, mine))
	before := s.secureClient(mine)
	require.NoError(t, before.Do(ctx, "AUTH", "admin", testPassword).Err())

	// The same path, with something new behind it.
	s.ca.Renew(t, s.pair, "renewed")
	require.Equal(t, "server", s.peerName(t, mine), "nobody asked yet")
	require.NoError(t, set("tls-cert-file", s.pair.Cert))
	require.Equal(t, "renewed", s.peerName(t, mine))
	next := s.ca.Issue(t, "next")
	require.NoError(t, set("tls-cert-file", next.Cert, "tls-key-file", next.Key))
	require.Equal(t, "next", s.peerName(t, mine))

	// What does not fit changes nothing, of no directive.
	broken := s.ca.Issue(t, "broken")
	require.NoError(t, os.WriteFile(broken.Cert, []byte("x"), 0o600))
	for _, words := range [][]any{
		{"tls-key-file", s.pair.Key},
		{"tls-cert-file", "nothing.pem"},
		{"tls-cert-file", broken.Cert, "tls-key-file", broken.Key},
		{"tls-cert-file", ""},
		{"tls-ca-cert-file", ""},
		{"tls-ca-cert-dir", "nothing"},
		{"tls-protocols", "TLSv1"},
		{"timeout", "77", "tls-key-file", s.pair.Key},
		{"tls-key-file", s.pair.Key, "timeout", "77"},
		{"tls-port", "0"},
	} {
		require.ErrorContains(t, set(words...), "ERR CONFIG SET failed", "%v", words)
		require.Equal(t, "next", s.peerName(t, mine), "%v", words)
	}
	got, err := admin.ConfigGet(ctx, "t*").Result()
	require.NoError(t, err)
	require.Equal(t, next.Key, got["tls-key-file"])
	require.Equal(t, "0", got["timeout"])
	require.Equal(t, "yes", got["tls-auth-clients"])
	require.NotContains(t, got, "tls-key-file-pass")

	// Who may come changes at once; who is there stays.
	require.NoError(t, set("tls-auth-clients", "no"))
	require.ErrorContains(t, s.secureClient().Get(ctx, "k").Err(), "NOAUTH")
	require.ErrorContains(t, set("tls-auth-clients-namespace", "cn"), "tls-auth-clients no")
	require.NoError(t, set("tls-auth-clients", "yes", "tls-ca-cert-file", testcert.New(t, "other").File))
	require.Error(t, s.secureClient(mine).Ping(ctx).Err())
	require.NoError(t, before.Ping(ctx).Err())
}

func TestATLSPortThatCannotBeServed(t *testing.T) {
	w := newWorld(t)
	ca := testcert.New(t, "ca")
	pair, other := ca.Issue(t, "server"), ca.Issue(t, "other")
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	_, port, _ := net.SplitHostPort(busy.Addr().String())
	for _, tt := range []struct{ cert, key, err string }{
		{pair.Cert, pair.Key, "port " + port + " on 127.0.0.1 is in use by another program; stop it, or add '--tls-port N' with another number"},
		{pair.Cert, other.Key, "private key does not match public key"},
		{"nothing.pem", other.Key, "TLS: open nothing.pem: no such file"},
		{"", pair.Key, "tls-port needs the server's certificate"},
	} {
		r := w.cubby("serve", "--port", "0", "--tls-port", port, "--tls-auth-clients", "no", "--tls-cert-file", tt.cert, "--tls-key-file", tt.key)
		require.Equal(t, exitError, r.code)
		require.Contains(t, r.err, tt.err)
	}
	require.NoDirExists(t, "cubby-data")
}
