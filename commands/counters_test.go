package commands

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCountersShareNoMemory: a counter's new value is built in the session's
// scratch space, so neighbours in one batch must not end up with each other's.
func TestCountersShareNoMemory(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	var cmds [][]string
	for i := range 40 {
		key := fmt.Sprintf("n%d", i)
		cmds = append(cmds, []string{"INCRBY", key, strconv.Itoa(1000 + i)}, []string{"INCRBYFLOAT", "f" + key, fmt.Sprintf("%d.5", i)}, []string{"COPY", key, "c" + key})
	}
	c.pipeline(append(append([][]string{{"MULTI"}}, cmds...), []string{"EXEC"})...)
	other := h.open()
	for i := range 40 {
		other.run("INCR other") // overwrites scratch space that is still in use
		require.Equal(t, fmt.Sprintf("$4\r\n%d", 1000+i), other.run(fmt.Sprintf("GET n%d", i)))
		require.Equal(t, fmt.Sprintf("$4\r\n%d", 1000+i), other.run(fmt.Sprintf("GET cn%d", i)))
		require.Contains(t, other.run(fmt.Sprintf("GET fn%d", i)), fmt.Sprintf("\r\n%d.5", i))
	}
}
