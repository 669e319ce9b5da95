package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/config"
)

// openDevApp returns the app in whose name clients act that did not sign in,
// and makes it first when it is missing.
func (p *process) openDevApp(ctx context.Context) (*auth.App, error) {
	id, err := auth.ParseID(p.config.Anonymous)
	if err != nil {
		return nil, err
	}
	app, err := p.directory.App(ctx, id)
	if !errors.Is(err, auth.ErrNoApp) {
		return app, err
	}
	open := auth.Limits(config.DevLimits(p.config.Limits))
	return p.directory.CreateApp(ctx, id, auth.OverridesFor(open, auth.Limits(p.config.Limits)))
}

// welcome tells someone who tries Cubby out what to type next. It does not go
// to the log: it is for the person at the terminal.
func (p *process) welcome(web bool) {
	c := p.config
	cli, ours := fmt.Sprintf("redis-cli -p %d", c.Port), ""
	switch {
	case c.Port == 0 && c.UnixSocket == "":
		cli = fmt.Sprintf("redis-cli -p %d --tls", c.TLS.Port)
		ours = fmt.Sprintf(" --addr 127.0.0.1:%d --tls", c.TLS.Port)
	case c.Port == 0:
		cli, ours = "redis-cli -s "+c.UnixSocket, " --addr "+c.UnixSocket
	case c.Port != 6379:
		ours = fmt.Sprintf(" --addr 127.0.0.1:%d", c.Port)
	}
	if filepath.Clean(c.Dir) != filepath.Clean(defaultDir) {
		ours += " --dir " + c.Dir
	}
	http := ""
	if web {
		http = fmt.Sprintf("  curl localhost:%d/get/hello\n", c.HTTPPort)
	}
	_ = p.env.say(strings.TrimLeft(`
Cubby is running for development: only this machine may connect, without signing in.
Try it:

  %[1]s SET hello world
  %[1]s KV.LIST
%[4]s
An app of its own, with its own keys and limits, and a token that opens it:

  cubby app create acme/shop%[2]s
  cubby token create acme/shop%[2]s

Data is in %[3]s. Ctrl-C stops the server and keeps it.
`, "\n"), cli, ours, c.Dir, http)
}
