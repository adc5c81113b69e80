package guard

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// alarm tells of pressure: the kernel's trigger where it gives one, else what is read.
type alarm struct {
	path    string
	trigger int   // a descriptor; -1: there is none
	bell    int   // a descriptor that ends a wait
	why     error // why there is no trigger
}

// newAlarm sets a trigger. A kernel without pressure information is an error; one that lets this
// process set none is not.
func newAlarm(path string, stall time.Duration) (*alarm, error) {
	a := &alarm{path: path, trigger: -1}
	_, err := a.stalled()
	if err == nil {
		a.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot guard the host's memory: %w; it needs a kernel with pressure stall information (CONFIG_PSI, psi=1)", err)
	}
	a.why = a.set(stall)
	return a, nil
}

func (a *alarm) close() {
	unix.Close(a.bell)
	if a.trigger >= 0 {
		unix.Close(a.trigger)
	}
}

// set writes the trigger: never to anything but the kernel's own file.
func (a *alarm) set(stall time.Duration) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(a.path, &fs); err != nil {
		return err
	}
	if fs.Type != unix.PROC_SUPER_MAGIC {
		return errors.New(a.path + " is not the kernel's")
	}
	fd, err := unix.Open(a.path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	text := fmt.Sprintf("full %d %d\x00", stall.Microseconds(), Window.Microseconds())
	if _, err := unix.Write(fd, []byte(text)); err != nil {
		unix.Close(fd)
		return os.NewSyscallError("write", err)
	}
	a.trigger = fd
	return nil
}

// wait returns when there is pressure, or ctx has ended; without a trigger it returns after
// a moment, for its caller to look. A trigger fires as urgent news, which Go's poller does not ask
// for: so this is the one wait that takes a thread.
func (a *alarm) wait(ctx context.Context) error {
	if a.trigger < 0 {
		select {
		case <-time.After(sample):
		case <-ctx.Done():
		}
		return nil
	}
	rang := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(rang)
		_, _ = unix.Write(a.bell, binary.NativeEndian.AppendUint64(nil, 1)) // it always takes a number so small
	})
	defer func() {
		if !stop() {
			<-rang // the bell may be closed then
		}
	}()
	for {
		fds := []unix.PollFd{{Fd: int32(a.trigger), Events: unix.POLLPRI}, {Fd: int32(a.bell), Events: unix.POLLIN}}
		_, err := unix.Poll(fds, -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return os.NewSyscallError("poll", err)
		case fds[0].Revents&unix.POLLERR != 0:
			return errors.New("the kernel takes its trigger for memory pressure back")
		}
		return nil
	}
}

// stalled reads how long nothing could go on for want of memory, since the host was started:
//
//	some avg10=0.00 avg60=0.00 avg300=0.00 total=1529394
//	full avg10=0.00 avg60=0.00 avg300=0.00 total=145403
func (a *alarm) stalled() (time.Duration, error) {
	b, err := os.ReadFile(a.path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, "full ") {
			continue
		}
		_, total, _ := strings.Cut(strings.TrimSpace(line), "total=")
		us, err := strconv.ParseInt(total, 10, 64)
		if err != nil {
			break
		}
		return time.Duration(us) * time.Microsecond, nil
	}
	return 0, fmt.Errorf("%s does not say how long nothing could go on: %.200q", a.path, b)
}

// used adds up what processes have in memory or swapped out, and would give back by ending: not
// what files on disk hold too. What cannot be read any more is nothing.
func used(proc string, pids []int) int64 {
	var sum int64
	for _, pid := range pids {
		b, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "status"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			key, value, _ := strings.Cut(line, ":")
			if key != "RssAnon" && key != "RssShmem" && key != "VmSwap" {
				continue
			}
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err == nil {
				sum += kb << 10
			}
		}
	}
	return sum
}
