package integration

import (
	"os/exec"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

// anyTTL are the limits of who needs TTLs below those that the default ones
// allow in database 0.
const anyTTL = "ttl-min=1ms"

// subjects are all that is driven, in the order of the table.
func subjects() []subject {
	return slices.Concat([]subject{
		redisCLIClient(2), redisCLIClient(3),
		goRedis(2), goRedis(3), rueidisClient(2), rueidisClient(3), redigo(),
	}, javaScriptSubjects(), pythonSubjects(), phpSubjects(), rubySubjects(), []subject{redisExporter()})
}

// moduleVersion tells which version of a Go module this test was built with.
func moduleVersion(d *driven, path string) string {
	d.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", path).Output()
	require.NoError(d, err)
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
}
