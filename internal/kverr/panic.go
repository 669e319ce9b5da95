package kverr

import (
	"fmt"
	"runtime"
)

// PanicText tells the log of a panic without what its text may quote: a
// tenant's data. The stack says the rest.
func PanicText(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a %T, whose text is not shown", v)
}
