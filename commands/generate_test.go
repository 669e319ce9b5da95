package commands

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// treeGenerator makes random commands from the argument trees of the table's
// rows: what COMMAND DOCS tells.
type treeGenerator struct {
	generator
	names *table
	rows  []*Command // all that it makes
	keyed []*Command // those that name keys, and change or read values
	// steady rounds have nobody that hears of ended keys: nobody foretells when
	// Redis notices them.
	steady bool
	// tracking rounds have CLIENT TRACKING.
	tracking bool
	// watching rounds have WATCH.
	watching bool
}

// generated is a command, and whether its reply is compared loosely.
type generated struct {
	row   *Command // nil when it was not made from one
	args  []string
	loose bool
}

// redisRows are our commands that Redis 7.0 has.
func redisRows(names *table) []*Command {
	var rows []*Command
	for line := range strings.Lines(redisCommands) {
		if row := names.named([]byte(strings.Fields(line)[1])); row != nil {
			rows = append(rows, row)
		}
	}
	return rows
}

func newTreeGenerator() *treeGenerator {
	g := &treeGenerator{names: newTable()}
	for _, row := range redisRows(g.names) {
		if ungenerated[row.Name] != "" {
			continue
		}
		g.rows = append(g.rows, row)
		if row.Keys.First != 0 || row.Keys.Count != 0 {
			g.keyed = append(g.keyed, row)
		}
	}
	return g
}

func (g *treeGenerator) chance(percent int) bool { return g.rnd.IntN(100) < percent }

// command returns a random command, or several that belong together.
func (g *treeGenerator) command() []generated {
	rows := g.rows
	if g.chance(60) {
		rows = g.keyed
	}
	row := rows[g.rnd.IntN(len(rows))]
	for row.Name == "watch" && !g.watching || (row.Name == "flushall" || row.Name == "flushdb" || row.Name == "quit") && g.chance(80) {
		row = rows[g.rnd.IntN(len(rows))]
	}
	if row.Name == "watch" {
		// The keys exist: see deliberate for what WATCH makes of missing ones.
		a, b := g.key(), g.key()
		return []generated{{args: []string{"MSET", a, g.text(), b, g.text()}}, {row: row, args: []string{"WATCH", a, b}}}
	}
	if row.Name == "dbsize" {
		// Redis forgets the ended keys that its DBSIZE would count.
		return []generated{{args: append([]string{"EXISTS"}, randomKeys...)}, g.of(row)}
	}
	return []generated{g.of(row)}
}

// of returns a random call of a command.
func (g *treeGenerator) of(row *Command) generated {
	args := strings.Split(row.Name, "|")
	if g.chance(50) {
		for i := range args {
			args[i] = strings.ToUpper(args[i])
		}
	}
	named := len(args)
	loose := looselyCompared[row.Name] != ""
	if special := specialArguments[row.Name]; special != nil {
		more, inner := special(g)
		args, loose = append(args, more...), loose || inner
	} else {
		args = append(args, g.arguments(row)...)
		if g.chance(8) && !unmutated[row.Name] {
			args = g.mutate(args, named)
		}
	}
	g.mend(args)
	return generated{row, args, loose}
}

// arguments fills in a row's tree. What may be left out at its end comes in
// any order.
func (g *treeGenerator) arguments(row *Command) []string {
	tree, err := row.arguments()
	if err != nil {
		panic(err)
	}
	firstOption := len(tree)
	for firstOption > 0 && tree[firstOption-1].optional {
		firstOption--
	}
	var args []string
	for i := range tree[:firstOption] {
		args = g.fill(args, row, &tree[i])
	}
	options := slices.Clone(tree[firstOption:])
	g.rnd.Shuffle(len(options), func(i, j int) { options[i], options[j] = options[j], options[i] })
	for i := range options {
		args = g.fill(args, row, &options[i])
	}
	return args
}

func (g *treeGenerator) fill(args []string, row *Command, a *argument) []string {
	times := 1
	switch {
	case a.optional && g.chance(50):
		return args
	case a.multiple:
		times += g.rnd.IntN(3)
	}
	for n := range times {
		if a.token != "" && (n == 0 || a.repeatsToken) {
			args = append(args, g.token(a.token))
		}
		switch a.kind {
		case "pure-token":
		case "oneof":
			part := a.parts[g.rnd.IntN(len(a.parts))]
			for newerTokens[part.token] {
				part = a.parts[g.rnd.IntN(len(a.parts))]
			}
			args = g.fill(args, row, &part)
		case "block":
			for i := range a.parts {
				args = g.fill(args, row, &a.parts[i])
			}
		default:
			args = append(args, g.word(row, a))
		}
	}
	return args
}

