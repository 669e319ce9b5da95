package commands

import (
	"errors"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/kverr"
)

func browserTokenRows() []*Command {
	return []*Command{
		{Name: "token.session", Arity: -1, Flags: Controls | NoMulti | NoScript | Slow, ACL: "slow connection", Group: "connection", Since: "cubby 0.1.0",
			Syntax: "[EXPIRES duration] [READONLY] [PREFIX prefix] [ORIGIN origin ...]",
			Doc: "Returns a token for a browser, with its end and its scope. It lasts at most an hour and never longer than the token that the connection signed in with, " +
				"may do no more than that one, and ends with it. It names the web origins that it may be used from.", Run: runTokenSession},
	}
}

var errNoBrowserToken = kverr.New(kverr.NoPerm, "only a token that the admin created buys tokens for browsers").
	WithHint("sign in with one; a platform that signs JSON Web Tokens signs a short one with origins instead")

func runTokenSession(c *Call) error {
	name, want, err := parseTokenOptions(c.words(1), c.Now)
	if err != nil {
		return err
	}
	if name != "" {
		return kverr.New(kverr.BadInput, "NAME is no option of TOKEN.SESSION; allowed are EXPIRES duration, READONLY, PREFIX prefix, ORIGIN origin ...")
	}
	secret, scope, err := c.Engine.dir.BrowserToken(c.Ctx, c.Session.principal, want)
	var input *auth.InputError
	switch {
	case errors.Is(err, auth.ErrNoParent):
		return errNoBrowserToken
	case errors.As(err, &input):
		return kverr.New(kverr.BadInput, input.Error())
	case err != nil:
		return err
	}
	c.Out.Map(5)
	c.Out.BulkString("token")
	c.Out.BulkString(secret)
	c.Out.BulkString("expires_at")
	c.Out.Int(scope.ExpiresAt)
	writeScope(c, &scope)
	return nil
}
