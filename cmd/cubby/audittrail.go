package main

import (
	"context"

	"github.com/cubbykv/cubby/audit"
	"github.com/cubbykv/cubby/config"
)

func auditSettings(c *config.Audit) audit.Settings {
	return audit.Settings{
		FileBytes: c.FileSize, Files: c.Files, QueueBytes: int(c.QueueSize),
		Block: c.OnFull == config.AuditBlock, NoSync: c.Fsync == config.FsyncNo,
	}
}

// openAudit opens the audit trail that the configuration names, if any. CONFIG
// SET cannot: that would turn the admin's password into the right to write to
// files, and to end the trail.
func (p *process) openAudit() error {
	c := &p.config.Audit
	if c.File == "" {
		return nil
	}
	var err error
	p.audit, err = audit.Open(audit.Options{Path: c.File, Settings: auditSettings(c), Version: version(), Log: p.log})
	if err != nil {
		return &config.Error{Directive: "audit-file", Reason: err.Error()}
	}
	return nil
}

// reopenAudit lets go of a file that was moved.
func (p *process) reopenAudit() {
	if p.audit != nil {
		p.audit.Reopen()
		p.log.Info("SIGHUP: opens the file of the audit trail again", "file", p.audit.Stats().Path)
	}
}

// signOff tells of drops whose remains are gone.
func (p *process) signOff(ctx context.Context) {
	if err := p.engine.Load().SignOffErasures(ctx); err != nil && ctx.Err() == nil {
		p.log.Error("what is gone of dropped namespaces could not be noted; it is tried again at the next compaction", "error", err)
	}
}
