package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// note is what the bare program knows of a process; see the loop's adopt.
type note struct {
	PID   int    `json:"pid"`
	Began uint64 `json:"began"`
}

// adopt kills the daemon and whoever watches it, and measures until a new one answers with a
// true list: every service running, by the pid that it had. Beside it, a bare program opens
// and checks as many processes and records.
func (b *bench) adopt() error {
	t := &table{title: fmt.Sprintf("Adopting %d services after kill -9 of daemon and anchor, until a true list is answered", b.n),
		unit: "milliseconds", base: "bare Go program", command: "make bench ONLY=adopt"}
	b.tables = append(b.tables, t)
	r, err := b.round(b.n)
	if err != nil {
		return err
	}
	p := b.nodee()
	running := map[int]bool{}
	if err := p.start(r); err != nil {
		return err
	}
	signs, err := r.beacon.await(b.n, startPatience)
	if err != nil {
		return err
	}
	for _, s := range signs {
		running[s.pid] = true
	}
	time.Sleep(2 * time.Second)
	for run := range b.runs {
		say("run %d of %d: adopting", run+1, b.runs)
		took, err := b.bareAdoption(running)
		if err != nil {
			return err
		}
		t.add(t.base, milliseconds(took))
		if took, err = r.readopt(running); err != nil {
			return err
		}
		t.add(nodeeName, milliseconds(took))
	}
	return r.end(p, running)
}

// readopt kills all that supervises and starts it again.
func (r *round) readopt(running map[int]bool) (time.Duration, error) {
	for _, pid := range r.supervisors(running) {
		unix.Kill(pid, unix.SIGKILL)
	}
	for _, cmd := range r.procs {
		_ = cmd.Wait() // it was killed
	}
	r.procs = nil
	d := r.bench.daemon
	began := time.Now()
	if err := d.up(); err != nil {
		return 0, err
	}
	for {
		list, err := d.client.Services(context.Background())
		if err == nil {
			n := 0
			for _, s := range list.Value.Services {
				if s.State == "running" && s.PID != nil && running[*s.PID] {
					n++
				}
			}
			if n == r.n {
				return time.Since(began), nil
			}
		}
		if time.Since(began) > startPatience {
			return 0, fmt.Errorf("no true list within %s: %v", startPatience, err)
		}
	}
}

// bareAdoption writes a record for every process and has the bare program check them.
func (b *bench) bareAdoption(running map[int]bool) (time.Duration, error) {
	dir, err := os.MkdirTemp(b.work, "records-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	for pid := range running {
		began, err := beganOf(pid)
		if err != nil {
			return 0, err
		}
		text, err := json.Marshal(note{pid, began})
		if err != nil {
			return 0, err
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(pid)), text, 0o600); err != nil {
			return 0, err
		}
	}
	at := time.Now()
	out, err := exec.Command(b.built("loop"), "adopt", dir).CombinedOutput()
	took := time.Since(at)
	if want := fmt.Sprintln(len(running)); err != nil || string(out) != want {
		return 0, fmt.Errorf("the bare program found %q, want %q: %v", out, want, err)
	}
	return took, nil
}

// beganOf reads when a process began, in ticks since the host's start.
func beganOf(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	return strconv.ParseUint(fields[19], 10, 64)
}
