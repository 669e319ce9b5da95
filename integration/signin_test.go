package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

const wrongPass = "WRONGPASS invalid username-password pair or user is disabled."

// go-redis signs in with HELLO AUTH under RESP3, and under RESP2 as well where
// the server knows HELLO.
func TestSignIn(t *testing.T) {
	t.Parallel()
	s := start(t)
	token, other := s.app(t, "acme/notes"), s.app(t, "acme/other")
	overBoth(t, func(t *testing.T, protocol int) {
		for _, c := range []struct {
			name, user, secret, refused string
		}{
			{name: "token alone", secret: token},
			{name: "default user", user: "default", secret: token},
			{name: "namespace", user: "acme/notes", secret: token},
			{name: "admin", user: "admin", secret: adminPassword},
			{name: "token of another namespace", user: "acme/other", secret: token, refused: wrongPass},
			{name: "namespace that does not exist", user: "no/body", secret: token, refused: wrongPass},
			{name: "secret with one wrong letter", secret: token[:len(token)-1] + "!", refused: wrongPass},
			{name: "secret of another token", secret: token[:20] + other[20:], refused: wrongPass},
			{name: "no token at all", secret: "hunter2", refused: wrongPass},
			{name: "wrong admin password", user: "admin", secret: "guess", refused: wrongPass},
			{name: "token as the admin", user: "admin", secret: token, refused: wrongPass},
			{name: "nothing", refused: "NOAUTH"},
		} {
			kv := s.dial(t, func(o *redis.Options) { o.Username, o.Password, o.Protocol = c.user, c.secret, protocol })
			err := kv.Ping(background).Err()
			if c.refused == "" {
				require.NoError(t, err, c.name)
			} else {
				require.ErrorContains(t, err, c.refused, c.name)
			}
		}
	})
}

func TestAuthCommand(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/notes")
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"AUTH", token}, "+OK"},
		{[]string{"AUTH", "default", token}, "+OK"},
		{[]string{"AUTH", "acme/notes", token}, "+OK"},
		{[]string{"auth", "admin", adminPassword}, "+OK"},
		{[]string{"HELLO", "2", "AUTH", "acme/notes", token}, "*14"},
		{[]string{"HELLO", "3", "AUTH", "default", token, "SETNAME", "me"}, "%7"},
		{[]string{"AUTH", "wrong"}, "-" + wrongPass},
		{[]string{"AUTH", "acme/other", token}, "-" + wrongPass},
		{[]string{"HELLO", "3", "AUTH", "default", "wrong"}, "-" + wrongPass},
		{[]string{"AUTH"}, "-ERR wrong number of arguments for 'auth' command"},
		{[]string{"AUTH", "a", "b", "c"}, "-ERR syntax error"},
		{[]string{"HELLO", "4"}, "-NOPROTO unsupported protocol version"},
		{[]string{"HELLO", "3"}, "-NOAUTH HELLO must be called with the client already authenticated"},
	} {
		wire := s.wire(t)
		wire.send(command("GET", "k"))
		require.Equal(t, "-NOAUTH Authentication required.", wire.line())
		wire.send(command(c.words...))
		require.True(t, strings.HasPrefix(wire.line(), c.want), "%q", c.words)
	}
}

// A failed AUTH leaves the session what it was, as in Redis.
func TestFailedAuthKeepsTheSession(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/notes")
	wire := s.wire(t)
	wire.exchange(command("AUTH", token), "+OK\r\n")
	wire.exchange(command("SET", "k", "v"), "+OK\r\n")
	wire.exchange(command("AUTH", "wrong"), "-"+wrongPass+"\r\n")
	wire.exchange(command("GET", "k"), "$1\r\nv\r\n")
	wire.exchange(command("RESET"), "+RESET\r\n")
	wire.exchange(command("GET", "k"), "-NOAUTH Authentication required.\r\n")
}

func TestReadOnlyToken(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/notes")
	_, reader := createToken(t, s.admin(t), "acme/notes", "READONLY")
	require.NoError(t, s.client(t, token, 3).Set(background, "k", "v", 0).Err())
	overBoth(t, func(t *testing.T, protocol int) {
		kv := s.client(t, reader, protocol)
		require.Equal(t, "v", kv.Get(background, "k").Val())
		require.Equal(t, []string{"k"}, kv.Keys(background, "*").Val())
		for _, write := range [][]any{
			{"SET", "k", "w"}, {"DEL", "k"}, {"EXPIRE", "k", 100}, {"INCR", "n"}, {"FLUSHDB"}, {"GETDEL", "k"},
			{"KV.SET", "k", "1"}, {"KV.POPALL", "k"}, {"MSET", "a", "1"}, {"RENAME", "k", "l"},
		} {
			require.ErrorContains(t, kv.Do(background, write...).Err(), "NOPERM", write[0])
		}
		require.Equal(t, "v", kv.Get(background, "k").Val())
	})
}

