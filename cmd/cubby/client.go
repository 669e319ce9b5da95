package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/spf13/cobra"
)

// defaultDir is where a server that was not told otherwise keeps its data, and
// so the admin's password.
const defaultDir = "./cubby-data"

// passwordVar is the environment variable with the admin's password, for the
// server and for those who manage it.
const passwordVar = "CUBBY_ADMIN_PASSWORD"

// answerTime bounds how long the server may take for one answer. Erasing a
// large tenant is the slowest.
const answerTime = 5 * time.Minute

// target is which server to manage, and how to sign in there.
type target struct {
	addr         string // host:port, or the path of a unix socket
	passwordFile string
	dir          string
	json         bool
	ownDir       bool // the command's --dir is something else
	tls          tlsFlags
}

// addFlags gives a command the flags of every command that talks to a server.
func (t *target) addFlags(cmd *cobra.Command) {
	t.addServerFlags(cmd)
	t.ownDir = false
	cmd.PersistentFlags().StringVar(&t.dir, "dir", defaultDir, "the server's data directory, for the password that it generated")
}

// addServerFlags is addFlags without --dir, for commands where that is
// something else.
func (t *target) addServerFlags(cmd *cobra.Command) {
	t.dir, t.ownDir = defaultDir, true
	f := cmd.PersistentFlags()
	f.StringVar(&t.addr, "addr", "127.0.0.1:6379", "the server: host:port, or the path of its unix socket")
	f.StringVar(&t.passwordFile, "password-file", "", "file with the admin's password (default: $"+passwordVar+", else admin.password in the data directory)")
	f.BoolVar(&t.json, "json", false, "print JSON")
	t.tls.add(cmd)
}

// password finds the admin's password and says where it came from.
func (t *target) password(env environment) (password, source string, err error) {
	if t.passwordFile != "" {
		password, err = readPassword(t.passwordFile)
		return password, t.passwordFile, err
	}
	if password = env.getenv(passwordVar); password != "" {
		return password, "$" + passwordVar, nil
	}
	path := filepath.Join(t.dir, passwordName)
	password, err = readPassword(path)
	if errors.Is(err, os.ErrNotExist) {
		orDir := ", or --dir with the server's data directory"
		if t.ownDir {
			orDir = ""
		}
		return "", "", fmt.Errorf("the admin's password is needed: set $%s, or use --password-file%s (there is no %s)", passwordVar, orDir, path)
	}
	return password, path, err
}

// adminClient is a connection that signed in as the admin.
type adminClient struct {
	client *redis.Client
	addr   string
	source string // of the password
}

func (t *target) connect(env environment) (*adminClient, error) { return t.connectWith(env, nil) }

// connectWith runs prepare on each new connection after it signed in.
func (t *target) connectWith(env environment, prepare func(context.Context, *redis.Conn) error) (*adminClient, error) {
	password, source, err := t.password(env)
	if err != nil {
		return nil, err
	}
	redis.SetLogger(silent{})
	network := "tcp"
	if strings.Contains(t.addr, "/") {
		network = "unix"
	} else if _, _, err := net.SplitHostPort(t.addr); err != nil {
		return nil, usagef("--addr %q is neither host:port nor the path of a unix socket", t.addr)
	}
	secure, err := t.tls.config(network)
	if err != nil {
		return nil, err
	}
	return &adminClient{addr: t.addr, source: source, client: redis.NewClient(&redis.Options{
		Network:   network,
		Addr:      t.addr,
		TLSConfig: secure,
		Username:  "admin",
		Password:  password,
		// Replies as the server orders them; RESP3's maps come without order.
		Protocol: 2,
		// A repeated TOKEN.CREATE would make two tokens.
		MaxRetries:               -1,
		DialerRetries:            1,
		PoolSize:                 1,
		DialTimeout:              5 * time.Second,
		ReadTimeout:              answerTime,
		DisableIdentity:          true,
		OnConnect:                prepare,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})}, nil
}

func (c *adminClient) close() { _ = c.client.Close() }

// do runs one command. Errors say what to do.
func (c *adminClient) do(ctx context.Context, args ...string) (any, error) {
	words := make([]any, len(args))
	for i, a := range args {
		words[i] = a
	}
	reply, err := c.client.Do(ctx, words...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, c.explain(err)
	}
	return reply, nil
}

func (c *adminClient) explain(err error) error {
	var network *net.OpError
	var reply redis.Error
	switch {
	case errors.As(err, &network) && network.Op == "dial":
		return fmt.Errorf("no server answers at %s (%w); start one with 'cubby serve', or name another with --addr", c.addr, network.Err)
	case explainTLS(c.addr, err) != nil:
		return explainTLS(c.addr, err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("the server at %s closed the connection; its log may say why", c.addr)
	case !errors.As(err, &reply):
		return fmt.Errorf("talking to the server at %s: %w", c.addr, err)
	}
	code, text, _ := strings.Cut(reply.Error(), " ")
	switch code {
	case "WRONGPASS", "NOAUTH":
		return fmt.Errorf("the server at %s does not accept the admin's password from %s; give the right one with --password-file or $%s",
			c.addr, c.source, passwordVar)
	case "ERR", "BAD_INPUT":
		if strings.HasPrefix(text, "unknown command") {
			return fmt.Errorf("the server at %s is not a Cubby server: %s", c.addr, text)
		}
		return errors.New(text)
	}
	return errors.New(reply.Error())
}

// silent keeps go-redis's log from the terminal: what matters comes back as an
// error.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// ask runs one command on the target's server.
func (t *target) ask(ctx context.Context, env environment, args ...string) (any, error) {
	c, err := t.connect(env)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return c.do(ctx, args...)
}
