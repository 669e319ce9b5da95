package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// series are the values of one measurement on one server, round by round. What
// the other servers did in the same place differs in Server only.
type series struct {
	Name       string    `json:"name"`           // the command or what else was measured
	Case       string    `json:"case,omitempty"` // under which circumstances
	Metric     string    `json:"metric"`
	Pipeline   int       `json:"pipeline,omitempty"`
	Conns      int       `json:"conns,omitempty"`
	Value      int       `json:"value,omitempty"` // bytes
	Keys       int       `json:"keys,omitempty"`  // all together
	Namespaces int       `json:"namespaces,omitempty"`
	Fsync      string    `json:"fsync,omitempty"`
	Server     string    `json:"server"`
	Values     []float64 `json:"values"`
}

// The metrics and their units.
const (
	perSecond = "per second"
	p99       = "p99 us"
	p999      = "p99.9 ms"
	worst     = "worst ms"
	medianUS  = "median us"
	megabytes = "MB"
	seconds   = "s"
)

// where is a series without its values and its server.
func (s series) where() series {
	s.Server, s.Values = "", nil
	return s
}

func (s series) id() string {
	return fmt.Sprintf("%+v", s.where())
}

// suiteResult is one suite's part of the results.
type suiteResult struct {
	When    time.Time `json:"when"`
	Took    float64   `json:"took_seconds"`
	Load    float64   `json:"load_before"` // load average when it began: others at work disturb
	Rounds  int       `json:"rounds"`
	Each    float64   `json:"each_seconds"` // length of one throughput measurement
	Commit  string    `json:"commit,omitempty"`
	Machine machine   `json:"machine"`
	Series  []*series `json:"series"`
}

type results struct {
	Quick  bool                    `json:"quick"`
	Suites map[string]*suiteResult `json:"suites"`
}

type machine struct {
	CPU      string  `json:"cpu"`
	Cores    int     `json:"cores"`
	MemoryGB float64 `json:"memory_gb"`
	System   string  `json:"system"`
	Go       string  `json:"go"`
	Redis    string  `json:"redis"`
}

// add appends one round's value to the series it belongs to.
func (r *suiteResult) add(where series, server string, value float64) {
	for _, s := range r.Series {
		if s.Server == server && s.id() == where.id() {
			s.Values = append(s.Values, value)
			return
		}
	}
	where.Server, where.Values = server, []float64{value}
	r.Series = append(r.Series, &where)
}

// row is one measurement with all servers that took part.
type row struct {
	series
	by map[string][]float64
}

// rows groups the series that match, in the order in which they were measured.
func (r *suiteResult) rows(match func(series) bool) []*row {
	var list []*row
	if r == nil {
		return nil
	}
	index := map[string]*row{}
	for _, s := range r.Series {
		if !match(*s) {
			continue
		}
		x := index[s.id()]
		if x == nil {
			x = &row{series: s.where(), by: map[string][]float64{}}
			index[s.id()] = x
			list = append(list, x)
		}
		x.by[s.Server] = s.Values
	}
	return list
}

// ratio is Cubby over Redis.
func (x *row) ratio() spread { return spreadOf(ratios(x.by[nameCubby], x.by[nameRedis])) }

func readResults(path string) (*results, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(results)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// mergeInto lays the suites of r over those that the file has.
func (r *results) mergeInto(path string) error {
	old, err := readResults(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r.write(path)
	}
	if err != nil {
		return err
	}
	if old.Quick != r.Quick {
		return fmt.Errorf("%s: quick results and full ones do not mix; name another file with -json", path)
	}
	for name, s := range old.Suites {
		if r.Suites[name] == nil {
			r.Suites[name] = s
		}
	}
	return r.write(path)
}

func (r *results) write(path string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, compactNumbers(append(b, '\n')), 0o644)
}

// compactNumbers puts the values of a series on one line, so that a file of a
// thousand series can be read and compared.
func compactNumbers(b []byte) []byte {
	var out []byte
	depth := 0
	for i := range b {
		inValues := depth > 0
		switch {
		case b[i] == '[' && i+1 < len(b) && isNumberAhead(b[i+1:]):
			depth++
		case b[i] == ']' && inValues:
			depth--
		case inValues && (b[i] == '\n' || b[i] == ' '):
			continue
		}
		out = append(out, b[i])
	}
	return out
}

func isNumberAhead(b []byte) bool {
	for _, c := range b {
		if c != '\n' && c != ' ' {
			return c >= '0' && c <= '9' || c == '-'
		}
	}
	return false
}

func describeMachine(ctx context.Context) machine {
	m := machine{
		CPU: runtime.GOARCH, Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), Redis: "unknown",
	}
	if name := lineAfter("/proc/cpuinfo", "model name"); name != "" {
		m.CPU = name
	}
	if kb, err := strconv.ParseFloat(strings.TrimSuffix(lineAfter("/proc/meminfo", "MemTotal"), " kB"), 64); err == nil {
		m.MemoryGB = kb / (1 << 20)
	}
	if out, err := exec.CommandContext(ctx, "redis-server", "--version").Output(); err == nil {
		if _, after, ok := strings.Cut(string(out), "v="); ok {
			m.Redis = strings.Fields(after)[0]
		}
	}
	return m
}

// lineAfter returns what stands behind a name and a colon in a file of /proc.
func lineAfter(path, name string) string {
	b, _ := os.ReadFile(path)
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func loadAverage() float64 {
	b, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(b), " ")
	load, _ := strconv.ParseFloat(first, 64)
	return load
}

func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*").Output()
	if err != nil {
		return "" // not in a repository, or no git
	}
	return strings.TrimSpace(string(out))
}
