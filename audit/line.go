package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
	"unicode/utf8"
)

// Event is what kind of act a line is about.
type Event string

// The events.
const (
	Write   Event = "write"   // a command that may change data
	Refused Event = "refused" // any command that was answered with an error, sign-ins excepted
	SignIn  Event = "auth"    // a sign-in, whatever came of it
	Admin   Event = "admin"   // an act of the admin
	Control Event = "control" // an app's act upon other connections of its namespace
	Failed  Event = "failed"  // takes back lines: their commands were answered with an error after all
	Erased  Event = "erased"  // what was dropped is gone from the journal too

	// The trail's own lines.
	Opened  Event = "open"    // the first line of a file, and of a server's run
	Sealed  Event = "seal"    // closes the lines since the seal before
	Dropped Event = "dropped" // how many lines were lost here
)

// OK is the code of what succeeded.
const OK = "OK"

// Bounds on what a line takes of what clients choose.
const (
	maxKeys      = 32  // of a command; the others are counted
	maxKeyBytes  = 256 // of a key; the rest is hashed
	maxArgs      = 16
	maxArgBytes  = 128
	maxNameBytes = 64 // of what is nobody's name: unknown commands, jti
)

// Who is on the other end of a connection. Empty fields are left out.
type Who struct {
	Tenant, App string
	Token       string // id of a token
	JWT         string // jti of a JSON Web Token
	As          string // kind of sign-in
	Door        string
	Remote      string
	Origin      string // web origin
	Client      int64  // id of the connection
}

// AppendWho adds the members of a line that stay the same for a connection
// until it signs in anew.
func AppendWho(b []byte, w *Who) []byte {
	for _, f := range [...]struct {
		name, value string
		most        int
	}{
		{"tenant", w.Tenant, maxArgBytes},
		{"app", w.App, maxArgBytes},
		{"as", w.As, maxNameBytes},
		{"token", w.Token, maxNameBytes},
		{"jti", w.JWT, maxNameBytes},
		{"door", w.Door, maxNameBytes},
		{"remote", w.Remote, maxArgBytes},
		{"origin", w.Origin, maxArgBytes},
	} {
		if f.value != "" {
			b = append(b, ',', '"')
			b = append(b, f.name...)
			b = append(b, '"', ':')
			b = appendText(b, f.value, f.most)
		}
	}
	if w.Client != 0 {
		b = append(b, `,"client":`...)
		b = strconv.AppendInt(b, w.Client, 10)
	}
	return b
}

// Line is one line to be. Its fields are borrowed until Append returns.
type Line struct {
	Time    time.Time
	Event   Event
	Who     []byte // of AppendWho
	DB      int    // database; below 0 is none
	Command string // as the command table has it; other text is bounded and escaped
	Unknown bool   // Command is what a client sent and no command's name
	Via     string // "exec" or "script", or empty
	User    string // whom a sign-in named
	// The keys stand in Argv at First, First+Step ... Last.
	Argv              [][]byte
	First, Last, Step int
	Args              [][]byte // arguments that may be shown
	Detail            []byte   // of AppendDetail
	Code              string   // OK or the error's first word
	Micros            int64    // that it took; below 0 is not known
}

// AppendDetail adds a member of a line's own. name needs no escaping.
func AppendDetail[T string | int64](b []byte, name string, value T) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	switch v := any(value).(type) {
	case string:
		return appendText(b, v, maxArgBytes)
	default:
		return strconv.AppendInt(b, v.(int64), 10)
	}
}

