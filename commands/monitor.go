package commands

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

func monitorRows() []*Command {
	return []*Command{
		{Name: "monitor", Arity: 1, Flags: OwnConnection | Admin | Stateful, Also: "noscript loading stale", ACL: "slow admin dangerous", Group: "admin", Since: "1.0.0",
			Doc: "Shows every command as it is run, of one namespace after APP.USE. Secrets and commands of the admin are left out.", Run: runMonitor},
	}
}

// monitors are the sessions that want to see every command.
type monitors struct {
	list atomic.Pointer[[]*Session] // nil when there are none
	mu   sync.Mutex                 // held to change list
}

func (m *monitors) any() bool { return m.list.Load() != nil }

// change replaces the list by what edit makes of a copy of it.
func (m *monitors) change(edit func([]*Session) []*Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []*Session
	if old := m.list.Load(); old != nil {
		list = slices.Clone(*old)
	}
	if list = edit(list); len(list) == 0 {
		m.list.Store(nil)
		return
	}
	m.list.Store(&list)
}

var (
	errMonitorDenied = kverr.New(kverr.Err, "MONITOR isn't allowed for DENY BLOCKING client")
	errNoPush        = kverr.New(kverr.Err, "this connection cannot be sent messages, so it cannot MONITOR")
)

func runMonitor(c *Call) error {
	s := c.Session
	if s.inExec() {
		return errMonitorDenied
	}
	if s.opts.Push == nil {
		return errNoPush
	}
	if s.monitoring {
		return nil // as in Redis, which does not answer either
	}
	s.setMonitoring(true)
	c.Out.Status("OK")
	return nil
}

// setMonitoring starts or ends MONITOR.
func (s *Session) setMonitoring(on bool) {
	if s.monitoring == on {
		return
	}
	s.monitoring = on
	s.show(func(v *shownState) { v.monitor = on })
	e := s.engine
	e.monitors.change(func(list []*Session) []*Session {
		if on {
			return append(list, s)
		}
		return slices.DeleteFunc(list, func(m *Session) bool { return m == s })
	})
	e.payAttention()
}

// tellMonitors shows the items, which the session ran in database db, to all
// monitors that may see them once the store has written up to seq.
func (e *Engine) tellMonitors(s *Session, db int, items []item, at time.Time, seq storage.Seq) {
	list := e.monitors.list.Load()
	if list == nil {
		return
	}
	var text []byte
	for i := range items {
		if it := &items[i]; !it.cmd.has(Admin) && !it.cmd.tells("skip_monitor") && !it.cmd.redisAdmin() {
			text = appendMonitored(text, at, db, s.opts.Remote, shownArgs(it.cmd, it.argv, e.config))
		}
	}
	if text == nil {
		return
	}
	for _, m := range *list {
		switch {
		case !s.monitoredBy(m):
		case m == s:
			// Behind the replies of this run, in the middle of a batch.
			s.run.out.RawPush(text)
		default:
			m.opts.Push(text, seq)
		}
	}
}

// monitoredBy tells whether the monitor m may see what s does: everything, or
// one namespace after APP.USE.
func (s *Session) monitoredBy(m *Session) bool {
	p := m.snapshot().principal
	if p == nil || !p.Admin {
		return false
	}
	return p.App == nil || s.principal != nil && s.principal.App != nil && s.principal.App.ID == p.App.ID
}

// appendMonitored adds the line of one command in Redis's format.
func appendMonitored(b []byte, at time.Time, db int, addr string, argv [][]byte) []byte {
	us := at.UnixMicro()
	b = append(b, '+')
	b = strconv.AppendInt(b, us/1_000_000, 10)
	b = append(b, '.')
	fraction := strconv.AppendInt(nil, 1_000_000+us%1_000_000, 10)
	b = append(b, fraction[1:]...)
	b = append(b, " ["...)
	b = strconv.AppendInt(b, int64(db), 10)
	b = append(b, ' ')
	b = append(b, addr...)
	b = append(b, ']')
	for _, a := range argv {
		b = appendQuoted(append(b, ' '), a)
	}
	return append(b, "\r\n"...)
}

// appendQuoted writes a as Redis shows bytes to people.
func appendQuoted(b, a []byte) []byte {
	const hexDigits = "0123456789abcdef"
	b = append(b, '"')
	for _, c := range a {
		switch c {
		case '\\', '"':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		case '\a':
			b = append(b, `\a`...)
		case '\b':
			b = append(b, `\b`...)
		default:
			if c < 0x20 || c >= 0x7f {
				b = append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
				continue
			}
			b = append(b, c)
		}
	}
	return append(b, '"')
}
