package main

import (
	"context"
	"errors"
	"fmt"
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

// addrVar is the environment variable that stands for --addr.
const addrVar = "CUBBY_ADDR"

const defaultAddr = "127.0.0.1:6379"

// answerTime bounds how long the server may take for one answer. Erasing a
// large tenant is the slowest.
const answerTime = 5 * time.Minute

// dialTime bounds how long it may take to reach the server.
const dialTime = 5 * time.Second

// target is which server to manage, and how to sign in there.
type target struct {
	addr         string // host:port, or the path of a unix socket
	passwordFile string
	dir          string
	json         bool
	ownDir       bool // the command's --dir is something else
	files        bool // arguments behind the first are files
	silent       bool // nobody can be asked: a shell completes words
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
	f.StringVar(&t.addr, "addr", "", "the server: host:port, or the path of its unix socket (default: $"+addrVar+", else "+defaultAddr+")")
	f.StringVar(&t.passwordFile, "password-file", "", "file with the admin's password, - is standard input (default: $"+passwordVar+", else admin.password in the data directory, else it is asked for)")
	f.BoolVar(&t.json, "json", false, "print JSON")
	t.tls.add(cmd)
}

// reachable tells whether anything listens at the address.
func (t *target) reachable(network string) error {
	conn, err := dial(network, t.addr)
	if err != nil {
		return (&adminClient{addr: t.addr}).explain(err)
	}
	return conn.Close()
}

func dial(network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTime}
	return d.DialContext(context.Background(), network, addr)
}

// password finds the admin's password and says where it came from. It asks a
// person only when ready agrees.
func (t *target) password(env environment, ready func() error) (password, source string, err error) {
	switch t.passwordFile {
	case "":
	case "-":
		password, err = env.readSecret("")
		return password, "standard input", err
	default:
		password, err = readPassword(t.passwordFile)
		return password, t.passwordFile, err
	}
	if password = env.getenv(passwordVar); password != "" {
		return password, "$" + passwordVar, nil
	}
	path := filepath.Join(t.dir, passwordName)
	password, err = readPassword(path)
	if errors.Is(err, os.ErrNotExist) && env.interactive && env.watched && !t.silent {
		if err := ready(); err != nil {
			return "", "", err
		}
		password, err = env.readSecret("Admin's password of the server at " + t.addr + ": ")
		return password, "the keyboard", err
	}
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

	network string // "tcp" or "unix"
	tls     bool
}

func (t *target) connect(env environment) (*adminClient, error) { return t.connectWith(env, nil) }

// connectWith runs prepare on each new connection after it signed in.
func (t *target) connectWith(env environment, prepare func(context.Context, *redis.Conn) error) (*adminClient, error) {
	if t.addr == "" {
		if t.addr = env.getenv(addrVar); t.addr == "" {
			t.addr = defaultAddr
		}
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
	password, source, err := t.password(env, func() error { return t.reachable(network) })
	if err != nil {
		return nil, err
	}
	return &adminClient{addr: t.addr, source: source, tls: secure != nil, network: network, client: redis.NewClient(&redis.Options{
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
		DialTimeout:              dialTime,
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

// together connects and runs fn.
func (t *target) together(env environment, fn func(*adminClient) error) error {
	c, err := t.connect(env)
	if err != nil {
		return err
	}
	defer c.close()
	return fn(c)
}

// list runs a command that answers with a list of maps.
func (c *adminClient) list(ctx context.Context, args ...string) ([]record, error) {
	reply, err := c.do(ctx, args...)
	if err != nil {
		return nil, err
	}
	return toRecords(reply)
}

// one runs a command that answers with a map.
func (c *adminClient) one(ctx context.Context, args ...string) (record, error) {
	reply, err := c.do(ctx, args...)
	if err != nil {
		return nil, err
	}
	return toRecord(reply)
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

// askRecord is ask for a reply of fields and values.
func (t *target) askRecord(ctx context.Context, env environment, args ...string) (record, error) {
	reply, err := t.ask(ctx, env, args...)
	if err != nil {
		return nil, err
	}
	return toRecord(reply)
}
