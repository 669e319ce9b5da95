package commands

import (
	"errors"
	"strings"
	"time"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/internal/lua"
)

func scriptRows() []*Command {
	const (
		group   = "scripting"
		also    = "noscript stale skip_monitor no_mandatory_keys"
		onNodes = "request_policy:all_nodes response_policy:all_succeeded"
		onMany  = "request_policy:all_shards response_policy:"
	)
	keys := KeySpec{Count: 2}
	noted, notedRO := keys, keys
	noted.UseNote = "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE"
	notedRO.UseNote = "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS"
	return []*Command{
		{Name: "eval", Arity: -3, Flags: Scripts | Slow, Keys: noted, Also: also, ACL: "slow scripting", Group: group, Since: "2.6.0",
			Syntax: "script numkeys [key [key ...]] [arg [arg ...]]",
			Doc:    "Runs a Lua script as one atomic step.", Run: runEval},
		{Name: "evalsha", Arity: -3, Flags: Scripts | Slow, Keys: keys, Also: also, ACL: "slow scripting", Group: group, Since: "2.6.0",
			Syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]",
			Doc:    "Runs a script that the namespace has loaded or run before, by the SHA1 of its text.", Run: runEval},
		{Name: "eval_ro", Arity: -3, Flags: Scripts | Reads | Slow, Keys: notedRO, Also: "readonly " + also, ACL: "slow scripting", Group: group, Since: "7.0.0",
			Syntax: "script numkeys [key [key ...]] [arg [arg ...]]",
			Doc:    "Runs a Lua script that only reads.", Run: runEval},
		{Name: "evalsha_ro", Arity: -3, Flags: Scripts | Reads | Slow, Keys: keys, Also: "readonly " + also, ACL: "slow scripting", Group: group, Since: "7.0.0",
			Syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]",
			Doc:    "Runs a script that only reads, by the SHA1 of its text.", Run: runEval},
		{Name: "script", Arity: -2, ACL: "slow", Group: group, Since: "2.6.0", Syntax: "subcommand [argument ...]",
			Doc: "A container for what is done with scripts."},
		{Name: "script|debug", Arity: 3, Flags: Namespaced, Also: "noscript", ACL: "slow scripting", Group: group, Since: "3.2.0",
			Syntax: "YES | SYNC | NO", Doc: "Accepts NO. There is no debugger.", Run: runScriptDebug},
		{Name: "script|exists", Arity: -3, Flags: Namespaced, Also: "noscript", Tips: onMany + "agg_logical_and", ACL: "slow scripting", Group: group, Since: "2.6.0",
			Syntax: "sha1 [sha1 ...]", Doc: "Tells which scripts EVALSHA would find.", Run: runScriptExists},
		{Name: "script|flush", Arity: -2, Flags: Controls | Namespaced, Also: "noscript", Tips: onNodes, ACL: "slow scripting", Group: group, Since: "2.6.0",
			Syntax: "[ASYNC | SYNC]", Doc: "Forgets the scripts of the namespace.", Run: runScriptFlush},
		{Name: "script|help", Arity: 2, Also: "loading stale", ACL: "slow scripting", Group: group, Since: "5.0.0",
			Doc: "Lists the subcommands of SCRIPT.", Run: runScriptHelp},
		{Name: "script|kill", Arity: 2, Flags: Controls | Namespaced, Also: "noscript allow_busy", Tips: onMany + "one_succeeded", ACL: "slow scripting", Group: group, Since: "2.6.0",
			Doc: "Ends the script that runs in the namespace, unless it has written.", Run: runScriptKill},
		{Name: "script|load", Arity: 3, Flags: Namespaced | Slow, Also: "noscript stale", Tips: onNodes, ACL: "slow scripting", Group: group, Since: "2.6.0",
			Syntax: "script", Doc: "Remembers a script for EVALSHA and returns the SHA1 of its text.", Run: runScriptLoad},
	}
}

// ScriptOptions bound scripts. The zero value of a field is its default.
type ScriptOptions struct {
	// TimeLimit is how long a script may run; default 5 s. Beyond it the script
	// is ended and nothing of it is kept.
	TimeLimit time.Duration
	// BusyAfter is when other connections of the namespace begin to get BUSY
	// instead of waiting for a script, and it can be killed; default 5 s,
	// negative is never.
	BusyAfter time.Duration
	// MemoryLimit is how many bytes a script may hold; default 64 MB.
	MemoryLimit int64
	// Clock tells scripts how long they have run; default time.Now.
	Clock func() time.Time
}

