package main

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files")

// sample is small but has something of every suite, met and not met.
func sample() *results {
	r := &results{Suites: map[string]*suiteResult{}}
	for _, name := range suiteNames() {
		r.Suites[name] = &suiteResult{
			When: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: 60, Load: 0.2, Rounds: 3, Each: 0.5, Commit: "0123456789ab",
			Machine: machine{CPU: "Example CPU", Cores: 2, MemoryGB: 8, System: "linux/amd64", Go: "go1.26", Redis: "7.0.15"},
		}
	}
	add := func(suite string, where series, redis, cubby []float64) {
		for i := range max(len(redis), len(cubby)) {
			if i < len(redis) {
				r.Suites[suite].add(where, nameRedis, redis[i])
			}
			if i < len(cubby) {
				r.Suites[suite].add(where, nameCubby, cubby[i])
			}
		}
	}
	for _, p := range []int{1, pipelined} {
		get := series{Name: opGet.name, Metric: perSecond, Pipeline: p, Conns: usualConns, Value: 64, Keys: 1_000_000, Namespaces: 1000, Fsync: everysec}
		add("throughput", get, []float64{100_000, 90_000, 110_000}, []float64{120_000, 99_000, 121_000})
		r.Suites["throughput"].add(get, nameRedcon, 125_000)
		get.Metric = p99
		add("throughput", get, []float64{900, 1000, 1100}, []float64{1500, 1000, 1200})
		set := series{Name: opSet.name, Metric: perSecond, Pipeline: p, Conns: usualConns, Value: 64, Keys: 100_000, Namespaces: 1000, Fsync: fsyncAlways}
		add("throughput", set, []float64{10_000, 11_000}, []float64{9000, 9500})
		one := get
		one.Metric, one.Conns = perSecond, 1
		add("throughput", one, []float64{20_000}, []float64{21_000})
		kv := series{Name: "KV.SET insert", Metric: perSecond, Pipeline: p, Conns: usualConns, Value: 64, Keys: 1_000_000, Namespaces: 1000, Fsync: everysec}
		add("lua", kv, []float64{30_000, 31_000, 29_000}, []float64{75_000, 80_000, 70_000})
	}
	list := series{Metric: medianUS, Pipeline: 1, Conns: 1, Value: 64, Keys: 1_000_000, Namespaces: 1}
	list.Name = namePing
	add("listing", list, []float64{20, 21, 22}, []float64{20, 22, 24})
	list.Name = nameScan
	add("listing", list, []float64{900_000, 1_000_000}, nil)
	list.Name = nameList
	add("listing", list, nil, []float64{50, 55, 66})
	for _, kind := range []string{kindPlain, kindTTL} {
		for i, when := range []string{caseEmpty, caseLoaded, caseIdle} {
			add("memory", series{Name: kind, Case: when, Metric: megabytes, Value: 64, Keys: 1_000_000, Namespaces: 1000},
				[]float64{10 + 90*float64(i)}, []float64{15 + 150*float64(i)})
		}
	}
	for _, keys := range []int{1_000_000, 5_000_000} {
		where := series{Name: "restart", Metric: seconds, Value: 64, Keys: keys, Namespaces: keys / 1000}
		add("restart", where, []float64{2, 2.5, 2.2}, []float64{0.2, 0.3, 1.25})
		where.Name, where.Metric = "files", megabytes
		add("restart", where, []float64{100}, []float64{120})
	}
	for i, c := range []string{caseQuiet, caseMany, caseSnapshot, caseOne} {
		where := series{Name: "GET", Case: c, Metric: worst, Keys: 1_000_000}
		add("stalls", where, []float64{1, 2 + 30*float64(i)}, []float64{1, 2 + 20*float64(i)})
		r.Suites["stalls"].add(where, controlOf(nameCubby), 0.9)
		where.Metric = p999
		add("stalls", where, []float64{0.5}, []float64{0.6})
	}
	for _, n := range []int{1, 100_000} {
		add("namespaces", series{Name: hopName, Metric: perSecond, Pipeline: pipelined, Conns: usualConns, Value: 64, Keys: 1_000_000, Namespaces: n, Fsync: everysec},
			[]float64{400_000}, []float64{300_000})
		where := series{Name: "memory", Case: caseEmpty, Metric: megabytes, Value: 64, Keys: 1_000_000, Namespaces: n}
		add("namespaces", where, nil, []float64{20})
		where.Case = ""
		add("namespaces", where, []float64{200}, []float64{280})
	}
	for i, c := range []string{caseQuiet, floods[0].name, floods[1].name} {
		where := series{Name: nameLight, Case: c, Metric: medianLight, Namespaces: 1000}
		slower := 1 + float64(i)
		add("neighbours", where, []float64{100, 110 * slower}, []float64{120, 130 * slower})
		where.Metric = p99
		add("neighbours", where, []float64{300 * slower, 310}, []float64{350, 360 * slower})
		where.Metric = p999
		add("neighbours", where, []float64{1, 2 * slower}, []float64{1.5, 2.5})
		if c != caseQuiet {
			add("neighbours", series{Name: nameFlood, Case: c, Metric: perSecond, Namespaces: 1000}, []float64{500_000}, []float64{400_000})
		}
	}
	web := series{Name: opGet.name, Metric: perSecond, Pipeline: 1, Conns: usualConns, Value: 64, Keys: 100_000, Namespaces: 100, Fsync: everysec}
	add("http", web, []float64{10_000, 11_000}, []float64{12_000, 11_000})
	r.Suites["http"].add(web, nameOverRESP, 100_000)
	r.Suites["http"].add(web, nameOverRESP, 110_000)
	web.Metric = p99
	add("http", web, []float64{5000}, []float64{4000})
	r.Suites["http"].add(web, nameOverRESP, 900)
	return r
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "go test ./bench -update writes it anew")
}

