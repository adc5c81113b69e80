// Command leftovers runs a command and fails when processes of it are still there after it
// has ended: services that a test started and forgot. It shows them, and ends them.
//
//	leftovers make test
//
// It is a child subreaper: whatever its command starts, in whatever session, stays below
// it, so it never mistakes a process of somebody else for one of its own. Its exit code is
// the command's, or 1 when something was left.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long processes that are about to end anyway are given.
const patience = 5 * time.Second

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: leftovers COMMAND [ARGUMENT]...")
		os.Exit(2)
	}
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "leftovers:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func run(command []string) (int, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 1, fmt.Errorf("cannot adopt orphans: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = patience
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	ended := reapOrphans(cmd.Process.Pid)
	err := cmd.Wait()
	ended()
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code, err = exit.ExitCode(), nil
		if code < 0 { // by a signal
			code = 1
		}
	}
	left, listErr := end(context.WithoutCancel(ctx))
	if len(left) > 0 {
		err = errors.Join(err, fmt.Errorf("these processes were left behind, and are killed now:\n%s", strings.Join(left, "\n")))
	}
	return code, errors.Join(err, listErr)
}

// end waits until nothing is left below this process. What is there when the patience is
// over is killed, and returned as lines for people.
func end(ctx context.Context) (left []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		reap()
		remaining, err := descendants(os.Getpid())
		if err != nil || len(remaining) == 0 {
			return left, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			// What was killed hands its children up to us, so that the next round kills those.
			for _, p := range remaining {
				if unix.Kill(p.pid, unix.SIGKILL) == nil {
					left = append(left, p.String())
				}
			}
			<-tick.C
		}
	}
}

// reap takes the exit codes of orphans that have ended.
// reapOrphans does for orphans what init does, within a moment, until the function that it
// returns is called. The command itself is left to whoever started it.
func reapOrphans(command int) (end func()) {
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			files, _ := filepath.Glob("/proc/self/task/*/children")
			for _, file := range files {
				text, _ := os.ReadFile(file)
				for field := range strings.FieldsSeq(string(text)) {
					if pid, err := strconv.Atoi(field); err == nil && pid != command {
						_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
					}
				}
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

func reap() {
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if pid <= 0 || err != nil {
			return
		}
	}
}
