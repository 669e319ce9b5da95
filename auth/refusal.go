package auth

import (
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// refusalLog tells the operator why sign-ins were refused. Anybody can cause
// its lines, so only some of them are written.
type refusalLog struct {
	log     *slog.Logger
	limiter *rate.Limiter
	dropped atomic.Int64
}

// Lines that may be written per second, and at once.
const (
	refusalRate  = 5
	refusalBurst = 20
)

func (r *refusalLog) init(log *slog.Logger) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	r.log, r.limiter = log, rate.NewLimiter(refusalRate, refusalBurst)
}

func (r *refusalLog) note(now time.Time, reason error) {
	if !r.limiter.AllowN(now, 1) {
		r.dropped.Add(1)
		return
	}
	const longest = 300
	text := reason.Error()
	args := []any{"reason", text[:min(len(text), longest)]}
	if n := r.dropped.Swap(0); n > 0 {
		args = append(args, "refusals_not_logged", n)
	}
	r.log.Info("a JWT was refused", args...)
}
