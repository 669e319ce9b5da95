package auth

import (
	"errors"
	"fmt"
)

// Errors of this package, wrapped with the names concerned.
var (
	// ErrWrongPass is every failed sign-in. It never says what was wrong.
	ErrWrongPass = errors.New("auth: wrong name or secret")
	// ErrNoApp is returned for an app that was never created, or was dropped.
	ErrNoApp = errors.New("auth: no such app")
	// ErrNoToken is returned for the id of no token.
	ErrNoToken = errors.New("auth: no such token")
	// ErrAppExists is returned by CreateApp.
	ErrAppExists = errors.New("auth: the app exists already")
)

// InputError is something that the admin gave and that breaks a rule. Its text
// is for him: it says what is wrong and what is allowed.
type InputError struct{ text string }

// Error returns one sentence without a full stop.
func (e *InputError) Error() string { return e.text }

func inputErrorf(format string, args ...any) error {
	return &InputError{fmt.Sprintf(format, args...)}
}
