package commands

import (
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
