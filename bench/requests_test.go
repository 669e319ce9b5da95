package main

import (
	"bufio"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func testLane(prefix string) *lane {
	return &lane{
		prefix: prefix, keys: 1, namespaces: 1, value: valueOf(4), rng: rand.New(rand.NewPCG(1, 1)),
		login: func(int) ([]string, string) { return []string{"secret"}, prefix },
	}
}

func TestRequestsAreEncodedAsRESP(t *testing.T) {
	for _, c := range []struct {
		work *workload
		want string
	}{
		{workGet, "*2 $3 GET $5 key:0 "},
		{workSet, `*3 $3 SET $5 key:0 $4 "bc" `},
		{workSetEX, `*5 $3 SET $5 key:0 $4 "bc" $2 EX $4 3600 `},
		{workMGet, "*11 $4 MGET " + strings.Repeat("$5 key:0 ", 10)},
	} {
		require.Equal(t, c.want, strings.ReplaceAll(string(c.work.append(nil, testLane(""))), "\r\n", " "))
	}
	require.Equal(t, "*2\r\n$3\r\nGET\r\n$10\r\nt1/a:key:0\r\n", string(workGet.append(nil, testLane("t1/a:"))))
}

func TestInsertsNeverRepeatAKey(t *testing.T) {
	l := testLane("")
	first := string(workInsert.append(nil, l))
	require.NotEqual(t, first, string(workInsert.append(nil, l)))
}

func TestHoppingSignsInWhereKeysHaveNoPrefix(t *testing.T) {
	buf, more := testLane("").hop(nil)
	require.Equal(t, "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n", string(buf))
	require.Equal(t, 1, more)
	buf, more = testLane("t7/app:").hop(nil)
	require.Empty(t, buf)
	require.Zero(t, more)
}

func TestReplyLengths(t *testing.T) {
	for _, c := range []struct {
		length func(int) (int, byte)
		reply  string
	}{
		{okLen, "+OK\r\n"},
		{bulkLen, "$4\r\nabcd\r\n"},
		{mgetLen, "*10\r\n" + strings.Repeat("$4\r\nabcd\r\n", 10)},
	} {
		n, first := c.length(4)
		require.Len(t, c.reply, n)
		require.Equal(t, c.reply[0], first)
		require.NoError(t, checkReplies([]byte(c.reply+c.reply), n, first))
	}
	err := checkReplies([]byte("+OK\r\n-ERR no\r\n+O"), 5, '+')
	require.ErrorContains(t, err, `"-ERR no"`)
}

func TestSkipReplies(t *testing.T) {
	whole := "+OK\r\n:12\r\n$3\r\na\r\n\r\n*3\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n*0\r\n"
	r := bufio.NewReader(strings.NewReader(whole + "+next\r\n"))
	require.NoError(t, skipReplies(r, 4))
	rest, err := r.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "+next\r\n", rest)

	for in, want := range map[string]string{
		"-ERR wrong\r\n":            "ERR wrong",
		"*2\r\n:1\r\n-ERR deep\r\n": "ERR deep",
		"$-1\r\n":                   "$-1",
		"$x\r\n":                    "invalid syntax",
		"$3\r\nab":                  "EOF",
		"*2\r\n:1\r\n":              "EOF",
	} {
		require.ErrorContains(t, skipReplies(bufio.NewReader(strings.NewReader(in)), 1), want, "%q", in)
	}
}

func TestValuesAreJSON(t *testing.T) {
	for _, n := range []int{2, 64, 1024, 64 << 10} {
		require.Len(t, valueOf(n), n)
		require.True(t, json.Valid(valueOf(n)))
	}
}

func TestPaddedNumbersSortAsNumbers(t *testing.T) {
	for n, want := range map[int]string{0: "000", 7: "007", 42: "042", 999: "999", 1000: "1000"} {
		require.Equal(t, want, string(appendPadded(nil, n, 3)))
	}
	require.Equal(t, "7", string(appendPadded(nil, 7, 0)))
}

func TestSplitCoversEverythingOnce(t *testing.T) {
	for _, n := range []int{0, 1, 3, 4, 10} {
		seen := make([]int, n)
		parts := make(chan [2]int, 4)
		require.NoError(t, split(n, 4, func(from, to int) error { parts <- [2]int{from, to}; return nil }))
		close(parts)
		for p := range parts {
			for i := p[0]; i < p[1]; i++ {
				seen[i]++
			}
		}
		for i, times := range seen {
			require.Equal(t, 1, times, "%d of %d", i, n)
		}
	}
}
