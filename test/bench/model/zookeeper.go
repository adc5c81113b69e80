package model

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

const script = "scripts/zookeeper"

// server is a ZooKeeper below a folder; empty: none.
type server string

// startServer starts one server. Its ticks let sessions have the timeout that nodes in number
// have, and its heap is that of a cell of this size.
func startServer(dir string) (server, string, error) {
	if out, err := exec.Command(script, "install").CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("there is no ZooKeeper: %w: %s", err, out)
	}
	cmd := exec.Command(script, "start", "--tick", "2000", dir)
	cmd.Env = append(os.Environ(), "ZOOKEEPER_HEAP="+heap)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", "", fmt.Errorf("cannot start a ZooKeeper: %w", err)
	}
	return server(dir), strings.TrimSpace(string(out)), nil
}

const heap = "1g"

func (s server) stop() error {
	if s == "" {
		return nil
	}
	if out, err := exec.Command(script, "stop", string(s)).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot stop the ZooKeeper in %s: %w: %s", string(s), err, out)
	}
	return nil
}

// About names the versions of what a cell runs on.
func About() string {
	version, _ := exec.Command("dpkg-query", "-W", "-f", "${Version}", "libzookeeper-java").Output()
	java, _ := exec.Command("java", "-version").CombinedOutput()
	first, _, _ := strings.Cut(string(java), "\n")
	return fmt.Sprintf("one ZooKeeper %s with a heap of %s, %s", version, heap, first)
}

// spareFiles are for all that is no node's session.
const spareFiles = 500

// SessionsFor is how many sessions this process, and a server under the same limits, have files for.
func SessionsFor(nodes int) (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("cannot tell how many files may be open: %w", err)
	}
	return max(1, min(nodes, int(limit.Cur)-spareFiles)), nil
}
