package commands

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
)

func aclRows() []*Command {
	const (
		acl   = "slow admin dangerous"
		also  = "noscript loading stale"
		since = "6.0.0"
	)
	rows := []*Command{
		{Name: "acl", Arity: -2, ACL: "slow", Group: "server", Since: since, Doc: "A container for Access List Control commands."},
		{Name: "acl|cat", Arity: -2, Also: also, ACL: "slow", Group: "server", Since: since, Syntax: "[categoryname]",
			Doc: "Lists the ACL categories, or the commands of one.", Run: runACLCat},
		{Name: "acl|genpass", Arity: -2, Also: also, ACL: "slow", Group: "server", Since: since, Syntax: "[bits]",
			Doc: "Makes a random password of 256 bits, or of another number of them.", Run: runACLGenPass},
		{Name: "acl|help", Arity: 2, Also: "loading stale", ACL: "slow", Group: "server", Since: since,
			Doc: "Lists the subcommands of ACL.", Run: runACLHelp},
		{Name: "acl|whoami", Arity: 2, Also: also, ACL: "slow", Group: "server", Since: since,
			Doc: "Returns who the connection is: its namespace, or admin; after a sign-in with a JWT also that, and its jti.", Run: runACLWhoAmI},
	}
	for _, r := range []struct {
		name   string
		arity  int
		syntax string
	}{
		{"deluser", -3, "username [username ...]"}, {"dryrun", -4, "username command [arg [arg ...]]"}, {"getuser", 3, "username"}, {"list", 2, ""},
		{"load", 2, ""}, {"log", -2, "[count | RESET]"}, {"save", 2, ""}, {"setuser", -3, "username [rule [rule ...]]"}, {"users", 2, ""},
	} {
		row := &Command{Name: "acl|" + r.name, Arity: r.arity, Flags: Admin, Also: also, ACL: acl, Group: "server", Since: since, Syntax: r.syntax,
			Doc: "Always an error: there are apps and tokens instead of ACL users.", Secrets: secretsOfACL, Run: runNoACLUsers}
		if r.name == "dryrun" {
			row.Since = "7.0.0"
		}
		rows = append(rows, row)
	}
	return rows
}

var errNoACLUsers = kverr.New(kverr.Err, "there are no ACL users here").
	WithHint("APP.CREATE and TOKEN.CREATE say who may do what")

func runNoACLUsers(*Call) error { return errNoACLUsers }

// secretsOfACL are a user's rules, which may hold passwords.
func secretsOfACL(argv [][]byte, _ Config, hide func(int)) {
	for i := 2; i < len(argv); i++ {
		hide(i)
	}
}

func runACLWhoAmI(c *Call) error {
	p := c.Session.principal
	name := p.Name()
	if p.Token.Signed() {
		name += " " + p.SignIn()
	}
	c.Out.BulkString(name)
	return nil
}

func runACLCat(c *Call) error {
	var list []string
	switch c.argc() {
	case 2:
		list = aclOrder
	case 3:
		category := strings.ToLower(c.arg(2))
		if !slices.Contains(aclOrder, category) {
			return kverr.Newf(kverr.Err, "Unknown category '%s'", cString(c.Argv[2], len(c.Argv[2])))
		}
		c.Engine.table.walk(func(cmd *Command) {
			if slices.Contains(cmd.aclCategories(), category) {
				list = append(list, cmd.Name)
			}
		})
	default:
		return c.errSubcommand()
	}
	c.Out.Array(len(list))
	for _, name := range list {
		c.Out.BulkString(name)
	}
	return nil
}

var errGenPassBits = kverr.New(kverr.Err, "ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096")

func runACLGenPass(c *Call) error {
	const most = 4096
	bits := int64(256)
	switch {
	case c.argc() == 3:
		n, ok := parseInt(c.Argv[2])
		if !ok {
			return errNotInteger
		}
		if n < 1 || n > most {
			return errGenPassBits
		}
		bits = n
	case c.argc() > 3:
		return c.errSubcommand()
	}
	var secret [most / 8]byte
	_, _ = rand.Read(secret[:]) // never fails: crypto/rand ends the process instead
	c.Out.BulkString(hex.EncodeToString(secret[:])[:(bits+3)/4])
	return nil
}

func runACLHelp(c *Call) error {
	writeHelp(c,
		"CAT [<category>]",
		"    List all commands that belong to <category>, or all command categories",
		"    when no category is specified.",
		"GENPASS [<bits>]",
		"    Generate a secure 256-bit user password. The optional `bits` argument can",
		"    be used to specify a different size.",
		"WHOAMI",
		"    Return the current connection username.",
		"DELUSER, DRYRUN, GETUSER, LIST, LOAD, LOG, SAVE, SETUSER, USERS",
		"    There are apps and tokens instead of ACL users.",
	)
	return nil
}
