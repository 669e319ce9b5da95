package commands

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/internal/resp"
)

func latencyRows() []*Command {
	const (
		acl  = "slow admin dangerous"
		also = "noscript loading stale"
		some = "nondeterministic_output request_policy:all_nodes response_policy:special"
	)
	return []*Command{
		{Name: "latency", Arity: -2, ACL: "slow", Group: "admin", Since: "2.8.13", Doc: "A container for latency diagnostics commands."},
		{Name: "latency|doctor", Arity: 2, Flags: Admin, Also: also, Tips: some, ACL: acl, Group: "admin", Since: "2.8.13",
			Doc: "Tells in words what the latency monitor has seen.", Run: runLatencyDoctor},
		{Name: "latency|graph", Arity: 3, Flags: Admin, Also: also, Tips: some, ACL: acl, Group: "admin", Since: "2.8.13",
			Syntax: "event", Doc: "Draws the samples of an event.", Run: runLatencyGraph},
		{Name: "latency|help", Arity: 2, Also: "loading stale", ACL: "slow", Group: "admin", Since: "2.8.13",
			Doc: "Lists the subcommands of LATENCY.", Run: runLatencyHelp},
		{Name: "latency|histogram", Arity: -2, Flags: Admin, Also: also, Tips: some, ACL: acl, Group: "admin", Since: "7.0.0",
			Syntax: "[command [command ...]]", Doc: "Returns how many calls of each command took less than 1, 2, 4, 8 ... microseconds.", Run: runLatencyHistogram},
		{Name: "latency|history", Arity: 3, Flags: Admin, Also: also, Tips: some, ACL: acl, Group: "admin", Since: "2.8.13",
			Syntax: "event", Doc: "Returns the samples of an event: Unix seconds and milliseconds, at most 160, one a second.", Run: runLatencyHistory},
		{Name: "latency|latest", Arity: 2, Flags: Admin, Also: also, Tips: some, ACL: acl, Group: "admin", Since: "2.8.13",
			Doc: "Returns the last and the worst sample of each event.", Run: runLatencyLatest},
		{Name: "latency|reset", Arity: -2, Flags: Admin, Also: also, Tips: "request_policy:all_nodes response_policy:all_succeeded", ACL: acl, Group: "admin", Since: "2.8.13",
			Syntax: "[event [event ...]]", Doc: "Forgets the samples of events, by default of all, and returns of how many.", Run: runLatencyReset},
	}
}

// latencySamples is how many samples an event keeps, as in Redis.
const latencySamples = 160

// latencyMonitor remembers what took longer than a threshold. Its events are
// Redis's: command, and fast-command for those that should never be slow, and
// what the store tells (storage.Observed).
type latencyMonitor struct {
	threshold atomic.Int64 // milliseconds; 0 is off

	mu     sync.Mutex
	events map[string]*latencyEvent
}

type latencyEvent struct {
	samples []latencySample // oldest first
	worst   int64           // milliseconds
}

type latencySample struct{ at, ms int64 }

// add notes a sample; of one second the worst counts.
func (m *latencyMonitor) add(event string, now time.Time, ms int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.events == nil {
		m.events = make(map[string]*latencyEvent)
	}
	e := m.events[event]
	if e == nil {
		e = new(latencyEvent)
		m.events[event] = e
	}
	e.worst = max(e.worst, ms)
	at := now.Unix()
	if n := len(e.samples); n > 0 && e.samples[n-1].at == at {
		e.samples[n-1].ms = max(e.samples[n-1].ms, ms)
		return
	}
	e.samples = append(e.samples, latencySample{at, ms})
	if len(e.samples) > latencySamples {
		e.samples = slices.Delete(e.samples, 0, 1)
	}
}

// event returns a copy of what is known of an event.
func (m *latencyMonitor) event(name string) (e latencyEvent, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if found := m.events[name]; found != nil {
		return latencyEvent{slices.Clone(found.samples), found.worst}, true
	}
	return e, false
}

func (m *latencyMonitor) names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.events))
}

func runLatencyLatest(c *Call) error {
	m := &c.Engine.latency
	names := m.names()
	c.Out.Array(len(names))
	for _, name := range names {
		e, _ := m.event(name)
		last := latencySample{}
		if n := len(e.samples); n > 0 {
			last = e.samples[n-1]
		}
		c.Out.Array(4)
		c.Out.BulkString(name)
		c.Out.Int(last.at)
		c.Out.Int(last.ms)
		c.Out.Int(e.worst)
	}
	return nil
}

func runLatencyHistory(c *Call) error {
	e, _ := c.Engine.latency.event(c.arg(2))
	c.Out.Array(len(e.samples))
	for _, s := range e.samples {
		c.Out.Array(2)
		c.Out.Int(s.at)
		c.Out.Int(s.ms)
	}
	return nil
}

func runLatencyReset(c *Call) error {
	m := &c.Engine.latency
	m.mu.Lock()
	defer m.mu.Unlock()
	gone := len(m.events)
	if c.argc() == 2 {
		m.events = nil
	}
	for _, name := range c.Argv[2:] {
		delete(m.events, string(name))
	}
	c.Out.Int(int64(gone - len(m.events)))
	return nil
}

func runLatencyGraph(c *Call) error {
	e, known := c.Engine.latency.event(c.arg(2))
	if !known {
		return kverr.Newf(kverr.Err, "No samples available for event '%s'", cString(c.Argv[2], len(c.Argv[2])))
	}
	c.Out.Verbatim("txt", e.graph(c.arg(2), c.clock().Unix()))
	return nil
}

