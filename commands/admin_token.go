package commands

import (
	"errors"
	"strings"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

func runTokenCreate(c *Call) error {
	id, err := c.appID()
	if err != nil {
		return err
	}
	name, scope, err := parseTokenOptions(c.words(2), c.Now)
	if err != nil {
		return err
	}
	secret, token, err := c.Engine.dir.CreateToken(c.Ctx, id, name, scope)
	if err != nil {
		return adminError(id, err)
	}
	auditDetail(c, "created", token.ID)
	c.Out.Map(2)
	c.Out.BulkString("id")
	c.Out.BulkString(token.ID)
	c.Out.BulkString("token")
	c.Out.BulkString(secret)
	return nil
}

// parseTokenOptions reads what follows the app in TOKEN.CREATE. now is in Unix
// milliseconds.
func parseTokenOptions(words []string, now int64) (name string, scope auth.Scope, err error) {
	for i := 0; i < len(words); i++ {
		option := strings.ToUpper(words[i])
		if option == "READONLY" {
			scope.ReadOnly = true
			continue
		}
		if i++; i == len(words) {
			return "", scope, errTokenOption(option)
		}
		switch value := words[i]; option {
		case "NAME":
			name = value
		case "PREFIX":
			scope.Prefix = value
		case "EXPIRES":
			d, err := auth.ParseDuration(value)
			if err != nil {
				return "", scope, kverr.Newf(kverr.BadInput, "EXPIRES %q: %v", value, err)
			}
			scope.ExpiresAt = now + d.Milliseconds()
		case "ORIGIN":
			scope.Origins = append(scope.Origins, value)
			for i+1 < len(words) && strings.Contains(words[i+1], "://") { // no option looks like one
				i++
				scope.Origins = append(scope.Origins, words[i])
			}
		default:
			return "", scope, errTokenOption(option)
		}
	}
	return name, scope, nil
}

func errTokenOption(option string) error {
	switch option {
	case "NAME", "PREFIX", "EXPIRES", "ORIGIN":
		return kverr.Newf(kverr.BadInput, "%s needs a value", option)
	}
	return kverr.Newf(kverr.BadInput, "%q is not an option; allowed are NAME name, READONLY, PREFIX prefix, EXPIRES duration, ORIGIN origin ...", option)
}

func runTokenList(c *Call) error {
	id, err := c.appID()
	if err != nil {
		return err
	}
	list, err := c.Engine.dir.Tokens(c.Ctx, id)
	if err != nil {
		return adminError(id, err)
	}
	c.Out.Array(len(list))
	for _, t := range list {
		writeToken(c, t)
	}
	return nil
}

func writeToken(c *Call, t *auth.Token) {
	moment := func(name string, at int64) {
		c.Out.BulkString(name)
		if at == 0 {
			c.Out.Null()
		} else {
			c.Out.Int(at)
		}
	}
	c.Out.Map(9)
	c.Out.BulkString("id")
	c.Out.BulkString(t.ID)
	c.Out.BulkString("name")
	c.Out.BulkString(t.Name)
	c.Out.BulkString("created_at")
	c.Out.Int(t.CreatedAt)
	moment("expires_at", t.ExpiresAt)
	moment("rotated_at", t.RotatedAt)
	moment("grace_ends_at", t.GraceEndsAt(c.Now))
	writeScope(c, &t.Scope)
}

// writeScope writes three fields of a map: what a token may do, but for its end.
func writeScope(c *Call, s *auth.Scope) {
	c.Out.BulkString("readonly")
	c.Out.Bool(s.ReadOnly)
	c.Out.BulkString("prefix")
	c.Out.BulkString(s.Prefix)
	c.Out.BulkString("origins")
	c.Out.Array(len(s.Origins))
	for _, o := range s.Origins {
		c.Out.BulkString(o)
	}
}

func runTokenRevoke(c *Call) error {
	id, err := c.tokenID()
	if err != nil {
		return err
	}
	ok, err := c.Engine.dir.RevokeToken(c.Ctx, id)
	if err != nil {
		return err
	}
	c.Engine.disconnect(func(p *auth.Principal) bool { return ok && p.Token.ComesFrom(id) })
	c.Out.Bool(ok)
	return nil
}

// tokenID reads the id in argument 1. The result outlives the call.
func (c *Call) tokenID() (string, error) {
	id := string(c.Argv[1])
	if strings.HasPrefix(id, "cub_") {
		return "", kverr.Newf(kverr.BadInput, "%s takes the token's id, not its secret", strings.ToUpper(c.Cmd.Name)).
			WithHint("the id is the part between cub_ and the next underscore")
	}
	return id, nil
}

// secretsOfTokenID hides a secret that stands where an id should.
func secretsOfTokenID(argv [][]byte, _ Config, hide func(int)) {
	if len(argv) > 1 && strings.HasPrefix(borrow(argv[1]), "cub_") {
		hide(1)
	}
}

func runTokenRotate(c *Call) error {
	id, err := c.tokenID()
	if err != nil {
		return err
	}
	grace := auth.DefaultGrace
	switch {
	case c.argc() == 2:
	case c.argc() == 4 && strings.EqualFold(c.arg(2), "GRACE"):
		if grace, err = auth.ParseDuration(c.arg(3)); err != nil {
			return kverr.Newf(kverr.BadInput, "GRACE %q: %v", c.arg(3), err)
		}
	default:
		return errSyntax
	}
	secret, token, err := c.Engine.dir.RotateToken(c.Ctx, id, grace)
	if errors.Is(err, auth.ErrNoToken) {
		return kverr.Newf(kverr.Err, "no such token '%s'", id).WithHint("TOKEN.LIST tenant/app shows the ids")
	}
	if err != nil {
		return adminError(storage.ID{}, err)
	}
	if grace == 0 {
		now := c.clock().UnixMilli()
		c.Engine.disconnect(func(p *auth.Principal) bool { return p.Token.ComesFrom(id) && !p.Valid(now) })
	}
	c.Out.Map(3)
	c.Out.BulkString("id")
	c.Out.BulkString(token.ID)
	c.Out.BulkString("token")
	c.Out.BulkString(secret)
	c.Out.BulkString("grace_ends_at")
	if at := token.GraceEndsAt(c.Now); at == 0 {
		c.Out.Null()
	} else {
		c.Out.Int(at)
	}
	return nil
}
