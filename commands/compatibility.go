package commands

import (
	"bytes"
	"cmp"
	_ "embed" // the names of Redis's commands
	"fmt"
	"io"
	"strings"
)

// redisCommands are the commands of Redis 7.0.15, subcommands included, one a
// line with its group before it, in the order in which they are shown.
//
//go:embed redis-7.0.txt
var redisCommands string

// narrower says of commands what Redis lets them do and we do not, or do in
// bounds that Redis does not have. Missing subcommands and what is for the admin
// only are told from the table.
var narrower = map[string]string{
	"bitop":    "refused when the work would take too long",
	"client":   "shows and reaches the namespace's own connections; all of them for the admin; an own change that another connection's TRACKING redirects here is told behind the reply",
	"cluster":  "as in a Redis that is not in cluster mode: always an error",
	"config":   "an app sees what is harmless, and its own limits; SET and REWRITE are for the admin; the directives are Cubby's",
	"copy":     "between databases 0 and 1",
	"info":     "an app reads its namespace as if it were the whole server; figures of the process are for the admin",
	"latency":  "the events are command, fast-command, aof-write, aof-fsync-always and expire-cycle; DOCTOR is in our words",
	"module":   "there are none",
	"move":     "between databases 0 and 1",
	"multi":    "what is queued has a bound; AUTH, HELLO and CLIENT REPLY cannot be queued",
	"object":   "ENCODING tells what the value would have after SET, IDLETIME counts from the last write, FREQ is an error as it is in Redis without an LFU policy",
	"restore":  "strings only; a payload is checked more strictly, and a TTL beyond the end of time is far away",
	"select":   "0 and 1",
	"setbit":   "the limit on values comes in place of proto-max-bulk-len",
	"setrange": "the limit on values comes in place of proto-max-bulk-len",
	"shutdown": "every write is kept, whatever the options say; NOW and NOSAVE end scripts at once; ABORT comes too late",
	"slowlog":  "commands that shared a transaction share an entry",
	"wait":     "there are no replicas: 0 at once",
	"watch":    "what is watched has a bound",
}

// different says of commands what they do otherwise.
var different = map[string]string{
	"acl":         "WHOAMI tells the namespace or admin; there are apps and tokens instead of ACL users",
	"auth":        "a token instead of a password, and tenant/app, default or nothing instead of a user; not in MULTI",
	"bitfield":    "an offset that only an integer overflow brings within range is refused; OVERFLOW FAIL that grows the value is a change for WATCH",
	"command":     "tells of the commands here; DOCS is in our words, a few flags are those that hold here, and a shard channel is no key",
	"dbsize":      "counts live keys only; in Redis ended ones count until it happens on them",
	"dump":        "compresses nothing",
	"eval":        "bounded in time and memory, and what is ended leaves nothing; some error texts differ in detail: see [scripting.md](scripting.md)",
	"eval_ro":     "as EVAL",
	"evalsha":     "as EVAL; a namespace has scripts of its own",
	"evalsha_ro":  "as EVAL; a namespace has scripts of its own",
	"exec":        "a watched key that was missing and is missing again did not change",
	"hello":       "its answer names this server's version and connection; not in MULTI",
	"incrbyfloat": "zero with an exponent that no integer holds is not a number",
	"lolwut":      "draws something else",
	"mset":        "a key that is not allowed is refused before a wrong number of arguments",
	"script":      "about the namespace's own scripts, of which 500 are remembered; there is no debugger",
	"set":         "takes IFEQ too; an option with a zero byte in it is none",
}

// absentGroups says why whole groups of commands do not exist here. Those have
// no row of their own.
var absentGroups = map[string]string{
	"list":        "values are strings",
	"hash":        "values are strings",
	"set":         "values are strings",
	"sorted-set":  "values are strings",
	"stream":      "values are strings",
	"geo":         "values are strings",
	"hyperloglog": "values are strings",
}

// absent says why single commands do not exist here.
var absent = map[string]string{
	"bgrewriteaof":   "the journal is compacted all the time",
	"debug":          "it is for Redis's own tests",
	"failover":       "there are no replicas",
	"fcall":          "no functions: EVAL and EVALSHA run scripts",
	"fcall_ro":       "no functions: EVAL_RO and EVALSHA_RO run scripts",
	"function":       "no functions: SCRIPT LOAD keeps scripts",
	"migrate":        "the server opens no connections; DUMP and RESTORE, or cubby export and import, move data",
	"psync":          "there are no replicas",
	"replconf":       "there are no replicas",
	"replicaof":      "there are no replicas",
	"restore-asking": "one server is no cluster",
	"save":           "BGSAVE does it without stopping anybody",
	"slaveof":        "there are no replicas",
	"sort":           "it is for lists and sets",
	"sort_ro":        "it is for lists and sets",
	"swapdb":         "database 0 is durable and 1 is not",
	"sync":           "there are no replicas",
}

