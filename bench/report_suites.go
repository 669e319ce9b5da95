package main

import (
	"fmt"
	"strconv"
	"strings"
)

// throughputGroup is a table and a plot of cells that belong together.
type throughputGroup struct {
	name, title string
	match       func(series) bool
}

func plainCells(conns, value int, fsync string) func(series) bool {
	return func(s series) bool {
		return s.Value == value && s.Fsync == fsync && (s.Conns == usualConns) == (conns == usualConns)
	}
}

var throughputGroups = []throughputGroup{
	{"throughput-64b", "50 connections, 64 B, everysec", plainCells(usualConns, 64, everysec)},
	{"throughput-1kb", "50 connections, 1 KB, everysec", plainCells(usualConns, 1024, everysec)},
	{"throughput-64kb", "50 connections, 64 KB, everysec", plainCells(usualConns, 64<<10, everysec)},
	{"throughput-always", "50 connections, 64 B, appendfsync always", plainCells(usualConns, 64, fsyncAlways)},
	{"throughput-connections", "One connection and many, 64 B, everysec", plainCells(0, 64, everysec)},
}

// p99Beside finds the latencies that belong to a row of rates.
func (r *suiteResult) p99Beside(x *row) *row {
	w := x.where()
	w.Metric = p99
	for _, y := range r.rows(func(s series) bool { return s.id() == w.id() }) {
		return y
	}
	return &row{}
}

func (r *suiteResult) cellRows(match func(series) bool) []*row {
	return r.rows(func(s series) bool { return s.Metric == perSecond && match(s) })
}

func (x *row) label() string {
	label := fmt.Sprintf("%s, P%d", x.Name, x.Pipeline)
	if x.Conns != usualConns {
		label += fmt.Sprintf(", %d conns", x.Conns)
	}
	return label
}

// cellTable shows rates, ratios and latencies, and the empty handler's if any.
func (p *page) cellTable(r *suiteResult, rows []*row) {
	if len(rows) == 0 {
		return
	}
	p.say("%s namespaces, %s keys, rounds of %.1f s.", thousands(rows[0].Namespaces), thousands(rows[0].Keys), r.Each)
	withFloor := false
	for _, x := range rows {
		withFloor = withFloor || len(x.by[nameRedcon]) > 0
	}
	head := []string{"command", "pipeline", "conns", "redis-server /s", "Cubby /s", "Cubby / redis-server", "p99 redis-server", "p99 Cubby"}
	if withFloor {
		head = append(head, "redcon, empty handler /s", "Cubby / redcon")
	}
	var lines [][]string
	for _, x := range rows {
		l := r.p99Beside(x)
		cells := []string{x.Name, strconv.Itoa(x.Pipeline), strconv.Itoa(x.Conns),
			figure(median(x.by[nameRedis])), figure(median(x.by[nameCubby])), ratioText(x.ratio()),
			microseconds(median(l.by[nameRedis])), microseconds(median(l.by[nameCubby]))}
		if withFloor {
			floor, ratio := "", ""
			if v := x.by[nameRedcon]; len(v) > 0 {
				floor, ratio = figure(median(v)), ratioText(spreadOf(ratios(x.by[nameCubby], v)))
			}
			cells = append(cells, floor, ratio)
		}
		lines = append(lines, cells)
	}
	p.table(head, lines)
}

func microseconds(us float64) string { return timeText([]float64{us}) }

// timeText writes times in microseconds in the unit that suits their median.
func timeText(values []float64) string {
	unit, by := " µs", 1.0
	switch m := median(values); {
	case m >= 1e6:
		unit, by = " s", 1e6
	case m >= 1e3:
		unit, by = " ms", 1e3
	}
	scaled := make([]float64, len(values))
	for i, v := range values {
		scaled[i] = v / by
	}
	return spreadText(scaled, unit)
}

func (p *page) throughput(r *suiteResult) {
	p.say("Higher is better; the dashed line is redis-server. P1 and P16 are pipelines of 1 and 16 requests, whiskers the " +
		"lowest and the highest round.")
	for _, g := range throughputGroups {
		rows := r.cellRows(g.match)
		if len(rows) == 0 {
			continue
		}
		p.say("### %s", g.title)
		p.picture(g.name, "Throughput of Cubby relative to redis-server: "+g.title)
		p.cellTable(r, rows)
	}
}

func (p *page) lua(r *suiteResult) {
	p.say("A platform that gives apps limits and ordered listings on plain Redis does it in scripts. One EVALSHA per request " +
		"checks the cap (ZCARD of an index), takes the time for updated_at, keeps an ordered index (ZADD, read with " +
		"ZRANGEBYLEX and MGET) and stores the value. The scripts are the best case: they do not check JSON, keep no versions and leave " +
		"the names of expired keys in the index. Namespaces hold 1,000 keys; a listing returns 100 rows.")
	p.picture("lua", "KV commands relative to scripts on redis-server")
	p.cellTable(r, r.cellRows(func(series) bool { return true }))
}

