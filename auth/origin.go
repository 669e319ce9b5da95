package auth

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Bounds on the origins of a token.
const (
	maxOrigins     = 100
	maxOriginBytes = 300 // scheme, a host of 253 and a port
)

func checkOrigins(origins []string) error {
	if len(origins) > maxOrigins {
		return inputErrorf("the token has %d origins; at most %d are allowed", len(origins), maxOrigins)
	}
	for _, o := range origins {
		if err := checkOrigin(o); err != nil {
			return err
		}
	}
	return nil
}

// checkOrigin accepts what a browser sends as Origin: scheme, host, and a port
// unless it is the scheme's own. Browsers have one spelling for each and
// compare byte for byte, and so do we: another spelling would open nothing, and
// nobody would see why. See https://www.rfc-editor.org/rfc/rfc6454#section-6.2.
func checkOrigin(s string) error {
	if s == "null" {
		return inputErrorf("null is not a web origin: pages of many sorts send it, files and sandboxes among them")
	}
	u, err := url.Parse(s)
	if err != nil || len(s) > maxOriginBytes || u.Scheme == "" || u.Host == "" || s != strings.ToLower(u.Scheme+"://"+u.Host) {
		return inputErrorf("%.*q is not a web origin; write it as browsers send it, in lower case and without a path: https://app.example.com or http://localhost:3000", maxOriginBytes, s)
	}
	if !hostFits(u.Hostname(), strings.HasPrefix(u.Host, "[")) {
		return inputErrorf("%q is not a web origin: its host is neither a name in letters, digits, dots and hyphens (others begin with xn--) nor an address", s)
	}
	if strings.HasSuffix(u.Host, ":") || !portFits(u.Scheme, u.Port()) {
		return inputErrorf("%q is not a web origin: a port is a number up to 65535, and left out when it is the scheme's own", s)
	}
	return nil
}

func hostFits(host string, bracketed bool) bool {
	if bracketed {
		addr, err := netip.ParseAddr(host)
		return err == nil && addr.Is6() && addr.Zone() == "" && addr.String() == host
	}
	return host != "" && strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == ""
}

func portFits(scheme, port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != port {
		return false
	}
	return n != 0 && (scheme != "http" || n != 80) && (scheme != "https" || n != 443)
}
