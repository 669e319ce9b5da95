package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// leastWatch is the shortest interval of --watch: a list of all apps costs the
// server some work.
const leastWatch = 200 * time.Millisecond

// watching is the flag --watch[=interval].
type watching struct{ every string }

func (w *watching) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&w.every, "watch", "w", "", "show it again after each interval, until Ctrl-C; --watch=5s instead of every 2s")
	f.Lookup("watch").NoOptDefVal = "2s"
}

func (w *watching) on() bool { return w.every != "" }

// run calls draw once, or with --watch until the context or Ctrl-C ends it. A
// terminal shows the newest alone; elsewhere they come one after the other.
func (w *watching) run(ctx context.Context, env environment, draw func(context.Context, environment) error) error {
	if !w.on() {
		return draw(ctx, env)
	}
	every, err := time.ParseDuration(w.every)
	if err != nil || every < leastWatch {
		return usagef("--watch=%s is no interval of at least %s, such as 5s", w.every, leastWatch)
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	for first := true; ; first = false {
		var page bytes.Buffer
		if env.size != nil {
			env.width, env.height = env.size()
		}
		to := env
		to.out = &page
		if env.width > 0 {
			to.err = &page
		}
		if err := draw(ctx, to); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		text := page.String()
		if env.width > 0 {
			text = env.screen(text, every, first)
		} else if !first && !strings.HasPrefix(text, "[") && !strings.HasPrefix(text, "{") {
			text = "\n" + text
		}
		if err := env.say("%s", text); err != nil {
			return err
		}
		if pause(ctx, every) != nil {
			return nil
		}
	}
}

// screen is a page that takes the place of the one before.
func (e environment) screen(page string, every time.Duration, first bool) string {
	lines := strings.Split(strings.TrimSuffix(page, "\n"), "\n")
	head := fmt.Sprintf("%s, every %s, Ctrl-C ends", time.Now().Format(time.TimeOnly), every)
	lines = append([]string{head, ""}, lines...)
	if e.height > 1 && len(lines) > e.height-1 {
		lines = lines[:e.height-1]
	}
	wipe := ""
	if first {
		wipe = "\x1b[2J"
	}
	return wipe + "\x1b[H" + strings.Join(lines, "\x1b[K\n") + "\x1b[K\n\x1b[J"
}
