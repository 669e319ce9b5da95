package bunt

import (
	"bytes"
	"io"
	"slices"
	"syscall"
)

// diskFile is an open file.
type diskFile struct {
	disk *disk
	node *node
	name string
	off  int
}

func (f *diskFile) Read(b []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.begin("read", f.name); err != nil {
		return 0, err
	}
	n := copy(b, f.node.data[min(f.off, len(f.node.data)):])
	f.off += n
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Write appends.
func (f *diskFile) Write(b []byte) (int, error) { return f.WriteAt(b, -1) }

// WriteAt replaces zeros, repeats what is there, or makes the file longer.
// When it fails, a part of the bytes may be there. A negative offset is the
// file's end.
func (f *diskFile) WriteAt(b []byte, at int64) (n int, err error) {
	d, file := f.disk, f.node
	d.mu.Lock()
	defer d.mu.Unlock()
	off := int(at)
	if at < 0 {
		off = len(file.data)
	}
	dead := d.dead
	n = len(b)
	if err = d.begin("write", f.name); err != nil {
		n = d.rnd.IntN(n + 1)
	}
	if longer := off + n - len(file.data); err == nil && d.space >= 0 && int64(max(0, longer)) > d.space {
		n, err = n-longer+int(d.space), pathErr("write", f.name, syscall.ENOSPC)
	}
	if dead {
		return 0, err
	}
	if d.space >= 0 {
		d.space -= int64(max(0, off+n-len(file.data)))
		d.space = max(0, d.space)
	}
	file.dirty(off, off+n)
	data := slices.Grow(slices.Clone(file.data), n)
	if off > len(data) {
		panic("a hole is left in a file")
	}
	for i, c := range b[:n] {
		switch {
		case off+i == len(data):
			data = append(data, c)
		case data[off+i] == 0 || data[off+i] == c:
			data[off+i] = c
		default:
			panic("bytes of the journal are changed in place")
		}
	}
	file.data = data
	content := off + n
	if len(bytes.Trim(b, "\x00")) == 0 {
		content = off // zeros written ahead look like zeros that were not written
	}
	file.marks = append(file.marks, mark{off, content, len(data)})
	return n, err
}

func (f *diskFile) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	dead := f.disk.dead
	if err := f.disk.begin("sync", f.name); err != nil {
		if !dead {
			f.node.forget()
		}
		return err
	}
	f.node.flush()
	return nil
}

func (f *diskFile) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if int(size) == len(f.node.data) {
		return nil
	}
	if err := f.disk.begin("truncate", f.name); err != nil {
		return err
	}
	f.node.dirty(int(size), len(f.node.data))
	f.node.cutOff = f.node.data
	f.node.data = f.node.data[:size:size]
	f.node.marks = append(f.node.marks, mark{int(size), int(size), int(size)})
	return nil
}

func (f *diskFile) Close() error { return nil }
