package commands

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cubbykv/cubby/storage"
)

// What INFO tells depends on who asks. An app sees its namespace as if it were
// the whole server: its own connections, bytes and keys, beside fixed facts of
// the process such as version and uptime. Figures that exist only for the
// process as a whole (memory, CPU, totals, command counts) would show an app
// what its neighbours do, so only the admin gets them. The total_ counters stay
// in an app's reply as zeros because tools such as redis-cli --stat insist on
// them.

// report is one INFO reply under construction.
type report struct {
	call  *Call
	admin bool
	held  []held // per database; nil when nobody may know
	text  strings.Builder
}

// held is what INFO tells of one database.
type held struct {
	storage.Usage
	expiring int64 // keys with a TTL
}

// infoSection is one chapter of INFO.
type infoSection struct {
	name  string // as Redis's title, without regard to case
	extra bool   // left out unless asked for by name, or by all or everything
	named bool   // left out unless asked for by its name
	usage bool   // needs report.held
	write func(*report)
}

// infoSections lists the chapters in Redis's order.
func infoSections() []infoSection {
	return []infoSection{
		{name: "Server", write: (*report).server},
		{name: "Clients", write: (*report).clients},
		{name: "Memory", usage: true, write: (*report).memory},
		{name: "Persistence", write: (*report).persistence},
		{name: "Stats", write: (*report).stats},
		{name: "Replication", write: (*report).replication},
		{name: "CPU", write: (*report).cpu},
		{name: "Audit", named: true, write: (*report).audit},
		{name: "Modules", write: func(*report) {}},
		{name: "Commandstats", extra: true, write: (*report).commandStats},
		{name: "Errorstats", write: (*report).errorStats},
		{name: "Latencystats", extra: true, write: (*report).latencyStats},
		{name: "Cluster", write: func(r *report) { r.field("cluster_enabled", 0) }},
		{name: "Keyspace", usage: true, write: (*report).keyspace},
	}
}

func runInfo(c *Call) error {
	sections := askedSections(c.Argv[1:])
	r := &report{call: c, admin: c.Session.principal.Admin}
	if slices.ContainsFunc(sections, func(s infoSection) bool { return s.usage }) {
		var err error
		if r.held, err = c.holdings(); err != nil {
			return err
		}
	}
	for i, s := range sections {
		if i > 0 {
			r.text.WriteString("\r\n")
		}
		r.text.WriteString("# " + s.name + "\r\n")
		s.write(r)
	}
	c.Out.Verbatim("txt", r.text.String())
	return nil
}

// askedSections picks the sections that the arguments name; unknown ones are
// passed over, as in Redis.
func askedSections(args [][]byte) []infoSection {
	all, standard := false, len(args) == 0
	named := make(map[string]bool)
	for _, a := range args {
		switch word := strings.ToLower(string(a)); word {
		case "all", "everything":
			all = true
		case "default":
			standard = true
		default:
			named[word] = true
		}
	}
	return slices.DeleteFunc(infoSections(), func(s infoSection) bool {
		return (s.named || !all && !(standard && !s.extra)) && !named[strings.ToLower(s.name)]
	})
}

// field writes one line.
func (r *report) field(name string, value any) {
	fmt.Fprintf(&r.text, "%s:%v\r\n", name, value)
}

func (r *report) server() {
	e := r.call.Engine
	up := int64(r.call.clock().Sub(e.started).Seconds())
	r.field("redis_version", compatibleVersion)
	r.field("cubby_version", e.server.Version)
	r.field("redis_mode", "standalone")
	r.field("os", platform)
	r.field("arch_bits", strconv.IntSize)
	r.field("process_id", processID)
	r.field("run_id", e.runID)
	r.field("tcp_port", e.server.Port)
	r.field("server_time_usec", r.call.clock().UnixMicro())
	r.field("uptime_in_seconds", up)
	r.field("uptime_in_days", up/(24*60*60))
	file := ""
	if r.admin {
		file = e.server.ConfigFile // the host's directories are no app's business
	}
	r.field("config_file", file)
}

func (r *report) clients() {
	sessions := r.call.Engine.visibleSessions(r.call.Session)
	waiting := 0
	for _, s := range sessions {
		if s.snapshot().waiting {
			waiting++
		}
	}
	r.field("connected_clients", len(sessions))
	if n := r.call.Engine.traffic().MaxClients; n > 0 {
		r.field("maxclients", n)
	}
	r.field("blocked_clients", waiting) // by CLIENT PAUSE
	r.field("tracking_clients", r.tracking().clients)
}