func TestThePageIsMadeFromResultsAlone(t *testing.T) {
	golden(t, "benchmarks.md.golden", renderReport(sample()))
}

func TestPlots(t *testing.T) {
	all := plots(sample())
	for _, name := range []string{"throughput-64b", "throughput-always", "throughput-connections", "lua", "memory", "restart", "stalls", "namespaces", "neighbours"} {
		require.Contains(t, all, name)
	}
	require.NotContains(t, all, "throughput-1kb", "nothing was measured")
	for name, p := range all {
		text := p.svg()
		for d := xml.NewDecoder(strings.NewReader(text)); ; {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, name)
		}
		require.NotContains(t, text, "<script")
		require.NotContains(t, text, "NaN")
	}
	golden(t, "lua.svg.golden", all["lua"].svg())
}

func TestEveryPictureOfThePageIsWritten(t *testing.T) {
	out := t.TempDir()
	require.NoError(t, writeReport(sample(), out))
	text, err := os.ReadFile(filepath.Join(out, "benchmarks.md"))
	require.NoError(t, err)
	links := strings.Split(string(text), "](img/")[1:]
	require.NotEmpty(t, links)
	for _, l := range links {
		name, _, _ := strings.Cut(l, ")")
		require.FileExists(t, filepath.Join(out, "img", name))
	}
}

func TestThePageOfNothing(t *testing.T) {
	text := renderReport(&results{Suites: map[string]*suiteResult{}})
	require.Contains(t, text, "Not measured yet")
	require.NotContains(t, text, "| met |")
}

func TestBudgetIsJudged(t *testing.T) {
	verdicts := map[string]string{}
	for _, l := range judge(sample()) {
		verdicts[l.what] = l.verdict()
	}
	for what, want := range map[string]string{
		"GET, pipeline 16, 64 B":                                  "met",
		"SET overwrite, pipeline 16, 64 B":                        "not measured",
		"GET, pipeline 1, 64 B":                                   "met",
		"SET overwrite, pipeline 1, appendfsync always":           "met",
		"SET overwrite, pipeline 16, appendfsync always":          "**not met**",
		"p99 latency, 50 connections, 64 B and 1 KB":              "**not met**",
		"the same job as on Redis in Lua":                         "met",
		"KV.LIST of 100 by prefix among 1,000,000 keys":           "met",
		"first answer after kill -9 with 5,000,000 keys":          "**not met**", // its worst round
		"stalls: " + caseMany:                                     "met",
		"stalls: " + caseOne:                                      "**not met**",
		"memory per million 64-byte keys without TTL, after load": "met",
	} {
		require.Equal(t, want, verdicts[what], what)
	}
}

func TestResultsSurviveTheirFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	require.NoError(t, sample().mergeInto(path))
	r, err := readResults(path)
	require.NoError(t, err)
	require.Equal(t, sample(), r)

	t.Run("a part replaces its part", func(t *testing.T) {
		part := &results{Suites: map[string]*suiteResult{"lua": {Rounds: 9}}}
		require.NoError(t, part.mergeInto(path))
		r, err := readResults(path)
		require.NoError(t, err)
		require.Equal(t, 9, r.Suites["lua"].Rounds)
		require.Equal(t, sample().Suites["stalls"], r.Suites["stalls"])
		require.Len(t, part.Suites, len(suites), "the report shows all parts")
	})
	t.Run("quick and full do not mix", func(t *testing.T) {
		require.ErrorContains(t, (&results{Quick: true}).mergeInto(path), "do not mix")
	})
}

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-suite", "lua,stalls"})
	require.NoError(t, err)
	require.Equal(t, []string{"lua", "stalls"}, o.suites)
	require.Equal(t, defaultResults, o.json)
	require.Equal(t, "docs", o.out)

	o, err = parseOptions([]string{"-quick"})
	require.NoError(t, err)
	require.Empty(t, o.json, "a look replaces no measurement")
	require.Empty(t, o.out)
	require.Equal(t, suiteNames(), o.suites)

	for _, args := range [][]string{{"-suite", "nothing"}, {"-rounds", "0"}, {"-quick", "-rounds", "2"}, {"-duration", "0s"}, {"stray"}} {
		_, err := parseOptions(args)
		require.Error(t, err, args)
	}
}

func TestFigures(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.123: "0.12", 3: "3", 12.34: "12.3", 456.7: "457", 98_765: "98.8 k", 234_567: "235 k", 1_234_567: "1.23 M"} {
		require.Equal(t, want, figure(v))
	}
	require.Equal(t, "1,234,567", thousands(1_234_567))
	require.Equal(t, "999", thousands(999))
	require.InDelta(t, 0.5, niceStep(0.3), 1e-9)
	require.InDelta(t, 20, niceStep(11), 1e-9)
}
