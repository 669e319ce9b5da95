package config

import (
	"io/fs"
	"math"
	"slices"
	"time"
)

// Bounds that several rows share.
const (
	mb           = 1 << 20
	gb           = 1 << 30
	maxTime      = 100 * 365 * 24 * time.Hour
	maxKeepAlive = 32767 * time.Second // Linux takes no more
)

// table is everything the configuration knows. include has no value: the
// loader reads the file in its place.
var table = slices.Concat(serverRows(), auditRows(), tlsRows(), limitRows())

func serverRows() []directive {
	return []directive{
		{Directive{Name: "include", Group: "Files", Repeat: true,
			Doc: "Reads another file here. Lines after it win over the file's. The path is relative to the working directory. " +
				"A pattern reads all files that match, in the order of their names, and may match none."}, nil},

		{Directive{Name: "bind", Group: "Network", Default: "127.0.0.1 -::1",
			Doc: "The addresses to listen on."},
			addresses{func(c *Config) *[]Address { return &c.Bind }}},
		{Directive{Name: "port", Group: "Network", Default: "6379", Zero: "no TCP",
			Doc: "The TCP port, on each address of bind."},
			number[int]{func(c *Config) *int { return &c.Port }, 0, 65535, false}},
		{Directive{Name: "http-port", Group: "Network", Default: "0", Zero: "no HTTP",
			Doc: "The port of the HTTP door, on each address of bind: the REST protocol of @upstash/redis, see docs/http.md. With --dev it is 7379 unless another program has that port."},
			number[int]{func(c *Config) *int { return &c.HTTPPort }, 0, 65535, false}},
		{Directive{Name: "unixsocket", Group: "Network", Default: `""`,
			Doc: "The path of a unix socket to listen on as well; empty is none."},
			text{func(c *Config) *string { return &c.UnixSocket }, 0, 107, true}},
		{Directive{Name: "unixsocketperm", Group: "Network", Default: "0", Zero: "as the umask has it",
			Doc: "The permission bits of the unix socket, in octal."},
			permissions{func(c *Config) *fs.FileMode { return &c.UnixSocketPerm }}},
		{Directive{Name: "protected-mode", Group: "Network", Default: "yes", Live: PartServer,
			Doc: "Serves only clients on this machine while no password was configured, be it with requirepass " +
				"or with CUBBY_ADMIN_PASSWORD in the environment."},
			yesNo{func(c *Config) *bool { return &c.ProtectedMode }}},
		{Directive{Name: "tcp-keepalive", Public: true, Group: "Network", Default: "300", Zero: "none", Live: PartServer,
			Doc: "The time between the probes that find connections whose other end is gone."},
			duration{func(c *Config) *time.Duration { return &c.TCPKeepAlive }, time.Second, 0, maxKeepAlive}},

		{Directive{Name: "requirepass", Group: "Access", Default: `""`, Live: PartDirectory, Secret: true,
			Doc: "The admin's password, for AUTH admin <password>. Empty takes CUBBY_ADMIN_PASSWORD from the environment; " +
				"where that is empty too, the first start generates one and writes it to admin.password in dir, for its owner's eyes only."},
			text{func(c *Config) *string { return &c.RequirePass }, 0, 512, false}},
		{Directive{Name: "jwt-keys-file", Group: "Access", Default: `""`, Live: PartSignIn,
			Doc: "A JSON Web Key Set with the keys that may sign JSON Web Tokens, which then open a namespace like a token of Cubby's own: " +
				"oct for HS256, OKP with Ed25519 for EdDSA. Empty accepts no JWTs. Setting it again, or SIGHUP, reads the file again; see docs/security.md."},
			text{func(c *Config) *string { return &c.JWTKeysFile }, 0, 4095, true}},
		{Directive{Name: "jwt-leeway", Group: "Access", Default: "30", Live: PartSignIn, Zero: "none",
			Doc: "How far the clocks of those who sign JWTs may differ from this machine's: a JWT opens that much earlier than its nbf and iat, and " +
				"ends that much later than its exp."},
			duration{func(c *Config) *time.Duration { return &c.JWTLeeway }, time.Second, 0, 10 * time.Minute}},
		{Directive{Name: "jwt-audience", Group: "Access", Default: `""`, Live: PartSignIn,
			Doc: "What the claim aud of a JWT must name. Empty refuses JWTs that have an aud: they are meant for somebody else."},
			text{func(c *Config) *string { return &c.JWTAudience }, 0, 512, false}},
		{Directive{Name: "jwt-issuer", Group: "Access", Default: `""`, Live: PartSignIn,
			Doc: "What the claim iss of a JWT must be. Empty accepts any, or none."},
			text{func(c *Config) *string { return &c.JWTIssuer }, 0, 512, false}},

		{Directive{Name: "maxclients", Public: true, Group: "Clients", Default: "10000", Unit: "connections", Live: PartServer,
			Doc: "How many clients may be connected at the same time."},
			number[int]{func(c *Config) *int { return &c.MaxClients }, 1, 1_000_000, false}},
		{Directive{Name: "signin-timeout", Public: true, Group: "Clients", Default: "30", Zero: "never", Live: PartServer,
			Doc: "Closes a connection that has not signed in for this long, whether it has sent anything or not."},
			duration{func(c *Config) *time.Duration { return &c.SignInTimeout }, time.Second, 0, maxTime}},
		{Directive{Name: "signin-maxclients", Group: "Clients", Default: "50", Unit: "percent of maxclients", Live: PartServer,
			Doc: "How many connections may be open before they have signed in. When there are as many, or maxclients are connected, those that " +
				"have taken the longest for it make way for new ones; new ones are refused only when none has had two seconds."},
			number[int]{func(c *Config) *int { return &c.SignInMaxClients }, 1, 100, false}},
		{Directive{Name: "signin-maxclients-per-address", Group: "Clients", Default: "1000", Unit: "connections", Zero: "no limit", Live: PartServer,
			Doc: "The same for one address: an IPv4 address, or the first 64 bits of an IPv6 address. Unix sockets have no such limit."},
			number[int]{func(c *Config) *int { return &c.SignInMaxClientsAddress }, 0, 1_000_000, false}},
		{Directive{Name: "event-loops", Group: "Clients", Default: "0", Unit: "loops", Zero: "one for each processor core, a single one under appendfsync always",
			Doc: "How many event loops serve connections without TLS (on Linux). With -1 each connection gets a goroutine of its own, " +
				"which is slower under load. One loop less than cores has lower latencies at the 99th percentile and less throughput: see docs/performance.md."},
			number[int]{func(c *Config) *int { return &c.EventLoops }, -1, 256, false}},
		{Directive{Name: "timeout", Public: true, Group: "Clients", Default: "0", Zero: "never", Live: PartServer,
			Doc: "Closes a connection after it has been idle for this long."},
			duration{func(c *Config) *time.Duration { return &c.Timeout }, time.Second, 0, maxTime}},
		{Directive{Name: "client-write-timeout", Public: true, Group: "Clients", Default: "60", Zero: "never", Live: PartServer,
			Doc: "Closes a connection whose client has taken no byte of its replies for this long."},
			duration{func(c *Config) *time.Duration { return &c.ClientWriteTimeout }, time.Second, 0, maxTime}},
		{Directive{Name: "client-query-buffer-limit", Public: true, Group: "Clients", Default: "8mb", Live: PartServer,
			Doc: "The largest request, all its arguments together. A larger one is an error that closes the connection."},
			number[int64]{func(c *Config) *int64 { return &c.ClientQueryBufferLimit }, mb, 4 * gb, true}},
		{Directive{Name: "proto-max-bulk-len", Public: true, Group: "Clients", Default: "1mb", Live: PartServer,
			Doc: "The largest argument. A larger one, up to 512 MB, is read, thrown away and answered with SIZE_EXCEEDED. " +
				"At most client-query-buffer-limit."},
			number[int64]{func(c *Config) *int64 { return &c.ProtoMaxBulkLen }, mb, 512 * mb, true}},
		{Directive{Name: "client-output-buffer-limit", Public: true, Group: "Clients", Repeat: true, Live: PartServer, Zero: "no limit",
			Default: "normal 64mb 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
			Doc: "Closes a connection when more replies than the hard limit wait for its client, or more than the soft limit for that many seconds. " +
				"The class pubsub is what is pushed to a client: messages of channels and invalidations; there are no replicas."},
			outputLimits{func(c *Config) *OutputLimits { return &c.ClientOutputBufferLimits }}},

		{Directive{Name: "notify-keyspace-events", Group: "Clients", Default: `""`, Live: PartEngine, Public: true,
			Doc: "Tells what happens to keys to the channels __keyspace@<db>__:<key> and __keyevent@<db>__:<event> of their namespace. " +
				"K and E are the two channels, at least one is needed; g is what all types have in common (del, expire, rename), $ strings, x expired keys, " +
				"m keys that were looked up and missed, n new keys; A is all but the last two. The types l s h z t d and e are accepted and never happen. Empty is off."},
			eventFlags{func(c *Config) *string { return &c.NotifyKeyspaceEvents }}},

		{Directive{Name: "tracking-table-max-keys", Group: "Clients", Default: "100000", Unit: "keys", Zero: "no limit",
			Doc: "How many keys of one namespace are remembered for clients that cache what they read (CLIENT TRACKING). " +
				"Beyond it some key is forgotten, and whoever has read it is told that its copy is no longer good."},
			number[int]{func(c *Config) *int { return &c.TrackingTableMaxKeys }, 0, 1_000_000_000, false}},

		{Directive{Name: "dir", Group: "Data", Default: "./cubby-data",
			Doc: "The directory of the data; created when it is missing. Only one server at a time can use it."},
			text{func(c *Config) *string { return &c.Dir }, 1, 4095, true}},
		{Directive{Name: "appendfsync", Public: true, Group: "Data", Default: "everysec",
			Doc: "When writes are safe from a power cut: always, before they are answered; everysec, at most one second later; " +
				"no, when the operating system likes. All of them are safe when only the process dies."},
			choice[Fsync]{func(c *Config) *Fsync { return &c.AppendFsync }, []Fsync{FsyncAlways, FsyncEverySec, FsyncNo}}},
		{Directive{Name: "journal-segment-size", Group: "Data", Default: "64mb",
			Doc: "The journal starts a new file after this much. Smaller files free space sooner, larger ones are fewer."},
			number[int64]{func(c *Config) *int64 { return &c.JournalSegmentSize }, mb, 4 * gb, true}},
		{Directive{Name: "space-idle-timeout", Group: "Data", Default: "3600", Zero: "never", Live: PartStore,
			Doc: "A namespace that nobody has used for this long leaves memory; its next use reads it from disk. Database 1 always stays."},
			duration{func(c *Config) *time.Duration { return &c.SpaceIdleTimeout }, time.Second, 0, maxTime}},
		{Directive{Name: "maxmemory", Public: true, Group: "Data", Default: "0", Zero: "no limit", Live: PartStore,
			Doc: "The most memory for data, keys and their upkeep counted. Beyond it the namespaces that were not used for the longest time leave memory; " +
				"nothing is ever evicted. When those in use are too large by themselves, commands that add keys or bytes are answered with OOM. " +
				"The process takes more than this: leave it as much again."},
			number[int64]{func(c *Config) *int64 { return &c.MaxMemory }, 0, math.MaxInt64, true}},
		{Directive{Name: "shutdown-timeout", Group: "Data", Default: "10", Zero: "do not wait", Live: PartProcess,
			Doc: "How long a stop waits for running requests and their replies. Answered writes are kept in any case."},
			duration{func(c *Config) *time.Duration { return &c.ShutdownTimeout }, time.Second, 0, maxTime}},

		{Directive{Name: "script-time-limit", Group: "Scripts", Default: "5s", Live: PartEngine,
			Doc: "How long a Lua script may run. Then it is ended, its client gets an error, and nothing that it wrote is kept. " +
				"The other connections of its namespace wait for it meanwhile, those of other namespaces do not."},
			duration{func(c *Config) *time.Duration { return &c.ScriptTimeLimit }, time.Millisecond, 10 * time.Millisecond, time.Hour}},
		{Directive{Name: "script-memory-limit", Group: "Scripts", Default: "64mb", Live: PartEngine,
			Doc: "How much a Lua script may hold at a time. Beyond it the script is ended like one that runs for too long."},
			number[int64]{func(c *Config) *int64 { return &c.ScriptMemoryLimit }, mb, 4 * gb, true}},
		{Directive{Name: "busy-reply-threshold", Group: "Scripts", Default: "5000", Unit: "milliseconds", Zero: "never", Live: PartEngine,
			Doc: "After a script has run for this long, the other connections of its namespace get BUSY instead of waiting, and SCRIPT KILL can end it. " +
				"Only of use below script-time-limit."},
			number[int]{func(c *Config) *int { return &c.BusyReplyThreshold }, 0, 86_400_000, false}},
		{Directive{Name: "lua-time-limit", Group: "Scripts", Default: "5000", Unit: "milliseconds", Zero: "never", Live: PartEngine,
			Doc: "The older name of busy-reply-threshold."},
			number[int]{func(c *Config) *int { return &c.BusyReplyThreshold }, 0, 86_400_000, false}},

		{Directive{Name: "slowlog-log-slower-than", Group: "Log", Default: "10000", Unit: "microseconds", Zero: "all", Live: PartEngine,
			Doc: "Commands that took at least this long get into the slow log (SLOWLOG GET). A negative number turns it off."},
			number[int64]{func(c *Config) *int64 { return &c.SlowLogSlowerThan }, -1, math.MaxInt64 / 1000, false}},
		{Directive{Name: "slowlog-max-len", Group: "Log", Default: "128", Unit: "entries", Zero: "none", Live: PartEngine,
			Doc: "How many entries the slow log keeps."},
			number[int64]{func(c *Config) *int64 { return &c.SlowLogMaxLen }, 0, 1_000_000, false}},
		{Directive{Name: "latency-monitor-threshold", Group: "Log", Default: "0", Unit: "milliseconds", Zero: "off", Live: PartEngine,
			Doc: "Commands that took at least this long become samples of the latency monitor (LATENCY LATEST)."},
			number[int64]{func(c *Config) *int64 { return &c.LatencyThreshold }, 0, math.MaxInt64 / 1_000_000, false}},
		{Directive{Name: "loglevel", Group: "Log", Default: "notice", Live: PartLog,
			Doc: "The least severe messages that are logged."},
			choice[LogLevel]{func(c *Config) *LogLevel { return &c.LogLevel }, []LogLevel{LogDebug, LogVerbose, LogNotice, LogWarning}}},
		{Directive{Name: "logfile", Group: "Log", Default: `""`,
			Doc: "The file that the log is appended to; empty is standard error. SIGHUP opens it anew, after a tool has moved it away."},
			text{func(c *Config) *string { return &c.LogFile }, 0, 4095, true}},
		{Directive{Name: "log-format", Group: "Log", Default: "text",
			Doc: "How lines of the log look: text is key=value, json an object."},
			choice[LogFormat]{func(c *Config) *LogFormat { return &c.LogFormat }, []LogFormat{LogText, LogJSON}}},
	}
}

