package kvtest

import "github.com/cubbykv/cubby/client"

// KV returns a store of JSON values in the ready app. It is closed when the test
// ends.
func (s *Server) KV() *client.KV { return s.ready.KV() }

// KV returns a store of JSON values in the app. It is closed when the test ends.
func (a *App) KV() *client.KV { return client.On(a.Client()) }
