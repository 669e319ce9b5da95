// Package testcert makes certificates for tests of TLS.
package testcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// CA signs certificates.
type CA struct {
	File string // its own certificate in PEM
	Pool *x509.CertPool

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Pair are the files of a certificate and its key in PEM.
type Pair struct{ Cert, Key string }

// New makes a CA of that name.
func New(t testing.TB, name string) *CA {
	t.Helper()
	template := template(name)
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	ca := &CA{Pool: x509.NewCertPool(), key: newKey(t)}
	der := sign(t, template, template, &ca.key.PublicKey, ca.key)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	ca.cert = cert
	ca.Pool.AddCert(cert)
	ca.File = write(t, filepath.Join(t.TempDir(), "ca.pem"), "CERTIFICATE", der)
	return ca
}

// Issue makes a certificate with a common name, for 127.0.0.1 and localhost and
// for clients. Options change it before it is signed.
func (ca *CA) Issue(t testing.TB, name string, options ...func(*x509.Certificate)) Pair {
	t.Helper()
	dir := t.TempDir()
	p := Pair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	ca.Renew(t, p, name, options...)
	return p
}

// Renew is Issue into files that exist.
func (ca *CA) Renew(t testing.TB, p Pair, name string, options ...func(*x509.Certificate)) {
	t.Helper()
	c := template(name)
	c.IPAddresses, c.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost"}
	c.KeyUsage = x509.KeyUsageDigitalSignature
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, o := range options {
		o(c)
	}
	key := newKey(t)
	write(t, p.Cert, "CERTIFICATE", sign(t, c, ca.cert, &key.PublicKey, ca.key))
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	write(t, p.Key, "PRIVATE KEY", der)
}

// Until makes a certificate end at that time.
func Until(end time.Time) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotAfter = end }
}

// Load reads the files.
func (p Pair) Load(t testing.TB) tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	must(t, err)
	return pair
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-48 * time.Hour),
		NotAfter:     now.Add(48 * time.Hour),
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

func sign(t testing.TB, c, parent *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, parent, public, key)
	must(t, err)
	return der
}

func write(t testing.TB, path, kind string, der []byte) string {
	t.Helper()
	must(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
