package commands

import "strings"

// ungenerated are commands of Redis's that the random replay leaves out.
var ungenerated = map[string]string{
	"auth":        "Redis has no namespaces",
	"monitor":     "hears every command of the other connections, with their moments",
	"acl|deluser": "there are no ACL users; Redis has one",
	"acl|dryrun":  "there are no ACL users",
	"acl|getuser": "there are no ACL users",
	"acl|list":    "there are no ACL users",
	"acl|load":    "there are no ACL users",
	"acl|log":     "there are no ACL users",
	"acl|save":    "there are no ACL users",
	"acl|setuser": "would lock the test out of Redis",
	"acl|users":   "there are no ACL users",
	"bgsave":      "forks, and answers by whether it already has",
}

// looselyCompared are commands whose replies only have to be of one kind, or
// the same error.
var looselyCompared = map[string]string{
	"time":                 "moments are each server's own",
	"lastsave":             "moments are each server's own",
	"info":                 "tells about the server",
	"hello":                "names the server and the connection",
	"randomkey":            "any key",
	"keys":                 "the order is Redis's tables'",
	"scan":                 "the order is Redis's tables', cursors are each server's own",
	"ttl":                  "the moment",
	"pttl":                 "the moment",
	"expiretime":           "the moment",
	"pexpiretime":          "the moment",
	"object|encoding":      "what the value would have after SET",
	"object|idletime":      "counts from the last write",
	"object|refcount":      "small numbers are shared or not by what made them",
	"memory|usage":         "each server's own",
	"memory|help":          "lists what there is",
	"client|id":            "numbers are each server's own",
	"client|getredir":      "numbers are each server's own",
	"client|info":          "tells about the connection",
	"client|list":          "tells about connections",
	"command|help":         "in words of our own",
	"client|help":          "lists what there is",
	"acl|cat":              "lists what there is",
	"acl|genpass":          "random",
	"acl|help":             "lists what there is",
	"acl|whoami":           "namespaces are not Redis's users",
	"module|help":          "lists what there is",
	"command":              "tells of the commands here",
	"command|count":        "tells of the commands here",
	"command|docs":         "tells of the commands here",
	"command|info":         "tells of the commands here",
	"command|list":         "tells of the commands here",
	"latency|doctor":       "in words of our own",
	"latency|histogram":    "how quick each server is",
	"lolwut":               "draws something else",
	"pubsub|channels":      "the order is Redis's tables'",
	"pubsub|shardchannels": "the order is Redis's tables'",
	"unsubscribe":          "the order is Redis's tables'",
	"punsubscribe":         "the order is Redis's tables'",
	"sunsubscribe":         "the order is Redis's tables'",
}

// unmutated are commands of which a changed argument may do harm.
var unmutated = map[string]bool{"watch": true}

// newerTokens are options that Redis 7.0 does not have.
var newerTokens = map[string]bool{"IFEQ": true, "MAXAGE": true}

// refusedByUsOnly tells of payloads that Redis takes for something else than a
// string.
func refusedByUsOnly(payload string) bool { return strings.HasPrefix(payload, "\xfe") }
