// Package kverr holds the error codes that clients see: the first word of an
// error reply. The codes are a stable interface; SDKs raise their lower-case
// form.
package kverr

import (
	"errors"
	"fmt"
	"strings"
)

// Code is the first word of an error reply.
type Code string

// Cubby's own codes.
const (
	SizeExceeded  Code = "SIZE_EXCEEDED"  // a value is larger than the namespace allows
	CapReached    Code = "CAP_REACHED"    // a namespace would hold more keys or bytes than it may
	BadInput      Code = "BAD_INPUT"      // an argument breaks a rule of Cubby's that Redis does not have
	RateLimited   Code = "RATE_LIMITED"   // more commands per second than the namespace may send
	PlatformError Code = "PLATFORM_ERROR" // a fault of the server; details are in its log only
)

// Redis's own codes, used with Redis's own meaning.
const (
	Err        Code = "ERR"
	NoAuth     Code = "NOAUTH"
	WrongPass  Code = "WRONGPASS"
	NoPerm     Code = "NOPERM"
	NoProto    Code = "NOPROTO"
	WrongType  Code = "WRONGTYPE"
	ExecAbort  Code = "EXECABORT"
	NoScript   Code = "NOSCRIPT"
	Busy       Code = "BUSY"
	OOM        Code = "OOM"
	Misconf    Code = "MISCONF"
	BusyKey    Code = "BUSYKEY"
	NotBusy    Code = "NOTBUSY"
	Unkillable Code = "UNKILLABLE"
)

// Error is an error that a client may read. Its cause, when there is one, is
// for the log and never part of the text.
type Error struct {
	Code    Code
	Message string
	Hint    string // what to do about it; empty when the message says enough
	cause   error
}

// New returns an Error with a fixed text.
func New(code Code, message string) *Error {
	return &Error{Code: code, Message: message}
}

// Newf returns an Error with a formatted text.
func Newf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithHint returns a copy of e that tells the client what to do.
func (e *Error) WithHint(hint string) *Error {
	c := *e
	c.Hint = hint
	return &c
}

// WithCause returns a copy of e that carries cause for the log.
func (e *Error) WithCause(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Error is the text of the reply: the code, the message, and the hint in
// parentheses.
func (e *Error) Error() string {
	if e.Hint == "" {
		return string(e.Code) + " " + e.Message
	}
	return string(e.Code) + " " + e.Message + " (hint: " + e.Hint + ")"
}

// Parse reads what Error wrote, as a client does. Text without a code gets Err.
func Parse(text string) *Error {
	code, message, ok := strings.Cut(text, " ")
	if !ok || !isCode(code) {
		code, message = string(Err), text
	}
	e := &Error{Code: Code(code), Message: message}
	const begin, end = " (hint: ", ")"
	if i := strings.LastIndex(message, begin); i >= 0 && strings.HasSuffix(message, end) {
		e.Message, e.Hint = message[:i], message[i+len(begin):len(message)-len(end)]
	}
	return e
}

func isCode(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && c != '_' {
			return false
		}
	}
	return s != ""
}

// Unwrap gives the log and errors.Is the hidden cause.
func (e *Error) Unwrap() error { return e.cause }

// CodeOf returns the code of the first Error in err's chain, and
// PlatformError when there is none: what was not written for clients is a
// fault of ours.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return PlatformError
}

var known = map[Code]bool{
	SizeExceeded: true, CapReached: true, BadInput: true, RateLimited: true, PlatformError: true,
	Err: true, NoAuth: true, WrongPass: true, NoPerm: true, NoProto: true, WrongType: true, ExecAbort: true, NoScript: true,
	Busy: true, OOM: true, Misconf: true, BusyKey: true, NotBusy: true, Unkillable: true,
}

// Known tells whether code is one of those above.
func Known(code Code) bool { return known[code] }
