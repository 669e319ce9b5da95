package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/cubbykv/cubby/config"
)

// logOutput is where the log goes: a file, which can be opened anew from one line
// to the next, or standard error.
type logOutput struct {
	standard io.Writer

	mu   sync.Mutex
	file *os.File // nil is standard
}

// use opens the file, also when it is the one in use: a tool that rotates logs may
// have given that another name. An empty path is standard error. After an error
// the log goes where it went. CONFIG SET does not get here: it would turn the
// admin's password into the right to write to files.
func (o *logOutput) use(path string) error {
	var file *os.File
	if path != "" {
		var err error
		file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640) //nolint:gosec // log collectors read it as the group
		if err != nil {
			return fmt.Errorf("logfile: %w", err)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = o.close()
	o.file = file
	return nil
}

// close closes the file. Callers hold mu.
func (o *logOutput) close() error {
	if o.file == nil {
		return nil
	}
	return o.file.Close()
}

func (o *logOutput) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file != nil {
		return o.file.Write(line)
	}
	return o.standard.Write(line)
}

// Close ends the use of a file.
func (o *logOutput) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.close()
}

// newLogger returns a logger as the configuration wants it, and where it
// writes, to be closed at the end.
func newLogger(c *config.Config, level slog.Leveler, standard io.Writer) (*slog.Logger, *logOutput, error) {
	out := &logOutput{standard: standard}
	if err := out.use(c.LogFile); err != nil {
		return nil, nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == config.LogJSON {
		return slog.New(slog.NewJSONHandler(out, options)), out, nil
	}
	return slog.New(slog.NewTextHandler(out, options)), out, nil
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
