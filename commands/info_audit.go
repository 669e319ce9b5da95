package commands

// audit tells the admin how the audit trail does.
func (r *report) audit() {
	if !r.admin {
		return
	}
	t := r.call.Engine.trail.Load()
	if t == nil {
		r.field("audit_enabled", 0)
		return
	}
	s := t.Stats()
	status := "ok"
	if s.Err != nil {
		status = "err"
	}
	r.field("audit_enabled", 1)
	r.field("audit_last_write_status", status)
	r.field("audit_lines_written", s.Written)
	r.field("audit_lines_dropped", s.Dropped)
	r.field("audit_queue_bytes", s.Queued)
	r.field("audit_file_size", s.FileBytes)
	r.field("audit_head", s.Head) // the hash of the newest seal: noted elsewhere, it proves what came before
}
