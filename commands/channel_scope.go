package commands

import "strings"

// Channels are no keys, but a token with a key prefix finds among them what it
// finds among keys: those that start with its prefix. The channels of keyspace
// notifications go by the key that they tell of. See docs/security.md.

// eventChannel takes apart the name of a channel of keyspace notifications:
// about is what stands behind "__keyspace@0__:" or "__keyevent@0__:".
func eventChannel(channel string) (ofKey, ofEvent bool, about string) {
	rest, ofKey := strings.CutPrefix(channel, keyspacePrefix)
	if !ofKey {
		if rest, ofEvent = strings.CutPrefix(channel, keyeventPrefix); !ofEvent {
			return false, false, ""
		}
	}
	digits, about, ok := strings.Cut(rest, "__:")
	if !ok || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return false, false, ""
	}
	return ofKey, ofEvent, about
}

// mayName tells whether a token with a key prefix may name a channel. All that
// happens with an event is told on one channel: one may subscribe to it, and
// hears then what mayHear lets pass.
func mayName(prefix, channel string, subscribes bool) bool {
	ofKey, ofEvent, about := eventChannel(channel)
	switch {
	case ofKey:
		return strings.HasPrefix(about, prefix)
	case ofEvent:
		return subscribes
	}
	return strings.HasPrefix(channel, prefix)
}

// mayHear tells whether a message on a channel is for a token with a key prefix;
// an empty one hears everything.
func mayHear(prefix string, n *notice) bool {
	if prefix == "" {
		return true
	}
	if n.kind == subChannel {
		if _, ofEvent, _ := eventChannel(n.channel); ofEvent {
			return strings.HasPrefix(n.payload, prefix)
		}
		return mayName(prefix, n.channel, false)
	}
	return strings.HasPrefix(n.channel, prefix)
}
