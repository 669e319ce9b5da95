package commands

import (
	"strings"
	"testing"
)

// BenchmarkScript runs EVALSHA of a script that reads and writes a key.
func BenchmarkScript(b *testing.B) {
	const text = "local v = redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], ARGV[1]) return v"
	value := []byte(strings.Repeat("v", 64))
	for _, cmd := range []struct {
		name   string
		script string
		by     string
	}{{"EVAL", text, "EVAL"}, {"EVAL_RO", "return redis.call('GET', KEYS[1])", "EVAL_RO"}} {
		b.Run(cmd.name, func(b *testing.B) {
			benchmarkEngine(b, 1, func(i int) [][]byte {
				return [][]byte{[]byte(cmd.by), []byte(cmd.script), []byte("1"), benchKey(i), value}
			})
		})
	}
}
