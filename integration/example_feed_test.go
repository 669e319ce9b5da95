package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testneed"
)

// browserTime is what the script in the browser may take; it should not come
// near it.
const browserTime = 4 * time.Minute

// TestExampleFeed starts examples/feed as its README says and has a real
// browser use it over both transports, and attack it: what it checks stands in
// testdata/node/feed.js. CUBBY_UPDATE_SCREENSHOTS=1 has it renew the pictures in
// docs/img.
func TestExampleFeed(t *testing.T) {
	t.Parallel()
	node, chromium := testneed.Program(t, "node"), testneed.Program(t, "chromium")
	if _, err := os.Stat("testdata/node/node_modules/playwright-core"); err != nil {
		testneed.Missing(t, `what "npm ci" installs in integration/testdata/node`, err.Error())
	}
	python := pythonWith(t, "redis", "redis.asyncio")
	builtJavaScriptSDK(t)
	e := startFeed(t, python)

	env := []string{
		"HOST_URL=" + e.host, "APP_URL=" + e.app, "CUBBY_URL=" + e.http, "SERVICE_TOKEN=" + e.token(t),
		"CHROMIUM=" + chromium,
	}
	if os.Getenv("CUBBY_UPDATE_SCREENSHOTS") == "1" {
		pictures, err := filepath.Abs("../docs/img")
		require.NoError(t, err)
		env = append(env, "SCREENSHOTS="+pictures)
	}
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "feed.js")
	cmd.Dir, cmd.Env = "testdata/node", childEnv(env)
	cmd.WaitDelay = patience
	// On SIGTERM the script's browser ends with it.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	var stderr output
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	checks := 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var l line
		require.NoError(t, json.Unmarshal(lines.Bytes(), &l), lines.Text())
		if l.Check == "" {
			continue
		}
		checks++
		t.Run(l.Check, func(t *testing.T) { require.True(t, l.OK, l.Detail) })
	}
	require.NoError(t, err, stderr.String())
	require.Equal(t, 14, checks, "four over each transport, and six attacks")
}

// feed is the example under way.
type feed struct {
	host, app, resp, http string
}

// startFeed runs the example until the test ends. It must stop in order then,
// and leave nobody behind.
func startFeed(t *testing.T, python string) feed {
	t.Helper()
	cmd := exec.Command(python, "-B", "../examples/feed/run.py", "--port", "0", "--cubby", binary)
	cmd.Env = childEnv([]string{withPassword})
	var stdout, stderr output
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Start())
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // ProcessState tells the rest
		close(exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-exited
		require.Zero(t, cmd.ProcessState.ExitCode(), stderr.String())
		require.NotContains(t, stderr.String(), "Traceback")
		require.NotContains(t, stderr.String(), "DATA RACE")
	})
	require.Eventually(t, func() bool {
		select {
		case <-exited:
			return true
		default:
			return strings.Contains(stdout.String(), "Ctrl-C")
		}
	}, 3*patience, pollEvery)
	said := func(pattern string) string {
		found := regexp.MustCompile(pattern).FindStringSubmatch(stdout.String())
		require.NotEmpty(t, found, stdout.String()+stderr.String())
		return found[1]
	}
	return feed{
		host: said(`frame: (http://localhost:\d+)/`), app: said(`itself: +(http://localhost:\d+)/`),
		resp: said(`server: +(\S+) \(RESP\)`), http: said(`, (http://\S+) \(HTTP\)`),
	}
}

// token returns a service token of the example's app.
func (e feed) token(t *testing.T) string {
	t.Helper()
	r := run(t, exec.Command(binary, "token", "create", "demo/feed", "--addr", e.resp), withPassword)
	require.Zero(t, r.code, r.stderr)
	return regexp.MustCompile(`cub_\w+`).FindString(r.stdout)
}
