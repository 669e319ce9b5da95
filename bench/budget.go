package main

import "fmt"

// budgetLine is one promise of the performance budget and what came of it.
type budgetLine struct {
	what, asked, measured string
	met                   bool
	missing               bool // not measured
}

func (l budgetLine) verdict() string {
	switch {
	case l.missing:
		return "not measured"
	case l.met:
		return "met"
	}
	return "**not met**"
}

// p99Tolerance is what the histograms may be off by.
const p99Tolerance = 1.0 / (1 << subBits)

// judge compares the results with the budget.
func judge(r *results) []budgetLine {
	lines := judgeThroughput(r.Suites["throughput"])
	lines = append(lines, judgeFloor(r.Suites["throughput"])...)
	lines = append(lines, judgeAlways(r.Suites["throughput"])...)
	lines = append(lines, judgeP99(r.Suites["throughput"]), judgeLua(r.Suites["lua"]))
	lines = append(lines, judgeListing(r.Suites["listing"]), judgeRestart(r.Suites["restart"]))
	lines = append(lines, judgeStalls(r.Suites["stalls"])...)
	return append(lines, judgeMemory(r.Suites["memory"])...)
}

// the finds the one row that has all of this.
func (r *suiteResult) the(name, metric, fsync string, pipeline, conns, value int) *row {
	rows := r.rows(func(s series) bool {
		return s.Name == name && s.Metric == metric && s.Fsync == fsync && s.Pipeline == pipeline && s.Conns == conns && s.Value == value
	})
	if len(rows) == 0 {
		return nil
	}
	return rows[0]
}

func atLeast(what string, asked float64, unit string, values []float64) budgetLine {
	s := spreadOf(values)
	return budgetLine{
		what: what, asked: fmt.Sprintf("at least %.2f%s", asked, unit), measured: ratioText(s),
		met: s.Median >= asked, missing: len(values) == 0,
	}
}

func (x *row) ratios() []float64 {
	if x == nil {
		return nil
	}
	return ratios(x.by[nameCubby], x.by[nameRedis])
}

var budgetValues = []int{64, 1024}

func judgeThroughput(r *suiteResult) []budgetLine {
	var lines []budgetLine
	for _, value := range budgetValues {
		for _, o := range []struct {
			op
			asked float64
		}{{opGet, 1.1}, {opSet, 1.5}, {opSetEX, 1.5}, {opInsert, 0.7}} {
			lines = append(lines, atLeast(fmt.Sprintf("%s, pipeline 16, %s", o.name, bytesText(value)), o.asked, " of redis-server",
				r.the(o.name, perSecond, everysec, pipelined, usualConns, value).ratios()))
		}
	}
	return lines
}

// judgeFloor compares with redcon's empty handler, whose SET stands for all writes.
func judgeFloor(r *suiteResult) []budgetLine {
	var lines []budgetLine
	for _, value := range budgetValues {
		for _, o := range []op{opGet, opSet, opSetEX, opInsert} {
			floor := opSet
			if o == opGet {
				floor = opGet
			}
			var values []float64
			x := r.the(o.name, perSecond, everysec, 1, usualConns, value)
			if y := r.the(floor.name, perSecond, everysec, 1, usualConns, value); x != nil && y != nil {
				values = ratios(x.by[nameCubby], y.by[nameRedcon])
			}
			lines = append(lines, atLeast(fmt.Sprintf("%s, pipeline 1, %s", o.name, bytesText(value)), 0.95, " of redcon's empty handler", values))
		}
	}
	return lines
}

func judgeAlways(r *suiteResult) []budgetLine {
	var lines []budgetLine
	for _, p := range []struct {
		pipeline int
		asked    float64
	}{{1, 0.8}, {pipelined, 1.3}} {
		for _, o := range []op{opSet, opSetEX, opIncr, opInsert} {
			lines = append(lines, atLeast(fmt.Sprintf("%s, pipeline %d, appendfsync always", o.name, p.pipeline), p.asked, " of redis-server",
				r.the(o.name, perSecond, fsyncAlways, p.pipeline, usualConns, 64).ratios()))
		}
	}
	return lines
}

