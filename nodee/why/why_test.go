package why

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/runtime/service"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// told makes a history out of lines: seconds after noon, type, generation, and then what
// there is of pid=, code=, signal=, by= and, behind a colon, why.
func told(t *testing.T, history string) (events []service.Event) {
	t.Helper()
	for line := range strings.Lines(history) {
		facts, why, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if facts == "" {
			continue
		}
		words := strings.Fields(facts)
		e := service.Event{Type: service.EventType(words[1]), Why: why}
		var seconds int
		if _, err := fmt.Sscan(words[0]+" "+words[2], &seconds, &e.Generation); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		e.At = noon.Add(time.Duration(seconds) * time.Second)
		for _, word := range words[3:] {
			var n int
			key, value, _ := strings.Cut(word, "=")
			_, _ = fmt.Sscan(value, &n)
			switch key {
			case "pid":
				e.PID = &n
			case "code":
				e.Code = &n
			case "signal":
				e.Signal = &value
			case "by":
				e.By = value
			}
		}
		events = append(events, e)
	}
	return events
}

// texts writes a chain in lines, for comparison.
func texts(chain []api.Cause) string {
	var b strings.Builder
	for _, c := range chain {
		fmt.Fprintf(&b, "%d %s <- %s", int(c.At.Sub(noon).Seconds()), c.What, c.Because)
		if c.By != "" {
			fmt.Fprintf(&b, " (by %s)", c.By)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestChain(t *testing.T) {
	pid, unhealthy, next := 8, false, noon.Add(22*time.Second)
	for _, tt := range []struct {
		name    string
		service *api.Service
		run     int64
		wish    Wish
		history string
		want    string
	}{
		{"one that runs goes back to who has put it", &api.Service{State: "running", PID: &pid, Why: "it was started"}, 1, Wish{}, `
			0 desired 1 by=me: it was put, to run: desired is running
			1 installing 1: it needs a:b:1
			2 installed 1: a:b:1 is installed, from central
			3 prepared 1: its runtime directory is ready
			4 started 1 pid=8: it was started`, `
			4 it is running (pid 8) <- it was started
			4 it was started (pid 8) for generation 1 <- it was put, to run: desired is running
			0 it was put, to run: desired is running <-  (by me)`},
		{"one that was restarted by its policy tells of the last end, and then of the wish", &api.Service{State: "running", PID: &pid, Healthy: &unhealthy, Why: "it was started"}, 1, Wish{}, `
			0 desired 1 by=me: it was put, to run: desired is running
			1 started 1 pid=6: it was started
			2 exited 1 pid=6 code=3: exited with 3
			3 backoff 1: exited with 3; restart 1 in 1s
			4 started 1 pid=7: it was started
			5 exited 1 pid=7 signal=SEGV: ended by signal SEGV
			6 backoff 1: ended by signal SEGV; restart 2 in 2s
			8 started 1 pid=8: it was started`, `
			8 it is running (pid 8), and not healthy <- it was started
			8 it was started (pid 8) for generation 1 <- it had to wait for its next try
			6 it had to wait for its next try <- ended by signal SEGV; restart 2 in 2s
			5 its process (pid 7) ended by signal SEGV <- nobody here told it to; its log may tell more
			4 it was started (pid 7) for generation 1 <- it was put, to run: desired is running
			0 it was put, to run: desired is running <-  (by me)`},
		{"a wish that was taken live is not the cause of a start", &api.Service{State: "backoff", NextTryAt: &next, Why: "exited with 1; restart 1 in 12s"}, 2, Wish{}, `
			0 desired 2 by=me: a restart was asked for: desired is running
			1 started 2 pid=6: it was started
			2 desired 3 by=you: its spec was changed: desired is running
			9 exited 3 pid=6 code=1: exited with 1
			9 backoff 3: exited with 1; restart 1 in 12s`, `
			9 it is in backoff, its next try is in 12s <- exited with 1; restart 1 in 12s
			9 its process (pid 6) exited with 1 <- nobody here told it to; its log may tell more
			1 it was started (pid 6) for generation 2 <- a restart was asked for: desired is running
			0 a restart was asked for: desired is running <-  (by me)`},
		{"one that a drain of the node had kept from running goes back to who has lifted that", &api.Service{State: "running", PID: &pid, Why: "it was started"}, 1, Wish{}, `
			0 desired 1 by=me: it was put, to run: desired is running
			1 started 1 pid=6: it was started
			2 stopping 1 pid=6: the node is drained
			3 exited 1 pid=6 signal=TERM: ended by signal TERM
			3 stopped 1: the node is drained
			5 node-resumed 0 by=bob: the node takes work again
			5 prepared 1: its runtime directory is ready
			6 started 1 pid=8: it was started`, `
			6 it is running (pid 8) <- it was started
			6 it was started (pid 8) for generation 1 <- the node takes work again
			5 the node takes work again <- it was put, to run: desired is running (by bob)
			0 it was put, to run: desired is running <-  (by me)`},
		{"one that was stopped goes back to who has asked for that, and no farther", &api.Service{State: "stopped", Why: "a stop was asked for"}, 1, Wish{}, `
			0 desired 1 by=me: it was put, to run: desired is running
			1 started 1 pid=6: it was started
			5 desired 2 by=you: a stop was asked for: desired is stopped
			5 stopping 2 pid=6: a stop was asked for
			6 exited 2 pid=6 signal=TERM: ended by signal TERM
			6 killed 2: what was left of its processes was killed
			6 stopped 2: a stop was asked for`, `
			6 it is stopped <- a stop was asked for
			6 its process (pid 6) ended by signal TERM <- it was told to stop
			5 it was told to stop <- a stop was asked for
			5 a stop was asked for: desired is stopped <-  (by you)`},
		{"what cannot be installed has failed for that", &api.Service{State: "failed", Why: "a:b:9 is not in any repository"}, 1, Wish{}, `
			0 desired 1 by=me: it was put, to run: desired is running
			1 installing 1: it needs a:b:9
			2 failed 1: a:b:9 is not in any repository`, `
			2 it has failed <- a:b:9 is not in any repository
			1 its artifact was not here, and was to be installed <- it needs a:b:9
			0 it was put, to run: desired is running <-  (by me)`},
		{"what the kernel did is the reason of an end", &api.Service{State: "failed", Why: "all is used up"}, 1, Wish{}, `
			1 started 1 pid=6: it was started
			2 exited 1 pid=6 signal=KILL: it had more memory than limits.memory
			2 failed 1: all is used up`, `
			2 it has failed <- all is used up
			2 its process (pid 6) ended by signal KILL <- it had more memory than limits.memory
			1 it was started (pid 6) for generation 1 <- `},
		{"what did not pass its checks was told to stop by nobody", &api.Service{State: "backoff", NextTryAt: &next, Why: "alive has failed; restart 1 in 2s"}, 1, Wish{}, `
			0 desired 1 by=me: it was put, to run: desired is running
			1 started 1 pid=6: it was started
			2 desired 2 by=you: its spec was changed, which is taken live: desired is running
			9 stopping 2 pid=6: alive has failed
			9 exited 2 pid=6 code=0: alive has failed; told to end, it exited with 0
			9 backoff 2: alive has failed; restart 1 in 2s`, `
			9 it is in backoff, its next try is in 12s <- alive has failed; restart 1 in 2s
			9 its process (pid 6) exited with 0 <- alive has failed; told to end, it exited with 0
			9 it was told to stop <- alive has failed
			1 it was started (pid 6) for generation 1 <- it was put, to run: desired is running
			0 it was put, to run: desired is running <-  (by me)`},
		{"an end that nobody saw", &api.Service{State: "stopped", Why: "the host was restarted"}, 1, Wish{}, `
			1 started 1 pid=6: it was started
			2 exited 1: the host was restarted while it ran
			3 stopped 1: the host was restarted`, `
			3 it is stopped <- the host was restarted
			2 its process ended unseen <- the host was restarted while it ran
			1 it was started (pid 6) for generation 1 <- `},
		{"a daemon that came back", &api.Service{State: "running", PID: &pid, Why: "it runs on over the daemon's restart"}, 1, Wish{}, `
			1 started 1 pid=8: it was started
			2 adopted 1 pid=8: it runs on over the daemon's restart`, `
			2 it is running (pid 8) <- it runs on over the daemon's restart
			2 the daemon was started again, and found it running (pid 8) <- it was started (pid 8) for generation 1
			1 it was started (pid 8) for generation 1 <- `},
		{"where the history does not reach back, the wish is on record", &api.Service{State: "running", PID: &pid, Why: "it was started"}, 1,
			Wish{At: noon, Generation: 1, Why: "it was put, to run", By: "me"}, `
			8 started 1 pid=8: it was started`, `
			8 it is running (pid 8) <- it was started
			8 it was started (pid 8) for generation 1 <- it was put, to run
			0 it was put, to run <-  (by me)`},
		{"what nobody has looked at yet was wished for", &api.Service{State: "pending", Why: "it was not looked at yet"}, 0,
			Wish{At: noon, Generation: 1, Why: "it was put, to run", By: "me"}, ``, `
			0 it is pending <- it was not looked at yet
			0 it was put, to run <-  (by me)`},
		{"one that is gone tells who has removed it", nil, 0, Wish{}, `
			0 desired 1 by=me: it was put, to run: desired is running
			1 started 1 pid=6: it was started
			5 desired 2 by=you: its removal was asked for: desired is stopped
			5 stopping 2 pid=6: its removal was asked for
			6 exited 2 pid=6 signal=TERM: ended by signal TERM
			6 stopped 2: its removal was asked for
			7 removed 2: its removal was asked for`, `
			7 it was removed <- its removal was asked for
			6 it came to rest <- its removal was asked for
			6 its process (pid 6) ended by signal TERM <- it was told to stop
			5 it was told to stop <- its removal was asked for
			5 its removal was asked for: desired is stopped <-  (by you)`},
		{"one that was made anew has nothing to do with its predecessor", &api.Service{State: "stopped", Why: "it was defined"}, 1, Wish{}, `
			0 desired 1 by=me: it was put, to run: desired is running
			1 started 1 pid=6: it was started
			2 removed 1: its removal was asked for
			3 stopped 1: it was defined`, `
			3 it is stopped <- it was defined`},
		{"of what never was there is nothing to tell", nil, 0, Wish{}, ``, ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := texts(Chain(Facts{Service: tt.service, Run: tt.run, Wish: tt.wish, Events: told(t, tt.history)}, noon.Add(10*time.Second)))
			want := strings.TrimLeft(strings.ReplaceAll(tt.want, "\n\t\t\t", "\n"), "\n")
			if strings.TrimSpace(got) != strings.TrimSpace(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// What keeps a service from running is why it does not, whatever was before.
func TestChainOfWhatIsHeld(t *testing.T) {
	got := texts(Chain(Facts{Service: &api.Service{State: "stopped", Why: "the node is drained"}, Run: 1,
		Hold: &Wish{At: noon, Why: "the node is drained", By: "me"}, Events: told(t, `
			1 desired 1 by=you: it was put, to run: desired is running
			2 stopped 1: the node is drained`)}, noon))
	if want := "2 it is stopped <- the node is drained\n0 the node is drained <-  (by me)\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// What a service waits for is why it does not run, each of them told of by its name.
func TestChainOfWhatWaits(t *testing.T) {
	events := told(t, `
		1 desired 1 by=you: it was put, to run: desired is running
		2 stopping 1: a stop was asked for
		3 stopped 1: a stop was asked for`)
	disk := Chain(Facts{Name: "disk", Service: &api.Service{State: "stopped", Why: "a stop was asked for"}, Events: events}, noon)
	db := Chain(Facts{Name: "db", Service: &api.Service{State: "pending", Why: "it waits for disk"}, Wish: Wish{At: noon}, Others: disk, Events: events}, noon)
	got := texts(Chain(Facts{Service: &api.Service{State: "pending", Why: "it waits for db"}, Wish: Wish{At: noon}, Others: db, Events: events}, noon))
	want := `0 it is pending <- it waits for db
0 db: it is pending <- it waits for disk
3 disk: it is stopped <- a stop was asked for
2 disk: it was told to stop <- a stop was asked for
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// Whatever stands in a history, the chain goes back in time, says something with each link,
// and ends.
func FuzzChain(f *testing.F) {
	f.Add([]byte{1, 10, 11, 2, 3})
	states := service.States()
	kinds := []service.EventType{
		service.EventDesired, service.EventInstalling, service.EventInstalled, service.EventPrepared, service.EventStarted, service.EventReady,
		service.EventHealthy, service.EventUnhealthy, service.EventExited, service.EventBackoff, service.EventDraining, service.EventStopping,
		service.EventKilled, service.EventStopped, service.EventFailed, service.EventAdopted, service.EventRemoved,
	}
	f.Fuzz(func(t *testing.T, history []byte) {
		var events []service.Event
		for i, b := range history {
			events = append(events, service.Event{At: noon.Add(time.Duration(i) * time.Second), Type: kinds[int(b)%len(kinds)], Generation: int64(b) / 64, Why: "because"})
		}
		for _, state := range states {
			chain := Chain(Facts{Service: &api.Service{State: string(state), Why: "so"}, Run: 2, Events: events}, noon)
			if len(chain) == 0 || len(chain) > len(events)+1 {
				t.Fatalf("%d links of %d events", len(chain), len(events))
			}
			for i, c := range chain {
				if c.What == "" || i > 1 && c.At.After(chain[i-1].At) {
					t.Errorf("%s: link %d of %s", state, i, texts(chain))
				}
			}
		}
	})
}
