package kvtest

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/storage"
)

// App is one namespace of a Server, and a token that opens it.
type App struct {
	server *Server
	id     storage.ID
	token  string
}

// App opens the namespace "tenant/app" and makes a token for it. Limits come
// in pairs of name and value, as in Limits.
func (s *Server) App(t testing.TB, name string, limits ...string) *App {
	t.Helper()
	app, err := s.engine.CreateApp(name, limits...)
	if err != nil {
		t.Fatalf("kvtest: create the app %s: %v", name, err)
	}
	a := &App{server: s, id: app.ID}
	a.token = a.NewToken(t, auth.Scope{})
	return a
}

// Name is the app's full name, tenant/app.
func (a *App) Name() string { return a.id.String() }

// Token opens the app without any restriction.
func (a *App) Token() string { return a.token }

// NewToken makes one more token, perhaps for less than everything. Its end is
// judged by the server's clock: ExpiresAt: s.Now().Add(d).UnixMilli().
func (a *App) NewToken(t testing.TB, scope auth.Scope) string {
	t.Helper()
	token, _, err := a.server.engine.Directory.CreateToken(context.Background(), a.id, t.Name(), scope)
	if err != nil {
		t.Fatalf("kvtest: create a token for %s: %v", a.id, err)
	}
	return token
}

// Options are those of a client that signs in to the app: change the database
// or the protocol, and pass them to redis.NewClient.
func (a *App) Options() *redis.Options {
	return &redis.Options{Addr: a.server.addr, Username: a.Name(), Password: a.token}
}

// Client returns a new client, signed in to the app. It is closed when the
// test ends.
func (a *App) Client() *redis.Client { return a.server.connect(a.Options()) }