func (g *treeGenerator) token(token string) string {
	if newerTokens[token] {
		return "FOO"
	}
	if token == "FAIL" && (g.watching || g.steady) {
		token = "SAT" // see deliberate: what FAIL grows is a change for WATCH
	}
	if g.chance(30) {
		return strings.ToLower(token)
	}
	return token
}

// text is a value.
func (g *treeGenerator) text() string {
	return pick(&g.generator, "", "0", "1", "-1", "10", "007", "+5", " 1", "1 ", "abc", "foobar", "1.5", "-0", "3.0e3", "0x10", "inf", "nan", "1e400", "0.1", "3.14",
		"9223372036854775807", "-9223372036854775808", "9223372036854775808", "\x00\xff\r\n", "\xff\xf0\x00", strings.Repeat("v", 44), strings.Repeat("w", 45), strings.Repeat("ab", 150))
}

// edge is an integer, or something like one.
func (g *treeGenerator) edge() string {
	return pick(&g.generator, "0", "-1", "1", "2", "5", "-3", "7", "100", "2147483648", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
		"abc", "", "1.5", " 1", "+1", "01", "-0")
}

func (g *treeGenerator) pattern() string {
	return pick(&g.generator, "*", "a*", "[a-k]", "?", "k*", "\x00*", "[^a]*", "k y", "", "[", "\\", "a", "*:*", "[b-", "**a", "\\a", "[\\a]", "[z-a]")
}

func (g *treeGenerator) channel() string { return pick(&g.generator, "a", "b", "news", "n:1", "") }

// word fills in one argument.
func (g *treeGenerator) word(row *Command, a *argument) string {
	p := &g.generator
	container, _, _ := strings.Cut(row.Name, "|")
	switch a.name {
	case "encoding":
		return pick(p, "u8", "i8", "u1", "i64", "u63", "u64", "i65", "u0", "i0", "U8", "x", "", "i5", "u16", "i16", "i1", "u 8", "i08")
	case "offset":
		if strings.HasPrefix(container, "bitfield") && g.chance(50) {
			return pick(p, "#0", "#1", "#2", "#", "#-1", "#x", "#100", "# 1")
		}
		// Values stay small, or beyond what either server holds.
		return pick(p, "0", "1", "7", "8", "9", "100", "300", "-1", "x", "", "4294967296", "9223372036854775807", "-9223372036854775808", "1.5", "01", "+1", " 1")
	case "bit":
		return pick(p, "0", "1", "0", "1", "2", "-1", "x", "", "01", "+1")
	case "value":
		if row.Name == "setbit" {
			return pick(p, "0", "1", "2", "-1", "x", "")
		}
	case "cursor":
		return pick(p, "0", "0", "0", "0", "x", "-1", "1", "", "18446744073709551616", " 0")
	case "count":
		return pick(p, "1000", "100", "1000", "0", "-1", "x", "9223372036854775807", "1.5", "")
	case "type":
		return pick(p, "string", "STRING", "list", "foo", "")
	case "seconds", "milliseconds", "ttl":
		if row.Name == "restore" && g.chance(50) {
			return "0"
		}
		if g.chance(50) {
			return strconv.Itoa(g.ttl() * map[string]int{"seconds": 1, "milliseconds": 1000, "ttl": 1000}[a.name])
		}
		return pick(p, g.edge(), g.noTTL())
	case "unix-time-seconds":
		return pick(p, strconv.Itoa(4_000_000_000+g.rnd.IntN(5)), "1", g.edge(), strconv.Itoa(4_000_000_000))
	case "unix-time-milliseconds":
		return pick(p, strconv.Itoa(4_000_000_000_000+g.rnd.IntN(5)), "1", g.edge(), strconv.Itoa(4_000_000_000_000))
	case "serialized-value":
		if g.chance(50) {
			return pick(p, sealed("\x00\x01v"), sealed("\x00\x00"), sealed("\x00\xc0\x7b"), sealed("\x00\xc1\x39\x30"), sealed("\x00\x06foobar"))
		}
		return pick(p, slices.DeleteFunc(slices.Clone(dumpPayloads), refusedByUsOnly)...)
	case "channel", "shardchannel":
		return g.channel()
	case "pattern":
		return g.pattern()
	case "sha1":
		return pick(p, append(knownScripts(), "x", "", strings.Repeat("0", 40))...)
	case "connection-name", "clientname":
		return pick(p, "me", "", "a b", "a\nb", "m\xff")
	case "client-id", "username", "ip:port":
		return pick(p, "99999", "99998", "x", "", "0", "-1", "9223372036854775808")
	case "subcommand":
		return pick(p, "NOSUCH", "x", "", "no such")
	case "event":
		return pick(p, "command", "fork", "x", "")
	case "command-name", "command", "argument":
		return pick(p, "get", "SET", "nosuch", "client|id", "client", "")
	case "categoryname":
		return pick(p, "read", "WRITE", "nosuch", "")
	}
	switch a.kind {
	case "key":
		return g.key()
	case "integer":
		return g.edge()
	case "double":
		return pick(p, g.text(), "0.1", "-2.5", "1e10", "1e-10", "123456789.123456789", "5.0e3", "1e17", ".5", "5.", "0x1p3", "-inf", "1e-5000")
	}
	return g.text()
}

