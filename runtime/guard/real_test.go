package guard

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cloudname/nodee/runtime/cgroup"
)

// smallGroup makes a control group with 8 MiB of memory, and returns the file that takes processes.
func smallGroup(t *testing.T) (group cgroup.Group, procs string) {
	t.Helper()
	h, err := cgroup.Discover("/proc")
	if err != nil {
		t.Skip("no control groups here: ", err)
	}
	tree, ok := h.V1[cgroup.Memory]
	if !ok {
		t.Skip("no memory controller of version 1 here")
	}
	home, err := tree.Of("/proc", "self")
	if err != nil {
		t.Skip("this process's control group cannot be seen: ", err)
	}
	g, err := cgroup.Make(filepath.Join(home, fmt.Sprintf("nodee-guard-test-%d", os.Getpid())))
	if err != nil {
		t.Skip("no control group can be made here: ", err)
	}
	t.Cleanup(func() {
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if err = g.Remove(); err == nil || time.Now().After(deadline) {
				break
			}
		}
		if err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(g.Dir(), "memory.limit_in_bytes"), []byte("8M"), 0o600); err != nil {
		t.Skip("no memory can be limited here: ", err)
	}
	return g, filepath.Join(g.Dir(), "cgroup.procs")
}

// Processes that read a file again and again which their memory cannot hold get nothing done but
// to wait for it: the kernel tells of that, and the guard ends them. How much of it the whole host
// feels depends on what else it does, so a busy one shows nothing.
func TestForRealInASmallGroup(t *testing.T) {
	group, procs := smallGroup(t)
	file := filepath.Join(t.TempDir(), "file")
	// Who writes it has it in its memory, so that is done inside.
	script := fmt.Sprintf(`echo $$ > %s && head -c 64M /dev/zero > %s && sync %[2]s && for i in 1 2 3 4; do (while :; do cat %[2]s; done > /dev/null) & done; wait`, procs, file)
	thrasher := exec.Command("sh", "-c", script)
	thrasher.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := thrasher.Start(); err != nil {
		t.Fatal(err)
	}
	end := func() { syscall.Kill(-thrasher.Process.Pid, syscall.SIGKILL) } // its leader is not reaped yet
	defer thrasher.Wait()
	defer end()

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var ended atomic.Pointer[string]
	err := Run(ctx, Config{Proc: "/proc", Stall: 50 * time.Millisecond, Patience: 2 * time.Second, Log: slog.New(slog.DiscardHandler),
		Services: func() []Service {
			pids, err := group.Procs()
			if err != nil {
				t.Error(err)
			}
			return []Service{{Name: "thrasher", PIDs: pids, Peak: 1}}
		},
		End: func(s Service, why string) bool {
			why = fmt.Sprintf("%s (%d bytes)", why, s.Used)
			ended.Store(&why)
			end()
			cancel()
			return true
		}})
	if err != nil {
		t.Fatal(err)
	}
	if ended.Load() == nil {
		t.Skip("this host is too busy, or too quick, to be short of memory for this")
	}
	t.Log(*ended.Load())
}