func judgeP99(r *suiteResult) budgetLine {
	rows := r.rows(func(s series) bool {
		return s.Metric == p99 && s.Conns == usualConns && (s.Value == 64 || s.Value == 1024)
	})
	good, highest, which := 0, 0.0, ""
	for _, x := range rows {
		v := x.ratio().Median
		if v <= 1+p99Tolerance {
			good++
		}
		if v > highest {
			highest, which = v, fmt.Sprintf("%s, pipeline %d, %s, %s", x.Name, x.Pipeline, bytesText(x.Value), x.Fsync)
		}
	}
	return budgetLine{
		what: "p99 latency, 50 connections, 64 B and 1 KB", asked: "no worse than redis-server's",
		measured: fmt.Sprintf("so in %d of %d; at worst %.2f times (%s)", good, len(rows), highest, which),
		met:      good == len(rows), missing: len(rows) == 0,
	}
}

func judgeLua(r *suiteResult) budgetLine {
	rows := r.rows(func(s series) bool { return s.Metric == perSecond })
	good, lowest, which := 0, 0.0, ""
	for _, x := range rows {
		v := x.ratio().Median
		if v >= 2 {
			good++
		}
		if which == "" || v < lowest {
			lowest, which = v, fmt.Sprintf("%s, pipeline %d", x.Name, x.Pipeline)
		}
	}
	return budgetLine{
		what: "the same job as on Redis in Lua", asked: "at least 2 times everywhere",
		measured: fmt.Sprintf("so in %d of %d; at worst %.2f times (%s)", good, len(rows), lowest, which),
		met:      good == len(rows), missing: len(rows) == 0,
	}
}

func judgeListing(r *suiteResult) budgetLine {
	s := spreadOf(listingInPings(r))
	return budgetLine{
		what: "KV.LIST of 100 by prefix among 1,000,000 keys", asked: "within 3 PINGs",
		measured: fmt.Sprintf("%.2f PINGs (%.2f to %.2f)", s.Median, s.Min, s.Max),
		met:      s.Median <= 3, missing: s.Median == 0,
	}
}

// listingInPings is the time of a KV.LIST over that of a PING, round by round.
func listingInPings(r *suiteResult) []float64 {
	values := map[string][]float64{}
	for _, x := range r.rows(func(s series) bool { return s.Metric == medianUS }) {
		values[x.Name] = x.by[nameCubby]
	}
	return ratios(values[nameList], values[namePing])
}

func judgeRestart(r *suiteResult) budgetLine {
	l := budgetLine{what: "first answer after kill -9 with 5,000,000 keys", asked: "under 1 s", missing: true}
	for _, x := range r.rows(func(s series) bool { return s.Metric == seconds && s.Keys == 5_000_000 }) {
		s := spreadOf(x.by[nameCubby])
		l.missing, l.met = false, s.Max < 1
		l.measured = fmt.Sprintf("%.2f s (%.2f to %.2f)", s.Median, s.Min, s.Max)
	}
	return l
}

func judgeStalls(r *suiteResult) []budgetLine {
	var lines []budgetLine
	for _, c := range []string{caseMany, caseOne, caseSnapshot} {
		l := budgetLine{what: "stalls: " + c, asked: "none above 50 ms", missing: true}
		highest, control := 0.0, 0.0
		for _, x := range r.rows(func(s series) bool { return s.Metric == worst && s.Case == c }) {
			l.missing = false
			highest = max(highest, spreadOf(x.by[nameCubby]).Max)
			control = max(control, spreadOf(x.by[controlOf(nameCubby)]).Max)
		}
		l.met = highest < 50
		l.measured = fmt.Sprintf("at worst %.1f ms (idle server beside it: %.1f ms)", highest, control)
		lines = append(lines, l)
	}
	return lines
}

func judgeMemory(r *suiteResult) []budgetLine {
	var lines []budgetLine
	for _, kind := range []string{kindPlain, kindTTL} {
		l := budgetLine{what: "memory per million 64-byte keys " + kind + ", after load", asked: "at most 300 MB", missing: true}
		for _, x := range r.rows(func(s series) bool { return s.Name == kind && s.Case == caseLoaded }) {
			mb := perMillion(x, nameCubby)
			l.missing, l.met, l.measured = false, mb <= 300, fmt.Sprintf("%.0f MB", mb)
		}
		lines = append(lines, l)
	}
	return lines
}

// perMillion is the resident memory for each million keys.
func perMillion(x *row, server string) float64 {
	return median(x.by[server]) / (float64(x.Keys) / 1e6)
}