// redisCommand is a command of Redis's and what became of it.
type redisCommand struct {
	group, name string
	subs        []string
}

func redisCommandList() []redisCommand {
	var list []redisCommand
	for line := range strings.Lines(redisCommands) {
		group, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, sub, ok := strings.Cut(name, "|"); ok {
			last := &list[len(list)-1]
			last.subs = append(last.subs, sub)
			continue
		}
		list = append(list, redisCommand{group: group, name: name})
	}
	return list
}

// WriteCompatibility writes how each command of Redis 7.0 fares here, as
// chapters of a document that stands beside the reference of commands.
func WriteCompatibility(w io.Writer) error {
	var b bytes.Buffer
	t := newTable()
	counts := make(map[string]int)
	group := ""
	var missing []string // of a group that does not exist here
	endGroup := func() {
		if len(missing) > 0 {
			fmt.Fprintf(&b, "Absent, because %s: %s.\n", absentGroups[group], strings.Join(missing, ", "))
		}
		missing = nil
	}
	for _, r := range redisCommandList() {
		if r.group != group {
			endGroup()
			group = r.group
			fmt.Fprintf(&b, "\n### %s\n\n", groupTitle(group))
			if absentGroups[group] == "" {
				b.WriteString("| command | here | |\n|---|---|---|\n")
			}
		}
		how, why := r.judge(t)
		counts[how]++
		name := strings.ToUpper(r.name)
		switch {
		case absentGroups[group] != "" && how == "absent":
			missing = append(missing, name)
			continue
		case how != "absent":
			name = "[" + name + "](commands.md#" + r.name + ")"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, how, why)
	}
	endGroup()
	_, err := fmt.Fprintf(w, redisCommandsIntro, counts["same"], counts["narrower"], counts["different"], counts["absent"],
		strings.Join(t.ownCommands(), ", "))
	if err == nil {
		_, err = w.Write(b.Bytes())
	}
	return err
}

// groupTitle is a group's name as a heading.
func groupTitle(group string) string {
	if group == "pubsub" {
		return "Pub/sub"
	}
	return strings.ToUpper(group[:1]) + strings.ReplaceAll(group[1:], "-", " ")
}

const redisCommandsIntro = `
## Commands of Redis 7.0

Of its commands %d are the same here, %d are narrower, %d are different and %d are absent. "The same" is tested: a real
redis-server gets the same commands, and the replies have to be equal to the byte, in RESP2 and RESP3, errors included. For all of
them holds:

- The namespace is the whole server to its app: KEYS, SCAN, DBSIZE, RANDOMKEY, FLUSHALL, PUBLISH and PUBSUB see and reach only
  what is in it.
- A namespace has its limits: on keys and their bytes, values, TTLs, counts and rate. What exceeds them is refused with
  ` + "`BAD_INPUT`, `SIZE_EXCEEDED`, `CAP_REACHED` or `RATE_LIMITED`" + `; a key has at least one byte.
- A token may be read-only or open only a prefix; what goes beyond that is refused with ` + "`NOPERM`" + `.
- A command that is absent answers as Redis does for one that it does not know: ` + "`ERR unknown command`" + `.

Commands that Redis 7.0 does not have, in the [reference](commands.md): %s.
`

// judge tells how a command of Redis's fares here.
func (r *redisCommand) judge(t *table) (how, why string) {
	row := t.byName[r.name]
	if row == nil {
		return "absent", cmp.Or(absent[r.name], absentGroups[r.group])
	}
	var missing []string
	for _, sub := range r.subs {
		if row.subs[sub] == nil {
			missing = append(missing, strings.ToUpper(sub))
		}
	}
	var reasons []string
	if row.has(Admin) {
		reasons = append(reasons, "for the admin only")
	}
	if len(missing) > 0 {
		reasons = append(reasons, "without "+strings.Join(missing, ", "))
	}
	if narrower[r.name] != "" {
		reasons = append(reasons, narrower[r.name])
	}
	how = "same"
	if len(reasons) > 0 {
		how = "narrower"
	} else if different[r.name] != "" {
		how = "different"
	}
	if different[r.name] != "" {
		reasons = append(reasons, different[r.name])
	}
	return how, strings.Join(reasons, "; ")
}

// ownCommands are links to the commands that Redis 7.0 does not have.
func (t *table) ownCommands() []string {
	redis := make(map[string]bool)
	for _, r := range redisCommandList() {
		redis[r.name] = true
	}
	var own []string
	for _, row := range t.rows {
		if !redis[row.Name] {
			own = append(own, "["+strings.ToUpper(row.Name)+"](commands.md#"+strings.ReplaceAll(row.Name, ".", "")+")")
		}
	}
	return own
}