func TestPrefixToken(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/notes")
	_, mine := createToken(t, s.admin(t), "acme/notes", "PREFIX", "mine:")
	all := s.client(t, token, 3)
	require.NoError(t, all.MSet(background, "mine:1", "a", "theirs:1", "b").Err())
	overBoth(t, func(t *testing.T, protocol int) {
		kv := s.client(t, mine, protocol)
		require.Equal(t, "a", kv.Get(background, "mine:1").Val())
		require.NoError(t, kv.Set(background, "mine:2", "c", 0).Err())
		for _, foreign := range [][]any{
			{"GET", "theirs:1"}, {"SET", "theirs:1", "x"}, {"MGET", "mine:1", "theirs:1"}, {"DEL", "theirs:1"},
			{"RENAME", "mine:1", "theirs:2"}, {"KV.GET", "theirs:1"},
		} {
			require.ErrorContains(t, kv.Do(background, foreign...).Err(), "NOPERM", foreign)
		}
		// Listings show what the token opens, or refuse: never the others' keys.
		for _, listing := range [][]any{
			{"KEYS", "*"}, {"SCAN", 0}, {"RANDOMKEY"}, {"KV.LIST"}, {"KV.LIST", "PREFIX", "theirs:"}, {"SCAN", 0, "MATCH", "theirs:*"},
		} {
			reply, err := kv.Do(background, listing...).Result()
			if err != nil {
				require.ErrorContains(t, err, "NOPERM", listing)
				continue
			}
			require.NotContains(t, flatten(reply), "theirs:1", listing)
		}
	})
	require.Equal(t, "b", all.Get(background, "theirs:1").Val())
}

func TestTokenEndsByItself(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.app(t, "acme/notes")
	overBoth(t, func(t *testing.T, protocol int) {
		_, token := createToken(t, s.admin(t), "acme/notes", "EXPIRES", "700ms")
		kv := s.client(t, token, protocol)
		conn := kv.Conn() // the one connection that signed in while it could
		defer conn.Close()
		require.NoError(t, conn.Ping(background).Err())
		require.Eventually(t, func() bool { return conn.Ping(background).Err() != nil }, patience, 20*time.Millisecond)
		require.ErrorContains(t, conn.Ping(background).Err(), "NOAUTH")
		require.ErrorContains(t, s.client(t, token, protocol).Ping(background).Err(), "WRONGPASS")
	})
}

func TestRevokedToken(t *testing.T) {
	t.Parallel()
	s := start(t)
	kept := s.client(t, s.app(t, "acme/notes"), 3)
	overBoth(t, func(t *testing.T, protocol int) {
		admin := s.admin(t)
		id, token := createToken(t, admin, "acme/notes")
		kv := s.client(t, token, protocol)
		conn := kv.Conn()
		defer conn.Close()
		require.NoError(t, conn.Ping(background).Err())
		require.EqualValues(t, 1, admin.Do(background, "TOKEN.REVOKE", id).Val())
		require.Error(t, conn.Ping(background).Err(), "its connection was closed")
		require.ErrorContains(t, kv.Ping(background).Err(), "WRONGPASS")
		require.NoError(t, kept.Ping(background).Err())
	})
}

func TestDroppedAppAndTenant(t *testing.T) {
	t.Parallel()
	s := start(t)
	admin := s.admin(t)
	bystander := s.client(t, s.app(t, "other/notes"), 3)
	require.NoError(t, bystander.Set(background, "k", "v", 0).Err())
	drops := map[string][]any{"app": {"APP.DROP", "acme/notes"}, "tenant": {"TENANT.DROP", "acme"}}
	for what, drop := range drops {
		token := s.app(t, "acme/notes")
		kv := s.client(t, token, 3)
		conn := kv.Conn()
		require.NoError(t, conn.Set(background, "k", "v", 0).Err())
		require.NoError(t, admin.Do(background, drop...).Err(), what)
		require.Error(t, conn.Get(background, "k").Err(), what)
		require.NoError(t, conn.Close())
		require.ErrorContains(t, kv.Ping(background).Err(), "WRONGPASS", what)

		again := s.client(t, s.app(t, "acme/notes"), 3)
		require.Zero(t, again.DBSize(background).Val(), "a new app of the old name is empty")
		require.NoError(t, admin.Do(background, "APP.DROP", "acme/notes").Err())
	}
	require.Equal(t, "v", bystander.Get(background, "k").Val())

	s.terminate()
	s = startIn(t, s.dir)
	apps, err := s.admin(t).Do(background, "APP.LIST", "MATCH", "acme/*").Slice()
	require.NoError(t, err)
	require.Empty(t, apps, "a drop outlives a restart")
}
