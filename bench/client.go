package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// client runs single commands, for setting up and for probes.
type client struct {
	net.Conn
	r *bufio.Reader
}

func (t *target) dial() (*client, error) {
	c, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(t.ctx, "tcp", "127.0.0.1:"+t.port)
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(10 * patience))
	return &client{c, bufio.NewReaderSize(c, 64<<10)}, nil
}

// signIn connects as a namespace and returns the prefix of its keys.
func (t *target) signIn(namespace int) (*client, string, error) {
	auth, prefix := t.login(namespace)
	c, err := t.dial()
	if err != nil {
		return nil, "", err
	}
	if _, err := c.command("AUTH", auth...); err != nil {
		_ = c.Close()
		return nil, "", err
	}
	return c, prefix, nil
}

func (t *target) admin() (*client, error) {
	c, err := t.dial()
	if err != nil {
		return nil, err
	}
	user := "admin"
	if t.name == nameRedis {
		user = "bench"
	}
	_, err = c.command("AUTH", user, password)
	return c, err
}

// command returns the words of a reply, nested ones in a row.
func (c *client) command(name string, args ...string) ([]string, error) {
	if _, err := c.Write(appendWords(nil, name, args...)); err != nil {
		return nil, err
	}
	return c.readReply()
}

func appendWords(buf []byte, name string, args ...string) []byte {
	raw := make([][]byte, len(args))
	for i, a := range args {
		raw[i] = []byte(a)
	}
	return appendCommand(buf, name, raw...)
}

func (c *client) readReply() ([]string, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	body := strings.TrimSuffix(line[1:], "\r\n")
	switch line[0] {
	case '-':
		return nil, fmt.Errorf("server answered %q", body)
	case '$':
		n, err := strconv.Atoi(body)
		if err != nil || n < 0 {
			return nil, err
		}
		b := make([]byte, n+2)
		_, err = io.ReadFull(c.r, b)
		return []string{string(b[:n])}, err
	case '*':
		n, err := strconv.Atoi(body)
		var words []string
		for i := 0; i < n && err == nil; i++ {
			var more []string
			more, err = c.readReply()
			words = append(words, more...)
		}
		return words, err
	}
	return []string{body}, nil
}
