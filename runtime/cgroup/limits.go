package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Limits say what the processes of a group may use together. A zero is no limit.
type Limits struct {
	Memory int64   // bytes, swap included
	CPU    float64 // cores
	PIDs   int     // processes and threads
}

// Setting is one file of a group, and what to write to it.
type Setting struct {
	Controller string
	File       string
	Text       string
	Maybe      bool // the file may be missing: a kernel that does not account for swap has no limit for it
}

// period is the time in which a group may use its share of the processors, in microseconds.
const period = 100_000

// leastQuota is the least share that the kernel takes, in microseconds a period.
const leastQuota = 1000

// V2 returns how limits are set in version 2.
func (l Limits) V2() []Setting {
	var all []Setting
	if l.Memory > 0 {
		all = append(all, Setting{Memory, "memory.max", strconv.FormatInt(l.Memory, 10), false},
			Setting{Memory, "memory.swap.max", "0", true})
	}
	if l.CPU > 0 {
		all = append(all, Setting{CPU, "cpu.max", fmt.Sprintf("%d %d", l.quota(), period), false})
	}
	if l.PIDs > 0 {
		all = append(all, Setting{PIDs, "pids.max", strconv.Itoa(l.PIDs), false})
	}
	return all
}

// V1 returns how limits are set in version 1. Each stands in its controller's own tree. The limit
// for memory with swap may not be below the one for memory, so it comes second.
func (l Limits) V1() []Setting {
	var all []Setting
	if l.Memory > 0 {
		bytes := strconv.FormatInt(l.Memory, 10)
		all = append(all, Setting{Memory, "memory.limit_in_bytes", bytes, false},
			Setting{Memory, "memory.memsw.limit_in_bytes", bytes, true})
	}
	if l.CPU > 0 {
		all = append(all, Setting{CPU, "cpu.cfs_period_us", strconv.Itoa(period), false},
			Setting{CPU, "cpu.cfs_quota_us", strconv.Itoa(l.quota()), false})
	}
	if l.PIDs > 0 {
		all = append(all, Setting{PIDs, "pids.max", strconv.Itoa(l.PIDs), false})
	}
	return all
}

func (l Limits) quota() int { return max(leastQuota, int(math.Round(l.CPU*period))) }

// Set makes a setting.
func (g Group) Set(s Setting) error {
	err := write(filepath.Join(g.dir, s.File), s.Text)
	if s.Maybe && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot write %s to %s: %w", s.Text, filepath.Join(g.dir, s.File), err)
	}
	return nil
}

// write writes to a file that is there.
func write(file, text string) error {
	fd, err := unix.Open(file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(text))
	return err
}

// Offers returns the controllers that groups directly below a group of version 2 have.
func (g Group) Offers() []string { return g.words("cgroup.subtree_control") }

// Enter moves the calling thread, and nothing else of its process, into a group of version 1.
// What it forks is born there.
func (g Group) Enter() error {
	d, err := g.Door()
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Enter()
}

// Door is the way into a group of version 1, for a thread that may not be able to open it any
// more when it wants to go through.
type Door struct {
	dir string
	fd  int
}

// Door opens the way into a group of version 1. Close it in the end.
func (g Group) Door() (Door, error) {
	fd, err := unix.Open(filepath.Join(g.dir, "tasks"), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return Door{}, fmt.Errorf("cannot enter control group %s: %w", g.dir, err)
	}
	return Door{g.dir, fd}, nil
}

// Enter moves the calling thread, and nothing else of its process, through the door.
func (d Door) Enter() error {
	if _, err := unix.Write(d.fd, []byte("0")); err != nil {
		return fmt.Errorf("cannot enter control group %s: %w", d.dir, err)
	}
	return nil
}

// Close closes the door.
func (d Door) Close() { unix.Close(d.fd) }

// MostPIDs returns the limit of a group for processes, 0 without one.
func (g Group) MostPIDs() int {
	b, err := os.ReadFile(filepath.Join(g.dir, "pids.max"))
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0 // "max"
	}
	return n
}

// OOMKills returns how many processes of a group the kernel has killed because memory was
// short, 0 where it does not count that.
func (g Group) OOMKills() int {
	for _, file := range []string{"memory.events", "memory.oom_control"} { // of version 2, and 1
		b, err := os.ReadFile(filepath.Join(g.dir, file))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
				kills, _ := strconv.Atoi(strings.TrimSpace(n)) // the kernel writes numbers
				return kills
			}
		}
	}
	return 0
}
