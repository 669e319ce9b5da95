package commands

import (
	"context"
	"time"

	"github.com/cubbykv/cubby/audit"
	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/storage"
)

// auditErasure says in the audit trail what a drop has erased.
func (c *Call) auditErasure(x auth.Erasure) {
	auditDetail(c, "namespaces", int64(x.Namespaces))
	auditDetail(c, "tokens", int64(x.Tokens))
	auditDetail(c, "erased_keys", x.Keys)
	auditDetail(c, "erased_bytes", x.Bytes)
	if x.Uncounted > 0 {
		auditDetail(c, "uncounted", int64(x.Uncounted))
	}
}

// SignOffErasures finds out of which drops nothing is left on the disk, and says
// so in the log and in the audit trail. Whoever opened the store calls it at the
// start and when the store has deleted the oldest of its history. It waits for
// the disk. Errors: the store's.
func (e *Engine) SignOffErasures(ctx context.Context) error {
	f, ok := e.store.(storage.Forgetter)
	if !ok {
		return nil
	}
	oldest, _ := f.History()
	done, err := e.dir.SignOff(ctx, oldest)
	if err != nil || len(done) == 0 {
		return err
	}
	trail := e.trail.Load()
	for _, x := range done {
		dropped := time.UnixMilli(x.At).UTC().Format(time.RFC3339)
		e.log.Info("nothing is left of what was dropped", "tenant", x.Tenant, "app", x.App, "dropped", dropped, "namespaces", x.Namespaces, "keys", x.Keys)
		if trail == nil {
			continue
		}
		l := audit.Line{Time: e.clock(), Event: audit.Erased, DB: -1, Micros: -1, Code: audit.OK,
			Who: audit.AppendWho(nil, &audit.Who{Tenant: x.Tenant, App: x.App})}
		l.Detail = audit.AppendDetail(l.Detail, "dropped", dropped)
		l.Detail = audit.AppendDetail(l.Detail, "namespaces", int64(x.Namespaces))
		l.Detail = audit.AppendDetail(l.Detail, "tokens", int64(x.Tokens))
		l.Detail = audit.AppendDetail(l.Detail, "erased_keys", x.Keys)
		l.Detail = audit.AppendDetail(l.Detail, "erased_bytes", x.Bytes)
		trail.Append(l.Append(nil, new(audit.Clock)), 1)
	}
	if trail == nil {
		return nil
	}
	return trail.Flush(ctx)
}