// graph draws the samples as columns of four rows, with three steps to a row,
// and below each how long ago it was.
func (e *latencyEvent) graph(name string, now int64) string {
	const rows, steps = 4, "_o#"
	low, high := e.samples[0].ms, e.samples[0].ms
	for _, s := range e.samples {
		low, high = min(low, s.ms), max(high, s.ms)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s - high %d ms, low %d ms (all time high %d ms)\n%s\n", name, high, low, e.worst, strings.Repeat("-", 80))
	ages, deepest := make([]string, len(e.samples)), 0
	for i, s := range e.samples {
		ages[i] = shortAge(now - s.at)
		deepest = max(deepest, len(ages[i]))
	}
	for row := rows - 1; row >= 0; row-- {
		for _, s := range e.samples {
			level := min((s.ms-low)*rows*int64(len(steps))/max(1, high-low), rows*int64(len(steps))-1)
			switch at := int(level) / len(steps); {
			case at > row:
				b.WriteByte('|')
			case at == row:
				b.WriteByte(steps[int(level)%len(steps)])
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	for line := range deepest {
		for _, age := range ages {
			if line < len(age) {
				b.WriteByte(age[line])
			} else {
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// shortAge writes seconds as 5s, 3m, 2h or 4d.
func shortAge(seconds int64) string {
	seconds = max(0, seconds)
	switch {
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm", seconds/60)
	case seconds < 86400:
		return fmt.Sprintf("%dh", seconds/3600)
	}
	return fmt.Sprintf("%dd", seconds/86400)
}

func runLatencyDoctor(c *Call) error {
	m := &c.Engine.latency
	var b strings.Builder
	names := m.names()
	switch {
	case m.threshold.Load() == 0 && len(names) == 0:
		b.WriteString("The latency monitor is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n")
	case len(names) == 0:
		fmt.Fprintf(&b, "Nothing took %d ms or longer.\n", m.threshold.Load())
	}
	for i, name := range names {
		e, _ := m.event(name)
		sum := int64(0)
		for _, s := range e.samples {
			sum += s.ms
		}
		n := int64(len(e.samples))
		fmt.Fprintf(&b, "%d. %s: %d seconds with spikes, %d ms on average, the worst ever %d ms.", i+1, name, n, sum/max(1, n), e.worst)
		if n > 1 {
			fmt.Fprintf(&b, " One every %d s.", (e.samples[n-1].at-e.samples[0].at)/(n-1))
		}
		b.WriteByte('\n')
	}
	if len(names) > 0 {
		b.WriteString("\nWhat to look at: SLOWLOG GET names the commands (CONFIG SET slowlog-log-slower-than lowers its threshold); " +
			"a namespace's first use after a while reads it from the disk (space-idle-timeout, maxmemory); " +
			"a machine that swaps or steals processor time makes everything slow.\n")
	}
	c.Out.Verbatim("txt", b.String())
	return nil
}

func runLatencyHelp(c *Call) error {
	writeHelp(c,
		"DOCTOR",
		"    Return a human readable latency analysis report.",
		"GRAPH <event>",
		"    Return an ASCII latency graph for the <event> class.",
		"HISTORY <event>",
		"    Return time-latency samples for the <event> class.",
		"LATEST",
		"    Return the latest latency samples for all events.",
		"RESET [<event> ...]",
		"    Reset latency data of one or more <event> classes.",
		"    (default: reset all data for all event classes)",
		"HISTOGRAM [COMMAND ...]",
		"    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
		"    If no commands are specified then all histograms are replied.",
	)
	return nil
}

// runLatencyHistogram passes over commands that were never called and names
// that are none, as Redis does.
func runLatencyHistogram(c *Call) error {
	var rows []*Command
	add := func(cmd *Command) {
		if cmd.hits.ran() > 0 && !slices.Contains(rows, cmd) {
			rows = append(rows, cmd)
		}
	}
	if c.argc() == 2 {
		c.Engine.table.walk(add)
	}
	for _, name := range c.Argv[2:] {
		cmd := c.Engine.table.named(name)
		if cmd == nil {
			continue
		}
		add(cmd)
		for _, sub := range cmd.sortedSubs() {
			add(sub)
		}
	}
	c.Out.Map(len(rows))
	for _, cmd := range rows {
		c.Out.BulkString(cmd.Name)
		writeHistogram(c.Out, cmd.hits)
	}
	return nil
}

// writeHistogram counts in powers of two of 1.024 microseconds, which Redis
// calls microseconds too.
func writeHistogram(out *resp.Writer, s *stats) {
	type bucket struct{ micros, calls int64 }
	var buckets []bucket
	total, cells := s.cells()
	sum, told := int64(0), int64(0)
	for i, n := range cells {
		sum += n
		end := cellEnd(i)
		if end >= 1024 && end&(end-1) == 0 && sum > told || i == len(cells)-1 && sum > told {
			buckets = append(buckets, bucket{max(1, end>>10), sum})
			told = sum
		}
	}
	out.Map(2)
	out.BulkString("calls")
	out.Int(total)
	out.BulkString("histogram_usec")
	out.Map(len(buckets))
	for _, b := range buckets {
		out.Int(b.micros)
		out.Int(b.calls)
	}
}

// percentile returns the time in microseconds that a share of all calls did
// not exceed, to a quarter of a power of two.
func (s *stats) percentile(share float64) float64 {
	total, cells := s.cells()
	rank, sum := int64(share*float64(total)), int64(0)
	for i, n := range cells {
		if sum += n; n > 0 && sum >= max(1, rank) {
			return float64(cellEnd(i)) / 1000
		}
	}
	return 0
}
