// Package config reads Cubby's configuration: a file in redis.conf's syntax
// and the command line's --directive words. One table of directives decides
// what is understood; defaults, checks, error texts and the documentation are
// all taken from it.
package config

import (
	"io"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"time"
)

// Config holds every directive's value. Its zero value is not usable: start
// from Default, Load or Parse.
type Config struct {
	Bind           []Address   // TCP addresses to listen on; empty is none
	Port           int         // TCP port; 0 is no TCP
	HTTPPort       int         // port of the HTTP door; 0 is none
	HTTPOptional   bool        // serve without HTTP when the port is taken (--dev)
	UnixSocket     string      // path of a unix socket; empty is none
	UnixSocketPerm fs.FileMode // permission bits of UnixSocket; 0 leaves the umask's
	ProtectedMode  bool        // only local clients while no password is configured

	TLS TLS

	RequirePass string // the admin's password; empty is not configured here

	JWTKeysFile string        // path of the keys that sign JWTs; empty accepts no JWTs
	JWTLeeway   time.Duration // how far clocks may differ
	JWTAudience string        // that aud must name; empty refuses JWTs with aud
	JWTIssuer   string        // that iss must be; empty accepts any

	Timeout                 time.Duration // closes clients idle for longer; 0 is never
	TCPKeepAlive            time.Duration // time between keepalive probes; 0 is none
	MaxClients              int           // connections at the same time
	SignInTimeout           time.Duration // closes clients that take longer to sign in; 0 is never
	SignInMaxClients        int           // of MaxClients before they have signed in, in percent
	SignInMaxClientsAddress int           // the same from one address; 0 is no limit

	EventLoops int // that serve connections without TLS; 0 is one for each core, below 0 none

	ClientQueryBufferLimit   int64         // bytes of the largest request
	ProtoMaxBulkLen          int64         // bytes of the largest argument
	ClientOutputBufferLimits OutputLimits  // replies that a client has not taken yet
	ClientWriteTimeout       time.Duration // drops a client that takes no byte for longer; 0 is never
	ShutdownTimeout          time.Duration // how long a stop waits for clients; 0 is not at all

	NotifyKeyspaceEvents string // which keyspace events are told, in Redis's letters; empty is none

	TrackingTableMaxKeys int // keys of a namespace remembered for clients that track them; 0 is no limit

	Dir                string // data directory
	AppendFsync        Fsync  // when the journal is synced to disk
	JournalSegmentSize int64  // bytes after which the journal starts a new file

	MaxMemory        int64         // bytes that the data in memory may take; 0 is no limit
	SpaceIdleTimeout time.Duration // unused namespaces leave memory after it; 0 is never

	SlowLogSlowerThan int64 // microseconds; negative is off, 0 is all
	SlowLogMaxLen     int64 // entries
	LatencyThreshold  int64 // milliseconds; 0 is off

	ScriptTimeLimit    time.Duration // how long a Lua script may run
	ScriptMemoryLimit  int64         // bytes that a Lua script may hold
	BusyReplyThreshold int           // milliseconds after which others of the namespace get BUSY; 0 is never

	LogLevel LogLevel // least severe level that is logged
	LogFile  string   // path; empty is standard error

	LogFormat LogFormat // of its lines

	Audit Audit

	Limits Limits // of every namespace for which the admin set no others

	// Anonymous is the namespace ("tenant/app") as which clients act that did
	// not sign in; empty is none. No directive sets it, only Dev does.
	Anonymous string

	// origins says where a directive was given; those left alone are missing.
	origins map[string]position
}

// Limits are what one namespace is allowed, in the shape of package auth's
// type of that name. Arrays hold one value for database 0 (durable) and one
// for database 1 (ephemeral).
type Limits struct {
	KeyBytes          int              // longest key, in bytes
	KeyAnyByte        bool             // lifts the key alphabet 0x21-0x7E
	ValueBytes        int              // longest value as stored, in bytes
	MaxKeys           [2]int64         // live keys
	MaxBytes          [2]int64         // bytes of live keys and values; 0 is no limit
	TTLMin            [2]time.Duration // shortest TTL that may be given
	TTLMax            [2]time.Duration // longest; 0 is no limit
	CommandsPerSecond int              // 0 is no limit
	CommandsBurst     int              // how many of them may come at once; 0 is a second's worth
	MaxConnections    int              // signed in at the same time; 0 is no limit
}

// TLS is how the server speaks it, package internal/tlsconf says what each file
// has to be.
type TLS struct {
	Port                       int // 0 is no TLS
	HTTPPort                   int // HTTP over TLS; 0 is none
	CertFile, KeyFile, KeyPass string
	CACertFile, CACertDir      string
	Clients                    TLSClients
	Namespace                  TLSNamespace
	Protocols                  string // "TLSv1.2 TLSv1.3"; empty is both
	Ciphers                    string // with colons between them; empty is the default
	SessionCaching             bool
}

