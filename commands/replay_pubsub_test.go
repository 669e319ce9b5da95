package commands

import (
	"testing"
)

var pubsubScripts = []string{
	`subscriptions are counted
	SUBSCRIBE
	SUBSCRIBE x y x
	PSUBSCRIBE
	PSUBSCRIBE p* p*
	SSUBSCRIBE
	SSUBSCRIBE s1 s2
	UNSUBSCRIBE none x
	UNSUBSCRIBE
	UNSUBSCRIBE
	PUNSUBSCRIBE q
	PUNSUBSCRIBE
	PUNSUBSCRIBE
	SUNSUBSCRIBE s2
	SUNSUBSCRIBE
	SUNSUBSCRIBE
	PING`,
	`unsubscribe from nothing
	UNSUBSCRIBE
	PUNSUBSCRIBE
	SUNSUBSCRIBE
	UNSUBSCRIBE a b
	PUNSUBSCRIBE a
	SUNSUBSCRIBE a
	PING`,
	`what is allowed while subscribed
	SET k v
	SUBSCRIBE a
	GET k
	PING
	PING hello
	PING a b
	CLIENT GETNAME
	CLIENT
	NOSUCH
	GET
	PUBLISH a x
	PUBLISH a
	ECHO x
	MULTI
	EXEC
	DISCARD
	SELECT 1
	COMMAND COUNT x
	UNSUBSCRIBE
	PING
	GET k`,
	`shard channels keep it in that mode too
	SSUBSCRIBE a
	GET k
	PING
	SUNSUBSCRIBE a
	GET k`,
	`messages
	b| SUBSCRIBE news other
	c| PSUBSCRIBE n?ws
	PUBLISH news hello
	PUBLISH nobody hello
	PUBLISH other "a\r\nb\x00"
	PUBLISH other ""
	d| SUBSCRIBE news
	PUBLISH news again
	b| UNSUBSCRIBE news
	PUBLISH news more
	b| PING
	c| PUNSUBSCRIBE
	PUBLISH news last
	PUBLISH other x
	PUBLISH
	PUBLISH a b c`,
	`who subscribes twice hears twice
	b| SUBSCRIBE a
	b| PSUBSCRIBE a*
	PUBLISH a x
	PUBLISH ab y`,
	`the empty name
	b| SUBSCRIBE ""
	b| PSUBSCRIBE ""
	c| PSUBSCRIBE * ** ?
	PUBLISH "" x
	PUBSUB CHANNELS
	b| UNSUBSCRIBE ""
	b| PUNSUBSCRIBE ""`,
	`shard channels are apart
	b| SSUBSCRIBE a
	b| SUBSCRIBE a
	c| PSUBSCRIBE *
	PUBLISH a x
	SPUBLISH a y
	SPUBLISH b y
	SPUBLISH a
	PUBSUB CHANNELS
	PUBSUB SHARDCHANNELS`,
	`pubsub
	PUBSUB
	PUBSUB NOSUCH
	PUBSUB HELP
	PUBSUB HELP x
	PUBSUB CHANNELS
	PUBSUB NUMSUB
	PUBSUB NUMSUB a b a
	PUBSUB NUMPAT
	PUBSUB NUMPAT x
	PUBSUB SHARDCHANNELS
	PUBSUB SHARDNUMSUB
	PUBSUB SHARDNUMSUB a
	b| SUBSCRIBE a
	b| PSUBSCRIBE a* b*
	c| PSUBSCRIBE a*
	c| SUBSCRIBE a
	c| SSUBSCRIBE s
	PUBSUB CHANNELS
	PUBSUB CHANNELS a
	PUBSUB CHANNELS b*
	PUBSUB CHANNELS a b
	PUBSUB NUMSUB a b
	PUBSUB NUMPAT
	PUBSUB SHARDCHANNELS
	PUBSUB SHARDCHANNELS *
	PUBSUB SHARDCHANNELS a b
	PUBSUB SHARDNUMSUB s a
	b| PUNSUBSCRIBE a*
	PUBSUB NUMPAT
	b| PUNSUBSCRIBE
	c| PUNSUBSCRIBE
	PUBSUB NUMPAT`,
	`reset ends subscriptions
	b| SUBSCRIBE a
	b| PSUBSCRIBE *
	b| SSUBSCRIBE s
	b| RESET
	PUBLISH a x
	SPUBLISH s x
	b| PING
	PUBSUB CHANNELS`,
	`quit does too
	b| SUBSCRIBE a
	b| QUIT
	PUBLISH a x`,
	`publishing in a transaction
	b| SUBSCRIBE a
	MULTI
	PUBLISH a 1
	SET k v
	PUBLISH a 2
	GET k
	EXEC
	MULTI
	PUBLISH a 3
	DISCARD
	MULTI
	PUBLISH a 4
	NOSUCH
	EXEC
	WATCH k
	b2| SUBSCRIBE z
	c| SET k w
	MULTI
	PUBLISH a 5
	EXEC`,
	`subscribing in a transaction
	MULTI
	SUBSCRIBE a b
	SSUBSCRIBE c
	UNSUBSCRIBE b
	SET k v
	EXEC
	PING
	b| PUBLISH a x
	b| PUBLISH b x
	UNSUBSCRIBE
	MULTI
	PSUBSCRIBE p
	PUNSUBSCRIBE
	EXEC
	GET k`,
	`without replies
	CLIENT REPLY OFF
	SUBSCRIBE a
	b| PUBLISH a x
	PING
	UNSUBSCRIBE a
	CLIENT REPLY ON
	CLIENT REPLY SKIP
	SUBSCRIBE a b
	UNSUBSCRIBE a b`,
	`two protocols
	b| SUBSCRIBE a
	b2| SUBSCRIBE a
	PUBLISH a x`,
}

func TestPubSubIsRedis(t *testing.T) {
	replayPushed(t, newTwins(t), pubsubScripts)
}

// In RESP3 a client that subscribed may go on, and so hear itself.
func TestOwnMessagesStandWhereRedisHasThem(t *testing.T) {
	w := newTwins(t)
	c := w.converse(t, 3)
	_, steps := parseScript(t, `own messages
	SUBSCRIBE a
	b| SUBSCRIBE a
	PUBLISH a x
	PSUBSCRIBE a*
	PUBLISH a y
	PUBLISH ab z
	UNSUBSCRIBE
	PUBLISH a y
	SSUBSCRIBE a
	SPUBLISH a s
	SUBSCRIBE a
	CLIENT REPLY OFF
	PUBLISH a z
	CLIENT REPLY ON
	CLIENT REPLY SKIP
	PUBLISH a z
	PUBLISH a z
	RESET
	PUBLISH a x`)
	for _, s := range steps {
		c.say(s)
	}
}