// Append adds the line and its end to b. clock may serve lines of one goroutine.
func (l *Line) Append(b []byte, clock *Clock) []byte {
	b = append(b, `{"time":"`...)
	b = clock.append(b, l.Time)
	b = append(b, `","event":"`...)
	b = append(b, l.Event...)
	b = append(b, '"')
	b = append(b, l.Who...)
	if l.DB >= 0 {
		b = append(b, `,"db":`...)
		b = strconv.AppendInt(b, int64(l.DB), 10)
	}
	if l.Command != "" {
		b = append(b, `,"command":`...)
		b = appendText(b, l.Command, maxNameBytes)
	}
	if l.Unknown {
		b = append(b, `,"unknown":true`...)
	}
	if l.Via != "" {
		b = append(b, `,"via":"`...)
		b = append(b, l.Via...)
		b = append(b, '"')
	}
	if l.User != "" {
		b = append(b, `,"user":`...)
		b = appendText(b, l.User, maxArgBytes)
	}
	b = l.appendKeys(b)
	if len(l.Args) > 0 {
		b = append(b, `,"args":[`...)
		for i, a := range l.Args[:min(len(l.Args), maxArgs)] {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(b, a, maxArgBytes)
		}
		b = append(b, ']')
		b = appendMore(b, "more_args", len(l.Args)-maxArgs)
	}
	b = append(b, l.Detail...)
	if l.Code != "" {
		b = append(b, `,"code":"`...)
		b = append(b, l.Code...)
		b = append(b, '"')
	}
	if l.Micros >= 0 {
		b = append(b, `,"us":`...)
		b = strconv.AppendInt(b, l.Micros, 10)
	}
	return append(b, '}', '\n')
}

func (l *Line) appendKeys(b []byte) []byte {
	if l.Step < 1 || l.First > l.Last {
		return b
	}
	b = append(b, `,"keys":[`...)
	n := 0
	for i := l.First; i <= l.Last; i += l.Step {
		if n++; n > maxKeys {
			continue
		}
		if n > 1 {
			b = append(b, ',')
		}
		b = appendText(b, l.Argv[i], maxKeyBytes)
	}
	b = append(b, ']')
	return appendMore(b, "more_keys", n-maxKeys)
}

func appendMore(b []byte, name string, n int) []byte {
	if n <= 0 {
		return b
	}
	return AppendDetail(b, name, int64(n))
}

const hexDigits = "0123456789abcdef"

// appendText writes s as a JSON string that different bytes never share, though
// JSON knows text only: bytes that are no UTF-8 become \xHH, and a backslash of
// their own becomes two. (Both before JSON's own escaping.) Of what is longer
// than most bytes, the beginning, the length and a hash are kept.
func appendText[T string | []byte](b []byte, s T, most int) []byte {
	cut := len(s) > most
	head := s
	if cut {
		head = s[:most]
	}
	b = append(b, '"')
	for i := 0; i < len(head); {
		c := head[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			b = append(b, c)
			i++
			continue
		}
		switch {
		case c == '"':
			b = append(b, '\\', '"')
			i++
		case c == '\\':
			b = append(b, `\\\\`...)
			i++
		case c < utf8.RuneSelf: // control characters, DEL among them
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			i++
		default:
			r, size := utf8.DecodeRuneInString(string(head[i:min(i+utf8.UTFMax, len(head))]))
			if r == utf8.RuneError && size == 1 {
				b = append(b, '\\', '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
			} else {
				b = append(b, head[i:i+size]...)
			}
			i += size
		}
	}
	if cut {
		sum := sha256.Sum256([]byte(s))
		b = append(b, `\\...`...)
		b = strconv.AppendInt(b, int64(len(s)), 10)
		b = append(b, " bytes, sha256 "...)
		b = hex.AppendEncode(b, sum[:8])
	}
	return append(b, '"')
}

// Clock writes times, each second's beginning once.
type Clock struct {
	second int64
	text   [20]byte // 2006-01-02T15:04:05.
}

// append writes t in UTC, to the microsecond.
func (c *Clock) append(b []byte, t time.Time) []byte {
	if s := t.Unix(); s != c.second || c.text[0] == 0 {
		c.second = s
		copy(c.text[:], t.UTC().AppendFormat(c.text[:0], "2006-01-02T15:04:05."))
	}
	us := t.Nanosecond() / 1000
	b = append(b, c.text[:]...)
	for div := 100_000; div > 0; div /= 10 {
		b = append(b, byte('0'+us/div%10))
	}
	return append(b, 'Z')
}
