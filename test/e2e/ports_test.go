package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/cloudname/nodee/api/client"
)

// listens makes the test's own binary a program that listens where it likes, and says where.
const listens = "E2E_LISTENS"

func init() {
	if os.Getenv(listens) == "" {
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	for err == nil {
		_, err = l.Accept()
	}
	os.Exit(0)
}

// A port that somebody has is waited for, and it is said who has it: a stranger by its pid, another
// service by its name too.
func TestATakenPortNamesWhoHasIt(t *testing.T) {
	n := start(t)
	l, err := net.Listen("tcp6", "[::]:0") // a wildcard of the other family takes it as well
	if err != nil {
		if l, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	waits := `{"command":"sleep","args":["1000"],"restart":{"base":"50ms","cap":"50ms"},"ports":{"http":%d}}`
	n.wish("1.waits.e2e.test", fmt.Sprintf(waits, port))
	n.until("it is said who has the port", func() error {
		s := n.service("1.waits.e2e.test")
		if want := fmt.Sprintf("its port http cannot be had, port %d is held by", port); s.State != "backoff" || !strings.Contains(s.Why, want) || !strings.Contains(s.Why, fmt.Sprintf("(pid %d)", os.Getpid())) {
			return fmt.Errorf("%s: %s", s.State, s.Why)
		}
		return nil
	})
	l.Close()
	n.in("1.waits.e2e.test", "running")

	// A service that listens where it was not told to.
	other := n.put("1.other.e2e.test", fmt.Sprintf(`{"command":%q,"env":{%q:"yes"}}`, os.Args[0], listens))
	taken := 0
	n.until("the other service listens", func() error {
		_, err := fmt.Sscan(n.output("1.other.e2e.test"), &taken)
		return err
	})
	n.wish("2.waits.e2e.test", fmt.Sprintf(waits, taken))
	n.until("the other service is named", func() error {
		s := n.service("2.waits.e2e.test")
		if want := fmt.Sprintf("(pid %d) of 1.other.e2e.test", *other.PID); s.State != "backoff" || !strings.Contains(s.Why, want) {
			return fmt.Errorf("%s: %s, want %s", s.State, s.Why, want)
		}
		return nil
	})
}

// What was assigned is unique, told to the service, and kept: over stops, restarts of the daemon, and
// while others are given theirs.
func TestAssignedPortsAreKept(t *testing.T) {
	n := start(t)
	const spec = `{"command":"sh","args":["-c","echo $NODEE_PORT_HTTP $NODEE_PORT_ADMIN; exec sleep 1000"],"ports":{"http":0,"admin":0}}`
	names := []string{"1.a.e2e.test", "2.a.e2e.test", "3.a.e2e.test"}
	has, given := map[string]map[string]int{}, map[int]string{}
	for _, name := range names {
		s := n.put(name, spec)
		has[name] = s.Ports
		for _, port := range s.Ports {
			if given[port] != "" {
				t.Errorf("%s and %s both have %d", name, given[port], port)
			}
			given[port] = name
		}
		n.says(name, fmt.Sprintf("%d %d\n", s.Ports["http"], s.Ports["admin"]))
	}
	n.stop(names[0])
	n.kill()
	n.up()
	for port := range has[names[0]] {
		if again := n.put("9.a.e2e.test", spec).Ports[port]; given[again] != "" {
			t.Errorf("a port of %s, which is stopped, was given away", given[again])
		}
	}
	if _, err := n.client.CommandService(t.Context(), coordinate(t, names[0]), client.Start, client.Wait(limit)); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if s := n.service(name); fmt.Sprint(s.Ports) != fmt.Sprint(has[name]) {
			t.Errorf("%s had %v, has %v", name, has[name], s.Ports)
		}
	}
}
