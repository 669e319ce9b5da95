package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// writeReport writes the page and its pictures under a documentation directory.
func writeReport(r *results, out string) error {
	if err := os.MkdirAll(filepath.Join(out, "img"), 0o755); err != nil {
		return err
	}
	stale, _ := filepath.Glob(filepath.Join(out, "img", "bench-*.svg")) // the pattern is right
	for _, path := range stale {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	for name, p := range plots(r) {
		path := filepath.Join(out, "img", "bench-"+name+".svg")
		if err := os.WriteFile(path, []byte(p.svg()), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(out, "benchmarks.md"), []byte(renderReport(r)), 0o644)
}

// page collects markdown.
type page struct {
	strings.Builder
	r     *results
	plots map[string]plot
}

func (p *page) say(format string, args ...any) { fmt.Fprintf(p, format+"\n\n", args...) }

func (p *page) table(head []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	line := func(cells []string) { p.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(head)
	p.WriteString(strings.Repeat("|---", len(head)) + "|\n")
	for _, r := range rows {
		line(r)
	}
	p.WriteString("\n")
}

func (p *page) picture(name, description string) {
	if x, ok := p.plots[name]; ok && len(x.bars) > 0 {
		p.say("![%s](img/bench-%s.svg)", description, name)
	}
}

// section writes a heading, and its body if the suite has results.
func (p *page) section(title, suite string, body func(p *page, r *suiteResult)) {
	p.say("## %s", title)
	if r := p.r.Suites[suite]; r != nil {
		body(p, r)
		return
	}
	p.say("Not measured yet: `go run ./bench -suite %s`.", suite)
}

func renderReport(r *results) string {
	p := &page{r: r, plots: plots(r)}
	p.say("# Benchmarks")
	p.say("<!-- Made by go run ./bench from its results file. Do not edit: change bench/ and render again. -->")
	if r.Quick {
		p.say("**This is a quick look with little data and one short round. Its figures mean nothing.**")
	}
	p.say("Cubby and redis-server side by side: both started from scratch on the same machine, measured in turns in the " +
		"same run. Machines are noisy, so what counts are the ratios. A ratio is taken round by round; shown are " +
		"the median and, in brackets, the lowest and highest round.")
	p.method()
	p.budget()
	p.section("Throughput", "throughput", (*page).throughput)
	p.section("The same job on Redis, in Lua", "lua", (*page).lua)
	p.section("Listing in a large namespace", "listing", (*page).listing)
	p.section("Memory", "memory", (*page).memory)
	p.section("Restart", "restart", (*page).restart)
	p.section("Stalls", "stalls", (*page).stalls)
	p.section("Many namespaces", "namespaces", (*page).namespaces)
	p.section("Noisy neighbours", "neighbours", (*page).neighbours)
	p.section("HTTP", "http", (*page).http)
	return strings.TrimRight(p.String(), "\n") + "\n"
}

func (p *page) method() {
	p.say("## How it was measured")
	p.say("```sh\ngo run ./bench                          # everything, and this page\n"+
		"go run ./bench -suite lua,stalls        # some parts; the others keep their figures\n"+
		"go run ./bench -quick                   # a look whether all of it works\n"+
		"go run ./bench -render %s   # this page again\n```", defaultResults)
	var machines []machine
	var rows [][]string
	for _, s := range suites {
		x := p.r.Suites[s.name]
		if x == nil {
			continue
		}
		if !slices.Contains(machines, x.Machine) {
			machines = append(machines, x.Machine)
		}
		rows = append(rows, []string{s.name, x.When.Format("2006-01-02 15:04"), fmt.Sprintf("%.0f s", x.Took),
			strconv.Itoa(x.Rounds), fmt.Sprintf("%.1f", x.Load), x.Commit})
	}
	for _, m := range machines {
		p.say("Machine: %s, %d cores, %.0f GB of memory, %s; redis-server %s, %s.", m.CPU, m.Cores, m.MemoryGB, m.System, m.Redis, m.Go)
	}
	p.say(`- The load generator (in ` + "`bench/`" + `) runs on the same machine and shares the cores with the server under test. It sends
  encoded requests over plain TCP and reads replies without building objects, the same for every server.
- redis-server has an ACL user with a password, ` + "`appendonly yes`" + `, no RDB saves, everything else as it comes. Namespaces are
  key prefixes there. In Cubby each is an app with its own token and connections sign in with it; limits are wide open.
- Connections are spread over the namespaces and stay in theirs. Keys are chosen at random.
- "redcon, empty handler" answers every request at once and stores nothing: what the network, the load generator and the
  RESP library leave to any server that is built on it.
- Latency is that of a round trip: of one request at pipeline 1, of 16 at pipeline 16. Histograms are exact to 3 %%.
- Each measurement is preceded by a warm-up of a tenth of its length. Parts that take many seconds each have at most three
  rounds. Data directories are in the system's temporary directory.
- Load is the machine's load average when the part began; well below one means that nobody else was at work.`)
	p.table([]string{"part", "when (UTC)", "took", "rounds", "load before", "commit"}, rows)
}

func (p *page) budget() {
	p.say("## Budget against measured")
	lines := judge(p.r)
	met, measured := 0, 0
	var rows [][]string
	for _, l := range lines {
		if l.missing {
			l.measured = ""
		} else {
			measured++
		}
		if l.met && !l.missing {
			met++
		}
		verdict := l.verdict()
		if p.r.Quick && !l.missing {
			verdict = "quick look"
		}
		rows = append(rows, []string{l.what, l.asked, l.measured, verdict})
	}
	if p.r.Quick {
		met = 0
	}
	p.say("%d of %d lines are met, %d are not measured. Medians are judged; for restarts and stalls, the worst round.", met, len(lines), len(lines)-measured)
	p.table([]string{"what", "budget", "measured", ""}, rows)
}

func bytesText(n int) string {
	if n >= 1024 && n%1024 == 0 {
		return fmt.Sprintf("%d KB", n/1024)
	}
	return fmt.Sprintf("%d B", n)
}

func ratioText(s spread) string { return fmt.Sprintf("%.2f (%.2f to %.2f)", s.Median, s.Min, s.Max) }

// spreadText is a figure with its spread, where there is one.
func spreadText(values []float64, unit string) string {
	switch s := spreadOf(values); {
	case len(values) == 0:
		return ""
	case s.Min == s.Max:
		return figure(s.Median) + unit
	default:
		return fmt.Sprintf("%s%s (%s to %s)", figure(s.Median), unit, figure(s.Min), figure(s.Max))
	}
}

// thousands writes a whole number as people read it.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
