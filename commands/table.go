package commands

import (
	"fmt"
	"slices"
	"strings"
)

// Flag says how the engine treats a command. Flags, never names, decide what
// admission refuses and how a command runs.
type Flag uint32

// The flags of a command.
const (
	Reads          Flag = 1 << iota // reads entries: runs inside a transaction
	Writes                          // may write entries: runs inside an updating transaction
	Grows                           // may add keys or bytes: refused at the cap
	Stateful                        // changes the connection's state: ends the run before it
	NoAuth                          // answers before sign-in
	NoMulti                         // may not be queued in a transaction
	AlwaysNow                       // runs at once even inside MULTI
	Admin                           // only for the admin
	PubSub                          // allowed while subscribed in RESP2
	CrossDB                         // may touch both databases of the namespace
	WholeNamespace                  // sees keys that its arguments do not name: refused to a token with a key prefix, unless Narrowed
	Bulky                           // may have a large reply: shares no transaction with its neighbours
	EndsMulti                       // ends the transaction even when it is refused
	EndsPause                       // never waits for a pause
	Namespaced                      // concerns the namespace without using its store
	KeepsCaching                    // does not count as the command that CLIENT CACHING is about
	Scripts                         // runs a script, whose commands are admitted one by one
	NoScript                        // may not be called by a script; follows from Also
	Tells                           // sends messages to others: not for a token that may only read
	OwnConnection                   // concerns the connection that sends it: refused where each request stands alone
	Tracked                         // CLIENT TRACKING remembers its keys; follows from what COMMAND INFO tells
	Slow                            // may take long or wait: a door that serves many from one loop runs it elsewhere
	Narrowed                        // for a token with a key prefix, only the keys under it exist
	Controls                        // acts upon others of the namespace: goes into the audit trail
)

// KeySpec says which arguments are keys, in Redis's terms: the first and last
// position (negative counts from the end) and the step between them. First 0
// is a command without keys.
type KeySpec struct {
	First, Last, Step int
	// Count is the argument that tells how many keys follow it; 0 is none.
	Count int
	// Find overrides the positions for commands whose options precede the keys.
	Find func(argv [][]byte) (first, last, step int)

	// What COMMAND INFO tells of what happens to the keys, in Redis's words. Use
	// is empty for a command that uses them in the way that its flags suggest, and
	// UseRest is set when all but the first key are used in another way.
	Use, UseRest, UseNote string
	// Uses tells it for given arguments; nil is Use.
	Uses func(argv [][]byte) string
}

// used is the same keys, used in another way.
func (k KeySpec) used(use string) KeySpec {
	k.Use = use
	return k
}

// Command is one row of the table: everything the rest of the program knows
// about a command.
type Command struct {
	Name  string // lower case; a subcommand is "container|name"
	Arity int    // number of arguments with the name; negative is a minimum
	Flags Flag
	Keys  KeySpec
	// Channels are the arguments that name channels of pub/sub. A key prefix holds
	// for them, too.
	Channels KeySpec
	ACL      string // ACL categories without the at sign, separated by blanks
	Group    string // chapter of the documentation
	Since    string // version of Redis, or of Cubby for its own commands
	Syntax   string // arguments as documentation shows them
	Doc      string // one line
	Run      func(*Call) error

	// What only COMMAND INFO tells, in Redis's words, separated by blanks.
	Tips string // advice for clients that split commands over a cluster
	Also string // flags that mean nothing here

	// Much tells whether these arguments ask for so much that the command is to be
	// treated as a slow one; nil is never.
	Much func(argv [][]byte) bool

	// Secrets calls hide with the positions of arguments that no log may show;
	// nil when there are none.
	Secrets func(argv [][]byte, config Config, hide func(int))

	subs map[string]*Command // of a container, by lower-case name
	hits *stats
}

func (c *Command) has(f Flag) bool { return c.Flags&f != 0 }