func (o *ScriptOptions) fill() {
	if o.TimeLimit == 0 {
		o.TimeLimit = 5 * time.Second
	}
	if o.BusyAfter == 0 {
		o.BusyAfter = 5 * time.Second
	}
	if o.MemoryLimit == 0 {
		o.MemoryLimit = 64 << 20
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
}

// Redis's words.
var (
	errNoScript       = kverr.New(kverr.NoScript, "No matching script. Please use EVAL.")
	errKeysMany       = kverr.New(kverr.Err, "Number of keys can't be greater than number of args")
	errKeysNegative   = kverr.New(kverr.Err, "Number of keys can't be negative")
	errScriptUnknown  = kverr.New(kverr.Err, "Unknown Redis command called from script")
	errScriptArity    = kverr.New(kverr.Err, "Wrong number of args calling Redis command from script")
	errScriptForbids  = kverr.New(kverr.Err, "This Redis command is not allowed from script")
	errScriptReadOnly = kverr.New(kverr.Err, "Write commands are not allowed from read-only scripts.")
	errScriptWrites   = kverr.New(kverr.Err, "Can not execute a script with write flag using *_ro command.")
	errScriptKilled   = kverr.New(kverr.Err, "Script killed by user with SCRIPT KILL...")
	errScriptFlush    = kverr.New(kverr.Err, "SCRIPT FLUSH only support SYNC|ASYNC option")
	errScriptDebug    = kverr.New(kverr.Err, "Use SCRIPT DEBUG YES/SYNC/NO")
	errNotBusy        = kverr.New(kverr.NotBusy, "No scripts in execution right now.")
	errUnkillable     = kverr.New(kverr.Unkillable, "Sorry the script already executed write commands against the dataset. "+
		"You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.")
	errBusyScript = kverr.New(kverr.Busy, "Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.")
)

// Ours.
var (
	errScriptStopped  = kverr.New(kverr.Err, "the server stops, and the script was ended; nothing of it was kept")
	errNoDebugger     = kverr.New(kverr.Err, "there is no script debugger")
	errScriptCrossing = kverr.New(kverr.Err, "the command uses both databases, and the script was given one").
				WithHint("a script whose text contains the command's name gets both")
)

// digestLen is the length of a SHA1 in hexadecimal.
const digestLen = 40

// runEval is EVAL and its kin. What the script did is kept when it ends by
// itself, also with an error, as in Redis; nothing is when it is ended.
func runEval(c *Call) error {
	if strings.HasPrefix(c.Cmd.Name, "evalsha") && len(c.Argv[1]) != digestLen {
		return errNoScript
	}
	n, err := numKeys(c.Argv)
	if err != nil {
		return err
	}
	script := c.script
	if script == nil || c.inTransaction() && strings.HasPrefix(c.Cmd.Name, "evalsha") { // SCRIPT FLUSH may have come first
		if script, err = c.Session.findScript(c.Cmd, c.Argv); err != nil {
			return err
		}
	}
	readOnly := c.Cmd.has(Reads)
	if script.declared && readOnly && !script.noWrites {
		return errScriptWrites
	}
	return c.runScript(script, c.Argv[3:3+n], c.Argv[3+n:], readOnly || script.noWrites)
}

// numKeys reads how many of the arguments are keys.
func numKeys(argv [][]byte) (int, error) {
	n, ok := parseInt(argv[2])
	switch {
	case !ok:
		return 0, errNotInteger
	case n > int64(len(argv)-3):
		return 0, errKeysMany
	case n < 0:
		return 0, errKeysNegative
	}
	return int(n), nil
}

// findScript returns the script that a command of EVAL's family names.
func (s *Session) findScript(cmd *Command, argv [][]byte) (*script, error) {
	if strings.HasPrefix(cmd.Name, "evalsha") {
		if found := s.scriptSpace().find(s.principal.Prefix(), borrow(argv[1])); found != nil {
			return found, nil
		}
		return nil, errNoScript
	}
	return s.compileScript(borrow(argv[1]), false)
}

// compileScript returns the script of a text, and remembers it for EVALSHA.
func (s *Session) compileScript(text string, loaded bool) (*script, error) {
	space := s.scriptSpace()
	sha := lua.SHA1(text)
	scope := s.principal.Prefix()
	if found := space.find(scope, sha); found != nil {
		if loaded {
			space.keep(found)
		}
		return found, nil
	}
	made, err := s.engine.newScript(sha, text)
	if err != nil {
		return nil, err
	}
	made.loaded, made.scope = loaded, scope
	s.engine.scripts.add(space, made)
	return made, nil
}

// newScript compiles a text.
func (e *Engine) newScript(sha, text string) (*script, error) {
	s := &script{sha: sha, cost: scriptCost(text), both: e.namesBothDatabases(text)}
	body, err := s.readShebang(text)
	if err != nil {
		return nil, err
	}
	if s.compiled, err = lua.Compile(body); err != nil {
		var refusal *lua.CompileError
		if !errors.As(err, &refusal) {
			return nil, err
		}
		return nil, kverr.Newf(kverr.Err, "Error compiling script (new function): %s", refusal.Text)
	}
	return s, nil
}

// readShebang reads a first line such as "#!lua flags=no-writes", and returns
// the rest.
func (s *script) readShebang(text string) (string, error) {
	if !strings.HasPrefix(text, "#!") {
		return text, nil
	}
	line, _, ok := strings.Cut(text, "\n")
	if !ok {
		return "", kverr.New(kverr.Err, "Invalid script shebang")
	}
	words := strings.Split(line, " ")
	if words[0] != "#!lua" {
		return "", kverr.New(kverr.Err, "Unexpected engine in script shebang: "+words[0])
	}
	s.declared = true
	for _, word := range words[1:] {
		flags, ok := strings.CutPrefix(word, "flags=")
		if !ok {
			return "", kverr.New(kverr.Err, "Unknown lua shebang option: "+word)
		}
		for flag := range strings.SplitSeq(flags, ",") {
			switch flag {
			case "no-writes":
				s.noWrites = true
			case "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys": // nothing here depends on them
			default:
				return "", kverr.New(kverr.Err, "Unexpected flag in script shebang: "+flag)
			}
		}
	}
	return text[len(line):], nil
}

// namesBothDatabases tells whether the text names a command that uses both
// databases. A script that does so gets both, which takes two locks.
func (e *Engine) namesBothDatabases(text string) bool {
	lower := strings.ToLower(text)
	for _, row := range e.table.rows {
		if row.has(CrossDB) && strings.Contains(lower, row.Name) {
			return true
		}
	}
	return false
}

func runScriptLoad(c *Call) error {
	s, err := c.Session.compileScript(c.arg(2), true)
	if err != nil {
		return err
	}
	c.Out.BulkString(s.sha)
	return nil
}

func runScriptExists(c *Call) error {
	c.Out.Array(c.argc() - 2)
	for _, sha := range c.Argv[2:] {
		c.Out.Bool(c.Session.scriptSpace().find(c.Session.principal.Prefix(), borrow(sha)) != nil)
	}
	return nil
}

func runScriptFlush(c *Call) error {
	if c.argc() > 3 || c.argc() == 3 && !strings.EqualFold(c.arg(2), "sync") && !strings.EqualFold(c.arg(2), "async") {
		return errScriptFlush
	}
	c.Engine.scripts.flush(c.Session.scriptSpace(), c.Session.principal.Prefix())
	c.Out.Status("OK")
	return nil
}

func runScriptKill(c *Call) error {
	if c.Session.restricted() {
		return kverr.Newf(kverr.NoPerm, "this token is restricted and may not run the '%s' command", c.Cmd.Name)
	}
	if err := c.Session.scriptSpace().kill(); err != nil {
		return err
	}
	c.Out.Status("OK")
	return nil
}

func runScriptDebug(c *Call) error {
	switch mode := c.arg(2); {
	case strings.EqualFold(mode, "no"):
		c.Out.Status("OK")
		return nil
	case strings.EqualFold(mode, "yes"), strings.EqualFold(mode, "sync"):
		return errNoDebugger
	}
	return errScriptDebug
}

func runScriptHelp(c *Call) error {
	writeHelp(c,
		"DEBUG (YES|SYNC|NO)",
		"    Set the debug mode for subsequent scripts executed.",
		"EXISTS <sha1> [<sha1> ...]",
		"    Return information about the existence of the scripts in the script cache.",
		"FLUSH [ASYNC|SYNC]",
		"    Flush the Lua scripts cache. Very dangerous on replicas.",
		"    When called without the optional mode argument, the behavior is determined by the",
		"    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
		"    * ASYNC: Asynchronously flush the scripts cache.",
		"    * SYNC: Synchronously flush the scripts cache.",
		"KILL",
		"    Kill the currently executing Lua script.",
		"LOAD <script>",
		"    Load a script into the scripts cache without executing it.",
	)
	return nil
}
