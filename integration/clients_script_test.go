package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testneed"
)

// scriptTime is what one script may take; none should come near it.
const scriptTime = time.Minute

// line is what a script prints: which version it drives, the outcome of a
// check, or that it wants the server to be restarted, which is answered with a
// line on its standard input.
type line struct {
	Version string `json:"version"`
	Check   string `json:"check"`
	OK      bool   `json:"ok"`
	Detail  string `json:"detail"`
	Ask     string `json:"ask"`
}

// script drives a client from a script under testdata.
func (d *driven) script(program string, args ...string) {
	d.Helper()
	ctx, cancel := context.WithTimeout(background, scriptTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = "testdata"
	cmd.WaitDelay = patience
	dieWithUs(cmd)
	var stderr output
	cmd.Stderr = &stderr
	cmd.Env = childEnv([]string{
		"REDIS_HOST=127.0.0.1", "REDIS_PORT=" + strconv.Itoa(d.server.port), "REDIS_USER=" + d.user, "REDIS_TOKEN=" + d.token,
		"PYTHONDONTWRITEBYTECODE=1", "REDIS_PROTOCOL=" + strconv.Itoa(d.done.Protocol), "REDIS_WEB_PORT=" + strconv.Itoa(d.server.web),
	})
	stdin, err := cmd.StdinPipe()
	require.NoError(d, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(d, err)
	require.NoError(d, cmd.Start())
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		var l line
		require.NoError(d, json.Unmarshal(lines.Bytes(), &l), "%s\n%s", lines.Text(), stderr.String())
		switch {
		case l.Version != "":
			d.done.Version = l.Version
		case l.Ask == "restart":
			d.restart()
			_, err := io.WriteString(stdin, "done\n")
			require.NoError(d, err, stderr.String())
		default:
			d.check(l.Check, func(t *testing.T) { require.True(t, l.OK, l.Detail) })
		}
	}
	require.NoError(d, lines.Err())
	require.NoError(d, cmd.Wait(), stderr.String())
	require.NotEmpty(d, d.done.Checks, "the script checked nothing")
	require.NotEmpty(d, d.done.Version, "the script did not say what it drives")
}

// node drives a script of testdata/node. Its packages are installed by "npm ci"
// in that directory.
func node(args ...string) func(*driven) {
	return func(d *driven) {
		program := testneed.Program(d, "node")
		if _, err := os.Stat("testdata/node/node_modules"); err != nil {
			testneed.Missing(d, `what "npm ci" installs in integration/testdata/node`, err.Error())
		}
		args[0] = filepath.Join("node", args[0])
		d.script(program, args...)
	}
}