func (r *report) memory() {
	if r.admin {
		m := readMemory()
		peak := r.call.Engine.peak.raise(m.used)
		r.size("used_memory", m.used)
		if m.resident > 0 {
			r.size("used_memory_rss", m.resident)
		}
		r.size("used_memory_peak", peak)
		r.field("used_memory_peak_perc", fmt.Sprintf("%.2f%%", 100*float64(m.used)/float64(max(1, peak))))
		if m.system > 0 {
			r.size("total_system_memory", m.system)
		}
		if m.resident > 0 {
			r.field("mem_fragmentation_ratio", fmt.Sprintf("%.2f", float64(m.resident)/float64(max(1, m.used))))
			r.field("mem_fragmentation_bytes", m.resident-m.used)
		}
		r.size("maxmemory", told(r.call.Engine.server.MaxMemory))
		r.field("maxmemory_policy", "noeviction")
		r.field("mem_allocator", "go")
		return
	}
	if r.held != nil {
		used := int64(0)
		for _, h := range r.held {
			used += h.Bytes
		}
		r.size("used_memory", used)
	}
	limit := int64(0)
	for _, n := range r.call.Limits.MaxBytes {
		if n == 0 {
			limit = 0 // one database without a limit: the sum has none
			break
		}
		limit += n
	}
	r.size("maxmemory", limit)
	r.field("maxmemory_policy", "noeviction")
}

// size writes a number of bytes, and once more for people.
func (r *report) size(name string, n int64) {
	r.field(name, n)
	r.field(name+"_human", humanBytes(n))
}

func (r *report) persistence() {
	s := &r.call.Engine.server
	r.field("loading", 0)
	r.field("async_loading", 0)
	r.saves()
	if s.AppendSync != "" {
		r.field("aof_enabled", 1)
		r.field("aof_rewrite_in_progress", 0)
		r.field("appendfsync", s.AppendSync)
	} else {
		r.field("aof_enabled", 0)
	}
	if r.admin && s.StoreStats != nil {
		for _, line := range s.StoreStats() {
			r.text.WriteString(line + "\r\n")
		}
	}
}

func (r *report) stats() {
	e := r.call.Engine
	var total struct{ connections, commands, errors int64 }
	var t Traffic
	var speed [rateKinds]float64
	if r.admin {
		t = e.traffic()
		total.connections, total.commands = e.totals.connections.Load(), e.commandsRun()
		total.errors, _ = e.totals.errors.snapshot()
		speed = e.totals.rates.perSecond()
	}
	r.field("total_connections_received", total.connections)
	r.field("total_commands_processed", total.commands)
	r.field("instantaneous_ops_per_sec", int64(speed[rateCommands]+0.5))
	r.field("total_net_input_bytes", t.Read)
	r.field("total_net_output_bytes", t.Written)
	r.field("instantaneous_input_kbps", fmt.Sprintf("%.2f", speed[rateRead]/1024))
	r.field("instantaneous_output_kbps", fmt.Sprintf("%.2f", speed[rateWritten]/1024))
	r.field("rejected_connections", t.Refused)
	if r.admin {
		r.field("expired_keys", told(e.server.Expired))
	}
	r.field("evicted_keys", 0)
	r.field("evicted_clients", 0)
	hits, misses := r.found()
	r.field("keyspace_hits", hits)
	r.field("keyspace_misses", misses)
	r.field("total_error_replies", total.errors)
	r.pushed()
}

// told asks the process, if it tells.
func told(ask func() int64) int64 {
	if ask == nil {
		return 0
	}
	return ask()
}

// found counts what reads found in the namespace; in all namespaces for the
// admin who looks into none.
func (r *report) found() (hits, misses int64) {
	s := r.call.Session
	if s.principal.Prefix() != "" {
		return 0, 0 // they count the whole namespace
	}
	s.countLookups()
	if s.reads == nil {
		return r.call.Engine.lookups.sum()
	}
	return s.reads.hits.Load(), s.reads.misses.Load()
}

// pushed counts what the connections of the namespace wait for; of all
// namespaces for the admin who looks into none.
func (r *report) pushed() {
	var n [subscriptionKinds]int
	for _, h := range r.hubs() {
		for kind, count := range h.sizes() {
			n[kind] += count
		}
	}
	r.field("pubsub_channels", n[subChannel])
	r.field("pubsub_patterns", n[subPattern])
	r.field("pubsubshard_channels", n[subShard])
	t := r.tracking()
	r.field("tracking_total_keys", t.keys)
	r.field("tracking_total_items", t.items)
	r.field("tracking_total_prefixes", t.prefixes)
}

// tracking counts what is remembered for connections that track keys.
func (r *report) tracking() (sum trackingSizes) {
	for _, h := range r.hubs() {
		n := h.tracking.sizes()
		sum.clients += n.clients
		sum.keys += n.keys
		sum.items += n.items
		sum.prefixes += n.prefixes
	}
	return sum
}