func (p *page) listing(r *suiteResult) {
	rows := r.rows(func(s series) bool { return s.Metric == medianUS })
	if len(rows) == 0 {
		return
	}
	p.say("One connection, one namespace of %s keys: the time of one request, the median of many. PING is what the round "+
		"trip costs. SCAN asks for 1,000 keys per call and walks all of them: that is how a prefix is listed on Redis without an index.",
		thousands(rows[0].Keys))
	var lines [][]string
	for _, x := range rows {
		lines = append(lines, []string{x.Name, timeText(x.by[nameRedis]), timeText(x.by[nameCubby])})
	}
	p.table([]string{"", "redis-server", "Cubby"}, lines)
	p.say("A KV.LIST of 100 takes as long as %s PINGs.", ratioText(spreadOf(listingInPings(r))))
}

func (p *page) memory(r *suiteResult) {
	p.say("Resident memory of the whole process with 64-byte values, extrapolated to a million keys where fewer were loaded. *Empty* is before " +
		"the load, with the namespaces opened. *After load* is when the files have come to rest, some seconds later. *Idle* is after more " +
		"than two minutes without a request, when Go has collected by itself and given memory back. Measured once; a MB is 1,000,000 bytes.")
	p.picture("memory", "Resident memory per million keys")
	var lines [][]string
	for _, x := range r.rows(func(s series) bool { return s.Metric == megabytes }) {
		value := func(server string) string {
			if x.Case == caseEmpty {
				return fmt.Sprintf("%.0f MB", median(x.by[server]))
			}
			return fmt.Sprintf("%.0f MB", perMillion(x, server))
		}
		lines = append(lines, []string{x.Name, x.Case, value(nameRedis), value(nameCubby),
			fmt.Sprintf("%.2f", x.ratio().Median)})
	}
	p.table([]string{"keys", "when", "redis-server", "Cubby", "Cubby / redis-server"}, lines)
}

func (p *page) restart(r *suiteResult) {
	p.say("The process is killed with kill -9 and started again; the clock runs from exec to the first GET that is answered. " +
		"A fiftieth of all keys was overwritten just before, so there is a journal's tail to replay. redis-server has an " +
		"AOF with RDB preamble that was rewritten after the load. Files are in the page cache.")
	p.picture("restart", "Seconds from exec to the first answer")
	var lines [][]string
	for _, x := range r.rows(func(s series) bool { return s.Metric == seconds }) {
		disk := map[string][]float64{}
		for _, y := range r.rows(func(s series) bool { return s.Metric == megabytes && s.Keys == x.Keys }) {
			disk = y.by
		}
		lines = append(lines, []string{thousands(x.Keys), thousands(x.Namespaces),
			spreadText(x.by[nameRedis], " s"), spreadText(x.by[nameCubby], " s"),
			fmt.Sprintf("%.0f MB", median(disk[nameRedis])), fmt.Sprintf("%.0f MB", median(disk[nameCubby]))})
	}
	p.table([]string{"keys", "namespaces", "redis-server", "Cubby", "files of redis-server", "files of Cubby"}, lines)
}

// stallRows are in the order of what disturbed, not of the rounds.
func (r *suiteResult) stallRows() []*row {
	var rows []*row
	for _, c := range []string{caseQuiet, caseMany, caseOne, caseSnapshot} {
		rows = append(rows, r.rows(func(s series) bool { return s.Metric == worst && s.Case == c })...)
	}
	return rows
}

func (p *page) stalls(r *suiteResult) {
	rows := r.stallRows()
	if len(rows) == 0 {
		return
	}
	p.say("Two connections send a request every millisecond, one a GET, one a SET in another namespace, while the server is "+
		"busy: %s keys expire within 3 seconds, in many namespaces or in one; or 40,000 writes per second meet snapshots and journal "+
		"rotation (`journal-segment-size 1mb`; redis-server rewrites its AOF). While a request takes longer than a millisecond, those "+
		"that would have been sent count as late too. The control is a probe of an idle server at the same time: what it shows is the machine's doing.",
		thousands(rows[0].Keys))
	p.picture("stalls", "Worst latency in milliseconds")
	var lines [][]string
	for _, x := range rows {
		w := x.where()
		w.Metric = p999
		high := map[string][]float64{}
		for _, y := range r.rows(func(s series) bool { return s.id() == w.id() }) {
			high = y.by
		}
		for _, server := range []string{nameRedis, nameCubby} {
			if len(x.by[server]) == 0 {
				continue
			}
			lines = append(lines, []string{x.Case, x.Name, server, spreadText(x.by[server], " ms"),
				spreadText(high[server], " ms"), spreadText(x.by[controlOf(server)], " ms")})
		}
	}
	p.table([]string{"meanwhile", "probe", "server", "worst", "p99.9", "worst of the control"}, lines)
}

