// Package hostaddr tells by an address which clients count as one.
package hostaddr

import "net/netip"

// ofOneClient is how much of an IPv6 address tells clients apart: a provider
// gives each customer at least a /64, who may use any of its addresses.
const ofOneClient = 64

// Of returns whom an address with a port stands for: the IPv4 address, or the
// first 64 bits of an IPv6 address. It is the zero Addr for everything else, such
// as a unix socket, whose clients count as one.
func Of(address string) netip.Addr {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Addr{}
	}
	a := ap.Addr().Unmap().WithZone("")
	if a.Is4() {
		return a
	}
	p, err := a.Prefix(ofOneClient)
	if err != nil {
		return netip.Addr{} // impossible: it has 128 bits
	}
	return p.Addr()
}
