package config

import "github.com/cubbykv/cubby/internal/tlsconf"

// tlsRows are the directives of TLS. The files are read again when any of them
// is set, as in Redis: a path may stand for new content.
func tlsRows() []directive {
	const group = "TLS"
	return []directive{
		{Directive{Name: "tls-port", Group: group, Default: "0", Zero: "no TLS",
			Doc: "The TCP port for TLS, on each address of bind. With port 0 there is no other."},
			number[int]{func(c *Config) *int { return &c.TLS.Port }, 0, 65535, false}},
		{Directive{Name: "http-tls-port", Group: group, Default: "0", Zero: "no HTTPS",
			Doc: "The port of the HTTP door with TLS, on each address of bind. It speaks HTTP/1.1 and HTTP/2."},
			number[int]{func(c *Config) *int { return &c.TLS.HTTPPort }, 0, 65535, false}},
		{Directive{Name: "tls-cert-file", Group: group, Default: `""`, Live: PartTLS,
			Doc: "The server's certificate in PEM, followed by those between it and its CA. Read again at SIGHUP, and when a directive of TLS is set; " +
				"what cannot be used changes nothing."},
			text{func(c *Config) *string { return &c.TLS.CertFile }, 0, 4095, true}},
		{Directive{Name: "tls-key-file", Group: group, Default: `""`, Live: PartTLS,
			Doc: "The private key of tls-cert-file in PEM."},
			text{func(c *Config) *string { return &c.TLS.KeyFile }, 0, 4095, true}},
		{Directive{Name: "tls-key-file-pass", Group: group, Default: `""`, Live: PartTLS, Secret: true,
			Doc: "The passphrase of tls-key-file, which then is PKCS #8 encrypted with AES, as OpenSSL has made it since version 1.1."},
			text{func(c *Config) *string { return &c.TLS.KeyPass }, 0, 512, false}},
		{Directive{Name: "tls-ca-cert-file", Group: group, Default: `""`, Live: PartTLS,
			Doc: "The certificates in PEM of the CAs that sign clients."},
			text{func(c *Config) *string { return &c.TLS.CACertFile }, 0, 4095, true}},
		{Directive{Name: "tls-ca-cert-dir", Group: group, Default: `""`, Live: PartTLS,
			Doc: "A directory whose files have further certificates of CAs that sign clients."},
			text{func(c *Config) *string { return &c.TLS.CACertDir }, 0, 4095, true}},
		{Directive{Name: "tls-auth-clients", Group: group, Default: "yes", Live: PartTLS,
			Doc: "Whether clients need a certificate of such a CA: yes refuses those without one, optional those with a wrong one."},
			choice[TLSClients]{func(c *Config) *TLSClients { return &c.TLS.Clients }, []TLSClients{TLSClientsYes, TLSClientsNo, TLSClientsOptional}}},
		{Directive{Name: "tls-auth-clients-namespace", Group: group, Default: "no", Live: PartTLS,
			Doc: "With cn, the common name (CN) of a client's verified certificate is the namespace, tenant/app, that the connection is signed in to, " +
				"until the certificate ends. A name that is no app's signs in to nothing. AUTH works in any case and wins."},
			choice[TLSNamespace]{func(c *Config) *TLSNamespace { return &c.TLS.Namespace }, []TLSNamespace{TLSNamespaceNo, TLSNamespaceCN}}},
		{Directive{Name: "tls-protocols", Group: group, Default: `""`, Live: PartTLS,
			Doc: "The versions of TLS that are spoken; empty is both."},
			words{func(c *Config) *string { return &c.TLS.Protocols }, checkProtocols,
				`TLSv1.2, TLSv1.3 or "TLSv1.2 TLSv1.3"`}},
		{Directive{Name: "tls-ciphers", Group: group, Default: `""`, Live: PartTLS,
			Doc: "The ciphers of TLS 1.2, with colons between them, in no order; empty is what Go prefers. Those of TLS 1.3 cannot be chosen."},
			words{func(c *Config) *string { return &c.TLS.Ciphers }, checkCiphers,
				"names out of " + tlsconf.CipherNames()}},
		{Directive{Name: "tls-session-caching", Group: group, Default: "yes", Live: PartTLS,
			Doc: "Whether clients may resume a session instead of shaking hands in full. They keep it themselves, as a ticket; the server keeps nothing."},
			yesNo{func(c *Config) *bool { return &c.TLS.SessionCaching }}},
	}
}

func checkProtocols(s string) error {
	_, err := tlsconf.ParseProtocols(s)
	return err
}

func checkCiphers(s string) error {
	_, err := tlsconf.ParseCiphers(s)
	return err
}

// words is one word of the file that a function judges, whose errors repeat
// what is wrong in it.
type words struct {
	field func(*Config) *string
	check func(string) error
	of    string
}

func (words) kind() Kind        { return KindText }
func (v words) allowed() string { return v.of }

func (v words) set(c *Config, list []string) error {
	w, err := single(list)
	if err != nil {
		return err
	}
	if err := v.check(w); err != nil {
		return err
	}
	*v.field(c) = w
	return nil
}

func (v words) get(c *Config) []string { return []string{*v.field(c)} }
