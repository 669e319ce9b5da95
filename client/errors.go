package client

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/cubbykv/cubby/internal/kverr"
)

// Error is a refused or failed call. Two are the same to errors.Is when their
// codes are.
type Error struct {
	Code    string // stable: "cap_reached", "bad_input", ...
	Message string // for people
	Hint    string // what to do about it; may be empty
	cause   error
}

// Error is the code, the message and the hint.
func (e *Error) Error() string {
	text := e.Code + ": " + e.Message
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Unwrap returns what caused a network_error or a wrong_type.
func (e *Error) Unwrap() error { return e.cause }

// Is tells whether both have the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Targets for errors.Is.
var (
	ErrSizeExceeded  = &Error{Code: "size_exceeded"}  // a value is larger than the app's limit
	ErrCapReached    = &Error{Code: "cap_reached"}    // the app holds as many keys or bytes as it may
	ErrBadInput      = &Error{Code: "bad_input"}      // an argument breaks a rule
	ErrRateLimited   = &Error{Code: "rate_limited"}   // too many commands per second
	ErrPlatform      = &Error{Code: "platform_error"} // a fault of the server
	ErrUnauthorized  = &Error{Code: "unauthorized"}   // no token, or a wrong or ended one
	ErrForbidden     = &Error{Code: "forbidden"}      // outside of the token's scope
	ErrWrongType     = &Error{Code: "wrong_type"}     // the value under the key is of another kind
	ErrNetwork       = &Error{Code: "network_error"}  // the server could not be reached, or went away
	errReply         = &Error{Code: "network_error", Message: "the answer is not one of Cubby's"}
	errAlreadyClosed = &Error{Code: "network_error", Message: "the store is closed"}
)

func badInput(format string, args ...any) error {
	return &Error{Code: "bad_input", Message: fmt.Sprintf(format, args...)}
}

// codes are the words for replies that are called otherwise here.
var codes = map[kverr.Code]string{
	kverr.Err: "bad_input", kverr.NoAuth: "unauthorized", kverr.WrongPass: "unauthorized",
	kverr.NoPerm: "forbidden", kverr.WrongType: "wrong_type",
}

// replyError turns the text of an error reply into an Error.
func replyError(text string) *Error {
	e := kverr.Parse(text)
	code, ok := codes[e.Code]
	if !ok {
		code = strings.ToLower(string(e.Code))
	}
	return &Error{Code: code, Message: e.Message, Hint: e.Hint}
}

// asError turns an error of go-redis into an Error.
func asError(err error) error {
	var reply redis.Error
	if errors.As(err, &reply) {
		return replyError(reply.Error())
	}
	return &Error{Code: "network_error", Message: "the server did not answer: " + err.Error(), cause: err}
}
