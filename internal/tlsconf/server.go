// Package tlsconf makes the TLS configuration of doors from files: a
// certificate and its key, the CAs of clients, and what may be negotiated. It
// knows no directives and no protocol above TLS.
package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Options say how a door speaks TLS.
type Options struct {
	CertFile string // PEM: the certificate, then those between it and the CA
	KeyFile  string // PEM: its private key
	KeyPass  string // passphrase of KeyFile; ignored when it has none

	// CAFile and CADir (each of its files) hold in PEM the CAs that sign clients.
	CAFile, CADir string
	// Clients is whether clients need a certificate. All but NoClientCert need a
	// CA, so that the system's are never asked about clients.
	Clients tls.ClientAuthType

	Protocols  Protocols // the zero value is TLS 1.2 and 1.3
	Ciphers    []uint16  // of TLS 1.2; nil is Go's choice
	NoSessions bool      // every connection shakes hands in full
}

// Server returns the configuration of a door. Errors name the file and what is
// wrong with it, and never show the passphrase.
func Server(o Options) (*tls.Config, error) {
	pair, err := loadPair(o.CertFile, o.KeyFile, o.KeyPass)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{
		Certificates:           []tls.Certificate{pair},
		ClientAuth:             o.Clients,
		MinVersion:             max(o.Protocols.Min, tls.VersionTLS12),
		MaxVersion:             o.Protocols.Max,
		CipherSuites:           o.Ciphers,
		SessionTicketsDisabled: o.NoSessions,
	}
	if o.CAFile != "" || o.CADir != "" {
		if c.ClientCAs, err = loadCAs(o.CAFile, o.CADir); err != nil {
			return nil, err
		}
	}
	if o.Clients != tls.NoClientCert && c.ClientCAs == nil {
		return nil, errors.New("clients cannot be verified without the CA that signs them")
	}
	return c, nil
}

// Client returns a configuration for connecting to a door. caFile replaces the
// system's CAs unless it is empty; certFile and keyFile, both or none, are what
// the client shows. Errors are as Server's.
func Client(caFile, certFile, keyFile string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	if caFile != "" {
		if c.RootCAs, err = loadCAs(caFile, ""); err != nil {
			return nil, err
		}
	}
	if certFile != "" {
		pair, err := loadPair(certFile, keyFile, "")
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func loadPair(certFile, keyFile, pass string) (tls.Certificate, error) {
	none := tls.Certificate{}
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return none, err
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return none, err
	}
	if key, err = openKey(key, pass); err != nil {
		return none, fmt.Errorf("%s: %w", keyFile, err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return none, fmt.Errorf("%s and %s: %w", certFile, keyFile, err)
	}
	return pair, nil
}

// loadCAs reads certificates from a file, which must have some, and from the
// files of a directory, where others than certificates may lie about.
func loadCAs(file, dir string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if file != "" {
		n, err := addCAs(pool, file)
		if err == nil && n == 0 {
			err = fmt.Errorf("%s: there is no PEM certificate in it", file)
		}
		if err != nil {
			return nil, err
		}
	}
	if dir == "" {
		return pool, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	found := 0
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		// Stat, because hashed directories are made of links.
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		n, err := addCAs(pool, path)
		if err != nil {
			return nil, err
		}
		found += n
	}
	if found == 0 {
		return nil, fmt.Errorf("%s: there is no PEM certificate in its files", dir)
	}
	return pool, nil
}

// addCAs returns how many certificates a file had.
func addCAs(pool *x509.CertPool, path string) (n int, err error) {
	rest, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return n, nil
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		pool.AddCert(cert)
		n++
	}
}
