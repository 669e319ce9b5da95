package main

import (
	"crypto/tls"
	"fmt"
	"time"

	"github.com/cubbykv/cubby/config"
	"github.com/cubbykv/cubby/internal/tlsconf"
)

// loadTLS reads the files that c names and puts them in force for new
// connections. On an error nothing has changed.
func (p *process) loadTLS(c *config.Config) error {
	if c.TLS.Port == 0 && c.TLS.HTTPPort == 0 {
		return nil
	}
	o, err := tlsOptions(c.TLS)
	if err != nil {
		return err
	}
	loaded, err := tlsconf.Server(o)
	if err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	p.tls.Set(loaded, c.TLS.Namespace == config.TLSNamespaceCN)
	leaf := loaded.Certificates[0].Leaf
	about := []any{"file", c.TLS.CertFile, "subject", leaf.Subject.String(), "until", leaf.NotAfter.UTC().Format(time.RFC3339)}
	if time.Now().After(leaf.NotAfter) {
		p.log.Warn("the certificate for TLS has expired; clients will refuse it", about...)
	} else {
		p.log.Info("loaded the certificate for TLS", about...)
	}
	return nil
}

func tlsOptions(t config.TLS) (tlsconf.Options, error) {
	o := tlsconf.Options{
		CertFile: t.CertFile, KeyFile: t.KeyFile, KeyPass: t.KeyPass,
		CAFile: t.CACertFile, CADir: t.CACertDir,
		NoSessions: !t.SessionCaching,
	}
	switch t.Clients {
	case config.TLSClientsNo:
		o.Clients = tls.NoClientCert
	case config.TLSClientsOptional:
		o.Clients = tls.VerifyClientCertIfGiven
	case config.TLSClientsYes:
		o.Clients = tls.RequireAndVerifyClientCert
	}
	var err error
	if o.Protocols, err = tlsconf.ParseProtocols(t.Protocols); err != nil {
		return o, err
	}
	o.Ciphers, err = tlsconf.ParseCiphers(t.Ciphers)
	return o, err
}

// reloadTLS is what SIGHUP asks for.
func (p *process) reloadTLS(c *config.Config) {
	if err := p.loadTLS(c); err != nil {
		p.log.Error("SIGHUP: the certificate is not replaced; the old one stays in use", "error", err)
	}
}
