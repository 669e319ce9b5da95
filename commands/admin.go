package commands

import (
	"errors"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

// adminRows are the commands with which the platform manages apps and tokens.
// None may be queued: each waits for the disk by itself, and a transaction
// over other namespaces would promise an atomicity that there is none of.
func adminRows() []*Command {
	const acl = "slow admin dangerous"
	return []*Command{
		{Name: "app.create", Arity: -2, Flags: Admin | NoMulti, ACL: acl, Group: "admin", Since: "cubby 0.1.0",
			Syntax: "tenant/app [limit value ...]",
			Doc:    "Opens a namespace for an app. Limits that are not named are the configuration's.", Run: runAppCreate},
		{Name: "app.set", Arity: -4, Flags: Admin | NoMulti, ACL: acl, Group: "admin", Since: "cubby 0.1.0",
			Syntax: "tenant/app limit value [limit value ...]",
			Doc:    "Changes limits of an app from its next command on. The value default takes a setting back.", Run: runAppSet},
		{Name: "app.info", Arity: 2, Flags: Admin | NoMulti, ACL: acl, Group: "admin", Since: "cubby 0.1.0",
			Syntax: "tenant/app", Doc: "Shows what an app uses, every limit in force, and which of them were set for it (overrides). " + usageDoc, Run: runAppInfo},
		{Name: "app.list", Arity: -1, Flags: Admin | NoMulti, ACL: acl, Group: "admin", Since: "cubby 0.1.0",
			Syntax: "[MATCH pattern]", Doc: "Lists the apps whose tenant/app matches the pattern, in order.", Run: runAppList},
		{Name: "app.drop", Arity: 2, Flags: Admin | NoMulti | Stateful, ACL: acl, Group: "admin", Since: "cubby 0.1.0",
			Syntax: "tenant/app", Doc: "Erases an app with its data and tokens, and closes its connections.", Run: runAppDrop},
		{Name: "app.use", Arity: 2, Flags: Admin | NoMulti | Stateful, ACL: acl, Group: "admin", Since: "cubby 0.1.0",
			Syntax: "tenant/app", Doc: "Lets the admin's connection look into one namespace, until it signs in anew.", Run: runAppUse},
		{Name: "app.usage", Arity: -1, Flags: Admin | NoMulti | Slow, ACL: acl, Group: "admin", Since: "cubby 0.1.0",
			Syntax: "[MATCH pattern]",
			Doc:    "Tells what the apps that match use, beside their limits; what is on disk and was not looked at since the start is nil.", Run: runAppUsage},
		{Name: "tenant.drop", Arity: 2, Flags: Admin | NoMulti | Stateful, ACL: acl, Group: "admin", Since: "cubby 0.1.0",
			Syntax: "tenant", Doc: "Erases all apps of a tenant and returns how many there were.", Run: runTenantDrop},
		{Name: "token.create", Arity: -2, Flags: Admin | NoMulti, ACL: acl, Group: "admin", Since: "cubby 0.1.0",
			Syntax: "tenant/app [NAME name] [READONLY] [PREFIX prefix] [EXPIRES duration] [ORIGIN origin [origin ...]]",
			Doc:    "Makes a token for an app. Its secret is shown in this reply and never again.", Run: runTokenCreate},
		{Name: "token.list", Arity: 2, Flags: Admin | NoMulti, ACL: acl, Group: "admin", Since: "cubby 0.1.0",
			Syntax: "tenant/app", Doc: "Lists the tokens of an app without their secrets, the oldest first.", Run: runTokenList},
		{Name: "token.revoke", Arity: 2, Flags: Admin | NoMulti, ACL: acl, Group: "admin", Since: "cubby 0.1.0",
			Syntax: "id", Doc: "Ends a token and closes its connections; returns 1, or 0 when there is no such token.", Secrets: secretsOfTokenID, Run: runTokenRevoke},
		{Name: "token.rotate", Arity: -2, Flags: Admin | NoMulti, ACL: acl, Group: "admin", Since: "cubby 0.1.0",
			Syntax: "id [GRACE duration]",
			Doc: "Gives a token a new secret, which is shown in this reply and never again. The old ones work for the grace, a minute if none is given, and end at once with 0, " +
				"which closes their connections.", Secrets: secretsOfTokenID, Run: runTokenRotate},
	}
}

// appID reads the tenant/app in argument 1. The result outlives the call.
func (c *Call) appID() (storage.ID, error) {
	id, err := auth.ParseID(string(c.Argv[1]))
	return id, adminError(id, err)
}

// words copies the arguments from i on, for callers that keep them.
func (c *Call) words(i int) []string {
	list := make([]string, 0, c.argc()-i)
	for ; i < c.argc(); i++ {
		list = append(list, string(c.Argv[i]))
	}
	return list
}

// adminError puts the directory's errors about the app id into words for the
// admin.
func adminError(id storage.ID, err error) error {
	var input *auth.InputError
	switch {
	case errors.As(err, &input):
		return kverr.New(kverr.BadInput, input.Error())
	case errors.Is(err, auth.ErrNoApp):
		return kverr.Newf(kverr.Err, "no such app '%s'", id).WithHint("APP.CREATE " + id.String() + " creates it")
	case errors.Is(err, auth.ErrAppExists):
		return kverr.Newf(kverr.Err, "the app '%s' exists already", id).WithHint("APP.SET changes its limits")
	}
	return err
}

// disconnect closes the connections of the principals that match accepts.
func (e *Engine) disconnect(match func(*auth.Principal) bool) {
	var kill []func()
	e.mu.Lock()
	for _, s := range e.sessions {
		if p := s.snapshot().principal; p != nil && s.opts.Kill != nil && match(p) {
			kill = append(kill, s.opts.Kill)
		}
	}
	e.mu.Unlock()
	for _, k := range kill {
		k()
	}
}

// disconnectDropped closes the connections that are left of dropped apps. An
// admin who looked into one keeps his.
func (e *Engine) disconnectDropped() {
	e.disconnect(func(p *auth.Principal) bool { return !p.Admin && p.App.Dropped() })
}
