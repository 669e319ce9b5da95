package tlsconf

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
)

// Protocols are the versions of TLS that may be negotiated.
type Protocols struct{ Min, Max uint16 }

// ParseProtocols reads versions as OpenSSL calls them, with blanks between
// them; none is TLS 1.2 and 1.3. Errors say what is not understood.
func ParseProtocols(s string) (Protocols, error) {
	p := Protocols{tls.VersionTLS12, tls.VersionTLS13}
	has12, has13 := false, false
	for word := range strings.FieldsSeq(s) {
		switch strings.ToLower(word) {
		case "tlsv1.2":
			has12 = true
		case "tlsv1.3":
			has13 = true
		case "tlsv1", "tlsv1.1", "sslv2", "sslv3":
			return p, fmt.Errorf("%q is broken and not offered", word)
		default:
			return p, fmt.Errorf("%q is no version of TLS", word)
		}
	}
	switch {
	case has12 && !has13:
		p.Max = tls.VersionTLS12
	case has13 && !has12:
		p.Min = tls.VersionTLS13
	}
	return p, nil
}

// openSSLNames are the names of ciphers(1ssl) for what Go has in TLS 1.2 and
// thinks safe.
var openSSLNames = []struct {
	name string
	id   uint16
}{
	{"ECDHE-ECDSA-AES128-GCM-SHA256", tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	{"ECDHE-RSA-AES128-GCM-SHA256", tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
	{"ECDHE-ECDSA-AES256-GCM-SHA384", tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384},
	{"ECDHE-RSA-AES256-GCM-SHA384", tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384},
	{"ECDHE-ECDSA-CHACHA20-POLY1305", tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256},
	{"ECDHE-RSA-CHACHA20-POLY1305", tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256},
	{"ECDHE-ECDSA-AES128-SHA", tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA},
	{"ECDHE-RSA-AES128-SHA", tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA},
	{"ECDHE-ECDSA-AES256-SHA", tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA},
	{"ECDHE-RSA-AES256-SHA", tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA},
}

var errNoCipher = errors.New("has no cipher")

// ParseCiphers reads ciphers of TLS 1.2, by OpenSSL's names or the standard
// ones, with colons between them; an empty string is Go's choice (nil). Their
// order has no meaning: Go orders them itself. OpenSSL's groups and operators
// are errors.
func ParseCiphers(s string) ([]uint16, error) {
	if s == "" {
		return nil, nil
	}
	var list []uint16
	for name := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }) {
		id := cipherID(name)
		if id == 0 {
			return nil, fmt.Errorf("%q is no cipher that can be chosen", name)
		}
		list = append(list, id)
	}
	if list == nil {
		return nil, errNoCipher
	}
	return list, nil
}

func cipherID(name string) uint16 {
	for _, c := range openSSLNames {
		if strings.EqualFold(name, c.name) || strings.EqualFold(name, tls.CipherSuiteName(c.id)) {
			return c.id
		}
	}
	return 0
}

// CipherNames lists the ciphers that ParseCiphers knows, for people.
func CipherNames() string {
	names := make([]string, len(openSSLNames))
	for i, c := range openSSLNames {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}
