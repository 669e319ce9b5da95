package commands

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The connections of a namespace share a bound, and what they leave is free again.
func TestSubscriptionsOfANamespaceHaveABound(t *testing.T) {
	h := newHarness(t)
	a, b := h.open(), h.open()
	a.do("SUBSCRIBE", "x")
	hub := a.s.hub
	before := hub.bytes
	b.do("SUBSCRIBE", "x")
	require.Equal(t, before+memberCost+1, hub.bytes)
	b.do("SUBSCRIBE", "x")
	require.Equal(t, before+memberCost+1, hub.bytes, "it is one")
	b.do("PSUBSCRIBE", "y*")
	b.do("SSUBSCRIBE", strings.Repeat("z", 100))
	b.do("UNSUBSCRIBE", "x")
	h.engine.EndSession(b.s)
	require.Equal(t, before, hub.bytes)

	hub.bytes = maxHubBytes - before
	a.do("UNSUBSCRIBE", "nothing")
	require.Contains(t, a.do("SUBSCRIBE", "y", "z"), "-BAD_INPUT the subscriptions of the namespace would take more than")
	require.Equal(t, maxHubBytes-before, hub.bytes, "all or none")
	a.do("UNSUBSCRIBE")
	require.Contains(t, a.do("SUBSCRIBE", "y"), "subscribe")
}
