package integration

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/stretchr/testify/require"
)

// go-redis, as it comes, says HELLO 3, asks for maintenance notifications and
// tells its name. All that must be answered without harm.
func TestDefaultHandshake(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/notes")
	kv := redis.NewClient(&redis.Options{Addr: s.addr(), Password: token, ClientName: "worker-7"})
	defer kv.Close()
	require.NoError(t, kv.Set(background, "k", "v", 0).Err())
	require.Equal(t, "worker-7", kv.ClientGetName(background).Val())
	info := kv.ClientInfo(background).Val()
	require.NotNil(t, info)
	require.Contains(t, info.LibName, "go-redis")
	require.NotEmpty(t, info.LibVer)
	require.Contains(t, kv.ClientList(background).Val(), "name=worker-7")
	require.EqualValues(t, 1, kv.PoolStats().TotalConns, "no connection was given up on the way")
}

func TestMaintenanceNotificationsAreDeclined(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/notes")
	for _, mode := range []maintnotifications.Mode{maintnotifications.ModeDisabled, maintnotifications.ModeAuto} {
		kv := s.dial(t, func(o *redis.Options) {
			o.Password = token
			o.MaintNotificationsConfig = &maintnotifications.Config{Mode: mode}
		})
		require.NoError(t, kv.Ping(background).Err(), mode)
	}
}

func TestHelloTellsAboutTheServer(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/notes")
	overBoth(t, func(t *testing.T, protocol int) {
		conn := s.client(t, token, 2).Conn()
		defer conn.Close()
		reply := conn.Hello(background, protocol, "default", token, "named").Val()
		require.Equal(t, "redis", reply["server"])
		require.EqualValues(t, protocol, reply["proto"])
		require.Equal(t, "named", conn.ClientGetName(background).Val())
	})
}

// A client that hangs up early or waits for long disturbs nobody; one whose
// context ends gets its own error and a new connection next time.
func TestContextEndsDuringACommand(t *testing.T) {
	t.Parallel()
	s := start(t)
	kv := s.client(t, s.app(t, "acme/notes"), 3)
	ctx, cancel := context.WithTimeout(background, time.Nanosecond)
	defer cancel()
	require.Error(t, kv.Get(ctx, "k").Err())
	require.NoError(t, kv.Set(background, "k", "v", 0).Err())
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/notes")
	s.terminate()
	path := filepath.Join(shortDir(t), "cubby.sock")
	s = startIn(t, s.dir, "--unixsocket", path, "--unixsocketperm", "700")
	overBoth(t, func(t *testing.T, protocol int) {
		kv := redis.NewClient(&redis.Options{Network: "unix", Addr: path, Password: token, Protocol: protocol})
		defer kv.Close()
		require.NoError(t, kv.Set(background, "k", "v", 0).Err())
	})
	s.kill()
	startIn(t, s.dir, "--unixsocket", path) // over what the crash left
	_, err := net.Dial("unix", path)
	require.NoError(t, err)
}

func TestTooManyClients(t *testing.T) {
	t.Parallel()
	s := start(t, "--maxclients", "4")
	token := s.app(t, "acme/notes")
	var open []*wire
	require.Eventually(t, func() bool { // the admin's connection is still being closed
		w := s.wire(t)
		w.send(command("AUTH", token))
		line := w.line()
		open = append(open, w)
		return strings.HasPrefix(line, "-ERR max number of clients reached")
	}, patience, pollEvery)
	for _, w := range open {
		_ = w.Close()
	}
	kv := s.client(t, token, 3)
	require.Eventually(t, func() bool { return kv.Ping(background).Err() == nil }, patience, pollEvery, "there is room again")
}

func TestManyClientsAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/notes")
	kv := s.dial(t, func(o *redis.Options) { o.Password, o.PoolSize = token, 200 })
	failed := make(chan error)
	for i := range 200 {
		go func() { failed <- kv.Set(background, fmt.Sprintf("k%d", i), i, 0).Err() }()
	}
	for range 200 {
		require.NoError(t, <-failed)
	}
	require.EqualValues(t, 200, kv.DBSize(background).Val())
}
