package bunt

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cubbykv/cubby/storage"
)

// value is what a key holds in the model.
type value struct {
	text  string
	until int64
}

func (v value) String() string {
	text := strings.TrimRight(v.text, "\x00")
	return fmt.Sprintf("%s+%d<%d", text, len(v.text)-len(text), v.until)
}

// state is what a namespace holds, expired or not.
type state map[string]value

func (s state) clone() state {
	if s == nil {
		return state{}
	}
	return maps.Clone(s)
}

// moment is the store right behind one record.
type moment struct {
	seq    uint64
	spaces map[storage.ID]state
}

// history is every moment since the last opening, oldest first.
type history struct {
	moments []moment
	taken   []moment // lost when a disk failed for good; a power cut may bring them back
	acked   uint64   // newest record that was acknowledged
	synced  uint64   // newest record that was acknowledged as durable
	latest  int64    // latest time that the clock has shown
}

func (h *history) newest() uint64           { return h.moments[len(h.moments)-1].seq }
func (h *history) last(id storage.ID) state { return h.moments[len(h.moments)-1].spaces[id] }
func (h *history) sync(seq uint64)          { h.acked, h.synced = max(h.acked, seq), max(h.synced, seq) }
func (h *history) restart(at moment, seq uint64) {
	at.seq = seq
	h.moments, h.taken, h.acked, h.synced = []moment{at}, nil, seq, seq
}

func (h *history) add(seq uint64, id storage.ID, s state) {
	spaces := maps.Clone(h.moments[len(h.moments)-1].spaces)
	spaces[id] = s
	h.moments = append(h.moments, moment{seq, spaces})
}

// at returns the store right behind the newest record up to seq.
func (h *history) at(seq uint64) moment {
	i := len(h.moments) - 1
	for h.moments[i].seq > seq {
		i--
	}
	return h.moments[i]
}

// lose takes back what comes after a record. When the disk has failed for good,
// nobody knows whether that is durable.
func (h *history) lose(after uint64, final bool) {
	i := slices.IndexFunc(h.moments, func(m moment) bool { return m.seq > after })
	if final {
		h.taken = append(h.taken, h.moments[i:]...)
	}
	h.moments = h.moments[:i]
}

// resurrect undoes lose: when a failed write could not be taken back durably.
func (h *history) resurrect() { h.moments = append(h.moments, h.taken...) }

// lasting leaves out what has expired at any time: it may be gone for good, or
// alive again after the clock was put back.
func (h *history) lasting(s state) state {
	left := state{}
	for key, v := range s {
		if v.until == 0 || v.until > h.latest {
			left[key] = v
		}
	}
	return left
}

// find returns the newest moment that looks like this and is no older than the
// record oldest.
func (h *history) find(found map[storage.ID]state, oldest, newest uint64) (moment, bool) {
	if len(h.moments) == 0 {
		h.moments = []moment{{spaces: map[storage.ID]state{}}}
	}
	for i := len(h.moments) - 1; i >= 0; i-- {
		m := h.moments[i]
		if m.seq <= newest && h.looks(m, found) {
			return moment{spaces: found}, true
		}
		if m.seq <= oldest {
			break
		}
	}
	return moment{}, false
}

func (h *history) looks(m moment, found map[storage.ID]state) bool {
	for _, id := range crashSpaces {
		if !maps.Equal(h.lasting(m.spaces[id]), h.lasting(found[id])) {
			return false
		}
	}
	return true
}

func (h *history) String() string {
	var b strings.Builder
	for _, m := range h.moments {
		fmt.Fprintf(&b, "%d: %v\n", m.seq, m.spaces)
	}
	return b.String()
}
