package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/runtime/service"
)

// members counts the processes that carry a coordinate in their environment.
func members(t *testing.T, name string) int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, file := range files {
		b, err := os.ReadFile(file) // an ended one has none
		if err == nil && strings.Contains(string(b), "NODEE_COORDINATE="+name+"\x00") {
			count++
		}
	}
	return count
}

// resisting forks children into sessions of their own, which fork again; all ignore TERM.
const resisting = `{"command":"sh","args":["-c","trap '' TERM HUP; for i in 1 2 3; do setsid sh -c 'trap \"\" TERM HUP; setsid sleep 1000 & while :; do sleep 0.1; done' & done; echo up; while :; do sleep 0.1; done"],"stop":{"grace":"300ms"}}`

func TestATreeThatResists(t *testing.T) {
	n := start(t)
	n.put("1.tree.e2e.test", resisting)
	n.until("the tree stands", func() error {
		if m := members(t, "1.tree.e2e.test"); m < 7 {
			return fmt.Errorf("%d processes", m)
		}
		return nil
	})
	s, err := n.client.CommandService(t.Context(), coordinate(t, "1.tree.e2e.test"), client.Stop, client.Wait(limit))
	if err != nil {
		t.Fatal(err)
	}
	if m := members(t, "1.tree.e2e.test"); m != 0 {
		t.Errorf("%d processes outlive the stop", m)
	}
	if e := s.Value.LastExit; e == nil || e.Reason != service.ReasonStop || e.Signal == nil || *e.Signal != "KILL" {
		t.Errorf("last exit %+v, want one by KILL because of the stop", e)
	}
}

// When the main process dies, what is left of its group is killed before the next start.
func TestLeftoversAreKilledBeforeTheNextStart(t *testing.T) {
	n := start(t)
	n.wish("1.left.e2e.test", `{"command":"sh","args":["-c","setsid sh -c 'trap \"\" TERM; while :; do sleep 0.1; done' & sleep 0.3; exit 1"],"restart":{"base":"200ms","factor":1,"jitter":0},"stop":{"grace":"200ms"}}`)
	for range 3 {
		n.in("1.left.e2e.test", "backoff")
		if m := members(t, "1.left.e2e.test"); m != 0 {
			t.Errorf("%d processes are left in backoff", m)
		}
		n.in("1.left.e2e.test", "running")
	}
}

func TestRestartsAreCountedAndSpaced(t *testing.T) {
	n := start(t)
	n.wish("1.gaps.e2e.test", `{"command":"sh","args":["-c","date +%s%N; exit 3"],"restart":{"max":4,"base":"200ms","factor":2,"cap":"500ms","jitter":0}}`)
	s := n.in("1.gaps.e2e.test", "failed")
	var at []int64
	for line := range strings.FieldsSeq(n.output("1.gaps.e2e.test")) {
		ns, err := strconv.ParseInt(line, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, ns)
	}
	if s.Restarts != 4 || len(at) != 5 || s.LastExit == nil || *s.LastExit.Code != 3 {
		t.Fatalf("%d restarts, %d runs, last exit %+v; want 4, 5, code 3", s.Restarts, len(at), s.LastExit)
	}
	for i, want := range []time.Duration{200, 400, 500, 500} {
		if got := time.Duration(at[i+1] - at[i]); got < want*time.Millisecond {
			t.Errorf("gap %d is %v, want at least %v", i+1, got, want*time.Millisecond)
		}
	}
}

func TestManyStartsAtOnceStartOneProcess(t *testing.T) {
	n := start(t)
	c := coordinate(t, "1.one.e2e.test")
	spec, err := service.Decode([]byte(`{"command":"sh","args":["-c","echo start; exec sleep 1000"]}`), service.JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			var err error
			if i%2 == 0 {
				_, err = n.client.PutService(t.Context(), c, spec, client.Put{Wait: client.Wait(limit)})
			} else if _, err = n.client.CommandService(t.Context(), c, client.Start, 0); err != nil {
				err = nil // it may not be there yet
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n.in("1.one.e2e.test", "running")
	if out := n.output("1.one.e2e.test"); out != "start\n" {
		t.Errorf("its output is %q, want one start", out)
	}
}

// A stop wins over a start that is under way, whatever the moment.
func TestNothingIsStartedAfterAStop(t *testing.T) {
	n := start(t)
	c := coordinate(t, "1.race.e2e.test")
	for i := range 60 {
		n.put("1.race.e2e.test", fmt.Sprintf(`{"command":"sleep","args":["1000"],"env":{"ROUND":"%d"}}`, i))
		if _, err := n.client.CommandService(t.Context(), c, client.Restart, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i%10) * 300 * time.Microsecond)
		if _, err := n.client.CommandService(t.Context(), c, client.Stop, client.Wait(limit)); err != nil {
			t.Fatal(err)
		}
	}
	wish := ""
	for _, e := range n.events("1.race.e2e.test") {
		switch e.Type {
		case service.EventDesired:
			wish = e.Why
		case service.EventStarted:
			if strings.HasSuffix(wish, "stopped") {
				t.Errorf("event %d: started after %q", e.Seq, wish)
			}
		}
	}
	if m := members(t, "1.race.e2e.test"); m != 0 {
		t.Errorf("%d processes run", m)
	}
}

func TestAFloodOfOutputBlocksNobody(t *testing.T) {
	n := start(t)
	n.put("1.flood.e2e.test", `{"command":"sh","args":["-c","head -c 50000000 /dev/zero | tr '\\0' x; echo; echo done"],"restart":{"policy":"never"}}`)
	n.in("1.flood.e2e.test", "stopped")
	if out := n.output("1.flood.e2e.test"); len(out) != 50000000+len("\ndone\n") {
		t.Errorf("%d bytes of output", len(out))
	}
}

func TestDrains(t *testing.T) {
	n := start(t)
	for name, c := range map[string]struct{ script, drain string }{
		"1.signal.e2e.test": {"trap 'echo drained; exit 0' USR1; while :; do sleep 0.05; done", `{"signal":"USR1"}`},
		"1.exec.e2e.test":   {"while :; do sleep 0.05; done", `{"exec":["sh","-c","echo drained; test $NODEE_COORDINATE = 1.exec.e2e.test"]}`},
		"1.late.e2e.test":   {"trap 'echo drained' USR1; while :; do sleep 0.05; done", `{"signal":"USR1","timeout":"300ms"}`},
	} {
		n.put(name, fmt.Sprintf(`{"command":"sh","args":["-c",%q],"drain":%s,"stop":{"grace":"300ms"}}`, c.script, c.drain))
		s, err := n.client.CommandService(t.Context(), coordinate(t, name), client.Drain, client.Wait(limit))
		if err != nil {
			t.Fatal(err)
		}
		if e := s.Value.LastExit; s.Value.Desired != "drained" || s.Value.State != "stopped" || e == nil || e.Reason != service.ReasonDrain {
			t.Errorf("%s: desired %s, %s, last exit %+v", name, s.Value.Desired, s.Value.State, e)
		}
		if out := n.output(name); out != "drained\n" {
			t.Errorf("%s: output %q", name, out)
		}
	}
}
