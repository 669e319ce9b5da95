package commands

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
)

// deliberate lists where we differ from Redis on purpose: the replies to the
// last command of each script. Everything else that the replay tests reach is
// equal to the byte. Limits have their own tests: the replays lift them.
var deliberate = []struct {
	script, ours, redis string
}{
	{`a key has at least one byte
	SET "" v`,
		"-BAD_INPUT the key is 0 bytes long; 1 to 65536 are allowed\r\n", "+OK\r\n"},
	{`keys are judged at admission, before anything that the handler finds wrong
	MSET a 1 ""`,
		"-BAD_INPUT the key is 0 bytes long; 1 to 65536 are allowed\r\n", "-ERR wrong number of arguments for 'mset' command\r\n"},
	{`the limit on values comes in place of proto-max-bulk-len
	SETRANGE k 536870912 x`,
		"-SIZE_EXCEEDED offset 536870912 and 1 bytes would make a larger value than the 1048576 bytes allowed\r\n",
		"-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"},
	{`a TTL beyond the end of time is far away, and not long ago
	RESTORE k 9223372036854775807 "\x00\x01v\n\x00\x91\b\xce\xb2\x198\x8a\xce"
	EXISTS k`,
		":1\r\n", ":0\r\n"},
	{`Redis takes an option with a zero byte for the option
	SET a 1 "NX\x00"`,
		"-ERR syntax error\r\n", "+OK\r\n"},
	{`zero with an exponent that no integer holds
	INCRBYFLOAT f 0e99999999999999999999`,
		"-ERR value is not a valid float\r\n", "$1\r\n0\r\n"},
	{`a watched key that was missing and is missing again did not change
	WATCH k
	b| SET k 1
	b| DEL k
	MULTI
	EXEC`,
		"*0\r\n", "*-1\r\n"},
	{`writing what has ended already to a missing key changes nothing
	WATCH k
	b| SET k 1 PXAT 1
	MULTI
	EXEC`,
		"*0\r\n", "*-1\r\n"},
	{`DBSIZE counts live keys; in Redis ended ones count until it happens on them
	SET k 1 PXAT 1
	DBSIZE`,
		":0\r\n", sometimes},
	{`signing in ends transactions, so it cannot be part of one
	MULTI
	AUTH x`,
		"-ERR Command not allowed inside a transaction\r\n", "+QUEUED\r\n"},
	{`CLIENT REPLY in MULTI would leave EXEC's array without its elements
	MULTI
	CLIENT REPLY ON`,
		"-ERR Command not allowed inside a transaction\r\n", "+QUEUED\r\n"},
	{`Redis answers twice when prefixes overlap, and none of them is the first
	CLIENT TRACKING ON BCAST PREFIX a PREFIX b PREFIX b
	PING`,
		"+PONG\r\n", "+OK\r\n"},
	{`values are strings: the other types' commands do not exist
	LPUSH k v`,
		"-ERR unknown command 'LPUSH', with args beginning with: 'k' 'v' \r\n", ":1\r\n"},
	{`SET takes IFEQ, which is newer
	SET k v IFEQ w`,
		"$-1\r\n", "-ERR syntax error\r\n"},
	{`the limit on values comes in place of proto-max-bulk-len for bits too
	SETBIT k 8388608 1`,
		"-SIZE_EXCEEDED bit 8388608 would make a larger value than the 1048576 bytes allowed\r\n", ":0\r\n"},
	{`a field's offset is not one that only an overflow brings within range
	BITFIELD k GET u16 #1152921504606846977`,
		"-ERR bit offset is not an integer or out of range\r\n", "*1\r\n:0\r\n"},
	{`a write that fails but grows the value is a change
	WATCH k
	b| BITFIELD k OVERFLOW FAIL SET u8 0 256
	MULTI
	EXEC`,
		"*-1\r\n", "*0\r\n"},
	{`OBJECT ENCODING is what the value would have after SET
	SET k a
	APPEND k b
	OBJECT ENCODING k`,
		"$6\r\nembstr\r\n", "$3\r\nraw\r\n"},
	{`values are strings: a list cannot be restored
	RESTORE k 0 ` + strconv.Quote(sealed("\x01\x01\x01a")),
		"-ERR Bad data format: the payload holds no string, and values here are strings\r\n", "+OK\r\n"},
	{`a string does not reach into the checksum
	RESTORE k 0 ` + strconv.Quote(sealed("\x00\x05ab")),
		"-ERR Bad data format\r\n", "+OK\r\n"},
	{`a compressed string of no bytes has to be sound too
	RESTORE k 0 ` + strconv.Quote(sealed("\x00\xc3\x02\x00\x00g")),
		"-ERR Bad data format\r\n", "+OK\r\n"},
	{`DUMP compresses nothing
	SET k "x"*40
	DUMP k`,
		bulks(sealed("\x00\x28" + strings.Repeat("x", 40))), bulks(sealed("\x00\xc3\x09\x28\x01xx\xe0\x1b\x00\x01xx"))},
	{`MEMORY tells of keys only: the rest concerns the whole server
	MEMORY PURGE`,
		"-ERR unknown subcommand 'PURGE'. Try MEMORY HELP.\r\n", "+OK\r\n"},
	{`databases cannot be swapped: one is durable, the other is not
	SWAPDB 0 1`,
		"-ERR unknown command 'SWAPDB', with args beginning with: '0' '1' \r\n", "+OK\r\n"},
	{`the compiler says in other words what is wrong
	EVAL "return (" 0`,
		"-ERR Error compiling script (new function): user_script:1: syntax error near '<eof>'\r\n",
		"-ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'\r\n"},
	{`errors do not name variables
	EVAL "local a return a.b" 0`,
		"-ERR user_script:1: attempt to index a nil value script: ee8141d06fdc2f3ba250c609118659b0e12a6e12, on @user_script:1.\r\n",
		"-ERR user_script:1: attempt to index local 'a' (a nil value) script: ee8141d06fdc2f3ba250c609118659b0e12a6e12, on @user_script:1.\r\n"},
	{`functions cannot be dumped, as binary chunks cannot be loaded
	EVAL "return type(string.dump)" 0`,
		"$3\r\nnil\r\n", "$8\r\nfunction\r\n"},
	{`every script starts with the same random numbers
	EVAL "math.randomseed(7)" 0
	EVAL "return math.random(1000000)" 0`,
		":170829\r\n", sometimes},
	{`settings of cjson end with the script
	EVAL "cjson.encode_max_depth(3)" 0
	EVAL "return cjson.encode_max_depth()" 0`,
		":1000\r\n", ":3\r\n"},
	{`scripts do not call what only the admin may run
	EVAL "return redis.call('slowlog','len')" 0`,
		"-ERR This Redis command is not allowed from script script: 55195e46d2beea5bc164d5ff03e2999bdbc32e3f, on @user_script:1.\r\n", ":0\r\n"},
	{`there is no debugger
	SCRIPT DEBUG SYNC`,
		"-ERR there is no script debugger\r\n", "+OK\r\n"},
	{`a script that may use both databases shows it in its text
	EVAL "return redis.call('sel'..'ect', 1)" 0`,
		"-ERR the command uses both databases, and the script was given one (hint: a script whose text contains the command's name gets both) script: 5bf2798db49b7a58e09340260cb3ffdacba89eb5, on @user_script:1.\r\n", "+OK\r\n"},
}

