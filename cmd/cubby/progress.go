package main

import (
	"fmt"
	"strings"
	"time"
)

// Progress appears when work takes longer than progressAfter, and changes at
// most each progressEvery.
const (
	progressAfter = time.Second
	progressEvery = 200 * time.Millisecond
)

// progress is a line on a terminal that says how far some work is. Where
// nobody watches it is silent.
type progress struct {
	env         environment
	what        string
	began, told time.Time
	shown       bool
}

func (e environment) progress(what string) *progress {
	return &progress{env: e, what: what, began: time.Now()}
}

// bytes shows done of total bytes.
func (p *progress) bytes(done, total int64) {
	if p.due() {
		text := formatBytes(done)
		if total > 0 {
			text = fmt.Sprintf("%d%% of %s", done*100/total, formatBytes(total))
		}
		p.show(text)
	}
}

// count shows how many of something there were.
func (p *progress) count(n int, of string) {
	if p.due() {
		p.show(fmt.Sprintf("%d %s", n, of))
	}
}

func (p *progress) due() bool {
	if !p.env.watched {
		return false
	}
	now := time.Now()
	if now.Sub(p.began) < progressAfter || now.Sub(p.told) < progressEvery {
		return false
	}
	p.told = now
	return true
}

func (p *progress) show(text string) {
	p.shown = true
	p.env.note("\r\x1b[K%s: %s", p.what, text)
}

// end clears the line.
func (p *progress) end() {
	if p.shown {
		p.env.note("\r\x1b[K")
		p.shown = false
	}
}

// formatBytes shows a size to people.
func formatBytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, names := float64(n)/unit, []string{"KB", "MB", "GB", "TB", "PB"}
	for v >= unit && len(names) > 1 {
		v, names = v/unit, names[1:]
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") + " " + names[0]
}
