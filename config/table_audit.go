package config

import "math"

// auditRows are the directives of the audit trail.
func auditRows() []directive {
	const group = "Audit trail"
	return []directive{
		{Directive{Name: "audit-file", Group: group, Default: `""`, Example: "./cubby-audit/audit.log",
			Doc: "The file of the audit trail: a JSON line for each write, each refused command, each sign-in and each act of the admin, " +
				"never with a value or a secret; see docs/audit.md. Its directory is created when it is missing. Empty keeps no trail."},
			text{func(c *Config) *string { return &c.Audit.File }, 0, 4095, true}},
		{Directive{Name: "audit-file-size", Group: group, Default: "64mb", Zero: "never", Live: PartAudit,
			Doc: "The trail begins a new file before one gets larger than this. The one before becomes audit-file with a number behind it."},
			number[int64]{func(c *Config) *int64 { return &c.Audit.FileSize }, 0, math.MaxInt64, true}},
		{Directive{Name: "audit-max-files", Group: group, Default: "16", Unit: "files", Zero: "all", Live: PartAudit,
			Doc: "How many such files are kept beside the one that is written; the oldest goes first."},
			number[int]{func(c *Config) *int { return &c.Audit.Files }, 0, 999_999, false}},
		{Directive{Name: "audit-queue-size", Group: group, Default: "16mb", Live: PartAudit,
			Doc: "How much of the trail may wait for the disk."},
			number[int64]{func(c *Config) *int64 { return &c.Audit.QueueSize }, 64 << 10, gb, true}},
		{Directive{Name: "audit-on-full", Group: group, Default: "block", Live: PartAudit,
			Doc: "What happens when more would wait. With block, commands that write wait too; when the disk takes nothing for five seconds, or refuses it, " +
				"they are answered with MISCONF, so that nothing happens without a line. With drop, all commands go on, and the trail and INFO tell " +
				"how many lines are missing."},
			choice[AuditOnFull]{func(c *Config) *AuditOnFull { return &c.Audit.OnFull }, []AuditOnFull{AuditBlock, AuditDrop}}},
		{Directive{Name: "audit-fsync", Group: group, Default: "everysec", Live: PartAudit,
			Doc: "When lines are safe from a power cut: everysec, about a second after they were written; no, when the operating system likes. " +
				"No command waits for it."},
			choice[Fsync]{func(c *Config) *Fsync { return &c.Audit.Fsync }, []Fsync{FsyncEverySec, FsyncNo}}},
	}
}
