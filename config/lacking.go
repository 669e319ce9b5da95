package config

import "strings"

// Why Cubby has no such thing, for reasons that several directives share.
const (
	whyNoRDB     = "there are no RDB files; the journal in dir keeps every write (see appendfsync)"
	whyNoAOF     = "the journal in dir is always on; see appendfsync and journal-segment-size"
	whyNoReplica = "a Cubby server has no replicas; remove the line"
	whyNoCluster = "a Cubby server does not join a cluster; remove the line"
	whyNoACL     = "tokens say who may do what, and requirepass is the admin's password"
	whyNoModules = "there are no modules; remove the line"
	whyNoEvict   = "nothing is evicted: cold namespaces leave memory for the disk at maxmemory, and max-keys and max-bytes limit each namespace"
	whyNoTypes   = "values are strings or JSON, there is no such type to tune; remove the line"
	whyNoTuning  = "Cubby looks after memory, threads and background work itself; remove the line"
	whyNoDaemon  = "Cubby runs in the foreground, under systemd or in a container; remove the line"
	whyNoSyslog  = "logs go to logfile or to standard error, which systemd passes on"
	whyNotYet    = "not in this version; remove the line"
	whyNoNeed    = "nothing in Cubby corresponds to it; remove the line"
)

// lacking lists what Redis 7 reads and Cubby knowingly does not. A name that
// ends in "*" stands for all that begin so.
var lacking = []struct {
	names string // blanks between them
	why   string
}{
	{"save stop-writes-on-bgsave-error dbfilename rdb* sanitize-dump-payload", whyNoRDB},
	{"appendonly appendfilename appenddirname aof-* aof_rewrite_cpulist auto-aof-rewrite-* no-appendfsync-on-rewrite", whyNoAOF},
	{"databases", "every namespace has exactly two, 0 (durable) and 1 (in memory only); remove the line"},
	{"replicaof slaveof masterauth masteruser replica-* slave-* repl-* min-replicas-* min-slaves-* replica-announced propagation-error-behavior", whyNoReplica},
	{"cluster-* sentinel", whyNoCluster},
	{"aclfile user acl-pubsub-default acllog-max-len", whyNoACL},
	{"rename-command", "a token's scope says which commands a client may use"},
	{"loadmodule enable-module-command", whyNoModules},
	{"maxmemory-policy maxmemory-samples maxmemory-eviction-tenacity lfu-*", whyNoEvict},
	{"maxmemory-clients", "client-query-buffer-limit, client-output-buffer-limit and maxclients bound what clients use"},
	{"list-* hash-* set-max-* zset-* stream-* hll-*", whyNoTypes},
	{"activedefrag active-defrag-* activerehashing active-expire-effort lazyfree-* jemalloc-bg-thread hz dynamic-hz io-threads io-threads-do-reads server_cpulist bio_cpulist bgsave_cpulist oom-score-adj oom-score-adj-values disable-thp", whyNoTuning},
	{"daemonize pidfile supervised set-proc-title proc-title-template always-show-logo", whyNoDaemon},
	{"syslog-*", whyNoSyslog},
	{"tls-cluster", whyNoCluster},
	{"tls-replication tls-client-*", whyNoReplica},
	{"tls-ciphersuites", "the ciphers of TLS 1.3 are always all three of them; remove the line"},
	{"tls-dh-params-file", "keys are agreed on elliptic curves only, which need no parameters; remove the line"},
	{"tls-prefer-server-ciphers", "the server always chooses the cipher, for what is fast on both ends; remove the line"},
	{"tls-session-cache-*", "clients keep their sessions themselves, so there is no cache; see tls-session-caching"},
	{"latency-tracking latency-tracking-info-percentiles", whyNotYet},
	{"shutdown-on-sigterm shutdown-on-sigint", "SIGTERM and SIGINT always finish what runs and stop; see shutdown-timeout"},
	{"enable-debug-command enable-protected-configs", "there are no such commands to protect; remove the line"},
	{"tcp-backlog socket-mark-id bind-source-addr crash-log-enabled crash-memcheck-enabled ignore-warnings lua-replicate-commands", whyNoNeed},
}

// lackingReason says why Cubby lacks a directive of Redis (lower case); it is
// empty when Redis has none of that name either.
func lackingReason(name string) string {
	for _, group := range lacking {
		for pattern := range strings.FieldsSeq(group.names) {
			prefix, open := strings.CutSuffix(pattern, "*")
			if name == pattern || open && strings.HasPrefix(name, prefix) {
				return group.why
			}
		}
	}
	if strings.Contains(name, ".") {
		return whyNoModules // Redis takes "module.option" for a module's
	}
	return ""
}
