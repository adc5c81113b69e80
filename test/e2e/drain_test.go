package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloudname/nodee/api/client"
)

// busy needs a moment to finish its work.
const busy = `{"command":"sh","args":["-c","trap 'sleep 0.3; exit 0' USR1; echo up; while :; do sleep 0.01; done"],"drain":{"signal":"USR1"},"stop":{"grace":"2s"}}`

// The daemon is killed again and again while the node is drained: in the end nothing runs,
// nothing was started meanwhile, and everything runs once when the drain is lifted.
func TestADrainOutlivesKills(t *testing.T) {
	const services, kills = 8, 6
	n := start(t)
	names := make([]string, services)
	for i := range names {
		names[i] = fmt.Sprintf("%d.busy.e2e.test", i)
		n.put(names[i], busy)
		n.until(names[i]+" can be told to finish", func() error {
			if n.output(names[i]) == "" {
				return fmt.Errorf("it is silent")
			}
			return nil
		})
	}
	if _, err := n.client.DrainNode(t.Context(), client.NodeDrain{Why: "a test"}); err != nil {
		t.Fatal(err)
	}
	for range kills {
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		n.kill()
		n.up()
	}
	got, err := n.client.DrainNode(t.Context(), client.NodeDrain{Wait: client.Wait(limit)})
	if err != nil || got.Value.Status != "drained" || got.Value.Drain.Why != "a test" {
		t.Fatalf("the node is %s, %+v: %v", got.Value.Status, got.Value.Drain, err)
	}
	for _, name := range names {
		if s := n.service(name); s.State != "stopped" || s.Desired != "running" || s.PID != nil || upsOf(n, name) != 1 {
			t.Errorf("%s is %s, desired %s, pid %v, came up %d times (%s)", name, s.State, s.Desired, s.PID, upsOf(n, name), s.Why)
		}
	}
	if _, err := n.client.ResumeNode(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	n.kill()
	n.up()
	for _, name := range names {
		n.in(name, "running")
		n.until(name+" is up", func() error {
			if ups := upsOf(n, name); ups != 2 {
				return fmt.Errorf("it came up %d times in all, want 2", ups)
			}
			return nil
		})
	}
}

// upsOf counts how often a service came up, by its own word: that a start is in the history
// is not sure where the daemon is killed in that moment.
func upsOf(n *node, name string) int { return strings.Count(n.output(name), "up\n") }

// A service manager that has started the anchor hears from each daemon that it is up.
func TestAServiceManagerIsTold(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	heard := func(what string) {
		t.Helper()
		if err := l.SetReadDeadline(time.Now().Add(limit)); err != nil {
			t.Fatal(err)
		}
		message := make([]byte, 100)
		got, err := l.Read(message)
		if err != nil || string(message[:got]) != "READY=1" {
			t.Errorf("%s: %q, %v", what, message[:got], err)
		}
	}
	n := &node{t: t, prefix: t.TempDir(), via: []string{"env", "NOTIFY_SOCKET=" + socket}}
	n.up()
	t.Cleanup(n.clear)
	heard("the first daemon")
	old := n.daemon.Pid
	if err := n.daemon.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	n.await(old)
	heard("the next one")
}
