package config

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSplitLikeRedis replays lines against a real Redis, whose inline commands
// are split by the same function as its configuration lines.
func TestSplitLikeRedis(t *testing.T) {
	socket := startRedis(t)
	conn := dial(t, socket)
	replies := bufio.NewReader(conn)
	const alphabet = "ab\"\"''\\\\xn41f \t\v\f\r#é"
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for n := range 3000 {
		line := make([]byte, random.IntN(12))
		for i := range line {
			line[i] = alphabet[random.IntN(len(alphabet))]
		}
		// The blank before the newline saves a final \r, which Redis drops.
		sent := `EVAL "return ARGV" 0 ` + string(line)
		_, err := io.WriteString(conn, sent+" \n")
		require.NoError(t, err)
		want, refused := readWords(t, replies)
		got, err := splitArgs(sent)
		context := fmt.Sprintf("seed %d, line %d: %q", seed, n, line)
		if refused {
			require.ErrorIs(t, err, errQuotes, context)
			_ = conn.Close() // Redis closes its end after this error
			conn = dial(t, socket)
			replies.Reset(conn)
			continue
		}
		require.NoError(t, err, context)
		require.Equal(t, want, got[3:], context)
	}
}

// startRedis starts a Redis for the test's duration and returns its socket.
func startRedis(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("needs redis-server to compare with")
	}
	dir := t.TempDir()
	cmd := exec.Command(path, "--port", "0", "--unixsocket", "redis.sock", "--save", "", "--dir", dir)
	cmd.Dir = dir
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	log := bufio.NewScanner(out)
	for log.Scan() && !strings.Contains(log.Text(), "ready to accept connections") {
	}
	require.NoError(t, log.Err())
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return filepath.Join(dir, "redis.sock")
}

func dial(t *testing.T, socket string) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// readWords reads an array of bulk strings, or an error reply.
func readWords(t *testing.T, r *bufio.Reader) (words []string, refused bool) {
	t.Helper()
	number := func(kind byte) int {
		line, err := r.ReadString('\n')
		require.NoError(t, err)
		if line[0] == '-' {
			require.Contains(t, line, "unbalanced quotes")
			return -1
		}
		require.Equal(t, kind, line[0], line)
		n, err := strconv.Atoi(strings.TrimSpace(line[1:]))
		require.NoError(t, err)
		return n
	}
	n := number('*')
	if n < 0 {
		return nil, true
	}
	words = make([]string, n)
	for i := range words {
		b := make([]byte, number('$')+2)
		_, err := io.ReadFull(r, b)
		require.NoError(t, err)
		words[i] = string(b[:len(b)-2])
	}
	return words, false
}