// hubs are those that the report may tell of.
func (r *report) hubs() []*hub {
	if r.admin && r.call.Session.principal.App == nil {
		return r.call.Engine.hubs.all()
	}
	if h := r.call.hub(); h != nil && r.call.Session.principal.Prefix() == "" {
		return []*hub{h}
	}
	return nil
}

func (r *report) replication() {
	r.field("role", "master")
	r.field("connected_slaves", 0)
	r.field("master_failover_state", "no-failover")
	r.field("master_replid", r.call.Engine.runID)
	r.field("master_repl_offset", 0)
	r.field("repl_backlog_active", 0)
}

func (r *report) cpu() {
	if !r.admin {
		return
	}
	if user, sys, ok := readCPU(); ok {
		r.field("used_cpu_sys", fmt.Sprintf("%.6f", sys))
		r.field("used_cpu_user", fmt.Sprintf("%.6f", user))
		r.field("used_cpu_sys_children", "0.000000") // there are none
		r.field("used_cpu_user_children", "0.000000")
	}
}

func (r *report) commandStats() {
	if !r.admin {
		return
	}
	r.call.Engine.table.walk(func(cmd *Command) {
		calls, failed, rejected := cmd.hits.ran(), cmd.hits.failed.Load(), cmd.hits.rejected.Load()
		if calls+rejected == 0 {
			return
		}
		micros := cmd.hits.nanos.Load() / 1000
		r.field("cmdstat_"+cmd.Name, fmt.Sprintf("calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d",
			calls, micros, float64(micros)/float64(max(1, calls)), rejected, failed))
	})
}

// errorStats counts the error replies by their code.
func (r *report) errorStats() {
	if !r.admin {
		return
	}
	_, byCode := r.call.Engine.totals.errors.snapshot()
	for _, code := range slices.Sorted(maps.Keys(byCode)) {
		r.field("errorstat_"+code, fmt.Sprintf("count=%d", byCode[code]))
	}
}

// latencyStats tells how long commands took.
func (r *report) latencyStats() {
	if !r.admin {
		return
	}
	r.call.Engine.table.walk(func(cmd *Command) {
		if cmd.hits.ran() > 0 {
			r.field("latency_percentiles_usec_"+cmd.Name, fmt.Sprintf("p50=%.3f,p99=%.3f,p99.9=%.3f",
				cmd.hits.percentile(0.5), cmd.hits.percentile(0.99), cmd.hits.percentile(0.999)))
		}
	})
}

func (r *report) keyspace() {
	for db, h := range r.held {
		if h.Keys > 0 {
			r.field("db"+strconv.Itoa(db), fmt.Sprintf("keys=%d,expires=%d,avg_ttl=0", h.Keys, h.expiring))
		}
	}
}

// holdings measures both databases of the namespace in use. There is nothing
// to tell to an admin that looks into none, nor to a token that opens only
// some of the keys.
func (c *Call) holdings() ([]held, error) {
	p := c.Session.principal
	if p.App == nil || p.Prefix() != "" {
		return nil, nil
	}
	result := make([]held, storage.Databases)
	for db := range result {
		measure := func(tx storage.Tx) (err error) {
			result[db], err = measure(tx)
			return err
		}
		if c.Tx != nil {
			// Inside EXEC the transaction is open already, and a second one on the
			// same namespace would wait for it.
			if err := measure(c.txOf(db)); err != nil {
				return nil, err
			}
			continue
		}
		ns, err := c.Engine.namespace(c.Ctx, c.Session, db)
		if err != nil {
			return nil, err
		}
		space := c.Session.scriptSpace()
		if err := space.enter(false, false); err != nil {
			return nil, err
		}
		seq, err := ns.View(c.Ctx, nil, measure)
		space.leave(false)
		if err != nil {
			return nil, err
		}
		c.Session.run.seq = max(c.Session.run.seq, seq)
	}
	return result, nil
}

// countedKeys is how many keys INFO looks at for their TTLs. Beyond that the
// number is an estimate, so that INFO never holds up a large namespace.
const countedKeys = 10_000

func measure(tx storage.Tx) (held, error) {
	h := held{Usage: tx.Usage()}
	seen := int64(0)
	err := tx.Ascend("", func(_ string, e storage.Entry) bool {
		if seen++; e.ExpiresAt != 0 {
			h.expiring++
		}
		return seen < countedKeys
	})
	if seen > 0 && seen < h.Keys {
		h.expiring = h.expiring * h.Keys / seen
	}
	return h, err
}