// sometimes stands for replies of Redis that nobody can foretell.
const sometimes = "sometimes"

func TestDeliberateDifferences(t *testing.T) {
	w := newTwins(t)
	for _, d := range deliberate {
		name, steps := parseScript(t, d.script)
		t.Run(name, func(t *testing.T) {
			w.flush(t)
			conns := make(map[string]*twin)
			var ours, theirs string
			for _, s := range steps {
				c := conns[s.conn]
				if c == nil {
					c = w.dial(t, resp.V2)
					conns[s.conn] = c
				}
				theirs = c.theirs.Do(s.args...)
				w.now()
				ours = c.ours.do(s.args...)
			}
			require.Equal(t, d.ours, ours)
			if d.redis != sometimes {
				require.Equal(t, d.redis, theirs)
			}
		})
	}
}

// unreplayed are commands whose replies are ours alone.
var unreplayed = map[string]string{
	"auth":    "Redis has no namespaces",
	"hello":   "the version and the connection's number are each server's own",
	"delifeq": "newer than Redis 7.0",
	"msetex":  "newer than Redis 7.0",

	"client|help":     "lists also what is newer than Redis 7.0",
	"client|id":       "numbers are each server's own",
	"client|no-touch": "newer than Redis 7.0",
	"client|setinfo":  "newer than Redis 7.0",

	"latency|doctor": "in words of our own",
	"acl|whoami":     "namespaces are not Redis's users",
	"acl|help":       "lists what there is",
	"acl|deluser":    "there are no ACL users",
	"acl|getuser":    "there are no ACL users",
	"acl|list":       "there are no ACL users",
	"acl|load":       "there are no ACL users",
	"acl|log":        "there are no ACL users",
	"acl|save":       "there are no ACL users",
	"acl|users":      "there are no ACL users",
	"module|help":    "lists what there is",
	"monitor":        "the moments are each server's own",
}

// redisFamilies are the families whose commands Redis has.
func redisFamilies() [][]*Command {
	return [][]*Command{
		stringRows(), lcsRows(), conditionalRows(), counterRows(), bitRows(), keyRows(), moveRows(), dumpRows(), objectRows(),
		expireRows(), scanRows(), txnRows(), scriptRows(), pubsubRows(), connRows(), clientRows(), aclRows(), topologyRows(), shutdownRows(), configRows(), slowLogRows(), latencyRows(), monitorRows(), lolwutRows(),
	}
}

// TestEveryCommandIsReplayed keeps new commands of Redis's from going
// untested.
func TestEveryCommandIsReplayed(t *testing.T) {
	names := newTable()
	replayed := make(map[*Command]bool)
	for _, scripts := range [][]string{
		stringScripts, lcsScripts, counterScripts, bitScripts, keyScripts, moveScripts, dumpScripts(), objectScripts,
		expireScripts, scanScripts, txnScripts, scriptScripts(), pubsubScripts, connScripts, clientScripts, trackingScripts, configScripts, serverScripts, monitoringScripts,
	} {
		for _, text := range scripts {
			_, steps := parseScript(t, text)
			for _, s := range steps {
				argv := [][]byte{[]byte(s.args[0])}
				if len(s.args) > 1 {
					argv = append(argv, []byte(s.args[1]))
				}
				replayed[names.resolve(argv)] = true
			}
		}
	}
	for _, rows := range redisFamilies() {
		for _, row := range rows {
			if !replayed[names.named([]byte(row.Name))] && unreplayed[row.Name] == "" {
				t.Errorf("no replay script uses %s: add one, or say in unreplayed why not", row.Name)
			}
		}
	}
}
