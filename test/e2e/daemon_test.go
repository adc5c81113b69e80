package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/runtime/service"
)

// counting writes numbered lines, one every 10 ms.
const counting = `{"command":"sh","args":["-c","n=0; while :; do n=$((n+1)); echo $n; sleep 0.01; done"],"stop":{"grace":"2s"}}`

// 40 kills of the daemon under 20 services: no pid changes, none is doubled, and no line of
// their logs is lost.
func TestServicesOutliveTheDaemon(t *testing.T) {
	const services, kills = 20, 40
	n := start(t)
	pids := map[string]int{}
	for i := range services {
		name := fmt.Sprintf("%d.count.e2e.test", i)
		s := n.put(name, counting)
		if s.PID == nil {
			t.Fatalf("%s is %s: %s", name, s.State, s.Why)
		}
		pids[name] = *s.PID
	}
	for range kills {
		time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
		n.kill()
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		n.up()
	}
	for name, pid := range pids {
		s := n.service(name)
		if s.State != "running" || s.PID == nil || *s.PID != pid || s.Restarts != 0 {
			t.Errorf("%s: %s, pid %v, %d restarts; want running, %d, 0 (%s)", name, s.State, s.PID, s.Restarts, pid, s.Why)
		}
		for i, line := range strings.Fields(n.output(name)) {
			if line != strconv.Itoa(i+1) {
				t.Errorf("%s: line %d of its log is %q", name, i+1, line)
				break
			}
		}
		started := 0
		for _, e := range n.events(name) {
			if e.Type == service.EventStarted {
				started++
			}
		}
		if started != 1 {
			t.Errorf("%s: started %d times", name, started)
		}
	}
}

// The daemon is killed again and again while services start, crash, are stopped and started:
// at the end everything is as it was last wished for, once.
func TestKillsInTheMidstOfChanges(t *testing.T) {
	n := start(t)
	const kills = 15
	crashing := `{"command":"sh","args":["-c","sleep 0.05; exit 1"],"restart":{"base":"20ms","cap":"50ms"}}`
	for i := range kills {
		name := fmt.Sprintf("%d.busy.e2e.test", i)
		n.put(name, counting)
		n.wish(fmt.Sprintf("%d.crash.e2e.test", i), crashing)
		c := coordinate(t, name)
		if i%2 == 0 {
			if _, err := n.client.CommandService(t.Context(), c, client.Stop, 0); err != nil {
				t.Fatal(err)
			}
		} else if _, err := n.client.CommandService(t.Context(), c, client.Restart, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		n.kill()
		n.up()
	}
	for i := range kills {
		if i%2 == 0 {
			n.in(fmt.Sprintf("%d.busy.e2e.test", i), "stopped")
		} else {
			n.in(fmt.Sprintf("%d.busy.e2e.test", i), "running")
		}
		n.until("it crashes on", func() error {
			if s := n.service(fmt.Sprintf("%d.crash.e2e.test", i)); s.Restarts == 0 || s.State == "failed" {
				return fmt.Errorf("%s with %d restarts: %s", s.State, s.Restarts, s.Why)
			}
			return nil
		})
	}
}

func TestTermLeavesServicesRunning(t *testing.T) {
	n := start(t)
	before := n.put("1.count.e2e.test", counting)
	if code := n.terminate(); code != 0 {
		t.Errorf("exit code %d, want 0\n%s", code, n.log)
	}
	if err := syscall.Kill(*before.PID, 0); err != nil {
		t.Errorf("the service: %v", err)
	}
	n.up()
	after := n.service("1.count.e2e.test")
	if after.PID == nil || *after.PID != *before.PID {
		t.Errorf("pid %v, want %d", after.PID, *before.PID)
	}
}

func TestAnExitWhileTheDaemonIsAwayIsAnsweredByThePolicy(t *testing.T) {
	n := start(t)
	again := n.put("1.again.e2e.test", `{"command":"sleep","args":["1000"],"restart":{"base":"10ms"}}`)
	never := n.put("1.never.e2e.test", `{"command":"sleep","args":["1000"],"restart":{"policy":"never"}}`)
	was := began(*never.PID)
	n.kill()
	for _, pid := range []int{*again.PID, *never.PID} {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	n.until("nobody can tell how it ended", func() error { // init reaps late here
		if now := began(*never.PID); now == was { // another is somebody else's, who got the number
			return fmt.Errorf("process %d is there, begun at %s", *never.PID, now)
		}
		return nil
	})
	n.up()
	n.in("1.never.e2e.test", "failed")
	n.until("it runs again", func() error {
		if s := n.service("1.again.e2e.test"); s.State != "running" || s.Restarts != 1 || *s.PID == *again.PID {
			return fmt.Errorf("%s, %d restarts", s.State, s.Restarts)
		}
		return nil
	})
	n.kill()
	n.up()
	if s := n.service("1.never.e2e.test"); s.State != "failed" || s.LastExit == nil || s.LastExit.Reason != service.ReasonUnknown {
		t.Errorf("after another restart it is %s, last exit %v", s.State, s.LastExit)
	}
}

// began reads when the process of a number began, in ticks since the host's start; empty when
// there is none.
func began(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))[19]
}

// What is told of services after the daemon's restart is what was told before.
func TestHistoriesOutliveTheDaemon(t *testing.T) {
	n := start(t)
	n.put("1.failed.e2e.test", `{"command":"sh","args":["-c","echo out; echo err >&2; exit 3"],"restart":{"policy":"never"}}`)
	n.in("1.failed.e2e.test", "failed")
	state := func() string {
		s := n.service("1.failed.e2e.test")
		b, err := json.Marshal([]any{s.State, s.LastExit, s.Restarts, s.Why, s.Generation, s.ObservedGeneration, s.Spec, n.events("1.failed.e2e.test")})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	before := state()
	n.kill()
	n.up()
	if after := state(); after != before {
		t.Errorf("before %s\nafter  %s", before, after)
	}
	if out := n.output("1.failed.e2e.test"); out != "out\n" {
		t.Errorf("its output is %q", out)
	}
}

func TestEventNumbersRiseOverKills(t *testing.T) {
	n := start(t)
	var last uint64
	for i := range 5 {
		n.put(fmt.Sprintf("%d.once.e2e.test", i), `{"command":"true","restart":{"policy":"never"}}`)
		e, err := n.client.Events(t.Context(), client.EventQuery{Since: last})
		if err != nil {
			t.Fatal(err)
		}
		seqs := []uint64{}
		for _, event := range e.Value.Events {
			seqs = append(seqs, event.Seq)
		}
		if len(seqs) == 0 || !slices.IsSorted(seqs) || seqs[0] <= last {
			t.Fatalf("after number %d come %v", last, seqs)
		}
		last = seqs[len(seqs)-1]
		n.kill()
		n.up()
	}
}
