package commands

import (
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
)

func shutdownRows() []*Command {
	return []*Command{
		{Name: "shutdown", Arity: -1, Flags: Admin | NoMulti | Stateful, Also: "noscript loading stale allow_busy", ACL: "slow admin dangerous", Group: "admin", Since: "1.0.0",
			Syntax: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
			Doc: "Stops the server as SIGTERM does, and answers nothing. Whatever the options say, running requests get their answers and every write is kept; " +
				"scripts that take longer than a second are ended and leave nothing, with NOW or NOSAVE all of them at once. " +
				"ABORT is an error, since a stop cannot be called back.", Run: runShutdown},
	}
}

var (
	errNoShutdown     = kverr.New(kverr.Err, "No shutdown in progress.")
	errCannotShutdown = kverr.New(kverr.Err, "this server cannot be stopped by a command")
)

func runShutdown(c *Call) error {
	var save, noSave, abort, now, more bool
	for i := 1; i < c.argc(); i++ {
		switch strings.ToLower(c.arg(i)) {
		case "nosave":
			noSave = true
		case "save":
			save = true
		case "now":
			now = true
		case "force":
			more = true
		case "abort":
			abort = true
		default:
			return errSyntax
		}
	}
	switch {
	case abort && (save || noSave || now || more), save && noSave:
		return errSyntax
	case abort:
		return errNoShutdown
	case c.Engine.server.Shutdown == nil:
		return errCannotShutdown
	}
	c.Engine.log.Info("the admin stops the server", "remote", c.Session.opts.Remote)
	if now || noSave { // Redis, too, waits for no script then
		c.Engine.EndScripts(0)
	}
	c.Session.closing = true
	c.Engine.server.Shutdown()
	return nil
}