// slow tells whether the command may take long or wait.
func (c *Command) slow() bool { return c.has(Slow | Admin | CrossDB) }

// usesStore tells whether the command runs inside a transaction.
func (c *Command) usesStore() bool { return c.has(Reads | Writes | Scripts) }

// mayWrite tells whether the command needs an updating transaction. A script
// that only reads has the flag Reads.
func (c *Command) mayWrite() bool { return c.has(Writes) || c.has(Scripts) && !c.has(Reads) }

// arityFits tells whether argc arguments, the name included, are acceptable.
func (c *Command) arityFits(argc int) bool {
	if c.Arity < 0 {
		return argc >= -c.Arity
	}
	return argc == c.Arity
}

// keyRange returns the positions of the keys in argv: for i := first; i <= last; i += step.
// A command without keys gets an empty range.
func (c *Command) keyRange(argv [][]byte) (first, last, step int) { return c.Keys.find(argv) }

func (k *KeySpec) find(argv [][]byte) (first, last, step int) {
	first, last, step = k.First, k.Last, k.Step
	switch {
	case k.Find != nil:
		first, last, step = k.Find(argv)
	case k.Count != 0:
		n, ok := parseInt(argv[k.Count])
		if !ok || n < 1 || n > int64(len(argv)-1-k.Count) {
			return 1, 0, 1
		}
		first, last, step = k.Count+1, k.Count+int(n), 1
	}
	if first == 0 {
		return 1, 0, 1
	}
	if last < 0 {
		last += len(argv)
	}
	return first, min(last, len(argv)-1), step
}

// table holds every command by its lower-case name. Containers hold their
// subcommands.
type table struct {
	byName map[string]*Command
	rows   []*Command // top-level rows in the order of the families
}

// families lists the row sets of the family files, in the order in which the
// documentation shows them.
func families() [][]*Command {
	return [][]*Command{
		stringRows(), lcsRows(), conditionalRows(), counterRows(), bitRows(), keyRows(), moveRows(), dumpRows(), objectRows(),
		expireRows(), scanRows(), txnRows(), scriptRows(), pubsubRows(), kvRows(),
		connRows(), browserTokenRows(), clientRows(), serverRows(), lolwutRows(), introspectionRows(), persistenceRows(), adminRows(), backupRows(),
		aclRows(), topologyRows(), shutdownRows(), configRows(), slowLogRows(), latencyRows(), monitorRows(),
	}
}

func newTable() *table {
	t := &table{byName: make(map[string]*Command)}
	for _, rows := range families() {
		for _, row := range rows {
			t.add(row)
		}
	}
	return t
}

func (t *table) add(row *Command) {
	row.hits = new(stats)
	if slices.Contains(strings.Fields(row.Also), "noscript") {
		row.Flags |= NoScript
	}
	if !row.has(Scripts) && slices.Contains(row.flagWords(), "readonly") {
		row.Flags |= Tracked
	}
	if parent, sub, ok := strings.Cut(row.Name, "|"); ok {
		container := t.byName[parent]
		if container.subs == nil {
			container.subs = make(map[string]*Command)
		}
		if _, dup := container.subs[sub]; dup {
			panic(fmt.Sprintf("command %s stands twice in the table", row.Name))
		}
		container.subs[sub] = row
		return
	}
	if _, dup := t.byName[row.Name]; dup {
		panic(fmt.Sprintf("command %s stands twice in the table", row.Name))
	}
	t.byName[row.Name] = row
	t.rows = append(t.rows, row)
}

// maxNameLen is longer than any command's name.
const maxNameLen = 32

// lookup finds a command without allocating; nil when there is none.
func (t *table) lookup(name []byte) *Command {
	return lookupFold(t.byName, name)
}

func lookupFold(m map[string]*Command, name []byte) *Command {
	if len(name) > maxNameLen {
		return nil
	}
	var folded [maxNameLen]byte
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		folded[i] = c
	}
	return m[string(folded[:len(name)])]
}
