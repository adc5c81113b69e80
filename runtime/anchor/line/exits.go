package line

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/internal/publish"
	"github.com/cloudname/nodee/runtime/anchor"
)

// Exits is the file of exits of one boot: how those ended that an anchor has reaped, the last
// 4096 of them. It has its full size from the beginning, so that a disk that becomes full
// loses none.
type Exits struct{ file *os.File }

// exitsHead begins the names of such files; the boot follows.
const exitsHead = "exits."

// OpenExits opens the file of a boot in dir, makes it where needed, and removes those of
// other boots.
func OpenExits(dir, boot string) (*Exits, error) {
	path := filepath.Join(dir, exitsHead+boot)
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = sweep(dir, filepath.Base(path))
	}
	if err == nil {
		err = makeExits(path)
	}
	var f *os.File
	if err == nil {
		f, err = os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the file of exits: %w", err)
	}
	return &Exits{f}, nil
}

// sweep removes the files of other boots.
func sweep(dir, keep string) error {
	all, err := os.ReadDir(dir)
	for _, e := range all {
		if strings.HasPrefix(e.Name(), exitsHead) && e.Name() != keep {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

func makeExits(path string) error {
	const size = anchor.Slots * anchor.SlotSize
	info, err := os.Stat(path)
	if err == nil && info.Size() == size {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return publish.Atomic(path, make([]byte, size), 0o600)
}

// Close closes the file. The anchor has it open all the same.
func (x *Exits) Close() error { return x.file.Close() }

// Of tells how and when a process ended, by its number and its start in clock ticks since
// boot; false when no anchor has written it down.
func (x *Exits) Of(pid int, began uint64) (unix.WaitStatus, time.Time, bool) {
	text, err := x.read()
	if err != nil {
		return 0, time.Time{}, false
	}
	// A thousand may have ended while no daemon was there, so not every slot is read.
	for needle, from := fmt.Appendf(nil, " %d %d ", pid, began), 0; ; {
		i := bytes.Index(text[from:], needle)
		if i < 0 {
			return 0, time.Time{}, false
		}
		e, ok := exitAt(text, (from+i)/anchor.SlotSize)
		if ok && e.PID == pid && e.Began == began {
			return unix.WaitStatus(e.Status), time.Unix(0, e.Nanos), true
		}
		from += i + 1
	}
}

// Find returns the process whose control group was named after a start, the oldest that an
// anchor has written down: the main one. It is for a start whose handle was lost.
func (x *Exits) Find(start string) (pid int, began uint64, ok bool) {
	err := x.each(func(e anchor.Exit) {
		if e.Group == start && start != "" && (!ok || e.Began < began || e.Began == began && e.PID < pid) {
			pid, began, ok = e.PID, e.Began, true
		}
	})
	return pid, began, ok && err == nil
}

// last returns the number of the last exit.
func (x *Exits) last() (seq uint64, err error) {
	err = x.each(func(e anchor.Exit) { seq = max(seq, e.Seq) })
	return seq, err
}

func (x *Exits) each(f func(anchor.Exit)) error {
	text, err := x.read()
	for slot := range len(text) / anchor.SlotSize {
		if e, ok := exitAt(text, slot); ok {
			f(e)
		}
	}
	return err
}

// exitAt reads a slot. A number that does not belong there is damage; the next exits would be
// numbered after it.
func exitAt(text []byte, slot int) (anchor.Exit, bool) {
	e, ok := anchor.ParseExit(text[slot*anchor.SlotSize : (slot+1)*anchor.SlotSize])
	return e, ok && e.Seq%anchor.Slots == uint64(slot)
}

func (x *Exits) read() ([]byte, error) {
	text := make([]byte, anchor.Slots*anchor.SlotSize)
	if _, err := x.file.ReadAt(text, 0); err != nil {
		return nil, fmt.Errorf("cannot read the file of exits: %w", err)
	}
	return text, nil
}
