package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Redis's words for all addresses of a family.
const (
	anyIPv4 = "*"
	anyIPv6 = "::*"
)

// maxAddresses is Redis's limit for bind.
const maxAddresses = 16

// addresses are the words of bind.
type addresses struct{ field func(*Config) *[]Address }

func (addresses) kind() Kind { return KindAddresses }
func (addresses) allowed() string {
	return `"" for none, or up to 16 IP addresses or host names; * is all of IPv4, ::* all of IPv6; ` +
		`one that starts with - is skipped where the machine does not have it`
}

func (v addresses) set(c *Config, words []string) error {
	if len(words) == 0 {
		return errors.New("takes at least one value")
	}
	if len(words) > maxAddresses {
		return fmt.Errorf("has %d addresses", len(words))
	}
	list := make([]Address, 0, len(words))
	for _, w := range words {
		host, optional := strings.CutPrefix(w, "-")
		if host == "" && !optional && len(words) == 1 {
			break // bind "": no TCP
		}
		if err := checkHost(host); err != nil {
			return wrong(w, err)
		}
		list = append(list, Address{Host: host, Optional: optional})
	}
	*v.field(c) = list
	return nil
}

func (v addresses) get(c *Config) []string {
	list := *v.field(c)
	if len(list) == 0 {
		return []string{""}
	}
	words := make([]string, len(list))
	for i, a := range list {
		words[i] = a.String()
	}
	return words
}

// checkHost finds what can never be listened on, before anything starts.
func checkHost(host string) error {
	if host == anyIPv4 || host == anyIPv6 {
		return nil
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	if _, err := netip.ParseAddrPort(host); err == nil || strings.HasPrefix(host, "[") {
		return errors.New("has a port or brackets; the port is a directive of its own")
	}
	if !isHostName(host) {
		return errors.New("is neither an IP address nor a host name")
	}
	return nil
}

// isHostName accepts what a resolver may know. A name of digits and dots only
// is a mistyped IPv4 address.
func isHostName(s string) bool {
	if s == "" || len(s) > 253 || strings.Trim(s, "0123456789.") == "" {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}

// outputLimits are the words of client-output-buffer-limit: one or more times
// class, hard limit, soft limit, seconds.
type outputLimits struct{ field func(*Config) *OutputLimits }

func (outputLimits) kind() Kind { return KindOutputLimits }
func (outputLimits) allowed() string {
	return "one or more times: class (normal, replica or pubsub), hard limit (size), soft limit (size), seconds"
}

func (v outputLimits) set(c *Config, words []string) error {
	if len(words) == 0 || len(words)%4 != 0 {
		return fmt.Errorf("takes four values for each class, not %d", len(words))
	}
	limits := *v.field(c) // classes that are not named keep theirs
	for ; len(words) > 0; words = words[4:] {
		limit := limits.class(strings.ToLower(words[0]))
		if limit == nil {
			return wrong(words[0], errors.New("is not a class"))
		}
		var err error
		if limit.Hard, err = parseSize(words[1]); err != nil {
			return wrong(words[1], err)
		}
		if limit.Soft, err = parseSize(words[2]); err != nil {
			return wrong(words[2], err)
		}
		if limit.SoftSeconds, err = parseInt(words[3]); err != nil {
			return wrong(words[3], err)
		}
		if err := within(limit.SoftSeconds, 0, 1<<31-1); err != nil {
			return wrong(words[3], err)
		}
	}
	*v.field(c) = limits
	return nil
}

func (v outputLimits) get(c *Config) []string {
	limits := v.field(c)
	var words []string
	for _, name := range []string{"normal", "slave", "pubsub"} { // CONFIG GET says slave
		l := limits.class(name)
		words = append(words, name, strconv.FormatInt(l.Hard, 10),
			strconv.FormatInt(l.Soft, 10), strconv.FormatInt(l.SoftSeconds, 10))
	}
	return words
}

// class returns the limit of a class, or nil.
func (l *OutputLimits) class(name string) *OutputLimit {
	switch name {
	case "normal":
		return &l.Normal
	case "replica", "slave":
		return &l.Replica
	case "pubsub":
		return &l.PubSub
	}
	return nil
}
