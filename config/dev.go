package config

import (
	"fmt"
	"net/netip"
	"time"
)

// DevNamespace is the namespace ("tenant/app") that --dev opens to everyone.
const DevNamespace = "dev/app"

// devHTTPPort is the port of the HTTP door under --dev.
const devHTTPPort = 7379

// Dev turns c, which Load returned, into the configuration of --dev: only
// this machine may connect, data goes to ./cubby-data, and clients that did
// not sign in act as DevNamespace. What the admin set himself stays.
//
// Errors: *Error when he set a bind address that others can reach, since they
// would need no password; c is unchanged then.
func Dev(c *Config) error {
	if at, given := c.origins["bind"]; given {
		for _, a := range c.Bind {
			if !isLoopback(a.Host) {
				return &Error{File: at.file, Line: at.line, Directive: "bind", Reason: fmt.Sprintf("%q is not a loopback address; "+
					"with --dev clients need no password, so only 127.0.0.0/8, ::1 and localhost are allowed", a)}
			}
		}
	} else {
		c.Bind = []Address{{Host: "127.0.0.1"}}
	}
	if _, given := c.origins["dir"]; !given {
		c.Dir = "./cubby-data"
	}
	if _, given := c.origins["http-port"]; !given {
		c.HTTPPort, c.HTTPOptional = devHTTPPort, true
	}
	c.Anonymous = DevNamespace
	return nil
}

// DevLimits are the limits of DevNamespace: wide open, so that trying things
// out meets none of them by accident. Values stay as large as base allows.
func DevLimits(base Limits) Limits {
	base.KeyAnyByte = true
	base.CommandsPerSecond = 0
	for db := range base.MaxKeys {
		base.MaxKeys[db] = 1_000_000
		base.MaxBytes[db] = 0
		base.TTLMin[db] = time.Millisecond
		base.TTLMax[db] = 0
	}
	return base
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
