package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/cubbykv/cubby/config"
)

// newLogger returns a logger as the configuration wants it, and what to close
// at the end.
func newLogger(c *config.Config, level slog.Leveler, standard io.Writer) (*slog.Logger, io.Closer, error) {
	out, closer := standard, io.Closer(io.NopCloser(nil))
	if c.LogFile != "" {
		f, err := os.OpenFile(c.LogFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640) //nolint:gosec // log collectors read it as the group
		if err != nil {
			return nil, nil, fmt.Errorf("logfile: %w", err)
		}
		out, closer = f, f
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level})), closer, nil
}

func logLevel(l config.LogLevel) slog.Level {
	switch l {
	case config.LogDebug:
		return slog.LevelDebug
	case config.LogVerbose:
		return slog.LevelDebug + 2
	case config.LogWarning:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}
