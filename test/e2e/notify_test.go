package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cloudname/nodee/runtime/service"
)

// A service that says when it is ready, over kills of the daemon.
func TestAServiceTellsOfItself(t *testing.T) {
	const name = "1.told.e2e.test"
	n, web := start(t), newServer(t)
	n.wish(name, web.spec(`"notify":{"ready":true}`))
	n.is(name, "starting", "null")
	n.tells(name, "STATUS=warming up")
	if s := n.service(name); s.StatusText != "warming up" || !strings.Contains(s.Why, "READY=1") {
		t.Errorf("it says %q, why %q", s.StatusText, s.Why)
	}
	n.endpoints(name, 0)
	n.kill()
	n.up()
	n.is(name, "starting", "null")
	n.tells(name, "READY=1\nSTATUS=serving")
	n.is(name, "running", "null")
	n.endpoints(name, 1)
	n.kill()
	n.up()
	n.is(name, "running", "null")
	if s := n.service(name); s.StatusText != "serving" || s.Restarts != 0 {
		t.Errorf("it says %q after %d restarts", s.StatusText, s.Restarts)
	}
	n.tells(name, "STOPPING=1")
	n.is(name, "running", "false")
	n.endpoints(name, 0)
	if watch := n.at(name, "GET", "/environment/WATCHDOG_USEC"); watch != "" {
		t.Errorf("it is told of a watchdog: %s", watch)
	}
}

func TestAMissedWatchdogRestarts(t *testing.T) {
	const name = "1.watched.e2e.test"
	n, web := start(t), newServer(t)
	n.put(name, web.spec(`"notify":{"watchdog":"2s"},"restart":{"base":"10ms"}`))
	if got := n.at(name, "GET", "/environment/WATCHDOG_USEC"); got != "2000000" {
		t.Errorf("WATCHDOG_USEC is %q", got)
	}
	n.until("it is restarted", func() error {
		s := n.service(name)
		if s.LastExit == nil || s.LastExit.Reason != service.ReasonLiveness || !strings.Contains(s.LastExit.Why, "watchdog") {
			return fmt.Errorf("it is %s, last exit %+v", s.State, s.LastExit)
		}
		return nil
	})
}

// Others cannot speak for a service, whoever they are.
func TestWhatOthersTellIsNotBelieved(t *testing.T) {
	const name, other = "1.quiet.e2e.test", "1.loud.e2e.test"
	n, web := start(t), newServer(t)
	n.wish(name, web.spec(`"notify":{"ready":true}`))
	n.is(name, "starting", "null")
	address := n.at(name, "GET", "/environment/NOTIFY_SOCKET")
	t.Setenv("NOTIFY_SOCKET", address)
	if err := tell("READY=1\nSTATUS=from the test"); err != nil {
		t.Fatal(err)
	}
	if s := n.service(name); s.State != "starting" || s.StatusText != "" {
		t.Errorf("it is %s, and says %q", s.State, s.StatusText)
	}
	n.put(other, web.spec(`"restart":{"policy":"never"}`))
	if elsewhere := n.at(other, "GET", "/environment/NOTIFY_SOCKET"); elsewhere == address || elsewhere == "" {
		t.Errorf("the services have the addresses %q and %q", address, elsewhere)
	}
	n.tells(name, "READY=1")
	n.is(name, "running", "null")
}
