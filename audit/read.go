package audit

import (
	"bufio"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"os"
	"time"
)

// Entry is a line as it is read. Texts of clients are as appendText wrote them.
type Entry struct {
	Time     time.Time `json:"time"`
	Event    Event     `json:"event"`
	Tenant   string    `json:"tenant"`
	App      string    `json:"app"`
	As       string    `json:"as"`
	Token    string    `json:"token"`
	JWT      string    `json:"jti"`
	Door     string    `json:"door"`
	Remote   string    `json:"remote"`
	Origin   string    `json:"origin"`
	Client   int64     `json:"client"`
	Command  string    `json:"command"`
	Via      string    `json:"via"`
	User     string    `json:"user"`
	Keys     []string  `json:"keys"`
	MoreKeys int64     `json:"more_keys"`
	Args     []string  `json:"args"`
	Code     string    `json:"code"`
	With     string    `json:"with"`
	Created  string    `json:"created"`
	Micros   *int64    `json:"us"`
	// Of the trail's own lines, and of erasures.
	Lines      int64  `json:"lines"`
	Hash       string `json:"hash"`
	Prev       string `json:"prev"`
	Namespaces int64  `json:"namespaces"`
	ErasedKeys int64  `json:"erased_keys"`

	Raw []byte `json:"-"` // the line without its end; valid until the next one
}

// Own tells whether the trail wrote the line about itself.
func (e *Entry) Own() bool { return e.Event == Opened || e.Event == Sealed || e.Event == Dropped }

// Reader reads the lines of a file.
type Reader struct {
	r    *bufio.Reader
	long []byte
	line int64
	raw  []byte // the line with its end
}

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReaderSize(r, 64<<10)} }

// ErrTorn is a line that is none of a trail's: a crash has cut it off, or
// somebody wrote it.
var ErrTorn = errors.New("audit: the line cannot be read")

// Next returns the next line. Errors: ErrTorn, after which reading goes on;
// io.EOF, also for a last line without its end, which may be read again later.
func (r *Reader) Next() (Entry, error) {
	for {
		part, err := r.r.ReadSlice('\n')
		if len(r.long) > 0 || err != nil {
			r.long = append(r.long, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return Entry{}, err
		}
		r.raw = part
		if len(r.long) > 0 {
			r.raw = append([]byte(nil), r.long...)
			r.long = r.long[:0]
		}
		r.line++
		break
	}
	return Parse(r.raw[:len(r.raw)-1])
}

// Parse reads one line without its end, which the Entry keeps. Errors: ErrTorn.
func Parse(line []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil || e.Event == "" {
		return e, ErrTorn
	}
	e.Raw = line
	return e, nil
}

// Line is the number of the line that Next returned last.
func (r *Reader) Line() int64 { return r.line }

// Finding is what Verify has to say about a place.
type Finding struct {
	File   string
	Line   int64
	Broken bool // the chain does not hold; otherwise only something to know
	What   string
}

// Verified is what Verify has found.
type Verified struct {
	Files    int
	Lines    int64 // the trail's own included
	Seals    int64
	Lost     int64 // lines that the trail says are lost
	Head     string
	Unsealed int64 // lines behind the last seal
	HasHead  bool  // the hash that was asked for is one of the seals
	Findings []Finding
}

// Broken tells whether the chain does not hold somewhere.
func (v *Verified) Broken() bool {
	for _, f := range v.Findings {
		if f.Broken {
			return true
		}
	}
	return false
}

// Verify reads files in their order and checks that each seal is that of the
// lines before it, and that each file goes on where the one before ended. head,
// unless empty, is a hash that must be among the seals: noted elsewhere, it shows
// that nothing was cut off at the end or written anew. Errors: the system's.
func Verify(files []string, head string) (*Verified, error) {
	v := &Verified{Files: len(files), HasHead: head == ""}
	for i, name := range files {
		if err := v.file(name, i == 0, i == len(files)-1, head); err != nil {
			return nil, err
		}
	}
	if !v.HasHead {
		v.Findings = append(v.Findings, Finding{Broken: true, What: "no seal has the hash " + head + ": lines were removed or written anew"})
	}
	return v, nil
}

func (v *Verified) file(name string, first, last bool, head string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	r := NewReader(f)
	find := func(broken bool, what string) {
		v.Findings = append(v.Findings, Finding{name, r.Line(), broken, what})
	}
	var sum hash.Hash
	var held []byte // torn lines before the first
	since := int64(0)
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, ErrTorn) {
			return err
		}
		v.Lines++
		if sum == nil && err != nil {
			held = append(held, r.raw...)
			since++
			find(false, "a line that a crash has torn")
			continue
		}
		if sum == nil { // the file's first line
			switch {
			case first:
				v.Head = e.Prev
			case e.Event != Opened:
				find(true, "the file does not begin as one of a trail does")
			case e.Prev != v.Head:
				find(true, "the file does not go on where the one before ended")
				v.Head = e.Prev
			}
			sum = seeded(v.Head)
			sum.Write(held)
		}
		switch {
		case err != nil:
			find(false, "a line that a crash has torn")
		case e.Event == Dropped:
			v.Lost += e.Lines
		case e.Event == Sealed:
			got := hexSum(sum)
			if got != e.Hash || since != e.Lines {
				find(true, "the lines up to here, since the seal before, are not those that were sealed")
			}
			v.Seals++
			v.Head = e.Hash
			v.HasHead = v.HasHead || e.Hash == head
			sum, since = seeded(e.Hash), -1
		}
		sum.Write(r.raw)
		since++
	}
	if len(r.long) > 0 {
		find(false, "the last line has no end: it is being written, or a crash has torn it")
	}
	v.Unsealed = since
	if since > 0 && !last {
		find(true, "the last lines of the file are not sealed")
	}
	return nil
}
