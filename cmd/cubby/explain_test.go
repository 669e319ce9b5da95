package main

import (
	"bufio"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// talker is a server that greets whoever connects, reads a line and answers it.
func talker(t *testing.T, greeting, answer string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(greeting))
			if answer != "" {
				_, _ = bufio.NewReader(conn).ReadString('\n')
				_, _ = conn.Write([]byte(answer))
			}
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn) // a reset would take the answer with it
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

// Whatever is at the other end, the error says what to type next.
func TestErrorsSayWhatToDo(t *testing.T) {
	w := newWorld(t)
	w.vars[passwordVar] = testPassword
	require.NoError(t, os.WriteFile("file", nil, 0o600))
	for _, c := range []struct {
		addr  string
		flags []string
		want  string
	}{
		{talker(t, "", "HTTP/1.1 400 Bad Request\r\n\r\n"), nil, "does not speak Redis's protocol; name the server's port with --addr"},
		{talker(t, "", ""), nil, "closed the connection; its log may say why. If that is its tls-port, add --tls"},
		{talker(t, "-DENIED Cubby is running in protected mode\r\n", ""), nil, "is in protected mode and serves only its own machine"},
		{talker(t, "-ERR max number of clients reached\r\n", ""), nil, "max number of clients reached"},
		{talker(t, "", strings.Repeat("-WRONGPASS invalid username-password pair\r\n", 3)), nil, "does not accept the admin's password from $CUBBY_ADMIN_PASSWORD; give the right one with --password-file"},
		{talker(t, "", "+OK\r\n"), []string{"--tls"}, "does not speak TLS there; leave --tls out"},
		{"host.invalid:6379", nil, "--addr or $CUBBY_ADDR"},
		{"./nowhere", nil, "there is no such unix socket); start one with 'cubby serve --unixsocket ./nowhere'"},
		{"./file", nil, "no server answers at ./file"},
	} {
		r := w.cubby(append([]string{"app", "list", "--addr", c.addr}, c.flags...)...)
		require.Equal(t, exitError, r.code, c)
		require.Contains(t, r.err, c.want)
		require.Equal(t, 1, strings.Count(r.err, "\n"), "one line: %q", r.err)
		require.NotContains(t, r.err, testPassword)
	}
}

func TestPasswordIsAskedFor(t *testing.T) {
	w := newWorld(t)
	s := w.serve("--port", "0")
	password, err := readPassword("cubby-data/" + passwordName)
	require.NoError(t, err)
	line := []string{"app", "list", "--dir", ".", "--addr", s.socket}
	r := w.answering(password+"\n", line...)
	require.Equal(t, exitError, r.code, "nobody is there to ask")
	require.Contains(t, r.err, "the admin's password is needed")
	r = w.answering(password+"\n", append(line, "--password-file", "-")...)
	require.Equal(t, exitOK, r.code, r.err)

	w.interactive = true
	r = w.answering(password+"\n", line...)
	require.Equal(t, exitOK, r.code, r.err)
	require.Contains(t, r.err, "Admin's password of the server at "+s.socket+": ")
	r = w.answering("wrong\n", line...)
	require.Contains(t, r.err, "does not accept the admin's password from the keyboard")
	r = w.answering("\n", line...)
	require.Contains(t, r.err, "nothing was typed")
	r = w.answering(password+"\n", "app", "list", "--dir", ".", "--addr", "127.0.0.1:1")
	require.NotContains(t, r.err, "Admin's password", "a server that does not answer needs none")
}

func TestServersWordsBecomeOurs(t *testing.T) {
	for from, want := range map[string]string{
		"no such app 'a/b' (hint: APP.CREATE a/b creates it)":                                   "no such app 'a/b' (hint: 'cubby app create a/b' creates it)",
		"the app 'a/b' exists already (hint: APP.SET changes its limits)":                       "the app 'a/b' exists already (hint: 'cubby app set' changes its limits)",
		`EXPIRES "soon": it is not a duration`:                                                  `--expires "soon": it is not a duration`,
		"NAME needs a value":                                                                    "--name needs a value",
		"TOKEN.REVOKE takes the token's id, not its secret":                                     "'cubby token revoke' takes the token's id, not its secret",
		"CONFIG SET failed (possibly related to argument 'maxclients') - \"0\" is too small":    "CONFIG SET failed (possibly related to argument 'maxclients') - \"0\" is too small",
		"a backup is under way (hint: BACKUP STATUS tells how far it is, BACKUP ABORT ends it)": "a backup is under way (hint: BACKUP STATUS tells how far it is, BACKUP ABORT ends it)",
		"the admin has no keys of its own (hint: APP.USE tenant/app looks into one namespace)":  "the admin has no keys of its own (hint: APP.USE tenant/app looks into one namespace)",
	} {
		require.Equal(t, want, inOurWords(from))
	}
}
