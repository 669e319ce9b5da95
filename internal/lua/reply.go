package lua

import (
	vm "github.com/yuin/gopher-lua"

	"github.com/cubbykv/cubby/internal/resp"
)

// Bounds on the reply of a script. A table can hold itself many times over, so
// a reply may be far larger than the script that returns it.
const (
	maxReplyDepth = 128
	maxReplyBytes = 64 << 20
)

// errReplyDepth is Redis's answer to a table that holds itself.
var (
	errReplyDepth = &Error{"ERR reached lua stack limit"}
	errReplySize  = &Error{"ERR the script's reply is larger than 64 MB"}
)

// replyWriter converts what a script returned.
type replyWriter struct {
	machine *Machine
	out     *resp.Writer
	mark    int
	depth   int
	values  int
}

// write writes a value as a reply. Errors: errReplyDepth, errReplySize, what
// the meter says.
func (w *replyWriter) write(v vm.LValue) error {
	if w.out.Len()-w.mark > maxReplyBytes {
		return errReplySize
	}
	if w.values++; w.values%1024 == 0 {
		if w.machine.meter.check(); w.machine.meter.cause != nil {
			return w.machine.meter.cause
		}
	}
	switch v := v.(type) {
	case vm.LString:
		w.out.BulkString(string(v))
	case vm.LNumber:
		w.out.Int(truncate(float64(v)))
	case vm.LBool:
		switch {
		case w.machine.proto == resp.V3:
			w.out.Truth(bool(v))
		case bool(v):
			w.out.Int(1)
		default:
			w.out.Null()
		}
	case *vm.LTable:
		if w.depth++; w.depth > maxReplyDepth {
			return errReplyDepth
		}
		err := w.table(w.machine.thaw(v))
		w.depth--
		return err
	default:
		w.out.Null()
	}
	return nil
}

func (w *replyWriter) table(t *vm.LTable) error {
	if s, ok := toText(t.RawGetString("err")); ok {
		w.out.Error(s)
		return nil
	}
	if s, ok := t.RawGetString("ok").(vm.LString); ok {
		w.out.Status(oneLine(string(s)))
		return nil
	}
	if n, ok := t.RawGetString("double").(vm.LNumber); ok {
		w.out.Double(float64(n))
		return nil
	}
	if s, ok := t.RawGetString("big_number").(vm.LString); ok {
		w.out.BigNumber(oneLine(string(s)))
		return nil
	}
	if vs, ok := t.RawGetString("verbatim_string").(*vm.LTable); ok {
		format, hasFormat := vs.RawGetString("format").(vm.LString)
		text, hasText := vs.RawGetString("string").(vm.LString)
		if hasFormat && hasText {
			w.out.Verbatim(string((format + "   ")[:3]), string(text))
			return nil
		}
	}
	if inner, ok := t.RawGetString("map").(*vm.LTable); ok {
		return w.pairs(inner, true)
	}
	if inner, ok := t.RawGetString("set").(*vm.LTable); ok {
		return w.pairs(inner, false)
	}
	n := 0
	for t.RawGet(vm.LNumber(n+1)) != vm.LNil {
		n++
	}
	w.out.Array(n)
	for i := 1; i <= n; i++ {
		if err := w.write(t.RawGet(vm.LNumber(i))); err != nil {
			return err
		}
	}
	return nil
}

// pairs writes a map, or of a set the keys.
func (w *replyWriter) pairs(t *vm.LTable, values bool) error {
	n := 0
	for k, _ := t.Next(vm.LNil); k != vm.LNil; k, _ = t.Next(k) {
		n++
	}
	if values {
		w.out.Map(n)
	} else {
		w.out.Set(n)
	}
	for k, v := t.Next(vm.LNil); k != vm.LNil; k, v = t.Next(k) {
		if err := w.write(k); err != nil {
			return err
		}
		if values {
			if err := w.write(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// oneLine makes line breaks blanks, so that a text cannot end a reply.
func oneLine(s string) string {
	for i := range len(s) {
		if s[i] == '\r' || s[i] == '\n' {
			b := []byte(s)
			for j := range b {
				if b[j] == '\r' || b[j] == '\n' {
					b[j] = ' '
				}
			}
			return string(b)
		}
	}
	return s
}