// mutate makes it likely that a command is refused.
func (g *treeGenerator) mutate(args []string, named int) []string {
	args = slices.Clone(args)
	if len(args) == named || g.chance(25) {
		return append(args, g.oddWord())
	}
	i, j := named+g.rnd.IntN(len(args)-named), named+g.rnd.IntN(len(args)-named)
	switch g.rnd.IntN(5) {
	case 0:
		return slices.Delete(args, i, i+1)
	case 1:
		return slices.Insert(args, i, args[i])
	case 2:
		args[i], args[j] = args[j], args[i]
	case 3:
		args[i] = g.oddWord()
	default:
		return slices.Insert(args, i, g.oddWord())
	}
	return args
}

func (g *treeGenerator) oddWord() string {
	return pick(&g.generator, "FOO", "NX", "XX", "GT", "GET", "KEEPTTL", "PERSIST", "EX", "COUNT", "abc", "*", "-1", "0", "9223372036854775808", "1.5", "\r\n")
}

// mend takes from a command what would make the two servers differ for
// reasons that are none: empty keys, which we refuse, and keys that end or
// compare by how quick the test is.
func (g *treeGenerator) mend(args []string) {
	argv := make([][]byte, len(args))
	for i := range args {
		argv[i] = []byte(args[i])
	}
	row := g.names.resolve(argv)
	if row == nil || !row.arityFits(len(args)) {
		return
	}
	for i, last, step := row.keyRange(argv); i <= last; {
		if args[i] == "" {
			args[i] = "b"
		}
		i += step
	}
	has := func(option string) bool {
		return slices.ContainsFunc(args, func(a string) bool { return strings.EqualFold(a, option) })
	}
	switch row.Name {
	case "setbit", "getbit", "bitfield", "bitfield_ro":
		for i := range args {
			if args[i] == "2147483648" {
				args[i] = "3" // too far only for the limit on values
			}
		}
	case "expire", "setex":
		g.mendSpan(args, 2, 1000)
	case "pexpire", "psetex":
		g.mendSpan(args, 2, 1)
	case "restore":
		if !has("ABSTTL") {
			g.mendSpan(args, 2, 1)
			if n, ok := parseInt([]byte(args[2])); ok && n > math.MaxInt64-2*time.Now().UnixMilli() {
				args[2] = "0" // see deliberate
			}
		}
	case "set", "getex":
		for i := 2; i < len(args)-1; i++ {
			switch strings.ToUpper(args[i]) {
			case "EX":
				g.mendSpan(args, i+1, 1000)
			case "PX":
				g.mendSpan(args, i+1, 1)
			case "EXAT", "PXAT":
				if n, ok := parseInt([]byte(args[i+1])); ok && n > 0 && g.steady {
					args[i+1] = "4000000000000"
				}
			}
		}
	}
}

