package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/cubbykv/cubby/storage"
)

func newImport(env environment) *cobra.Command {
	t := &target{files: true}
	var from, prefix string
	dryRun := false
	cmd := &cobra.Command{
		Use:   "import TENANT/APP (FILE | --from URL)",
		Short: "Write JSON lines, or the strings of a Redis database, into an app",
		Long: `Write the rows of a file that 'cubby export' made ("-" is standard input), or the
strings of a Redis database with their TTLs, into an app. A key that is there
already is overwritten.

The limits of the app hold: what the server refuses is counted by the code of
its answer, with the first examples, and the exit code is then 1. Other types
than strings cannot be imported and are listed too. --dry-run reads everything
and writes nothing, so it cannot tell what the server would refuse.`,
		Example: "  cubby import acme/shop shop.jsonl\n  cubby import acme/shop --from redis://:secret@10.0.0.7:6379/0 --prefix shop:",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := atLeast(1, "TENANT/APP")(cmd, args); err != nil {
				return err
			}
			switch {
			case len(args) == 1 && from == "":
				return usagef("FILE or --from URL is missing")
			case len(args) == 2 && from != "":
				return usagef("give either FILE or --from, not both")
			case from == "" && cmd.Flags().Changed("prefix"):
				return usagef("--prefix goes with --from")
			}
			return atMost(2)(cmd, args)
		},
		ValidArgsFunction: t.complete(env, forFirst(completeApps)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			x := &importer{target: t, env: env, name: args[0], dryRun: dryRun, progress: env.progress("importing")}
			defer x.close()
			source, end, err := x.source(ctx, args[1:], from, prefix)
			if err != nil {
				return err
			}
			defer end()
			err = x.run(ctx, source)
			x.progress.end()
			return x.report.finish(env, t.json, err)
		},
	}
	t.addFlags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "read a Redis server: redis://[user:password@]host:port/db, rediss:// or unix://")
	cmd.Flags().StringVar(&prefix, "prefix", "", "only keys that start with this, of --from")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "read everything and write nothing")
	return cmd
}

// rows is where an import comes from: it calls yield for each row.
type rows func(ctx context.Context, yield func(row) error) error

// source finds it.
func (x *importer) source(ctx context.Context, files []string, from, prefix string) (rows, func(), error) {
	if from != "" {
		r, err := openRedis(from, prefix, x)
		if err != nil {
			return nil, nil, err
		}
		return r.rows, r.close, nil
	}
	in := x.env.in
	end := func() {}
	if files[0] != "-" {
		f, err := os.Open(files[0])
		if err != nil {
			return nil, nil, err
		}
		in, end = f, func() { _ = f.Close() }
	}
	return func(_ context.Context, yield func(row) error) error { return fileRows(in, yield) }, end, ctx.Err()
}

// How much goes into one pipeline.
const (
	importRows  = 256
	importBytes = 1 << 20
	// slowDown is longer than RATE_LIMITED asks for, so that a pipeline gets
	// further than one row.
	slowDown = 100 * time.Millisecond
)

// importer writes rows into a namespace in pipelines.
type importer struct {
	target   *target
	env      environment
	name     string
	dryRun   bool
	progress *progress
	clients  [storage.Databases]*adminClient
	now      func() int64 // by the server's clock
	pending  []row        // of one database
	size     int
	report   importReport
}

func (x *importer) run(ctx context.Context, source rows) error {
	x.report.Name, x.report.DryRun = x.name, x.dryRun
	c, err := x.client(storage.Durable) // a wrong name or password comes out before anything is read
	if err != nil {
		return err
	}
	if x.now, err = serverClock(ctx, c); err != nil {
		return err
	}
	err = source(ctx, func(r row) error { return x.add(ctx, r) })
	if err != nil {
		// What came before it was read in good faith.
		return errors.Join(err, x.flush(ctx))
	}
	return x.flush(ctx)
}

func (x *importer) client(db int) (*adminClient, error) {
	if x.clients[db] == nil {
		c, err := x.target.openNamespace(x.env, x.name, db)
		if err != nil {
			return nil, err
		}
		x.clients[db] = c
	}
	return x.clients[db], nil
}

func (x *importer) close() {
	for _, c := range x.clients {
		if c != nil {
			c.close()
		}
	}
}

func (x *importer) add(ctx context.Context, r row) error {
	if err := ctx.Err(); err != nil {
		return errors.New("interrupted")
	}
	x.report.Read++
	x.progress.count(x.report.Read, "rows")
	if r.expiresAt != 0 && r.expiresAt <= x.now() {
		x.report.Expired++
		return nil
	}
	if len(x.pending) > 0 && x.pending[0].db != r.db {
		if err := x.flush(ctx); err != nil {
			return err
		}
	}
	x.pending = append(x.pending, r)
	x.size += len(r.key) + len(r.value)
	if len(x.pending) >= importRows || x.size >= importBytes {
		return x.flush(ctx)
	}
	return nil
}

// flush writes what is pending, as late as the namespace's rate wants it.
func (x *importer) flush(ctx context.Context) error {
	todo := x.pending
	x.pending, x.size = x.pending[:0], 0
	if x.dryRun {
		x.report.Imported += len(todo)
		return nil
	}
	for len(todo) > 0 {
		c, err := x.client(todo[0].db)
		if err != nil {
			return err
		}
		pipe := c.client.Pipeline()
		for _, r := range todo {
			if r.expiresAt != 0 {
				pipe.Do(ctx, "SET", r.key, r.value, "PXAT", r.expiresAt)
			} else {
				pipe.Do(ctx, "SET", r.key, r.value)
			}
		}
		replies, _ := pipe.Exec(ctx) // each has its error
		n, err := x.judge(todo, replies)
		if err != nil {
			return c.explain(err)
		}
		if todo = todo[n:]; len(todo) > 0 {
			if err := pause(ctx, slowDown); err != nil {
				return err
			}
		}
	}
	return nil
}

// judge counts what became of rows, up to the first that was sent too fast:
// from there on all are sent again, so that the last row of a key wins. It
// returns how many it counted.
func (x *importer) judge(sent []row, replies []redis.Cmder) (n int, err error) {
	for i, reply := range replies {
		err := reply.Err()
		var refusal redis.Error
		_, slow := limited(err)
		switch {
		case err == nil:
			x.report.Imported++
		case slow:
			return i, nil
		case errors.As(err, &refusal) && !isConnectionError(refusal):
			x.report.refuse(sent[i].key, refusal.Error())
		default:
			return i, err
		}
	}
	return len(replies), nil
}

// isConnectionError tells refusals of the connection from those of a row.
func isConnectionError(err redis.Error) bool {
	for _, prefix := range []string{"WRONGPASS", "NOAUTH", "NOPERM", "ERR no such app", "ERR the admin has no keys", "ERR max number of clients"} {
		if strings.HasPrefix(err.Error(), prefix) {
			return true
		}
	}
	return false
}
