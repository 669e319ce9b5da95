package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// patience bounds every wait of these tests; none should come near it.
	patience = 20 * time.Second
	// pollEvery is how often a condition is looked at while it is waited for.
	pollEvery = 5 * time.Millisecond
)

// binary is the path of the cubby that is tested.
var binary string

var background = context.Background()

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "cubby-integration")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "cubby")
	args := append([]string{"build", "-o", binary}, buildFlags...)
	out, err := exec.Command("go", append(args, "../cmd/cubby")...).CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	redis.SetLogger(silent{}) // tests look at the errors themselves
	return m.Run()
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
