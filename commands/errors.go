package commands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

// Errors of admission, in Redis's own words where Redis has them.
var (
	errNoAuth       = kverr.New(kverr.NoAuth, "Authentication required.")
	errSignInEnded  = kverr.New(kverr.NoAuth, "the token has expired or was revoked; sign in again")
	errCertEnded    = kverr.New(kverr.NoAuth, "the certificate has expired or its app was dropped; sign in again, or connect with another certificate")
	errAppDropped   = kverr.New(kverr.NoAuth, "the app was dropped; sign in again")
	errWrongPass    = kverr.New(kverr.WrongPass, "invalid username-password pair or user is disabled.")
	errNoNamespace  = kverr.New(kverr.Err, "the admin has no keys of its own").WithHint("APP.USE tenant/app looks into one namespace")
	errNotInMulti   = kverr.New(kverr.Err, "Command not allowed inside a transaction")
	errExecAbort    = kverr.New(kverr.ExecAbort, "Transaction discarded because of previous errors.")
	errPlatform     = kverr.New(kverr.PlatformError, "the server could not complete the command").WithHint("try again; the operator's log has the details")
	errTxTooLarge   = kverr.New(kverr.SizeExceeded, "the transaction writes more than a transaction may; nothing of it was kept").WithHint("split it into several")
	errDiskRefuses  = kverr.New(kverr.Misconf, "the server can't write to its disk: commands that change data are refused until it can").WithHint("reads still work; the operator's log has the details")
	errOutOfMemory  = kverr.New(kverr.OOM, "command not allowed when used memory > 'maxmemory'.")
	errShuttingDown = kverr.New(kverr.PlatformError, "the server is shutting down")
)

// Errors that several families share, in Redis's words.
var (
	errNotInteger = kverr.New(kverr.Err, "value is not an integer or out of range")
	errNotFloat   = kverr.New(kverr.Err, "value is not a valid float")
	errNoSuchKey  = kverr.New(kverr.Err, "no such key")
	errOffset     = kverr.New(kverr.Err, "offset is out of range")
	errDBIndex    = kverr.New(kverr.Err, "DB index is out of range")
)

func errStateless(cmd *Command) error {
	return kverr.Newf(kverr.Err, "the '%s' command is about the connection that sends it, and requests over HTTP have none of their own", strings.ReplaceAll(cmd.Name, "|", " ")).
		WithHint("POST /multi-exec performs a transaction, GET /subscribe/CHANNEL streams messages, the header Authorization signs in, Cubby-Database chooses the database")
}

// errForeignOrigin does not say which origins would do: who may know has made
// the token.
var errForeignOrigin = kverr.New(kverr.NoPerm, "this token may not be used from this web origin").
	WithHint("a token for browsers names its origins: TOKEN.SESSION or TOKEN.CREATE with ORIGIN")

// errEnded tells a client what of its sign-in no longer holds.
func errEnded(p *auth.Principal) error {
	switch {
	case p.Token == nil && p.Until != 0:
		return errCertEnded
	case p.Token == nil:
		return errAppDropped
	}
	return errSignInEnded
}

func errArity(cmd *Command) error {
	return kverr.Newf(kverr.Err, "wrong number of arguments for '%s' command", cmd.Name)
}

func errSubscribed(cmd *Command) error {
	return kverr.Newf(kverr.Err, "Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context", cmd.Name)
}

// errExecRefused is what a refused EXEC answers, so that the client knows that
// its transaction is gone as well.
func errExecRefused(err error) error {
	refusal := wireError(err)
	text := refusal.Error()
	if refusal.Code == kverr.Err {
		text = refusal.Message
	}
	return kverr.New(kverr.ExecAbort, "Transaction discarded because of: "+text)
}

// errUnknownCommand follows Redis 7.0: the name cut at 128 bytes, then as many
// arguments as fit in 128 bytes more.
func errUnknownCommand(argv [][]byte) error {
	const room = 128
	var args strings.Builder
	for _, a := range argv[1:] {
		if args.Len() >= room {
			break
		}
		fmt.Fprintf(&args, "'%s' ", cString(a, room-args.Len()))
	}
	return kverr.Newf(kverr.Err, "unknown command '%s', with args beginning with: %s", cString(argv[0], room), args.String())
}

func errUnknownSubcommand(container, sub []byte) error {
	return kverr.Newf(kverr.Err, "unknown subcommand '%s'. Try %s HELP.", cString(sub, 128), strings.ToUpper(string(container)))
}

// errSubcommand is Redis's answer to a subcommand with too many arguments that
// its arity lets through.
func (c *Call) errSubcommand() error {
	container, _, _ := strings.Cut(c.Cmd.Name, "|")
	return kverr.Newf(kverr.Err, "unknown subcommand or wrong number of arguments for '%s'. Try %s HELP.",
		cString(c.Argv[1], 128), strings.ToUpper(container))
}

// cString cuts b at n bytes and, like C's %s, at a zero byte.
func cString(b []byte, n int) []byte {
	if len(b) > n {
		b = b[:n]
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return b
}

// wireError turns any error into the one that a client sees. What is not
// meant for clients becomes PLATFORM_ERROR.
func wireError(err error) *kverr.Error {
	var e *kverr.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, storage.ErrWriteFailed):
		return errDiskRefuses.WithCause(err)
	case errors.Is(err, storage.ErrTooLarge):
		return errTxTooLarge
	case errors.Is(err, storage.ErrOutOfMemory):
		return errOutOfMemory
	case errors.Is(err, storage.ErrDropped):
		return errAppDropped.WithCause(err)
	case errors.Is(err, storage.ErrClosed), errors.Is(err, context.Canceled):
		return errShuttingDown.WithCause(err)
	case errors.Is(err, auth.ErrWrongPass):
		return errWrongPass
	}
	return errPlatform.WithCause(err)
}

// wireText is wireError for a reply; it leaves what the client may not know
// in the log.
func (e *Engine) wireText(err error) string {
	w := wireError(err)
	if cause := w.Unwrap(); cause != nil && e.worthLogging(w.Code) {
		e.log.Error("command failed", "code", string(w.Code), "error", cause)
	}
	return w.Error()
}

// refusalLogEvery is how often the log repeats, in milliseconds, that the disk
// refuses writes. The store tells when that begins and ends; a line for each
// refused command would take the space that the operator makes.
const refusalLogEvery = 10_000

func (e *Engine) worthLogging(code kverr.Code) bool {
	if code != kverr.Misconf {
		return true
	}
	now, last := e.clock().UnixMilli(), e.refusalLogged.Load()
	return (last == 0 || now-last >= refusalLogEvery || now < last) && e.refusalLogged.CompareAndSwap(last, now)
}
