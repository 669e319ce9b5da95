package main

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// bar is a median with its spread.
type bar struct {
	label  string
	server string // gives the colour
	spread
}

// plot is a chart of horizontal bars.
type plot struct {
	title string
	unit  string  // behind each figure
	mark  float64 // a line to compare with; 0 is none
	bars  []bar
}

const (
	plotWidth = 780
	plotLeft  = 290 // where bars begin
	plotRight = 660 // and where the longest ends
	plotTop   = 48
	barHeight = 15
	rowHeight = 24
)

// plotStyle is readable on light and dark pages: the colours follow the
// reader's setting, and the ground is part of the picture.
const plotStyle = `<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; font-size: 14px; }
.small { font-size: 11px; fill: #59636e; }
.ground { fill: #ffffff; }
.grid { stroke: #d1d9e0; }
.mark { stroke: #1f2328; stroke-dasharray: 4 3; }
.whisker { stroke: #1f2328; stroke-width: 1.5; }
.cubby { fill: #4493f8; }
.redis { fill: #b6a08a; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.small { fill: #9198a1; }
.ground { fill: #0d1117; }
.grid { stroke: #30363d; }
.mark, .whisker { stroke: #e6edf3; }
.cubby { fill: #1f6feb; }
.redis { fill: #75634f; }
}
</style>
`

// svg draws the plot. The same data always gives the same bytes.
func (p plot) svg() string {
	top := p.mark
	for _, x := range p.bars {
		top = max(top, x.Max)
	}
	step := niceStep(top / 6)
	top = max(math.Ceil(top/step-1e-9)*step, step)
	at := func(v float64) string {
		return strconv.FormatFloat(plotLeft+v/top*(plotRight-plotLeft), 'f', 1, 64)
	}
	bottom := plotTop + rowHeight*len(p.bars)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">`+"\n", plotWidth, bottom+30)
	fmt.Fprintf(&b, "<title>%s</title>\n%s", html.EscapeString(p.title), plotStyle)
	fmt.Fprintf(&b, `<rect class="ground" width="%d" height="%d" rx="6"/>`+"\n", plotWidth, bottom+30)
	fmt.Fprintf(&b, `<text class="title" x="16" y="28">%s</text>`+"\n", html.EscapeString(p.title))
	for i := 0; float64(i)*step <= top+step/2; i++ {
		v := float64(i) * step
		fmt.Fprintf(&b, `<line class="grid" x1="%s" x2="%[1]s" y1="%d" y2="%d"/>`+"\n", at(v), plotTop-4, bottom)
		fmt.Fprintf(&b, `<text class="small" x="%s" y="%d" text-anchor="middle">%s</text>`+"\n", at(v), bottom+17, strconv.FormatFloat(v, 'g', 4, 64))
	}
	for i, x := range p.bars {
		y := plotTop + i*rowHeight
		middle := y + rowHeight/2
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", plotLeft-8, middle+4, html.EscapeString(x.label))
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`+"\n",
			cmp.Or(map[string]string{nameRedis: "redis"}[x.server], "cubby"),
			plotLeft, y+(rowHeight-barHeight)/2, x.Median/top*(plotRight-plotLeft), barHeight)
		if x.Max > x.Min {
			fmt.Fprintf(&b, `<path class="whisker" fill="none" d="M%s %d V%d M%[1]s %[4]d H%[5]s M%[5]s %[2]d V%[3]d"/>`+"\n",
				at(x.Min), middle-4, middle+4, middle, at(x.Max))
		}
		fmt.Fprintf(&b, `<text class="small" x="%d" y="%d">%s%s</text>`+"\n", plotRight+14, middle+4, figure(x.Median), html.EscapeString(p.unit))
	}
	if p.mark > 0 {
		fmt.Fprintf(&b, `<line class="mark" x1="%s" x2="%[1]s" y1="%d" y2="%d"/>`+"\n", at(p.mark), plotTop-4, bottom)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// niceStep rounds up to 1, 2 or 5 times a power of ten.
func niceStep(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*power*(1+1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// figure writes a number with as many digits as mean something.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1e6:
		return strconv.FormatFloat(v/1e6, 'f', 2, 64) + " M"
	case a >= 100_000:
		return strconv.FormatFloat(v/1e3, 'f', 0, 64) + " k"
	case a >= 10_000:
		return strconv.FormatFloat(v/1e3, 'f', 1, 64) + " k"
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a == math.Trunc(a):
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
