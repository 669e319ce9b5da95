package integration

import (
	"os/exec"
	"path/filepath"

	"github.com/cubbykv/cubby/internal/testneed"
)

// php drives a script of testdata/php, if a line of PHP says that it can.
func php(script, needs string) func(*driven) {
	return func(d *driven) {
		program := testneed.Program(d, "php")
		if out, err := exec.Command(program, "-r", needs).CombinedOutput(); err != nil {
			testneed.Missing(d, "what runs "+script, string(out))
		}
		d.script(program, filepath.Join("php", script))
	}
}

const (
	hasPhpredis = `exit(extension_loaded("redis") ? 0 : 1);`
	hasPredis   = `exit((@include "Predis/autoload.php") ? 0 : 1);`
)

// phpSubjects are installed by the system.
func phpSubjects() []subject {
	return []subject{
		{Name: "phpredis", Language: "PHP", drive: php("phpredis.php", hasPhpredis)},
		{Name: "Predis", Language: "PHP", drive: php("predis.php", hasPredis)},

		{Name: "PHP sessions", Language: "PHP", Over: "phpredis", Limits: anyTTL, drive: php("sessions.php", hasPhpredis)},
	}
}