// limitRows are the limits of namespaces. Names with "ephemeral-" are those
// of database 1.
func limitRows() []directive {
	const (
		both      = "Limits of a namespace"
		durable   = "Limits of its database 0 (durable)"
		ephemeral = "Limits of its database 1 (ephemeral)"

		maxKeysDoc = "The most live keys. Overwriting, deleting and reading go on when there are as many; expired keys do not count."
		maxByteDoc = "The most bytes of live keys and their values."
		ttlMaxDoc  = "The longest TTL that may be given; a longer one is refused."
	)
	limits := []directive{
		{Directive{Name: "key-bytes", Group: both, Default: "256", Live: PartDirectory, Public: true,
			Doc: "The longest key."},
			number[int]{func(c *Config) *int { return &c.Limits.KeyBytes }, 1, 65536, true}},
		{Directive{Name: "key-charset", Group: both, Default: "printable", Live: PartDirectory, Public: true,
			Doc: "printable allows the bytes 0x21 to 0x7E in keys, any allows all."},
			charset{func(c *Config) *bool { return &c.Limits.KeyAnyByte }}},
		{Directive{Name: "value-bytes", Group: both, Default: "65536", Live: PartDirectory, Public: true,
			Doc: "The longest value, as it is stored. At most proto-max-bulk-len."},
			number[int]{func(c *Config) *int { return &c.Limits.ValueBytes }, 1, 512 * mb, true}},
		{Directive{Name: "commands-per-second", Group: both, Default: "0", Unit: "commands", Zero: "no limit", Live: PartDirectory, Public: true,
			Doc: "The most commands in a second, both databases and all connections together."},
			number[int]{func(c *Config) *int { return &c.Limits.CommandsPerSecond }, 0, 1_000_000_000, false}},
		{Directive{Name: "commands-burst", Group: both, Default: "0", Unit: "commands", Zero: "a second's worth", Live: PartDirectory, Public: true,
			Doc: "The most commands that may come at once, after a while without any, where commands-per-second limits them."},
			number[int]{func(c *Config) *int { return &c.Limits.CommandsBurst }, 0, 1_000_000_000, false}},
		{Directive{Name: "max-connections", Group: both, Default: "0", Unit: "connections", Zero: "no limit", Live: PartDirectory, Public: true,
			Doc: "The most connections that may be signed in at the same time. Those that are stay when the limit is lowered; the admin's do not count."},
			number[int]{func(c *Config) *int { return &c.Limits.MaxConnections }, 0, 1_000_000, false}},
	}
	for db, of := range []struct{ group, prefix, ttlMin string }{
		{durable, "", "60s"}, {ephemeral, "ephemeral-", "1ms"},
	} {
		limits = append(limits,
			directive{Directive{Name: of.prefix + "max-keys", Group: of.group, Default: "10000", Unit: "keys", Live: PartDirectory, Public: true, Doc: maxKeysDoc},
				number[int64]{func(c *Config) *int64 { return &c.Limits.MaxKeys[db] }, 1, 1_000_000_000_000, false}},
			directive{Directive{Name: of.prefix + "max-bytes", Group: of.group, Default: "0", Zero: "no limit", Live: PartDirectory, Public: true, Doc: maxByteDoc},
				number[int64]{func(c *Config) *int64 { return &c.Limits.MaxBytes[db] }, 0, math.MaxInt64, true}},
			directive{Directive{Name: of.prefix + "ttl-min", Group: of.group, Default: of.ttlMin, Live: PartDirectory, Public: true,
				Doc: "The shortest TTL that may be given; a shorter one is refused. At most " + of.prefix + "ttl-max."},
				duration{func(c *Config) *time.Duration { return &c.Limits.TTLMin[db] }, time.Millisecond, time.Millisecond, maxTime}},
			directive{Directive{Name: of.prefix + "ttl-max", Group: of.group, Default: "365d", Zero: "no limit", Live: PartDirectory, Public: true,
				Doc: ttlMaxDoc},
				duration{func(c *Config) *time.Duration { return &c.Limits.TTLMax[db] }, time.Millisecond, 0, maxTime}},
		)
	}
	return limits
}
