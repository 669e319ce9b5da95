// Command bench compares Cubby with redis-server, both started from scratch on
// this machine and measured in turns in one run. Machines are noisy: what
// counts are the ratios, medians over the rounds.
//
//	go run ./bench                      # everything, and docs/benchmarks.md from it
//	go run ./bench -suite lua,stalls    # these alone; they replace their part of the results
//	go run ./bench -quick               # does it all work? a look, not a measurement
//	go run ./bench -render bench/results.json
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

// defaultResults keeps the figures that docs/benchmarks.md shows.
const defaultResults = "bench/results.json"

type options struct {
	suites    []string
	quick     bool
	rounds    int
	duration  time.Duration
	json, out string
	render    string
	parent    string // of the temporary directories
	cubby     string // the binary; empty builds it
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == emptyHandler {
		if err := serveEmptyHandler(os.Args[2:]); err != nil {
			fail(err)
		}
		return
	}
	if len(os.Args) > 1 && os.Args[1] == httpProxy {
		if err := serveHTTPProxy(os.Args[2:]); err != nil {
			fail(err)
		}
		return
	}
	if len(os.Args) > 1 && os.Args[1] == floodProgram {
		if err := runFlood(os.Args[2:]); err != nil {
			fail(err)
		}
		return
	}
	o, err := parseOptions(os.Args[1:])
	if err != nil {
		fail(err)
	}
	debug.SetGCPercent(800) // the generator shares the cores with what it measures
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	names := flags.String("suite", "", "comma-separated parts: "+strings.Join(suiteNames(), ", ")+" (default all)")
	flags.BoolVar(&o.quick, "quick", false, "small data and one short round: shows that everything works, measures nothing")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds; medians are shown. The slow parts take at most three")
	flags.DurationVar(&o.duration, "duration", 500*time.Millisecond, "length of one throughput measurement")
	flags.StringVar(&o.json, "json", defaultResults, "where results are kept; suites that did not run keep theirs")
	flags.StringVar(&o.out, "out", "docs", "directory of the report: benchmarks.md, img/bench-*.svg")
	flags.StringVar(&o.render, "render", "", "measure nothing, write the report of this results file")
	flags.StringVar(&o.parent, "dir", "", "where the servers' data goes, removed at the end (default the system's temporary directory)")
	flags.StringVar(&o.cubby, "cubby", "", "measure this binary (default: built from here)")
	_ = flags.Parse(args) // ExitOnError
	set := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if o.quick { // a look must not replace a measurement
		o.rounds, o.duration = 1, 60*time.Millisecond
		if !set["json"] {
			o.json = ""
		}
		if !set["out"] {
			o.out = ""
		}
		for _, name := range []string{"rounds", "duration"} {
			if set[name] {
				return o, fmt.Errorf("-%s and -quick exclude each other", name)
			}
		}
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is no option", flags.Arg(0))
	}
	o.suites = suiteNames()
	if *names != "" {
		o.suites = strings.Split(*names, ",")
	}
	for _, name := range o.suites {
		if !slices.Contains(suiteNames(), name) {
			return o, fmt.Errorf("no suite %q; there are %s", name, strings.Join(suiteNames(), ", "))
		}
	}
	if o.rounds < 1 || o.duration <= 0 {
		return o, fmt.Errorf("%d rounds of %s measure nothing", o.rounds, o.duration)
	}
	return o, nil
}

func run(ctx context.Context, o options) error {
	if o.render != "" {
		r, err := readResults(o.render)
		if err != nil {
			return err
		}
		return writeReport(r, o.out)
	}
	r, err := measure(ctx, o)
	if err != nil {
		return err
	}
	if o.json != "" {
		if err := r.mergeInto(o.json); err != nil {
			return err
		}
	}
	if o.out != "" {
		return writeReport(r, o.out)
	}
	fmt.Print(renderReport(r))
	return nil
}

// measure runs the suites one after the other. Each starts from scratch.
func measure(ctx context.Context, o options) (*results, error) {
	dir, err := os.MkdirTemp(o.parent, "cubby-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binary := o.cubby
	if binary == "" {
		binary = filepath.Join(dir, "cubby")
		build := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/cubbykv/cubby/cmd/cubby")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building cubby: %w\n%s", err, out)
		}
	}
	r := &results{Quick: o.quick, Suites: map[string]*suiteResult{}}
	began := time.Now()
	for _, s := range suites {
		if !slices.Contains(o.suites, s.name) {
			continue
		}
		b, err := newBench(ctx, o, s.name, binary, dir)
		if err != nil {
			return nil, err
		}
		progress("%s ...", s.name)
		err = s.run(b)
		if err != nil {
			err = b.explain(err)
		}
		b.close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		b.Took = time.Since(b.When).Seconds()
		r.Suites[s.name] = b.suiteResult
		progress("%s took %.0f s", s.name, b.Took)
	}
	progress("all of it took %s", time.Since(began).Round(time.Second))
	return r, nil
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
