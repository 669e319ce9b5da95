package integration

import (
	"os/exec"

	"github.com/cubbykv/cubby/internal/testneed"
)

// rubySubjects are installed by the system.
func rubySubjects() []subject {
	return []subject{{Name: "redis-rb", Language: "Ruby", drive: func(d *driven) {
		program := testneed.Program(d, "ruby")
		if out, err := exec.Command(program, "-e", `require "redis"`).CombinedOutput(); err != nil {
			testneed.Missing(d, "Ruby's package redis", string(out))
		}
		d.script(program, "ruby/redis_rb.rb")
	}}}
}
