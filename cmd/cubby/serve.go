package main

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cubbykv/cubby/config"
)

func newServe(env environment) *cobra.Command {
	return &cobra.Command{
		Use:   "serve [redis.conf] [--directive value ...]",
		Short: "Run the server",
		Long: `Run the server. The file has redis.conf's syntax, "-" is standard input; each of
its directives may also be given as --directive value ..., which then wins.
docs/configuration.md and redis.conf.example list them.

With --dev only this machine may connect. Clients that do not sign in are in the
namespace dev/app, whose limits are wide open.`,
		Example: `  cubby serve --dev
  cubby serve --dev --port 7000
  cubby serve /etc/cubby.conf --appendfsync always`,
		// The words are redis-server's, which are no flags: --bind takes several.
		DisableFlagParsing: true,
		ValidArgsFunction:  completeServe,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && (args[0] == "-h" || args[0] == "--help") {
				return cmd.Help()
			}
			words := parseServeWords(args)
			cfg, err := config.Load(words.file, words.directives)
			if err == nil && words.dev {
				err = config.Dev(cfg)
			}
			if err != nil {
				return err
			}
			if env.getenv("GOGC") == "" {
				paceCollector()
			}
			ctx, hangup, stop := catchSignals(cmd.Context(), words.dev)
			defer stop()
			p := &process{env: env, config: cfg, file: words.file, dev: words.dev, hangup: hangup}
			return p.run(ctx)
		},
	}
}

// serveWords are the arguments of serve.
type serveWords struct {
	file       string // empty is none
	dev        bool
	directives []string
}

// parseServeWords sorts the arguments as redis-server does: a first word that
// is no directive is the file. --dev may stand wherever a directive may.
func parseServeWords(args []string) serveWords {
	var w serveWords
	if len(args) > 0 && !strings.HasPrefix(args[0], "--") {
		w.file, args = args[0], args[1:]
	}
	value := false // the word before was a bare directive, so this is its value
	for _, word := range args {
		if word == "--dev" && !value {
			w.dev = true
			continue
		}
		value = !value && strings.HasPrefix(word, "--") && !strings.ContainsAny(word, "= \t")
		w.directives = append(w.directives, word)
	}
	w.directives = slices.Clip(w.directives)
	return w
}

// catchSignals returns a context that the first SIGINT or SIGTERM ends. After
// it the signals have their usual effect, so that a second one ends a stop
// that takes too long. A log whose reader has gone must not end the server, so
// SIGPIPE is ignored. SIGHUP arrives at hangup, but for --dev: that server
// belongs to a terminal, and ends with it.
func catchSignals(parent context.Context, dev bool) (ctx context.Context, hangup <-chan os.Signal, stop context.CancelFunc) {
	signal.Ignore(syscall.SIGPIPE)
	ending := []os.Signal{os.Interrupt, syscall.SIGTERM}
	again := make(chan os.Signal, 1)
	if dev {
		ending = append(ending, syscall.SIGHUP)
	} else {
		signal.Notify(again, syscall.SIGHUP)
	}
	ctx, cancel := signal.NotifyContext(parent, ending...)
	context.AfterFunc(ctx, cancel)
	return ctx, again, func() {
		signal.Stop(again)
		cancel()
	}
}