// mendSpan replaces a TTL that is not far from all others.
func (g *treeGenerator) mendSpan(args []string, i int, unit int64) {
	n, ok := parseInt([]byte(args[i]))
	if !ok || n <= 0 || n > (math.MaxInt64-time.Now().UnixMilli())/unit || n*unit%1000 == 0 && n*unit/1000 <= math.MaxInt32 && g.used[int(n*unit/1000)] {
		return
	}
	args[i] = strconv.FormatInt(int64(g.ttl())*1000/unit, 10)
}

// specialArguments are for commands of whose arguments not any will do. They
// also tell whether the reply is to be compared loosely.
var specialArguments map[string]func(g *treeGenerator) (args []string, loose bool)

func init() {
	fixed := func(lists ...string) func(g *treeGenerator) ([]string, bool) {
		return func(g *treeGenerator) ([]string, bool) { return strings.Fields(pick(&g.generator, lists...)), false }
	}
	specialArguments = map[string]func(g *treeGenerator) ([]string, bool){
		"eval":       func(g *treeGenerator) ([]string, bool) { return g.script(false) },
		"eval_ro":    func(g *treeGenerator) ([]string, bool) { return g.script(true) },
		"evalsha":    (*treeGenerator).known,
		"evalsha_ro": (*treeGenerator).known,
		"script|load": func(g *treeGenerator) ([]string, bool) {
			if g.chance(50) {
				return []string{pick(&g.generator, fixedScripts...)}, false
			}
			args, _ := g.script(false)
			return args[:1], false
		},
		"script|debug": fixed("NO", "FOO", "no", "NO x"),
		"hello":        fixed("", "2", "3", "4", "x", "1", "3 SETNAME me", "2 SETNAME", "3 FOO", "3 SETNAME a SETNAME b", "9223372036854775808"),
		"shutdown":     fixed("x", "SAVE NOSAVE", "ABORT NOW", "NOW ABORT", "FORCE x", "abort", "NOW FORCE FOO"),
		"client|kill": func(g *treeGenerator) ([]string, bool) {
			if g.chance(20) {
				return []string{pick(&g.generator, "1.2.3.4:5", "x", "", "ID")}, false
			}
			args := g.arguments(g.names.named([]byte("client|kill")))
			if g.chance(20) && len(args) > 0 {
				args = g.mutate(args, 0)
			}
			if slices.ContainsFunc(args, func(a string) bool { return strings.EqualFold(a, "maxage") }) {
				args = nil
			}
			return append(args, "ID", "99999"), false // nobody
		},
		"client|pause": fixed("0", "0 WRITE", "0 all", "-1", "x", "1.5", "0 FOO", "99999999999999999999", "0 WRITE x"),
		"client|tracking": func(g *treeGenerator) ([]string, bool) {
			if !g.tracking { // nobody foretells when Redis tells of ended keys
				return []string{pick(&g.generator, "OFF", "off", "x")}, false
			}
			args := g.arguments(g.names.named([]byte("client|tracking")))
			for i := range args {
				if strings.EqualFold(args[i], "REDIRECT") && i+1 < len(args) && g.chance(70) {
					args[i+1] = pick(&g.generator, "@b", "@c")
				}
			}
			return args, false
		},
		"config|get":              fixed("timeout", "nope", "TIMEOU*", "timeou?", "timeout nope"),
		"config|set":              fixed("timeout 0", "nope 1", "timeout 0 nope", "TIMEOUT 0", "timeout 0 nope 2"),
		"wait":                    fixed("0 0", "0 1", "x 1", "1 x", "0 -1", "-1 0", "", "0"),
		"lolwut":                  fixed("", "VERSION 5", "VERSION x", "VERSION 1.5", "VERSION 5 1 1 1"),
		"command|getkeys":         (*treeGenerator).quoted,
		"command|getkeysandflags": (*treeGenerator).quoted,
		"command|info":            fixed("get", "nosuch", "get set client|kill nosuch", "client"), // that of all does not arrive at once
		"command|docs":            fixed("get", "nosuch", "get set client|kill nosuch", "client"),
		"command":                 fixed("NOSUCH", "NOSUCH x"),
	}
}

// quoted is a command as the arguments of another.
func (g *treeGenerator) quoted() ([]string, bool) {
	return g.of(g.keyed[g.rnd.IntN(len(g.keyed))]).args, false
}
