package bunt

// due says that an item may have ended at a time. It is a promise, not a fact:
// at is never later than the item's real expiry, and may be earlier.
type due struct {
	at int64 // Unix ms
	it *item
}

// expiryHeap orders a space's items by expiry; the earliest is first. It is
// lazy: an overwrite that extends an expiry (each SET EX of a busy key) leaves
// its entry alone, which is sorted in again when it surfaces. An item has at
// most one entry, so the heap never outgrows the space.
//
// Four children per node make it half as deep as a binary heap: a step touches
// items all over memory.
type expiryHeap []due

const arity = 4

// track makes sure that the heap knows of an item's expiry.
func (h *expiryHeap) track(it *item) {
	if it.expiresAt == 0 {
		return
	}
	if it.pos == 0 {
		*h = append(*h, due{it.expiresAt, it})
		it.pos = int32(len(*h))
		h.up(len(*h) - 1)
		return
	}
	if i := int(it.pos) - 1; it.expiresAt < (*h)[i].at {
		(*h)[i].at = it.expiresAt
		h.up(i)
	}
}

// forget takes an item out.
func (h *expiryHeap) forget(it *item) {
	if it.pos == 0 {
		return
	}
	i, last := int(it.pos)-1, len(*h)-1
	it.pos = 0
	moved := (*h)[last]
	(*h)[last] = due{}
	*h = (*h)[:last]
	if i == last {
		return
	}
	(*h)[i] = moved
	moved.it.pos = int32(i + 1)
	h.up(i)
	h.down(int(moved.it.pos) - 1)
}

// oldest returns the expired item that ended first, still in the heap, or nil
// when nothing has expired at now.
func (h *expiryHeap) oldest(now int64) *item {
	for len(*h) > 0 && (*h)[0].at <= now {
		top := &(*h)[0]
		switch it := top.it; {
		case it.expiresAt == 0: // overwritten without an expiry
			h.forget(it)
		case it.expiresAt > top.at: // extended
			top.at = it.expiresAt
			h.down(0)
		default:
			return it
		}
	}
	return nil
}

// expired counts the items that have ended at now and the bytes they hold. It
// visits only entries that are due, their children, and changes nothing.
func (h expiryHeap) expired(now int64) (keys, bytes int64) { return h.expiredBelow(0, now) }

func (h expiryHeap) expiredBelow(i int, now int64) (keys, bytes int64) {
	if i >= len(h) || h[i].at > now {
		return 0, 0
	}
	if it := h[i].it; it.expired(now) {
		keys, bytes = 1, it.size()
	}
	for c := arity*i + 1; c <= arity*i+arity; c++ {
		k, b := h.expiredBelow(c, now)
		keys, bytes = keys+k, bytes+b
	}
	return keys, bytes
}

func (h expiryHeap) up(i int) {
	for i > 0 {
		parent := (i - 1) / arity
		if h[parent].at <= h[i].at {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h expiryHeap) down(i int) {
	for {
		least := i
		for c := arity*i + 1; c <= arity*i+arity && c < len(h); c++ {
			if h[c].at < h[least].at {
				least = c
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

func (h expiryHeap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].it.pos, h[j].it.pos = int32(i+1), int32(j+1)
}
