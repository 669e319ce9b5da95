package main

import "fmt"

// plots draws what the results have, by the name of the file.
func plots(r *results) map[string]plot {
	all := map[string]plot{}
	if s := r.Suites["throughput"]; s != nil {
		for _, g := range throughputGroups {
			all[g.name] = ratioPlot("Cubby's throughput, redis-server = 1: "+g.title, s.cellRows(g.match), (*row).label)
		}
	}
	if s := r.Suites["lua"]; s != nil {
		all["lua"] = ratioPlot("KV commands, the same job in Lua on redis-server = 1", s.cellRows(func(series) bool { return true }), (*row).label)
	}
	if s := r.Suites["namespaces"]; s != nil {
		all["namespaces"] = ratioPlot("Cubby's throughput at pipeline 16, redis-server = 1", s.cellRows(func(series) bool { return true }),
			func(x *row) string {
				name := x.Name
				if name == hopName {
					name = "GET, hopping"
				}
				return fmt.Sprintf("%s, %s namespaces", name, thousands(x.Namespaces))
			})
	}
	if s := r.Suites["memory"]; s != nil {
		all["memory"] = sidePlot("Resident MB per million 64-byte keys", " MB", 0,
			s.rows(func(x series) bool { return x.Metric == megabytes && x.Case != caseEmpty }),
			func(x *row) string { return x.Name + ", " + x.Case },
			func(x *row, server string) spread {
				v := perMillion(x, server)
				return spread{v, v, v}
			})
	}
	if s := r.Suites["restart"]; s != nil {
		all["restart"] = sidePlot("Seconds from exec to the first answer", " s", 0,
			s.rows(func(x series) bool { return x.Metric == seconds }),
			func(x *row) string { return thousands(x.Keys) + " keys" }, spreadBy)
	}
	if s := r.Suites["stalls"]; s != nil {
		all["stalls"] = sidePlot("Worst latency of a request, in milliseconds (dashed: the budget)", " ms", 50,
			s.stallRows(),
			func(x *row) string { return x.Name + ", " + x.Case }, spreadBy)
	}
	if s := r.Suites["neighbours"]; s != nil {
		all["neighbours"] = neighbourPlot(s)
	}
	for name, p := range all {
		if len(p.bars) == 0 {
			delete(all, name)
		}
	}
	return all
}

func spreadBy(x *row, server string) spread { return spreadOf(x.by[server]) }

func ratioPlot(title string, rows []*row, label func(*row) string) plot {
	p := plot{title: title, mark: 1}
	for _, x := range rows {
		p.bars = append(p.bars, bar{label(x), nameCubby, x.ratio()})
	}
	return p
}

// sidePlot has a bar for each of the two servers.
func sidePlot(title, unit string, mark float64, rows []*row, label func(*row) string, value func(*row, string) spread) plot {
	p := plot{title: title, unit: unit, mark: mark}
	for _, x := range rows {
		for _, server := range []string{nameRedis, nameCubby} {
			if len(x.by[server]) > 0 {
				p.bars = append(p.bars, bar{shortName[server] + ": " + label(x), server, value(x, server)})
			}
		}
	}
	return p
}

var shortName = map[string]string{nameRedis: "Redis", nameCubby: "Cubby"}

func neighbourPlot(r *suiteResult) plot {
	p := plot{title: "p99 of the neighbours beside a flood, the quiet run on the same server = 1", mark: 1}
	for _, x := range r.neighbourRows(p99) {
		if x.Case == caseQuiet {
			continue
		}
		for _, server := range []string{nameRedis, nameCubby} {
			p.bars = append(p.bars, bar{shortName[server] + ": " + x.Case, server, r.besideQuiet(x.Case, p99, server)})
		}
	}
	return p
}
