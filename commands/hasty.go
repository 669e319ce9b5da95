package commands

// Bounds on what TryDo does before its caller can serve other connections,
// which may be another namespace's.
const (
	hastyCommands  = 256       // in one call
	hastyArguments = 256       // of one command
	hastyHearers   = 64        // connections, or patterns, that a command may have to tell
	hastyRows      = 200       // of a listing
	hastyReplies   = 256 << 10 // bytes of replies in one call, and the command that exceeds them
	hastyExtra     = 1024      // of Session.Extra in one call
)

// mayNotTakeLong tells whether commands that take long have to begin a step: on a
// loop they are left to others, and elsewhere they need a place.
func (r *run) mayNotTakeLong() bool { return r.hasty || r.session.working == nil }

// takesLong tells whether a command may take longer than a moment: by its flags,
// by how much it was given to do, or because many want to hear of it.
func (r *run) takesLong(cmd *Command, argv [][]byte) bool {
	if cmd.slow() || len(argv) > hastyArguments || cmd.Much != nil && cmd.Much(argv) {
		return true
	}
	if cmd.has(WholeNamespace) && r.session.principal.Prefix() != "" {
		return true // it walks through what it counts, picks or deletes
	}
	if !cmd.has(Writes | Namespaced) {
		return false
	}
	h := r.engine.hubOf(r.session)
	if h == nil || h.crowd.Load() <= hastyHearers {
		return false
	}
	return cmd.has(Namespaced) || h.tracking.clients.Load() > hastyHearers || h.hearers.Load() > 0 && r.engine.eventsTold() != 0
}
