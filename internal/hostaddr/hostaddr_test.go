package hostaddr

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOf(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7:50000":          "192.0.2.7",
		"[::ffff:192.0.2.7]:50000": "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::",
		"[2001:db8:1:2::]:65535":   "2001:db8:1:2::",
		"[2001:db8:1:3::]:65535":   "2001:db8:1:3::",
		"[fe80::1%eth0]:1":         "fe80::",
		"[::1]:1":                  "::",
		"/run/cubby.sock:0":        "invalid IP",
		"pipe":                     "invalid IP",
		"192.0.2.7":                "invalid IP",
		"":                         "invalid IP",
	} {
		require.Equal(t, want, Of(address).String(), address)
	}
}
