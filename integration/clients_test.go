package integration

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// protocols are the versions of RESP that clients speak.
var protocols = []int{2, 3}

// overBoth runs a test once for each version of the protocol.
func overBoth(t *testing.T, test func(t *testing.T, protocol int)) {
	for _, p := range protocols {
		t.Run(fmt.Sprintf("RESP%d", p), func(t *testing.T) { test(t, p) })
	}
}

// dial returns a client that sends each command once: a test has to see the
// first answer. It is closed when the test ends.
func (s *cubby) dial(t testing.TB, change func(*redis.Options)) *redis.Client {
	t.Helper()
	o := &redis.Options{Addr: s.addr(), MaxRetries: -1, ContextTimeoutEnabled: true}
	if change != nil {
		change(o)
	}
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// client returns a client that signs in with a token.
func (s *cubby) client(t testing.TB, token string, protocol int) *redis.Client {
	t.Helper()
	return s.dial(t, func(o *redis.Options) { o.Password, o.Protocol = token, protocol })
}

// admin returns a client that signs in as the admin.
func (s *cubby) admin(t testing.TB) *redis.Client {
	t.Helper()
	return s.dial(t, func(o *redis.Options) { o.Username, o.Password = "admin", adminPassword })
}

// app opens a namespace and returns a token for it. Limits come in pairs of
// name and value.
func (s *cubby) app(t testing.TB, name string, limits ...any) (token string) {
	t.Helper()
	admin := s.admin(t)
	require.NoError(t, admin.Do(background, append([]any{"APP.CREATE", name}, limits...)...).Err())
	_, token = createToken(t, admin, name)
	return token
}

// createToken makes a token for an app; scope are the words after its name.
func createToken(t testing.TB, admin *redis.Client, app string, scope ...any) (id, token string) {
	t.Helper()
	m := stringMap(t, admin.Do(background, append([]any{"TOKEN.CREATE", app}, scope...)...))
	return m["id"].(string), m["token"].(string)
}

// stringMap reads a map in either protocol.
func stringMap(t testing.TB, cmd *redis.Cmd) map[string]any {
	t.Helper()
	reply, err := cmd.Result()
	require.NoError(t, err)
	return toMap(t, reply)
}

func toMap(t testing.TB, reply any) map[string]any {
	t.Helper()
	m := make(map[string]any)
	switch reply := reply.(type) {
	case map[any]any:
		for k, v := range reply {
			m[k.(string)] = v
		}
	case []any:
		require.Zero(t, len(reply)%2)
		for i := 0; i < len(reply); i += 2 {
			m[reply[i].(string)] = reply[i+1]
		}
	default:
		require.Fail(t, "no map", "%T %v", reply, reply)
	}
	return m
}
