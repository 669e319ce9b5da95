package integration

import (
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testcert"
	"github.com/cubbykv/cubby/internal/testneed"
)

// tlsServer is a server that speaks TLS only.
type tlsServer struct {
	*cubby
	ca   *testcert.CA
	pair testcert.Pair
}

func startTLS(t testing.TB, directives ...string) *tlsServer {
	t.Helper()
	s := &tlsServer{ca: testcert.New(t, "ca")}
	s.pair = s.ca.Issue(t, "server")
	dir := t.TempDir()
	s.cubby = serve(t, func(port string) *exec.Cmd {
		return exec.Command(binary, append([]string{"serve", "--port", "0", "--tls-port", port, "--dir", dir,
			"--tls-cert-file", s.pair.Cert, "--tls-key-file", s.pair.Key, "--tls-ca-cert-file", s.ca.File}, directives...)...)
	}, dir, withPassword)
	return s
}

func (s *tlsServer) config(t testing.TB, name string) *tls.Config {
	c := &tls.Config{RootCAs: s.ca.Pool}
	if name != "" {
		c.Certificates = []tls.Certificate{s.ca.Issue(t, name).Load(t)}
	}
	return c
}

func (s *tlsServer) client(t testing.TB, user, secret string, c *tls.Config) *redis.Client {
	kv := redis.NewClient(&redis.Options{Addr: s.addr(), Username: user, Password: secret, TLSConfig: c, MaxRetries: -1, PoolSize: 1})
	t.Cleanup(func() { _ = kv.Close() })
	return kv
}

func TestTLSWithRedisCLI(t *testing.T) {
	t.Parallel()
	program := testneed.Program(t, "redis-cli")
	if help, _ := exec.Command(program, "--help").CombinedOutput(); !strings.Contains(string(help), "--cacert") {
		testneed.Missing(t, "redis-cli with TLS", "its help does not know --cacert")
	}
	s := startTLS(t, "--tls-auth-clients-namespace", "cn")
	admin := s.client(t, "admin", adminPassword, s.config(t, "operator"))
	require.NoError(t, admin.Do(background, "APP.CREATE", "acme/notes").Err())
	pair := s.ca.Issue(t, "acme/notes")
	cli := func(flags []string, args ...string) result {
		return run(t, exec.Command(program, append(append([]string{"-p", strconv.Itoa(s.port), "--tls"}, flags...), args...)...))
	}
	mine := []string{"--cacert", s.ca.File, "--cert", pair.Cert, "--key", pair.Key}
	require.Equal(t, "OK\n", cli(mine, "SET", "k", "v").stdout)
	require.Equal(t, "v\n", cli(mine, "GET", "k").stdout)
	require.Equal(t, "v\n", cli(append(mine, "-3"), "GET", "k").stdout)
	require.Equal(t, "acme/notes\n", cli(mine, "ACL", "WHOAMI").stdout)
	require.Equal(t, "v\n", cli(append(mine, "--tls-ciphersuites", "TLS_AES_256_GCM_SHA384"), "GET", "k").stdout)
	require.Equal(t, "v\n", cli(append(mine, "--tls-ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"), "GET", "k").stdout)
	var load strings.Builder
	for i := range 2000 {
		load.WriteString(command("SET", "load:"+strconv.Itoa(i), strings.Repeat("x", 500)))
	}
	pipe := exec.Command(program, append([]string{"-p", strconv.Itoa(s.port), "--tls", "--pipe"}, mine...)...)
	pipe.Stdin = strings.NewReader(load.String())
	require.Contains(t, run(t, pipe).stdout, "errors: 0, replies: 2000")

	require.NotContains(t, cli(mine[:2], "PING").stdout, "PONG", "without a certificate")
	other := testcert.New(t, "other")
	require.Contains(t, cli([]string{"--cacert", other.File, "--cert", pair.Cert, "--key", pair.Key}, "PING").stderr, "certificate verify failed")
	wrong := other.Issue(t, "acme/notes")
	require.NotContains(t, cli([]string{"--cacert", s.ca.File, "--cert", wrong.Cert, "--key", wrong.Key}, "PING").stdout, "PONG")
	require.NotContains(t, run(t, exec.Command(program, "-p", strconv.Itoa(s.port), "PING")).stdout, "PONG", "without TLS")
}

func TestCertificateIsReloadedBySIGHUP(t *testing.T) {
	t.Parallel()
	s := startTLS(t)
	mine := s.config(t, "operator")
	name := func() string {
		nc, err := tls.Dial("tcp", s.addr(), mine)
		require.NoError(t, err)
		defer nc.Close()
		return nc.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	before := s.client(t, "admin", adminPassword, mine)
	id := before.ClientID(background).Val()
	require.Positive(t, id)
	s.ca.Renew(t, s.pair, "renewed")
	require.Equal(t, "server", name())
	s.signal(syscall.SIGHUP)
	s.says("CN=renewed")
	require.Equal(t, "renewed", name())

	require.NoError(t, os.WriteFile(s.pair.Key, []byte("half a k"), 0o600))
	s.signal(syscall.SIGHUP)
	s.says("the certificate is not replaced; the old one stays in use")
	require.Equal(t, "renewed", name())
	require.Equal(t, id, before.ClientID(background).Val(), "the connection has lived through all of it")

	// Who never shakes hands does not keep the others from it, nor the end.
	silent, err := net.Dial("tcp", s.addr())
	require.NoError(t, err)
	defer silent.Close()
	require.Equal(t, "renewed", name())
	s.terminate()
}
