package integration

import (
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// Two tenants with apps of the same name, two apps of one tenant: none sees
// anything of another, in either database.
func TestNamespacesCannotSeeEachOther(t *testing.T) {
	t.Parallel()
	s := start(t)
	names := []string{"acme/shop", "rival/shop", "acme/blog"}
	tokens := make([]string, len(names))
	for i, name := range names {
		tokens[i] = s.app(t, name)
	}
	overBoth(t, func(t *testing.T, protocol int) {
		for db := range 2 {
			clients := make([]*redis.Client, len(names))
			for i, name := range names {
				clients[i] = s.dial(t, func(o *redis.Options) {
					o.Password, o.Protocol, o.DB, o.ClientName = tokens[i], protocol, db, strings.ReplaceAll(name, "/", "-")
				})
				require.NoError(t, clients[i].MSet(background, "shared", name, "only:"+name, "x").Err())
			}
			for i, kv := range clients {
				own := []string{"only:" + names[i], "shared"}
				require.Equal(t, names[i], kv.Get(background, "shared").Val())
				require.Equal(t, own, sorted(kv.Keys(background, "*").Val()))
				scanned, _, err := kv.Scan(background, 0, "*", 1000).Result()
				require.NoError(t, err)
				require.Equal(t, own, sorted(scanned))
				require.EqualValues(t, 2, kv.DBSize(background).Val())
				for range 20 {
					require.Contains(t, own, kv.RandomKey(background).Val())
				}
				list := kv.ClientList(background).Val()
				require.Contains(t, list, "name="+strings.ReplaceAll(names[i], "/", "-"))
				for j, other := range names {
					if i != j {
						require.EqualValues(t, 0, kv.Exists(background, "only:"+other).Val())
						require.NotContains(t, list, "name="+strings.ReplaceAll(other, "/", "-"))
					}
				}
			}
			require.NoError(t, clients[0].FlushAll(background).Err())
			require.Zero(t, clients[0].DBSize(background).Val())
			for i := 1; i < len(clients); i++ {
				require.EqualValues(t, 2, clients[i].DBSize(background).Val(), "FLUSHALL of another")
			}
		}
	})
}

// What an app may ask about the server must not tell who else is there.
func TestAnAppLearnsNothingOfOthers(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/shop")
	rival := s.dial(t, func(o *redis.Options) { o.Password, o.ClientName = s.app(t, "rival/shop"), "rivals-client" })
	require.NoError(t, rival.Set(background, "rivals-key", "rivals-value", 0).Err())
	kv := s.client(t, token, 3)
	for _, ask := range [][]any{
		{"INFO"}, {"INFO", "everything"}, {"INFO", "keyspace"}, {"CLIENT", "LIST"}, {"CLIENT", "INFO"},
		{"KV.USAGE"}, {"KV.LIST"}, {"COMMAND", "COUNT"}, {"PUBSUB", "CHANNELS"}, {"CONFIG", "GET", "*"},
		{"APP.LIST"}, {"APP.INFO", "rival/shop"}, {"TOKEN.LIST", "rival/shop"}, {"APP.USE", "rival/shop"},
		{"SLOWLOG", "GET"}, {"ACL", "LIST"}, {"MONITOR"}, {"DEBUG", "OBJECT", "rivals-key"},
	} {
		conn := kv.Conn() // some of these end it
		reply, err := conn.Do(background, ask...).Result()
		text := strings.Join(flatten(reply), " ")
		_ = conn.Close()
		if err == nil { // an error may repeat what was asked
			require.NotContains(t, text, "rival", "%v", ask)
		}
	}
	for _, act := range [][]any{
		{"APP.CREATE", "acme/more"}, {"APP.DROP", "acme/shop"}, {"TENANT.DROP", "rival"}, {"TOKEN.CREATE", "acme/shop"},
		{"APP.SET", "acme/shop", "max-keys", "99"}, {"SHUTDOWN"}, {"CONFIG", "SET", "maxclients", "1"},
	} {
		require.Error(t, kv.Do(background, act...).Err(), "%v", act)
	}
	require.NoError(t, kv.Ping(background).Err())
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
