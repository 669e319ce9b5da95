package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/cubbykv/cubby/internal/tlsconf"
)

// tlsFlags are redis-cli's flags for TLS.
type tlsFlags struct {
	on, insecure       bool
	ca, cert, key, sni string
}

func (t *tlsFlags) add(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.BoolVar(&t.on, "tls", false, "speak TLS with the server")
	f.StringVar(&t.ca, "cacert", "", "with --tls: file with the CA that the server's certificate must be of (default: the system's)")
	f.StringVar(&t.cert, "cert", "", "with --tls: file with a certificate to show to the server")
	f.StringVar(&t.key, "key", "", "with --tls: file with the key of --cert")
	f.StringVar(&t.sni, "sni", "", "with --tls: the server's name in its certificate (default: the host in --addr)")
	f.BoolVar(&t.insecure, "insecure", false, "with --tls: accept any certificate, which lets everyone in between read the password")
}

// config returns nil when TLS was not asked for.
func (t *tlsFlags) config(network string) (*tls.Config, error) {
	switch {
	case !t.on && (t.insecure || t.ca != "" || t.cert != "" || t.key != "" || t.sni != ""):
		return nil, usagef("--cacert, --cert, --key, --sni and --insecure go with --tls")
	case !t.on:
		return nil, nil
	case network == "unix":
		return nil, usagef("there is no TLS on a unix socket; leave --tls out")
	case (t.cert == "") != (t.key == ""):
		return nil, usagef("--cert and --key go together")
	case t.insecure && t.ca != "":
		return nil, usagef("--insecure does not look at --cacert; give one of them")
	}
	c, err := tlsconf.Client(t.ca, t.cert, t.key)
	if err != nil {
		return nil, err
	}
	c.ServerName, c.InsecureSkipVerify = t.sni, t.insecure
	return c, nil
}

// explainTLS says what to do when two ends do not trust each other, or returns
// nil when it is not about that.
func explainTLS(addr string, err error) error {
	var untrusted *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	var alert *net.OpError
	switch {
	case errors.As(err, &untrusted):
		return fmt.Errorf("the server at %s cannot prove who it is (%w); name its CA with --cacert, or its name with --sni", addr, untrusted.Err)
	case errors.As(err, &plain):
		return fmt.Errorf("the server at %s does not speak TLS there; leave --tls out, or name its tls-port with --addr", addr)
	case errors.As(err, &alert) && alert.Op == "remote error":
		return fmt.Errorf("the server at %s refuses to speak TLS with us (%w); it may want a certificate: --cert and --key", addr, alert.Err)
	}
	return nil
}