func (p *page) namespaces(r *suiteResult) {
	p.say("The same number of keys in one namespace, in many and in very many. With connections that stay in their namespaces, and with " +
		"connections that take another namespace for each batch: in Cubby they sign in anew (the AUTH is sent along but not counted), on " +
		"redis-server they use another prefix.")
	p.picture("namespaces", "Throughput relative to redis-server by number of namespaces")
	var lines [][]string
	for _, x := range r.cellRows(func(series) bool { return true }) {
		l := r.p99Beside(x)
		lines = append(lines, []string{thousands(x.Namespaces), x.Name, strconv.Itoa(x.Pipeline), figure(median(x.by[nameRedis])),
			figure(median(x.by[nameCubby])), ratioText(x.ratio()), microseconds(median(l.by[nameRedis])), microseconds(median(l.by[nameCubby]))})
	}
	p.table([]string{"namespaces", "command", "pipeline", "redis-server /s", "Cubby /s", "Cubby / redis-server", "p99 redis-server", "p99 Cubby"}, lines)
	lines = nil
	for _, x := range r.rows(func(s series) bool { return s.Metric == megabytes && s.Case == "" }) {
		empty := ""
		for _, y := range r.rows(func(s series) bool {
			return s.Metric == megabytes && s.Case == caseEmpty && s.Namespaces == x.Namespaces
		}) {
			empty = fmt.Sprintf("%.0f MB", median(y.by[nameCubby]))
		}
		lines = append(lines, []string{thousands(x.Namespaces), thousands(x.Keys), fmt.Sprintf("%.0f MB", median(x.by[nameRedis])),
			fmt.Sprintf("%.0f MB", median(x.by[nameCubby])), empty})
	}
	p.table([]string{"namespaces", "keys", "memory of redis-server", "memory of Cubby", "of that before the load"}, lines)
}

// neighbourRows are the measurements of one metric: the quiet run, then the floods.
func (r *suiteResult) neighbourRows(metric string) []*row {
	return r.rows(func(s series) bool { return s.Name == nameLight && s.Metric == metric })
}

// besideQuiet divides the figures of a flood by those of the quiet run, round by
// round, on one server.
func (r *suiteResult) besideQuiet(which, metric, server string) spread {
	var quiet, flooded []float64
	for _, x := range r.neighbourRows(metric) {
		switch x.Case {
		case caseQuiet:
			quiet = x.by[server]
		case which:
			flooded = x.by[server]
		}
	}
	return spreadOf(ratios(flooded, quiet))
}

func (p *page) neighbours(r *suiteResult) {
	rows := r.neighbourRows(p99)
	if len(rows) == 0 {
		return
	}
	p.say("%s namespaces. All but one send a request every %d ms over a connection of their own (six of ten a GET, three a SET, one a KV.LIST of %d; "+
		"redis-server reads as many values with MGET), first alone and then while one namespace floods the server over %d connections, in each of several "+
		"ways. Shown is what the others notice: the quiet run's latency, and how many times as long requests take beside the flood, on the same server in the same "+
		"round. While a request takes longer than %d ms, those that would have been sent count as late too. The flood comes from a process of its own, which shares the "+
		"cores with the server and with the one that measures: part of what is seen is the machine's doing, the same for both.",
		thousands(rows[0].Namespaces), lightEvery.Milliseconds(), lightRows, floodConns, lightEvery.Milliseconds())
	p.picture("neighbours", "p99 of the neighbours beside a flood, relative to the quiet run")
	quiet := func(server string) string {
		var cells []string
		for _, metric := range []string{medianLight, p99, p999} {
			for _, x := range r.neighbourRows(metric) {
				if x.Case == caseQuiet {
					v := median(x.by[server])
					if metric == p999 {
						v *= 1000
					}
					cells = append(cells, microseconds(v))
				}
			}
		}
		return strings.Join(cells, " / ")
	}
	p.say("The quiet run, p50 / p99 / p99.9: redis-server %s, Cubby %s.", quiet(nameRedis), quiet(nameCubby))
	var lines [][]string
	for _, x := range rows {
		if x.Case == caseQuiet {
			continue
		}
		line := []string{x.Case}
		for _, server := range []string{nameRedis, nameCubby} {
			for _, metric := range []string{medianLight, p99, p999} {
				s := r.besideQuiet(x.Case, metric, server)
				if metric == p99 {
					line = append(line, fmt.Sprintf("%.1f (%.1f to %.1f)", s.Median, s.Min, s.Max))
				} else {
					line = append(line, fmt.Sprintf("%.1f", s.Median))
				}
			}
		}
		for _, y := range r.rows(func(s series) bool { return s.Name == nameFlood && s.Case == x.Case }) {
			line = append(line, figure(median(y.by[nameRedis])), figure(median(y.by[nameCubby])))
		}
		lines = append(lines, line)
	}
	p.table([]string{"the flood", "redis-server p50", "p99", "p99.9", "Cubby p50", "p99", "p99.9", "flood on redis-server /s", "flood on Cubby /s"}, lines)
}
