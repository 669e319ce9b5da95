package commands

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

func runAppCreate(c *Call) error {
	id, err := c.appID()
	if err != nil {
		return err
	}
	limits, err := c.parseLimits()
	if err == nil {
		_, err = c.Engine.dir.CreateApp(c.Ctx, id, limits)
	}
	if err != nil {
		return adminError(id, err)
	}
	c.Out.Status("OK")
	return nil
}

// parseLimits reads the limits behind the app's name. A value that no client can
// send whole is refused: who allows it expects SET to take it.
func (c *Call) parseLimits() (auth.Overrides, error) {
	o, err := auth.ParseOverrides(c.words(2))
	if err != nil {
		return nil, err
	}
	n, most := int64(o.ValueBytes()), told(c.Engine.server.MaxArgument)
	if most > 0 && n > most {
		return nil, kverr.Newf(kverr.BadInput, "value-bytes %d is more than proto-max-bulk-len %d, the largest argument that a client can send", n, most).
			WithHint("CONFIG SET proto-max-bulk-len " + strconv.FormatInt(n, 10) + " allows it")
	}
	return o, nil
}

func runAppSet(c *Call) error {
	id, err := c.appID()
	if err != nil {
		return err
	}
	change, err := c.parseLimits()
	if err == nil {
		_, err = c.Engine.dir.SetLimits(c.Ctx, id, change)
	}
	if err != nil {
		return adminError(id, err)
	}
	c.Out.Status("OK")
	return nil
}

func runAppInfo(c *Call) error {
	id, err := c.appID()
	if err != nil {
		return err
	}
	app, err := c.Engine.dir.App(c.Ctx, id)
	if err != nil {
		return adminError(id, err)
	}
	var usage [storage.Databases]storage.Usage
	for db := range usage {
		if usage[db], err = c.usageOf(db, id); err != nil {
			return err
		}
	}
	c.Out.Map(4 + usageFields)
	c.Out.BulkString("tenant")
	c.Out.BulkString(id.Tenant)
	c.Out.BulkString("app")
	c.Out.BulkString(id.App)
	c.Out.BulkString("created_at")
	c.Out.Int(app.CreatedAt)
	writeUsage(c.Out, app, usage, c.clock(), false)
	c.Out.BulkString("overrides")
	set := slices.Sorted(maps.Keys(app.Overrides()))
	c.Out.Array(len(set))
	for _, name := range set {
		c.Out.BulkString(name)
	}
	return nil
}

// usageOf looks into a namespace that is not the session's own. The reply then
// depends on what was seen there.
func (c *Call) usageOf(db int, id storage.ID) (u storage.Usage, err error) {
	space, err := c.Engine.store.Namespace(c.Ctx, db, id)
	if err != nil {
		return u, err
	}
	seq, err := space.View(c.Ctx, nil, func(tx storage.Tx) error {
		u = tx.Usage()
		return nil
	})
	c.Session.run.seq = max(c.Session.run.seq, seq)
	return u, err
}

// matchingApps lists the apps that [MATCH pattern] selects.
func (c *Call) matchingApps() ([]auth.Listed, error) {
	var match func(string) bool
	switch {
	case c.argc() == 1:
	case c.argc() == 3 && strings.EqualFold(c.arg(1), "MATCH"):
		match = compileGlob(c.arg(2)).match
	default:
		return nil, errSyntax
	}
	return c.Engine.dir.Apps(c.Ctx, match), nil
}

func runAppList(c *Call) error {
	list, err := c.matchingApps()
	if err != nil {
		return err
	}
	c.Out.Array(len(list))
	for _, l := range list {
		c.Out.Map(3)
		c.Out.BulkString("name")
		c.Out.BulkString(l.App.ID.String())
		c.Out.BulkString("created_at")
		c.Out.Int(l.App.CreatedAt)
		c.Out.BulkString("tokens")
		c.Out.Int(int64(l.Tokens))
	}
	return nil
}

func runAppDrop(c *Call) error {
	id, err := c.appID()
	if err != nil {
		return err
	}
	erased, err := c.Engine.dir.DropApp(c.Ctx, id)
	c.leaveDropped()
	if err != nil {
		return adminError(id, err)
	}
	c.auditErasure(erased)
	c.Out.Status("OK")
	return nil
}

func runTenantDrop(c *Call) error {
	tenant := string(c.Argv[1])
	if err := auth.CheckTenant(tenant); err != nil {
		return adminError(storage.ID{}, err)
	}
	erased, err := c.Engine.dir.DropTenant(c.Ctx, tenant)
	c.leaveDropped()
	if err != nil {
		return err
	}
	c.auditErasure(erased)
	c.Out.Int(int64(erased.Namespaces))
	return nil
}

// leaveDropped closes the connections of apps that are gone, and takes the
// admin's own session out of one. A drop that failed half-way has removed
// access too.
func (c *Call) leaveDropped() {
	c.Engine.disconnectDropped()
	c.Engine.lookups.forget(func(id storage.ID) bool {
		_, err := c.Engine.dir.App(c.Ctx, id)
		return err != nil
	})
	if app := c.Session.principal.App; app != nil && app.Dropped() {
		c.Session.become(&auth.Principal{Admin: true})
		c.takePushed()
	}
}

func runAppUse(c *Call) error {
	id, err := c.appID()
	if err != nil {
		return err
	}
	app, err := c.Engine.dir.App(c.Ctx, id)
	if err != nil {
		return adminError(id, err)
	}
	c.Session.become(&auth.Principal{Admin: true, App: app})
	c.takePushed()
	c.Out.Status("OK")
	return nil
}
