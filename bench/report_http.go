package main

import "strconv"

func (p *page) http(r *suiteResult) {
	rows := r.cellRows(func(series) bool { return true })
	if len(rows) == 0 {
		return
	}
	p.say("%s connections that are kept open, %s namespaces, %s keys of %d B, rounds of %.1f s. Each request brings its token; the commands are JSON, "+
		"one in the body of a POST, or 16 to /pipeline. redis-server has a minimal proxy in front, written for this: net/http, encoding/json and "+
		"go-redis, a token that is compared, no namespaces, limits or origins. A request over HTTP costs several times what it costs over RESP, whoever answers: the "+
		"third ratio is what Cubby's HTTP door reaches of its RESP door.", strconv.Itoa(rows[0].Conns), thousands(rows[0].Namespaces), thousands(rows[0].Keys), rows[0].Value, r.Each)
	var lines [][]string
	for _, x := range rows {
		l := r.p99Beside(x)
		lines = append(lines, []string{x.Name, strconv.Itoa(x.Pipeline),
			figure(median(x.by[nameRedis])), figure(median(x.by[nameCubby])), ratioText(x.ratio()),
			figure(median(x.by[nameOverRESP])), ratioText(spreadOf(ratios(x.by[nameCubby], x.by[nameOverRESP]))),
			microseconds(median(l.by[nameRedis])), microseconds(median(l.by[nameCubby])), microseconds(median(l.by[nameOverRESP]))})
	}
	p.table([]string{"command", "pipeline", "redis-server behind a proxy /s", "Cubby over HTTP /s", "Cubby / redis-server behind a proxy",
		"Cubby over RESP /s", "over HTTP / over RESP", "p99 proxy", "p99 HTTP", "p99 RESP"}, lines)
}
