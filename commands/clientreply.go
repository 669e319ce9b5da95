package commands

import (
	"strings"

	"github.com/cubbykv/cubby/internal/resp"
)

// CLIENT REPLY keeps replies from being sent; the commands run all the same.
// Messages that no command asked for are sent in any case.

// replyMode is what CLIENT REPLY chose.
type replyMode uint8

const (
	replyOn       replyMode = iota
	replyOff                // no replies until ON
	replySkip               // none to the next command
	replySkipping           // none to the command under way
)

func runClientReply(c *Call) error {
	s := c.Session
	switch word := c.arg(2); {
	case strings.EqualFold(word, "ON"):
		s.reply = replyOn
		c.Out.Status("OK")
	case strings.EqualFold(word, "OFF"):
		s.reply = replyOff
	case strings.EqualFold(word, "SKIP"):
		if s.reply != replyOff {
			s.reply = replySkip
		}
	default:
		return errSyntax
	}
	return nil
}

// beginReply returns what becomes of the replies to come.
func (s *Session) beginReply() replyMode {
	if s.reply == replySkip {
		s.reply = replySkipping
	}
	return s.reply
}

// endReply takes the replies to n commands back, which began at mark under the
// given mode, unless they are wanted. CLIENT REPLY ON is the only command that
// ends the mode and is answered.
func (s *Session) endReply(out *resp.Writer, mark int, mode replyMode, n int) {
	if mode == replyOn && out.Mark() != mark || mode != replyOn && s.reply == replyOn {
		return
	}
	out.DropReplies(mark)
	s.silenced += n
	if s.reply == replySkipping {
		s.reply = replyOn
	}
}
