package output

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// watcher is told by the kernel when one of many files is written. Each is watched for one
// write only: a silent log costs nothing, and a flood no more than one wake-up for each time
// that its file is watched again. One inotify instance does for all logs of a node.
type watcher struct {
	fd int
	f  *os.File
}

// overflow stands for all files in what watch sends: some events were lost.
const overflow = -1

func newWatcher() (*watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot watch logs: %w", err)
	}
	return &watcher{fd, os.NewFile(uintptr(fd), "inotify")}, nil
}

// told is what a watcher is told of: that a file is written, or that its name goes away.
const told = unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_MOVE_SELF | unix.IN_DELETE_SELF

// arm asks to be told of the next write. Until then the file is known by the number.
func (w *watcher) arm(path string) (int32, error) {
	n, err := unix.InotifyAddWatch(w.fd, path, told|unix.IN_ONESHOT|unix.IN_DONT_FOLLOW)
	if err != nil {
		return 0, fmt.Errorf("cannot watch %s: %w", path, err)
	}
	return int32(n), nil
}

// disarm takes that back.
func (w *watcher) disarm(n int32) {
	_, _ = unix.InotifyRmWatch(w.fd, uint32(n)) // it may have fired, or its file be gone
}

// watch sends the numbers of what was written until ctx ends.
func (w *watcher) watch(ctx context.Context, to chan<- []int32) error {
	stop := context.AfterFunc(ctx, func() { _ = w.f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, 16<<10)
	for {
		n, err := w.f.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot watch logs: %w", err)
		}
		numbers := written(buf[:n])
		if len(numbers) == 0 {
			continue // the kernel has let go of a watch
		}
		select {
		case to <- numbers:
		case <-ctx.Done():
			return nil
		}
	}
}

// written takes the numbers out of what the kernel tells.
func written(events []byte) []int32 {
	var out []int32
	for len(events) >= unix.SizeofInotifyEvent {
		number := int32(binary.NativeEndian.Uint32(events))
		mask := binary.NativeEndian.Uint32(events[4:])
		size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		switch {
		case mask&unix.IN_Q_OVERFLOW != 0:
			out = append(out, overflow)
		case mask&told != 0:
			out = append(out, number)
		}
		events = events[min(size, len(events)):]
	}
	return out
}
