package auth

import (
	"strings"

	"github.com/cubbykv/cubby/storage"
)

// maxNameLen is the longest tenant and the longest app, in bytes.
const maxNameLen = 64

// ParseID reads "tenant/app". Errors: *InputError.
func ParseID(s string) (storage.ID, error) {
	tenant, app, ok := strings.Cut(s, "/")
	if !ok {
		return storage.ID{}, inputErrorf("%q is not an app's full name; write tenant/app", s)
	}
	if err := CheckTenant(tenant); err != nil {
		return storage.ID{}, err
	}
	if err := checkName("app", app); err != nil {
		return storage.ID{}, err
	}
	return storage.ID{Tenant: tenant, App: app}, nil
}

// CheckTenant judges a tenant's name. Errors: *InputError.
func CheckTenant(s string) error { return checkName("tenant", s) }

func checkName(what, s string) error {
	if s == "" || len(s) > maxNameLen {
		return inputErrorf("the %s's name is %d bytes long; 1 to %d are allowed", what, len(s), maxNameLen)
	}
	for i := range len(s) {
		switch c := s[i]; {
		case isAlphanumeric(c):
		case i == 0:
			return inputErrorf("the %s's name %q must start with a letter or digit", what, s)
		case c != '.' && c != '_' && c != '-':
			return inputErrorf("the %s's name %q has %q at position %d; allowed are A-Z a-z 0-9 . _ -", what, s, s[i:i+1], i)
		}
	}
	return nil
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
