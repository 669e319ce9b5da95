// Command bench compares Cubby with redis-server, both started from scratch on
// this machine and measured in turns in one run. Machines are noisy: what
// counts are the ratios, medians over the rounds.
//
//	go run ./bench            # everything, five rounds
//	go run ./bench -quick     # a look, not a measurement
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"
)

type options struct {
	rounds     int
	duration   time.Duration
	namespaces int
	keys       int
	conns      int
	valueSizes []int
	fsync      string
}

func main() {
	o := options{namespaces: 1000, conns: 50}
	quick := flag.Bool("quick", false, "few keys, short rounds")
	size := flag.Int("value", 64, "value size in bytes")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; medians are shown")
	flag.DurationVar(&o.duration, "duration", 2*time.Second, "length of one measurement")
	flag.IntVar(&o.keys, "keys", 1000, "keys per namespace")
	flag.IntVar(&o.namespaces, "namespaces", o.namespaces, "namespaces; connections are spread over them")
	flag.IntVar(&o.conns, "conns", o.conns, "connections")
	flag.StringVar(&o.fsync, "appendfsync", "everysec", "everysec or always, for both servers")
	flag.Parse()
	o.valueSizes = []int{*size}
	if *quick {
		o.rounds, o.duration, o.keys, o.namespaces = 1, 300*time.Millisecond, 100, 100
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // the deferred stop has nothing left to do
	}
}

// measurement is one row of the table.
type measurement struct {
	name     string
	pipeline int
	rates    [2][]float64 // commands per second of Redis and Cubby, by round
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "cubby-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	redis, err := startRedis(ctx, dir, o)
	if err != nil {
		return err
	}
	defer redis.stop()
	cubby, err := startCubby(ctx, dir, o)
	if err != nil {
		return err
	}
	defer cubby.stop()
	servers := [2]*target{redis, cubby}
	size := o.valueSizes[0]
	for _, s := range servers {
		began := time.Now()
		if err := s.fill(ctx, o, size); err != nil {
			return fmt.Errorf("filling %s: %w", s.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %d keys loaded in %.1f s, %d MB resident\n",
			s.name, o.namespaces*o.keys, time.Since(began).Seconds(), s.residentMB())
	}
	var rows []*measurement
	for _, w := range workloads {
		for _, pipeline := range []int{1, 16} {
			m := &measurement{name: w.name, pipeline: pipeline}
			rows = append(rows, m)
			for round := range o.rounds {
				for i := range servers {
					which := (i + round) % 2 // neither always goes first
					rate, err := servers[which].measure(ctx, w, o, pipeline, size)
					if err != nil {
						return fmt.Errorf("%s on %s: %w", w.name, servers[which].name, err)
					}
					m.rates[which] = append(m.rates[which], rate)
				}
			}
			fmt.Fprintf(os.Stderr, "%-14s P%-3d %s\n", m.name, m.pipeline, m.ratioText())
		}
	}
	printTable(rows, o, size)
	return nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// ratios are Cubby's rate over Redis's, round by round.
func (m *measurement) ratios() []float64 {
	out := make([]float64, len(m.rates[0]))
	for i := range out {
		out[i] = m.rates[1][i] / m.rates[0][i]
	}
	return out
}

func (m *measurement) ratioText() string {
	r := m.ratios()
	return fmt.Sprintf("%.2f (%.2f to %.2f)", median(r), slices.Min(r), slices.Max(r))
}

func printTable(rows []*measurement, o options, size int) {
	fmt.Printf("%d namespaces x %d keys, %d connections, %d-byte values, appendfsync %s, %d rounds of %s each, in turns\n\n",
		o.namespaces, o.keys, o.conns, size, o.fsync, o.rounds, o.duration)
	fmt.Println("| command | pipeline | redis-server, per second | Cubby, per second | Cubby / redis-server (spread) |")
	fmt.Println("|---|---|---|---|---|")
	for _, m := range rows {
		fmt.Printf("| %s | %d | %.0f | %.0f | %s |\n", m.name, m.pipeline, median(m.rates[0]), median(m.rates[1]), m.ratioText())
	}
}
