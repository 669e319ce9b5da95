package commands

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// fixedScripts are for EVALSHA.
var fixedScripts = []string{"return redis.call(unpack(ARGV))", "return {KEYS[1], ARGV[1], #KEYS, #ARGV}", "return redis.pcall('get', KEYS[1])", "return redis.call('incr', KEYS[1])"}

func knownScripts() []string {
	var list []string
	for _, text := range fixedScripts {
		sum := sha1.Sum([]byte(text))
		list = append(list, hex.EncodeToString(sum[:]))
	}
	return list
}

// known are the arguments of EVALSHA.
func (g *treeGenerator) known() ([]string, bool) {
	args := []string{g.word(g.names.named([]byte("evalsha")), &argument{name: "sha1"})}
	if g.chance(10) {
		return append(args, pick(&g.generator, "-1", "x", "2", "")), false
	}
	cmd := g.callable(0)
	n := g.rnd.IntN(3)
	args = append(args, strconv.Itoa(n))
	for range n {
		args = append(args, g.key())
	}
	return append(args, cmd.args...), cmd.loose
}

// callable is a command for a script. A script whose text does not show it has no
// command for both databases: see deliberate.
func (g *treeGenerator) callable(but Flag) generated {
	for {
		cmd := g.command()
		last := cmd[len(cmd)-1]
		row := g.names.lookup([]byte(last.args[0]))
		if row != nil && row.Name == "dbsize" {
			continue // counts ended keys, or does not
		}
		if row == nil || !row.has(but|CrossDB|Admin) && row.subs == nil && !strings.HasPrefix(row.Name, "eval") && row.Name != "command" {
			return last
		}
	}
}

// script makes a script of a few calls, and its arguments.
func (g *treeGenerator) script(readOnly bool) (args []string, loose bool) {
	if g.chance(10) {
		text := pick(&g.generator, fixedScripts...)
		return []string{text, pick(&g.generator, "0", "-1", "x", "1", "1.5", ""), g.key(), g.key()}, false
	}
	var b strings.Builder
	if g.chance(10) {
		b.WriteString("redis.setresp(3) ")
	}
	b.WriteString("local t = {}")
	for range 1 + g.rnd.IntN(3) {
		cmd := g.callable(0)
		if readOnly && g.chance(60) {
			cmd = g.callable(Writes)
		}
		loose = loose || cmd.loose || strings.EqualFold(cmd.args[0], "LCS") // a table's order
		call := "redis.call"
		if g.chance(50) {
			call = "redis.pcall"
		}
		words := make([]string, len(cmd.args))
		for i, a := range cmd.args {
			words[i] = luaString(a)
			if n, err := strconv.Atoi(a); err == nil && strconv.Itoa(n) == a && g.chance(20) {
				words[i] = a // a number
			}
			if a == "a" && g.chance(50) {
				words[i] = "KEYS[1]"
			}
		}
		fmt.Fprintf(&b, "\nt[#t+1] = %s(%s)", call, strings.Join(words, ", "))
	}
	b.WriteString("\nreturn " + pick(&g.generator, "t", "t", "t[1]", "t[#t]", "type(t[1])", "#t"))
	return []string{b.String(), "1", "a", g.text()}, loose
}

func luaString(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for i := range len(s) {
		if c := s[i]; c >= ' ' && c < 0x7f && c != '\'' && c != '\\' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "\\%03d", c)
		}
	}
	return b.String() + "'"
}
