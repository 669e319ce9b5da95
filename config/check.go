package config

import "fmt"

// crossCheck finds directives that are right alone and wrong together.
func crossCheck(c *Config) []error {
	var errs []error
	add := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	size := func(less string, n int64, more string, m int64) {
		if n > m {
			add(c.conflict(less, formatSize(n), more, formatSize(m)))
		}
	}
	size("value-bytes", int64(c.Limits.ValueBytes), "proto-max-bulk-len", c.ProtoMaxBulkLen)
	size("proto-max-bulk-len", c.ProtoMaxBulkLen, "client-query-buffer-limit", c.ClientQueryBufferLimit)
	for db, prefix := range []string{"", "ephemeral-"} {
		lo, hi := c.Limits.TTLMin[db], c.Limits.TTLMax[db]
		if hi != 0 && lo > hi {
			add(c.conflict(prefix+"ttl-min", formatDuration(lo), prefix+"ttl-max", formatDuration(hi)))
		}
	}
	for _, err := range tlsCheck(c) {
		add(err)
	}
	return errs
}

// tlsCheck finds ports that are given twice, and what is missing for TLS, before
// any file is read.
func tlsCheck(c *Config) []error {
	t := c.TLS
	var errs []error
	blame := "tls-port"
	fail := func(name, reason string) {
		at := c.origins[name]
		if _, given := c.origins[name]; !given {
			at = c.origins[blame]
		}
		errs = append(errs, &Error{File: at.file, Line: at.line, Directive: name, Reason: reason})
	}
	ports := []struct {
		name   string
		number int
	}{{"port", c.Port}, {"tls-port", t.Port}, {"http-port", c.HTTPPort}, {"http-tls-port", t.HTTPPort}}
	for i, p := range ports {
		for _, other := range ports[:i] {
			if p.number != 0 && p.number == other.number {
				fail(p.name, fmt.Sprintf("%d is also %s; change one of them, or set one to 0 to do without", p.number, other.name))
			}
		}
	}
	switch {
	case t.Port != 0:
	case t.HTTPPort != 0:
		blame = "http-tls-port"
	default:
		return errs
	}
	if t.CertFile == "" {
		fail("tls-cert-file", blame+" needs the server's certificate")
	}
	if t.KeyFile == "" {
		fail("tls-key-file", blame+" needs the key of the server's certificate")
	}
	if t.Clients != TLSClientsNo && t.CACertFile == "" && t.CACertDir == "" {
		fail("tls-auth-clients", fmt.Sprintf("%s needs the CA that signs clients: set tls-ca-cert-file or tls-ca-cert-dir, "+
			"or tls-auth-clients no to ask for no certificates", t.Clients))
	}
	if t.Clients == TLSClientsNo && t.Namespace != TLSNamespaceNo {
		fail("tls-auth-clients-namespace", "is of no use with tls-auth-clients no, which asks for no certificates; set that to yes or optional")
	}
	return errs
}

// conflict says that name's value exceeds other's. It blames the one of the two
// that was given, and says where the other one's value comes from.
func (c *Config) conflict(name, value, other, otherValue string) error {
	at, given := c.origins[name]
	otherAt, otherGiven := c.origins[other]
	from := func(at position, given bool) string {
		if given {
			return at.String()
		}
		return "default"
	}
	if !given {
		return &Error{File: otherAt.file, Line: otherAt.line, Directive: other, Reason: fmt.Sprintf(
			"%s is less than %s, which is %s (%s); change one of them",
			otherValue, name, value, from(at, given))}
	}
	return &Error{File: at.file, Line: at.line, Directive: name, Reason: fmt.Sprintf(
		"%s is more than %s, which is %s (%s); change one of them",
		value, other, otherValue, from(otherAt, otherGiven))}
}
