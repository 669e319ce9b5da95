package gateway

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/audit"
	"github.com/cubbykv/cubby/auth"
)

// Requests stand in the audit trail with the way they came in, and never with a
// secret.
func TestRequestsAreAudited(t *testing.T) {
	r := newRig(t)
	path := filepath.Join(t.TempDir(), "audit.log")
	trail, err := audit.Open(audit.Options{Path: path, Settings: audit.Settings{QueueBytes: 1 << 20, NoSync: true}})
	require.NoError(t, err)
	defer trail.Close()
	r.engine.SetAuditTrail(trail)
	token := r.token("acme/shop", auth.Scope{Origins: []string{site}})
	from := []string{"Origin", site}
	r.answers(request{target: "/set/k/secretvalue?_token=" + token, header: from}, 200, `{"result":"OK"}`)
	r.answers(request{target: "/get/k", token: token}, 200, `{"result":"secretvalue"}`)
	require.Equal(t, 200, r.send(request{method: "POST", target: "/multi-exec", body: `[["SET","m","1"],["DEL","k"]]`, token: token}).status)
	require.Equal(t, 200, r.send(request{method: "POST", target: "/v1/session", token: token}).status)
	require.Equal(t, http.StatusForbidden, r.send(request{target: "/set/k/v", token: token, header: []string{"Origin", otherSite}}).status)
	require.Equal(t, http.StatusUnauthorized, r.send(request{target: "/set/k/v", token: token + "x"}).status)
	require.Equal(t, http.StatusBadRequest, r.send(request{target: "/lpush/k/v", token: token, header: from}).status)

	require.NoError(t, trail.Flush(t.Context()))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var got []string
	for lines := audit.NewReader(f); ; {
		e, err := lines.Next()
		if err != nil {
			break
		}
		require.NotContains(t, string(e.Raw), token)
		require.NotContains(t, string(e.Raw), "secretvalue")
		if e.Own() {
			continue
		}
		require.Contains(t, string(e.Raw), `"door":"http","remote":"192.0.2.1:1234"`)
		got = append(got, fmt.Sprintf("%s %s %v %s %s", e.Event, e.Command, e.Keys, e.Origin, e.Code))
	}
	require.Equal(t, []string{
		"write set [k] https://app.example.com OK",
		"write set [m]  OK", "write del [k]  OK",
		"control token.session []  OK",
		"refused ping [] https://evil.example.com NOPERM",
		"auth auth []  WRONGPASS",
		"refused lpush [] https://app.example.com ERR",
	}, got)
}
