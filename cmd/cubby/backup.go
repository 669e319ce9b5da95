package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/bunt"
)

func newBackup(env environment) *cobra.Command {
	t := new(target)
	dir := ""
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all durable data into one checksummed file",
		Long: `Write all durable data (database 0 of every namespace, with the apps and tokens)
into one file: through a running server while clients go on, or with --dir from
the directory of a server that is stopped. It shows all namespaces at one
moment. The file is checked before it gets its name, and never replaces another;
"-" writes to standard output.

Not in it: the ephemeral database 1, the admin's password, the configuration.`,
		Example: "  cubby backup /backup/monday.cubby\n  cubby backup --dir /var/lib/cubby /backup/monday.cubby",
		Args:    exactly(1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			p := env.progress("backing up")
			write := func(w io.Writer) error { return t.readBackup(ctx, env, w, p.bytes) }
			if cmd.Flags().Changed("dir") {
				write = func(w io.Writer) error {
					_, err := bunt.BackupDir(ctx, dir, w, bunt.VerifyOptions{Progress: p.bytes})
					return explainDir(dir, err)
				}
			}
			var info storage.BackupInfo
			err := env.toFile(args[0], write, func(path string) (err error) {
				info, err = bunt.VerifyBackup(ctx, path)
				return err
			})
			p.end()
			if err != nil || args[0] == "-" {
				return err
			}
			if t.json {
				return env.printJSON(record{{"file", args[0]}, {"created_at", isoTime(info.CreatedAt)}, {"files", info.Files}, {"bytes", info.Bytes}})
			}
			return env.say("backed up to %s (%s)\n", args[0], formatBytes(info.Bytes))
		},
	}
	t.addServerFlags(cmd)
	cmd.Flags().StringVar(&dir, "dir", "", "back up this data directory, which no server may be using, instead of a server's")
	return cmd
}

// explainDir says what to do about a directory that cannot be backed up.
func explainDir(dir string, err error) error {
	switch {
	case errors.Is(err, storage.ErrLocked):
		return fmt.Errorf("%s is in use by a running server; leave --dir out to back up through it", dir)
	case errors.Is(err, storage.ErrDamaged):
		return fmt.Errorf("%w; nothing was backed up, see 'cubby check %s'", err, dir)
	}
	return err
}

// readBackup takes a backup through a running server.
func (t *target) readBackup(ctx context.Context, env environment, w io.Writer, step func(done, total int64)) error {
	c, err := t.connect(env)
	if err != nil {
		return err
	}
	defer c.close()
	reply, err := c.do(ctx, "BACKUP", "START")
	if err != nil {
		return err
	}
	id := fmt.Sprint(reply)
	finished := false
	defer func() {
		if !finished {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			_, _ = c.do(ctx, "BACKUP", "ABORT")
		}
	}()
	var done int64
	for {
		reply, err := c.do(ctx, "BACKUP", "NEXT", id)
		if err != nil {
			return err
		}
		if reply == nil {
			finished = true
			return nil
		}
		chunk, ok := reply.(string)
		if !ok {
			return fmt.Errorf("the server sent no chunk but %v", reply)
		}
		if _, err := io.WriteString(w, chunk); err != nil {
			return err
		}
		done += int64(len(chunk))
		step(done, 0)
	}
}

func newRestore(env environment) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "restore FILE DIR",
		Short: "Make a data directory from a backup",
		Long: `Make a data directory from a backup. The whole file is checked before anything
is written, and the directory again afterwards. DIR may be missing or empty.`,
		Example: "  cubby restore /backup/monday.cubby /var/lib/cubby\n  cubby serve redis.conf --dir /var/lib/cubby",
		Args:    exactly(2, "FILE and DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			p := env.progress("restoring")
			info, report, err := bunt.Restore(ctx, args[0], args[1], bunt.VerifyOptions{Progress: p.bytes})
			p.end()
			switch {
			case errors.Is(err, bunt.ErrNotEmpty):
				return fmt.Errorf("%w; a backup is restored into a new or empty directory only", err)
			case errors.Is(err, storage.ErrDamaged):
				return fmt.Errorf("%w; nothing was restored", err)
			case err != nil:
				return err
			}
			var keys int64
			for _, n := range report.Namespaces {
				keys += n.Keys
			}
			if asJSON {
				return env.printJSON(record{
					{"directory", args[1]}, {"created_at", isoTime(info.CreatedAt)},
					{"namespaces", len(report.Namespaces)}, {"keys", keys}, {"bytes", info.Bytes},
				})
			}
			return env.say("restored %s: %d namespace(s), %d key(s), as of %s\n", args[1], len(report.Namespaces), keys, isoTime(info.CreatedAt))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// isoTime shows Unix milliseconds.
func isoTime(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}
