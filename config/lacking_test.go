package config

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRedisDirectives holds that every directive of Redis 7.0 is either read
// or explained: an admin who brings his redis.conf is never left guessing.
func TestRedisDirectives(t *testing.T) {
	list, err := os.ReadFile("testdata/redis-7.0-directives.txt")
	require.NoError(t, err)
	for name := range strings.FieldsSeq(string(list)) {
		why := lackingReason(name)
		if lookup(name) != nil {
			require.Empty(t, why, "%s is both known and lacking", name)
			continue
		}
		require.NotEmpty(t, why, "%s is neither known nor lacking", name)
	}
	for _, d := range Directives() {
		require.Empty(t, lackingReason(d.Name), "%s is both known and lacking", d.Name)
	}
}
