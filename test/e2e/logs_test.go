package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/quantity"
)

// chatty are two processes that write numbered lines to one log, in a hurry, and rest.
const chatty = `{"command":"sh","args":["-c","w() { i=0; while [ $i -lt 30000 ]; do i=$((i+1)); echo \"$1 $i is a line of a log\"; done; }; w a & w b; wait; exec sleep 1000"],
	"stop":{"grace":"2s"},"logs":{"max_size":"32KiB","keep":1000}}`

// follow follows the log of a service, over kills of the daemon, until it has seen all lines
// of both writers. between is called now and then.
func (n *node) follow(name string, each int, between func()) {
	n.t.Helper()
	next, offset := map[string]int{}, int64(0)
	for deadline := time.Now().Add(2 * limit); next["a"] < each || next["b"] < each; {
		if time.Now().After(deadline) {
			n.t.Fatalf("after %v no more lines came\n%s", next, n.log)
		}
		log, err := n.client.Logs(n.t.Context(), coordinate(n.t, name), client.LogQuery{Follow: true, Contiguous: true, Offset: &offset})
		if err != nil {
			n.t.Fatal(err)
		}
		if log.Offset() != offset {
			n.t.Fatalf("following goes on at %d, want %d", log.Offset(), offset)
		}
		lines := bufio.NewReader(log)
		for stop := 5000 + rand.IntN(5000); next["a"] < each || next["b"] < each; stop-- {
			if stop == 0 {
				between() // what is on its way is read to its end
			}
			line, err := lines.ReadString('\n')
			if away := (*client.Unreachable)(nil); errors.Is(err, io.EOF) || errors.As(err, &away) {
				break
			}
			var who string
			var number int
			if _, e := fmt.Sscanf(line, "%s %d is a line of a log\n", &who, &number); err != nil || e != nil || number != next[who]+1 {
				n.t.Fatalf("got the line %q (%v), want number %d of %s", line, err, next[who]+1, who)
			}
			next[who], offset = number, offset+int64(len(line))
		}
		log.Close()
	}
}

// A daemon is killed again and again while the logs of a service are rotated: who follows
// sees each line once, and all of them are there at the end.
func TestRotationOutlivesTheDaemon(t *testing.T) {
	n := start(t)
	const name, each = "1.chatty.e2e.test", 30_000
	before := n.put(name, chatty)
	kills := 0
	n.follow(name, each, func() {
		if kills++; kills <= 5 {
			n.kill()
			n.up()
		}
	})
	if kills == 0 {
		t.Error("the daemon was never killed")
	}
	n.follow(name, each, func() {}) // all of it again, out of the archives
	n.until("the log is within its bounds", func() error { return n.small(before.LogDir, 64<<10) })
	if s := n.service(name); s.PID == nil || *s.PID != *before.PID || s.Restarts != 0 {
		t.Errorf("the service is %s, pid %v, %d restarts; want the same as before", s.State, s.PID, s.Restarts)
	}
	// Other bounds hold at once, without a restart.
	n.put(name, strings.Replace(chatty, `"keep":1000`, `"keep":2`, 1))
	n.until("only two archives are left", func() error {
		if archives := n.archives(before.LogDir); len(archives) > 2 {
			return fmt.Errorf("there are %d", len(archives))
		}
		return nil
	})
	if s := n.service(name); s.PID == nil || *s.PID != *before.PID {
		t.Errorf("the service is %s, pid %v; want pid %d as before", s.State, s.PID, *before.PID)
	}
	if err := n.client.RemoveService(t.Context(), coordinate(t, name), client.Removal{Purge: true, Wait: client.Wait(limit)}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(before.LogDir); err == nil {
		t.Errorf("after a removal with purge there is still %s", before.LogDir)
	}
}

func (n *node) archives(dir string) []string {
	n.t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "stdout.log.*.zst"))
	if err != nil {
		n.t.Fatal(err)
	}
	return found
}

// small tells why a service's stdout.log takes up more room than it may.
func (n *node) small(dir string, size int64) error {
	var st syscall.Stat_t
	if err := syscall.Stat(filepath.Join(dir, "stdout.log"), &st); err != nil {
		return err
	}
	if used := st.Blocks * 512; used > size {
		return fmt.Errorf("it takes up %d bytes", used)
	}
	return nil
}

func TestSinceWhenALogWasWritten(t *testing.T) {
	n := start(t)
	const name = "1.slow.e2e.test"
	n.put(name, `{"command":"sh","args":["-c","echo early; sleep 4; echo late; exec sleep 1000"]}`)
	n.until("it has written all", func() error {
		if got := n.output(name); got != "early\nlate\n" {
			return fmt.Errorf("there is %q", got)
		}
		return nil
	})
	for since, want := range map[string]string{"2500ms": "late\n", "1h": "early\nlate\n"} {
		m, err := quantity.ParseMoment(since)
		if err != nil {
			t.Fatal(err)
		}
		log, err := n.client.Logs(t.Context(), coordinate(t, name), client.LogQuery{Since: m})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(log)
		log.Close()
		if err != nil || string(got) != want {
			t.Errorf("since %s: %q, %v; want %q", since, got, err, want)
		}
	}
}
