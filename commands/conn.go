package commands

import (
	"math"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

func connRows() []*Command {
	return []*Command{
		{Name: "auth", Arity: -2, Flags: OwnConnection | Stateful | NoAuth | NoMulti | Slow, ACL: "fast connection", Group: "connection", Since: "1.0.0",
			Syntax: "[tenant/app | default | admin] token-or-password", Doc: "Signs the connection in to one namespace, or as the admin.", Also: "noscript loading stale allow_busy", Secrets: secretsOfAuth, Run: runAuth},
		{Name: "hello", Arity: -1, Flags: OwnConnection | Stateful | NoAuth | NoMulti | Slow, ACL: "fast connection", Group: "connection", Since: "6.0.0",
			Syntax: "[protover [AUTH username password] [SETNAME clientname]]",
			Doc:    "Chooses RESP2 or RESP3, signs in, and tells about the server.", Also: "noscript loading stale allow_busy", Secrets: secretsOfHello, Run: runHello},
		{Name: "ping", Arity: -1, Flags: PubSub, ACL: "fast connection", Group: "connection", Since: "1.0.0",
			Syntax: "[message]", Doc: "Answers PONG, or the message.", Tips: "request_policy:all_shards response_policy:all_succeeded", Run: runPing},
		{Name: "echo", Arity: 2, ACL: "fast connection", Group: "connection", Since: "1.0.0",
			Syntax: "message", Doc: "Answers the message.", Also: "loading stale", Run: runEcho},
		{Name: "select", Arity: 2, Flags: OwnConnection | Stateful | CrossDB, ACL: "fast connection", Group: "connection", Since: "1.0.0",
			Syntax: "<0 | 1>", Doc: "Chooses the durable database 0 or the ephemeral database 1.", Also: "loading stale", Run: runSelect},
		{Name: "quit", Arity: -1, Flags: OwnConnection | Stateful | NoAuth | AlwaysNow | PubSub, ACL: "fast connection", Group: "connection", Since: "1.0.0",
			Doc: "Closes the connection after the replies so far.", Also: "noscript loading stale allow_busy", Run: runQuit},
		{Name: "reset", Arity: 1, Flags: OwnConnection | Stateful | NoAuth | AlwaysNow | PubSub, ACL: "fast connection", Group: "connection", Since: "6.2.0",
			Doc: "Returns the connection to the state of a new one.", Also: "noscript loading stale allow_busy", Run: runReset},
	}
}

func runAuth(c *Call) error {
	user, secret := "", c.arg(1)
	switch c.argc() {
	case 2:
	case 3:
		user, secret = secret, c.arg(2)
	default:
		return errSyntax
	}
	if err := c.signIn(user, secret); err != nil {
		return err
	}
	c.Out.Status("OK")
	return nil
}

var (
	errProtover = kverr.New(kverr.Err, "Protocol version is not an integer or out of range")
	errNoProto  = kverr.New(kverr.NoProto, "unsupported protocol version")
	errHello    = kverr.New(kverr.NoAuth, "HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
)

// compatibleVersion is the version of Redis whose behaviour clients may
// expect.
const compatibleVersion = "7.0.15"

func runHello(c *Call) error {
	s := c.Session
	proto := 0
	if c.argc() > 1 {
		n, ok := parseInt(c.Argv[1])
		if !ok {
			return errProtover
		}
		if n != resp.V2 && n != resp.V3 {
			return errNoProto
		}
		proto = int(n)
	}
	var user, secret, name string
	signIn, setName := false, false
	for i := 2; i < c.argc(); i++ {
		more := c.argc() - 1 - i
		switch word := c.arg(i); {
		case strings.EqualFold(word, "AUTH") && more >= 2:
			user, secret, signIn = c.arg(i+1), c.arg(i+2), true
			i += 2
		case strings.EqualFold(word, "SETNAME") && more >= 1:
			name, setName = c.arg(i+1), true
			if err := checkClientName(name); err != nil {
				return err
			}
			i++
		default:
			return kverr.Newf(kverr.Err, "Syntax error in HELLO option '%s'", cString(c.Argv[i], len(c.Argv[i])))
		}
	}
	if signIn {
		if err := c.signIn(user, secret); err != nil {
			return err
		}
	}
	if s.principal == nil {
		return s.notSignedIn(errHello)
	}
	if setName {
		name = strings.Clone(name)
		s.show(func(v *shownState) { v.name = name })
	}
	if proto != 0 {
		s.setProto(proto, c.Out)
		c.takePushed()
	}
	c.Out.Map(7)
	c.Out.BulkString("server")
	c.Out.BulkString("redis")
	c.Out.BulkString("version")
	c.Out.BulkString(compatibleVersion)
	c.Out.BulkString("proto")
	c.Out.Int(int64(s.proto))
	c.Out.BulkString("id")
	c.Out.Int(s.id)
	c.Out.BulkString("mode")
	c.Out.BulkString("standalone")
	c.Out.BulkString("role")
	c.Out.BulkString("master")
	c.Out.BulkString("modules")
	c.Out.Array(0)
	return nil
}

func (s *Session) setProto(proto int, out *resp.Writer) {
	s.proto = proto
	out.SetProto(proto)
	s.show(func(v *shownState) { v.proto = proto })
}

func runPing(c *Call) error {
	if c.argc() > 2 {
		return errArity(c.Cmd)
	}
	switch {
	case c.Session.subs.total > 0 && c.Out.Proto() == resp.V2 && c.run.outer == nil: // in the shape of a message
		c.Out.Array(2)
		c.Out.BulkString("pong")
		if c.argc() == 2 {
			c.Out.Bulk(c.Argv[1])
		} else {
			c.Out.BulkString("")
		}
	case c.argc() == 2:
		c.Out.Bulk(c.Argv[1])
	default:
		c.Out.Status("PONG")
	}
	return nil
}

func runEcho(c *Call) error {
	c.Out.Bulk(c.Argv[1])
	return nil
}

var errIntRange = kverr.New(kverr.Err, "value is out of range, value must between -2147483648 and 2147483647")

// parseDB reads a database number.
func parseDB(arg []byte) (int, error) {
	n, ok := parseInt(arg)
	if !ok {
		return 0, errNotInteger
	}
	switch {
	case n < math.MinInt32 || n > math.MaxInt32:
		return 0, errIntRange
	case n < 0 || n >= storage.Databases:
		return 0, errDBIndex
	}
	return int(n), nil
}

func runSelect(c *Call) error {
	db, err := parseDB(c.Argv[1])
	if err != nil {
		return err
	}
	c.Session.db = db
	c.Session.show(func(v *shownState) { v.db = db })
	c.Out.Status("OK")
	return nil
}

func runQuit(c *Call) error {
	c.Session.closing = true
	c.Session.leaveHub()
	c.Session.show(func(v *shownState) { v.ended = true })
	c.Out.Status("OK")
	return nil
}

func runReset(c *Call) error {
	s := c.Session
	s.setMonitoring(false)
	s.become(c.Engine.arrival(s))
	c.Engine.auditArrival(s, c.Engine.clock())
	s.setProto(resp.V2, c.Out)
	if s.reply == replyOff {
		s.reply = replyOn
	}
	s.show(func(v *shownState) { v.name, v.noEvict, v.noTouch = "", false, false })
	c.takePushed()
	c.Out.Status("RESET")
	return nil
}

var errClientName = kverr.New(kverr.Err, "Client names cannot contain spaces, newlines or special characters.")

// maxClientName bounds what every CLIENT LIST repeats.
const maxClientName = 256

// checkClientName accepts what a line of CLIENT LIST can show.
func checkClientName(name string) error {
	if len(name) > maxClientName {
		return kverr.Newf(kverr.BadInput, "the name is %d bytes; at most %d are allowed", len(name), maxClientName)
	}
	for i := range len(name) {
		if name[i] < '!' || name[i] > '~' {
			return errClientName
		}
	}
	return nil
}
