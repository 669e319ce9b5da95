package tlsconf

import (
	"crypto/tls"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testcert"
)

// The keys in testdata are one and the same, as OpenSSL 3.0 writes it.
func TestKeys(t *testing.T) {
	for _, tt := range []struct{ file, pass, err string }{
		{"ec.pem", "", ""},
		{"ec.pem", "not needed", ""},
		{"p8.pem", "hunter2", ""},  // openssl pkcs8 -topk8
		{"p8b.pem", "hunter2", ""}, // -v2 aes-128-cbc -v2prf hmacWithSHA512
		{"p8.pem", "", "testdata/p8.pem: the key has a passphrase and none was given"},
		{"p8.pem", "hunter3", "testdata/p8.pem: the passphrase does not open the key"},
		{"p8b.pem", "hunter3", "the passphrase does not open the key"},
		{"legacy.pem", "hunter2", "testdata/legacy.pem: the key is encrypted in a way that cannot be read; 'openssl pkcs8 -topk8"},
		{"scrypt.pem", "hunter2", "in a way that cannot be read"},
		{"v1.pem", "hunter2", "in a way that cannot be read"},
		{"cert.pem", "", "testdata/cert.pem and testdata/cert.pem: tls: found a certificate rather than a key"},
		{"nothing.pem", "", "open testdata/nothing.pem: no such file"},
	} {
		c, err := Server(Options{CertFile: "testdata/cert.pem", KeyFile: "testdata/" + tt.file, KeyPass: tt.pass})
		if tt.err != "" {
			require.ErrorContains(t, err, tt.err)
			require.NotContains(t, err.Error(), "hunter")
			continue
		}
		require.NoError(t, err, tt.file)
		require.Equal(t, "localhost", c.Certificates[0].Leaf.Subject.CommonName)
	}
}

// Whatever is damaged in an encrypted key is an error and no panic.
func TestDamagedKeys(t *testing.T) {
	text, err := os.ReadFile("testdata/p8.pem")
	require.NoError(t, err)
	good, err := openKey(text, "hunter2")
	require.NoError(t, err)
	for i := range text {
		damaged := append([]byte{}, text...)
		damaged[i] ^= 1
		got, err := openKey(damaged, "hunter2")
		if err == nil {
			block, _ := pem.Decode(got)
			require.True(t, block == nil || block.Type != "ENCRYPTED PRIVATE KEY", "byte %d: %s", i, got)
		}
	}
	for i := range text {
		got, err := openKey(text[:i], "hunter2")
		if err == nil && string(got) != string(good) {
			require.Equal(t, text[:i], got, "what has no block is left to the parser")
		}
	}
}

func TestFiles(t *testing.T) {
	ca := testcert.New(t, "ca")
	one, two := ca.Issue(t, "one"), ca.Issue(t, "two")
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.Mkdir(empty, 0o700))
	junk := filepath.Join(empty, "README")
	require.NoError(t, os.WriteFile(junk, []byte("not a certificate\n"), 0o600))
	broken := filepath.Join(dir, "broken.pem")
	require.NoError(t, os.WriteFile(broken, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0o600))
	hashed := filepath.Join(dir, "hashed")
	require.NoError(t, os.Mkdir(hashed, 0o700))
	require.NoError(t, os.Symlink(ca.File, filepath.Join(hashed, "0a1b2c3d.0")))
	require.NoError(t, os.Symlink("/nonexistent", filepath.Join(hashed, "gone")))
	require.NoError(t, os.WriteFile(filepath.Join(hashed, "README"), []byte("about"), 0o600))

	for _, tt := range []struct {
		o   Options
		err string
	}{
		{Options{}, ""},
		{Options{CAFile: ca.File, Clients: tls.RequireAndVerifyClientCert}, ""},
		{Options{CADir: hashed, Clients: tls.RequireAndVerifyClientCert}, ""},
		{Options{CAFile: ca.File, CADir: hashed}, ""},
		{Options{KeyFile: two.Key}, "private key does not match public key"},
		{Options{CertFile: "nothing.pem"}, "open nothing.pem: no such file"},
		{Options{CAFile: "nothing.pem"}, "open nothing.pem: no such file"},
		{Options{CAFile: junk}, junk + ": there is no PEM certificate in it"},
		{Options{CAFile: broken}, broken + ": x509: malformed certificate"},
		{Options{CADir: empty}, empty + ": there is no PEM certificate in its files"},
		{Options{CADir: dir}, broken + ": x509: malformed certificate"},
		{Options{CADir: "nothing"}, "open nothing: no such file"},
		{Options{Clients: tls.RequireAndVerifyClientCert}, "clients cannot be verified without the CA that signs them"},
		{Options{Clients: tls.VerifyClientCertIfGiven}, "clients cannot be verified without the CA that signs them"},
	} {
		if tt.o.CertFile == "" {
			tt.o.CertFile = one.Cert
		}
		if tt.o.KeyFile == "" {
			tt.o.KeyFile = one.Key
		}
		c, err := Server(tt.o)
		if tt.err != "" {
			require.ErrorContains(t, err, tt.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, tt.o.CAFile != "" || tt.o.CADir != "", c.ClientCAs.Equal(ca.Pool))
	}
	_, err := Client(ca.File, two.Cert, one.Key)
	require.ErrorContains(t, err, "private key does not match public key")
	_, err = Client(junk, "", "")
	require.ErrorContains(t, err, "there is no PEM certificate in it")
}

func TestParseProtocols(t *testing.T) {
	for s, want := range map[string]Protocols{
		"":                  {tls.VersionTLS12, tls.VersionTLS13},
		"TLSv1.2 TLSv1.3":   {tls.VersionTLS12, tls.VersionTLS13},
		" tlsv1.3  TLSV1.2": {tls.VersionTLS12, tls.VersionTLS13},
		"TLSv1.2":           {tls.VersionTLS12, tls.VersionTLS12},
		"TLSv1.3":           {tls.VersionTLS13, tls.VersionTLS13},
	} {
		got, err := ParseProtocols(s)
		require.NoError(t, err)
		require.Equal(t, want, got, s)
	}
	for s, want := range map[string]string{
		"TLSv1 TLSv1.2": `"TLSv1" is broken and not offered`,
		"SSLv3":         `"SSLv3" is broken and not offered`,
		"1.3":           `"1.3" is no version of TLS`,
	} {
		_, err := ParseProtocols(s)
		require.EqualError(t, err, want)
	}
}

func TestParseCiphers(t *testing.T) {
	safe := map[uint16]bool{}
	for _, c := range tls.CipherSuites() {
		safe[c.ID] = true
	}
	for _, c := range openSSLNames {
		require.True(t, safe[c.id], "%s is not safe", c.name)
		for _, name := range []string{c.name, tls.CipherSuiteName(c.id)} {
			got, err := ParseCiphers(name)
			require.NoError(t, err)
			require.Equal(t, []uint16{c.id}, got)
		}
	}
	got, err := ParseCiphers("ECDHE-RSA-AES128-GCM-SHA256:ecdhe-rsa-aes256-gcm-sha384")
	require.NoError(t, err)
	require.Equal(t, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}, got)
	got, err = ParseCiphers("")
	require.NoError(t, err)
	require.Nil(t, got)
	for _, s := range []string{"DEFAULT:!MEDIUM", "HIGH", "AES128-SHA", "TLS_AES_128_GCM_SHA256", ":", "0x0005"} {
		_, err := ParseCiphers(s)
		require.Error(t, err, s)
	}
}
