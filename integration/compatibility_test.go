package integration

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// The checks that every client goes through as far as it can. The table in
// docs/compatibility.md has a column for each; other names stand in its last.
const (
	signIn      = "sign-in"     // AUTH <token>, AUTH tenant/app <token>, a wrong token, none
	values      = "values"      // GET, SET with a TTL, MGET, INCR, DEL, bytes that are no text
	pipeline    = "pipeline"    // many commands at once, with an error among them
	transaction = "transaction" // MULTI, EXEC, WATCH
	scan        = "scan"        // the client's own iteration
	pubsub      = "pub/sub"     // channels and patterns
	lua         = "Lua"         // EVAL, EVALSHA, and what the client does about NOSCRIPT
	caching     = "caching"     // client-side caching: an invalidation arrives
	errorCodes  = "errors"      // our codes arrive in the client's error class
	restart     = "restart"     // the server is killed and comes back, the same client object goes on
)

// subject is a client or a library that is driven against the binary: a row of
// the table.
type subject struct {
	Name     string `json:"name"`
	Language string `json:"language"`
	// Over is the client that a library runs on; empty for a client.
	Over string `json:"over,omitempty"`
	// Protocol is the version of RESP; 0 where the client decides.
	Protocol int `json:"protocol,omitempty"`
	// Limits are those that it needs beyond the default ones.
	Limits string `json:"limits,omitempty"`

	// pinned tells that this repository says which version is installed.
	pinned bool
	// web tells that it speaks HTTP.
	web   bool
	drive func(*driven)
}

// outcome is what a subject has shown, as it stands in the file.
type outcome struct {
	subject
	Version string   `json:"version"`
	Checks  []string `json:"checks"`
}

// driven is a subject under way, on a server and in a namespace of its own.
type driven struct {
	*testing.T
	server      *cubby
	user, token string
	done        outcome
	announced   int
}

// check is one thing that a client has to be able to do. It may build on the
// checks before it, so -run can name a client and not a check.
func (d *driven) check(name string, test func(t *testing.T)) {
	d.Helper()
	d.announced++
	passed := false
	d.Run(name, func(t *testing.T) {
		test(t)
		passed = true // not reached when the test has failed
	})
	if passed {
		d.done.Checks = append(d.done.Checks, name)
	}
}

// restart kills the server and starts it again with its data and on its port.
func (d *driven) restart() {
	d.Helper()
	d.server.kill()
	d.server = startAgain(d, d.server)
}

const (
	compatibilityFile = "testdata/compatibility.json"
	updateVariable    = "CUBBY_UPDATE_COMPATIBILITY"
)

var (
	updating  = os.Getenv(updateVariable) == "1"
	updated   []outcome
	updatedMu sync.Mutex
)

// TestCompatibility drives real clients. What they can do must be what the
// file says, and docs/compatibility.md is made from the file.
func TestCompatibility(t *testing.T) {
	claims := readClaims(t)
	t.Cleanup(func() { writeClaims(t, claims) })
	for _, s := range subjects() {
		t.Run(s.title(), func(t *testing.T) {
			t.Parallel()
			begin := start
			if s.web {
				begin = startWeb
			}
			d := &driven{T: t, server: begin(t), user: "acme/notes", done: outcome{subject: s}}
			var limits []any
			for _, word := range strings.Fields(strings.ReplaceAll(s.Limits, "=", " ")) {
				limits = append(limits, word)
			}
			d.token = d.server.app(t, d.user, limits...)
			s.drive(d)
			if t.Failed() || len(d.done.Checks) < d.announced {
				return // a failure says more than what follows from it
			}
			if updating {
				updatedMu.Lock()
				defer updatedMu.Unlock()
				updated = append(updated, d.done)
				return
			}
			i := slices.IndexFunc(claims, func(o outcome) bool { return o.title() == s.title() })
			require.GreaterOrEqual(t, i, 0, "%s does not have it: run the tests with %s=1", compatibilityFile, updateVariable)
			claim := claims[i]
			require.Equal(t, claim.Checks, d.done.Checks, "%s tells of other checks: run the tests with %s=1", compatibilityFile, updateVariable)
			require.Equal(t, claim.Limits, s.Limits)
			if s.pinned {
				require.Equal(t, claim.Version, d.done.Version, "%s tells of another version: run the tests with %s=1", compatibilityFile, updateVariable)
			}
		})
	}
}

// A claim that nothing checks any more is none.
func TestCompatibilityClaimsHaveTests(t *testing.T) {
	t.Parallel()
	var claimed, driven []string
	for _, o := range readClaims(t) {
		claimed = append(claimed, o.title())
	}
	for _, s := range subjects() {
		driven = append(driven, s.title())
	}
	if !updating {
		require.ElementsMatch(t, driven, claimed, "run the tests with %s=1", updateVariable)
	}
}

func (s *subject) title() string {
	title := s.Name
	if s.Over != "" {
		title += " on " + s.Over
	}
	if s.Protocol != 0 {
		title += " RESP" + strconv.Itoa(s.Protocol)
	}
	return title
}

func readClaims(t *testing.T) (claims []outcome) {
	t.Helper()
	b, err := os.ReadFile(compatibilityFile)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &claims))
	return claims
}

// writeClaims puts what was seen now into the file; what did not run keeps its
// place there.
func writeClaims(t *testing.T, claims []outcome) {
	if !updating {
		return
	}
	var all []outcome
	for _, s := range subjects() {
		for _, known := range [][]outcome{updated, claims} {
			i := slices.IndexFunc(known, func(o outcome) bool { return o.title() == s.title() })
			if i >= 0 {
				all = append(all, known[i])
				break
			}
		}
	}
	b, err := json.MarshalIndent(all, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(compatibilityFile, append(b, '\n'), 0o644))
}
