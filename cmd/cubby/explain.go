package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// explain turns whatever went wrong into what to do about it.
func (c *adminClient) explain(err error) error {
	var network *net.OpError
	var reply redis.Error
	var timeout net.Error
	switch {
	case errors.As(err, &network) && network.Op == "dial":
		return c.explainDial(network)
	case explainTLS(c.addr, err) != nil:
		return explainTLS(c.addr, err)
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE):
		if c.tls || c.network == "" {
			return fmt.Errorf("the server at %s closed the connection; its log may say why", c.addr)
		}
		if greeting := c.greeting(); greeting != "" {
			return c.explainReply(greeting)
		}
		return fmt.Errorf("the server at %s closed the connection; its log may say why. If that is its tls-port, add --tls", c.addr)
	case strings.HasPrefix(err.Error(), "redis: can't parse") || strings.HasPrefix(err.Error(), "redis: invalid"):
		return fmt.Errorf("what answers at %s does not speak Redis's protocol; name the server's port with --addr (or add --tls, if that is its tls-port)", c.addr)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("the server at %s took too long to answer", c.addr)
	case !errors.As(err, &reply):
		return fmt.Errorf("talking to the server at %s: %w", c.addr, err)
	}
	return c.explainReply(reply.Error())
}

// greeting is what the server says to whoever connects and says nothing, before
// it hangs up.
func (c *adminClient) greeting() string {
	conn, err := dial(c.network, c.addr)
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(greetingTime))
	line, err := bufio.NewReader(io.LimitReader(conn, 1024)).ReadString('\n')
	if err != nil || line[0] != '-' {
		return ""
	}
	return strings.TrimSpace(line[1:])
}

const greetingTime = 500 * time.Millisecond

// explainReply is explain for an error that the server answered.
func (c *adminClient) explainReply(reply string) error {
	code, text, _ := strings.Cut(reply, " ")
	switch code {
	case "WRONGPASS", "NOAUTH":
		return fmt.Errorf("the server at %s does not accept the admin's password from %s; give the right one with --password-file or $%s",
			c.addr, c.source, passwordVar)
	case "DENIED":
		return fmt.Errorf("the server at %s is in protected mode and serves only its own machine, because it generated its password itself; "+
			"run this command there, or start the server with a password: requirepass, or $%s", c.addr, passwordVar)
	case "ERR", "BAD_INPUT":
		if strings.HasPrefix(text, "unknown command") {
			return fmt.Errorf("the server at %s does not know this; it is another server than Cubby, or an older version: %s", c.addr, text)
		}
		if text == "The server is running without a config file" {
			text += "; one that was started with 'cubby serve FILE' has one"
		}
		return errors.New(inOurWords(text))
	}
	return errors.New(inOurWords(reply))
}

func (c *adminClient) explainDial(err *net.OpError) error {
	var name *net.DNSError
	unix := strings.Contains(c.addr, "/")
	switch {
	case errors.As(err, &name):
		return fmt.Errorf("there is no machine named %s; name the server with --addr or $%s", name.Name, addrVar)
	case unix && errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("you may not open the unix socket %s; run this as the server's user or group, or see unixsocketperm", c.addr)
	case unix && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no server answers at %s (there is no such unix socket); start one with 'cubby serve --unixsocket %s', or name another with --addr or $%s",
			c.addr, c.addr, addrVar)
	case err.Timeout():
		return fmt.Errorf("nothing answers at %s within %s; check the address, and that no firewall is in between", c.addr, dialTime)
	}
	return fmt.Errorf("no server answers at %s (%w); start one with 'cubby serve', or name another with --addr or $%s", c.addr, err.Err, addrVar)
}

// wireCommand finds the commands of the protocol that have one of ours, with the
// app that follows.
var wireCommand = regexp.MustCompile(`\b(APP|TENANT|TOKEN)\.(CREATE|SET|INFO|LIST|DROP|USAGE|REVOKE|ROTATE)\b( [A-Za-z0-9._-]+/[A-Za-z0-9._-]+)?`)

// wireOption finds the options of TOKEN.CREATE where a message begins with them.
var wireOption = regexp.MustCompile(`^(NAME|PREFIX|EXPIRES|GRACE)( "| needs )`)

// inOurWords names the commands of this program where a server's message names
// those of the protocol.
func inOurWords(text string) string {
	text = wireOption.ReplaceAllStringFunc(text, func(s string) string {
		return "--" + strings.ToLower(s[:strings.IndexByte(s, ' ')]) + s[strings.IndexByte(s, ' '):]
	})
	return wireCommand.ReplaceAllStringFunc(text, func(s string) string {
		m := wireCommand.FindStringSubmatch(s)
		if m[2] == "USAGE" {
			return "'cubby usage" + m[3] + "'"
		}
		return "'cubby " + strings.ToLower(m[1]+" "+m[2]) + m[3] + "'"
	})
}