// TLSClients is whether clients need a certificate.
type TLSClients string

// The values of tls-auth-clients.
const (
	TLSClientsYes      TLSClients = "yes"
	TLSClientsNo       TLSClients = "no"
	TLSClientsOptional TLSClients = "optional" // a wrong one is refused
)

// TLSNamespace is what of a client's certificate names its namespace.
type TLSNamespace string

// The values of tls-auth-clients-namespace.
const (
	TLSNamespaceNo TLSNamespace = "no"
	TLSNamespaceCN TLSNamespace = "cn" // the common name of its subject
)

// Fsync is when the journal is synced to disk.
type Fsync string

// The values of appendfsync.
const (
	FsyncAlways   Fsync = "always"   // before a write is answered
	FsyncEverySec Fsync = "everysec" // once a second, beside the answers
	FsyncNo       Fsync = "no"       // when the operating system likes
)

// LogLevel is how severe a message must be to be logged.
type LogLevel string

// The log levels, the most talkative first.
const (
	LogDebug   LogLevel = "debug"
	LogVerbose LogLevel = "verbose"
	LogNotice  LogLevel = "notice"
	LogWarning LogLevel = "warning"
)

// LogFormat is how lines of the log look.
type LogFormat string

// The values of log-format.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// Audit is the audit trail.
type Audit struct {
	File      string // path; empty keeps none
	FileSize  int64  // bytes after which a new file begins; 0 is never
	Files     int    // older ones that are kept; 0 is all
	QueueSize int64  // bytes that may wait for the disk
	OnFull    AuditOnFull
	Fsync     Fsync // everysec or no
}

// AuditOnFull is what happens when the trail's queue is full.
type AuditOnFull string

// The values of audit-on-full.
const (
	AuditBlock AuditOnFull = "block" // writes wait, or are refused
	AuditDrop  AuditOnFull = "drop"  // lines are lost and counted
)

// Address is one address of bind.
type Address struct {
	Host     string // IP address or host name; "*" is all of IPv4, "::*" all of IPv6
	Optional bool   // skip it when this machine does not have it
}

// String returns the address as bind takes it.
func (a Address) String() string {
	if a.Optional {
		return "-" + a.Host
	}
	return a.Host
}

// Listen returns the arguments for net.Listen. IPv4 and IPv6 are kept apart,
// as Redis does, so that "0.0.0.0 ::" is no conflict on one port.
func (a Address) Listen(port int) (network, address string) {
	p := strconv.Itoa(port)
	switch {
	case a.Host == anyIPv4:
		return "tcp4", net.JoinHostPort("0.0.0.0", p)
	case a.Host == anyIPv6:
		return "tcp6", net.JoinHostPort("::", p)
	case strings.Contains(a.Host, ":"):
		return "tcp6", net.JoinHostPort(a.Host, p)
	case net.ParseIP(a.Host) != nil:
		return "tcp4", net.JoinHostPort(a.Host, p)
	default:
		return "tcp", net.JoinHostPort(a.Host, p)
	}
}

// OutputLimits are the output buffer limits of each class: Normal is for
// replies, PubSub for what is pushed. Replica is read and not used.
type OutputLimits struct {
	Normal, Replica, PubSub OutputLimit
}

// OutputLimit says when a client that does not take its replies is closed.
type OutputLimit struct {
	Hard        int64 // bytes; closed at once above it; 0 is no limit
	Soft        int64 // bytes; closed when above it for SoftSeconds; 0 is no limit
	SoftSeconds int64
}

// Default returns the configuration of a server for which nothing was set.
func Default() *Config {
	c := &Config{origins: map[string]position{}}
	for _, d := range table {
		if d.value == nil {
			continue
		}
		words, err := splitArgs(d.Default)
		if err == nil {
			err = d.value.set(c, words)
		}
		if err != nil {
			panic("config: the default of " + d.Name + ": " + err.Error()) // the table is wrong
		}
	}
	return c
}

// Parse reads a configuration from r. Errors are as Load's; name stands for
// the file in them.
func Parse(r io.Reader, name string) (*Config, error) {
	l := newLoader()
	l.read(r, name)
	return l.finish()
}

// Get returns the words of a directive's value, or nil when there is no such
// directive. Joined with blanks they are the reply of CONFIG GET: sizes in
// bytes, durations in seconds (those that are not whole seconds in "ms").
func (c *Config) Get(name string) []string {
	d := lookup(strings.ToLower(name))
	if d == nil || d.value == nil {
		return nil
	}
	return d.value.get(c)
}
