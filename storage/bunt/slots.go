package bunt

// slots number a keyspace's keys. A key keeps its number while it lives, also
// when its record moves, so table, order and calendar hold numbers and no
// pointers. A number is given out again only after the transaction that freed it.
type slots struct {
	chunks []slotChunk
	given  uint32 // numbers that were ever given out
	spare  uint32 // head of the list of free ones, plus one
}

type slotChunk struct {
	words []slotWord
	links []link // where the calendar has each; nil while none of them ends
}

// slotWord is the place of a slot's record, and what state the slot is in.
type slotWord uint64

const (
	slotDead    slotWord = 1 << 63 // deleted; the record waits for the transaction's end
	slotOrdered slotWord = 1 << 62 // it is in a page
	slotFree    slotWord = 1 << 61 // the low half is the next free one, plus one

	slotState  = slotDead | slotOrdered | slotFree
	slotsChunk = 512
)

func (w slotWord) ref() ref { return ref(w &^ slotState) }

func (s *slots) word(slot uint32) *slotWord { return &s.chunks[slot/slotsChunk].words[slot%slotsChunk] }

// take gives out a number, for a record.
func (s *slots) take(r ref) uint32 {
	if s.spare != 0 {
		slot := s.spare - 1
		w := s.word(slot)
		s.spare = uint32(*w &^ slotState)
		*w = slotWord(r)
		return slot
	}
	slot := s.given
	if slot%slotsChunk == 0 {
		n := slotsChunk / 8
		if slot == 0 {
			n = 8
		}
		s.chunks = append(s.chunks, slotChunk{words: make([]slotWord, 0, n)})
	}
	c := &s.chunks[slot/slotsChunk]
	if n := len(c.words); n == cap(c.words) {
		c.words = append(make([]slotWord, 0, min(slotsChunk, n+n/2)), c.words...)
	}
	c.words = append(c.words, slotWord(r))
	s.given++
	return slot
}

// release takes a number back.
func (s *slots) release(slot uint32) {
	*s.word(slot) = slotFree | slotWord(s.spare)
	s.spare = slot + 1
}

// link returns where the calendar has a slot; zero is nowhere.
func (s *slots) link(slot uint32) link {
	links := s.chunks[slot/slotsChunk].links
	if i := slot % slotsChunk; int(i) < len(links) {
		return links[i]
	}
	return link{}
}

func (s *slots) setLink(slot uint32, l link) {
	c := &s.chunks[slot/slotsChunk]
	i := int(slot % slotsChunk)
	if i >= len(c.links) {
		if l == (link{}) {
			return
		}
		links := make([]link, cap(c.words))
		copy(links, c.links)
		c.links = links
	}
	c.links[i] = l
}
