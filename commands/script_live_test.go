package commands

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What bounds scripts changes for those that begin later.
func TestScriptLimitsChangeLive(t *testing.T) {
	h := newHarness(t)
	h.scriptClock()
	settings := DefaultSettings()
	settings.Scripts = *h.engine.scriptOptions.Load()
	settings.Scripts.TimeLimit = 20 * time.Millisecond
	h.engine.Reconfigure(settings)
	c := h.open()
	require.Contains(t, c.eval("while true do end"), "-BAD_INPUT the script ran for more than 20 ms and was ended")
}

func TestShutdownEndsScripts(t *testing.T) {
	for line, ends := range map[string]bool{"SHUTDOWN": false, "SHUTDOWN FORCE": false, "SHUTDOWN NOW": true, "SHUTDOWN nosave": true} {
		h := newHarness(t)
		h.limitScripts(func(o *ScriptOptions) { o.TimeLimit = time.Minute })
		h.engine.server.Shutdown = func() {}
		runner, admin := h.open(), h.admin()
		goOn := paused(t, h, runner, "redis.call('SET','a','1') local n = 0 while n < 100000 do n = n + 1 end return n", 10*time.Second)
		require.Empty(t, admin.pipeline(strings.Fields(line)))
		if !ends {
			require.Equal(t, ":100000\r\n", goOn(), line)
			require.Equal(t, "$1\r\n1\r\n", runner.do("GET", "a"))
			continue
		}
		require.Equal(t, "-"+errScriptStopped.Error()+"\r\n", goOn(), line)
		require.Equal(t, "$-1\r\n", runner.do("GET", "a"), "nothing is kept")
	}
}
