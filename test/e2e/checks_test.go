package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cloudname/nodee/runtime/service"
)

// is waits until a service is in a state, and as healthy as it should be: "true", "false" or "null".
func (n *node) is(name, state, healthy string) {
	n.t.Helper()
	n.until(fmt.Sprintf("%s is %s, healthy %s", name, state, healthy), func() error {
		s, got := n.service(name), "null"
		if s.Healthy != nil {
			got = fmt.Sprint(*s.Healthy)
		}
		if s.State != state || got != healthy {
			return fmt.Errorf("it is %s, healthy %s: %s", s.State, got, s.Why)
		}
		return nil
	})
}

// endpoints waits until a service is resolved, or is not any more.
func (n *node) endpoints(name string, want int) {
	n.t.Helper()
	e, err := service.ParseExpression("http." + name)
	if err != nil {
		n.t.Fatal(err)
	}
	n.until(fmt.Sprintf("%d endpoints of %s", want, name), func() error {
		got, err := n.client.Resolve(n.t.Context(), e, "")
		if err == nil && len(got.Value.Endpoints) != want {
			err = fmt.Errorf("there are %v", got.Value.Endpoints)
		}
		return err
	})
}

// A server that takes its time to start, is found once it is ready, is not while it is
// unwell, and keeps all that over a kill of the daemon.
func TestChecksOfAServer(t *testing.T) {
	const name = "1.checked.e2e.test"
	n, web := start(t), newServer(t)
	web.answers("started", 503)
	web.answers("ready", 503)
	n.wish(name, web.spec(`"checks":[
		{"name":"started","type":"http","role":"startup","port":"http","path":"/started","interval":"50ms"},
		{"name":"port","type":"tcp","role":"readiness","port":"http","interval":"50ms"},
		{"name":"ready","type":"http","role":"readiness","port":"http","path":"/ready","interval":"50ms","fall":2},
		{"name":"alive","type":"exec","role":"liveness","command":["sh","-c","test -n \"$NODEE_COORDINATE\" && echo noise"],"interval":"50ms"}]`))
	n.is(name, "starting", "false")
	before := n.service(name)
	n.kill()
	n.up()
	n.is(name, "starting", "false")
	web.answers("started", 200)
	n.is(name, "running", "false")
	n.endpoints(name, 0)
	web.answers("ready", 200)
	n.is(name, "running", "true")
	n.endpoints(name, 1)
	n.kill()
	n.up()
	n.is(name, "running", "true")
	web.answers("ready", 500)
	n.is(name, "running", "false")
	n.endpoints(name, 0)
	after := n.service(name)
	if before.PID == nil || after.PID == nil || *before.PID != *after.PID || after.Restarts != 0 {
		t.Errorf("pid %v before, %v after, %d restarts; want one process", before.PID, after.PID, after.Restarts)
	}
	if !strings.Contains(after.Why, "its readiness check ready has failed 2 times in a row: http://127.0.0.1:") || !strings.Contains(after.Why, "500") {
		t.Errorf("why = %q", after.Why)
	}
	var types []string
	for _, e := range n.events(name) {
		types = append(types, string(e.Type))
	}
	if got, want := strings.Join(types, " "), "desired prepared started adopted ready healthy adopted unhealthy"; got != want {
		t.Errorf("its history is %q, want %q", got, want)
	}
	if out := n.output(name); out != "" {
		t.Errorf("its checks have written %q to its log", out)
	}
}

func TestAFailedLivenessCheckRestarts(t *testing.T) {
	const name = "1.alive.e2e.test"
	n, web := start(t), newServer(t)
	n.put(name, web.spec(`"restart":{"policy":"on-failure","base":"10ms"},"checks":[
		{"name":"alive","type":"http","role":"liveness","port":"http","path":"/alive","interval":"100ms","fall":2}]`))
	n.is(name, "running", "true")
	web.answers("alive", 500)
	n.until("it is restarted", func() error {
		s := n.service(name)
		if s.Restarts == 0 || s.LastExit == nil || s.LastExit.Reason != service.ReasonLiveness {
			return fmt.Errorf("it is %s, %d restarts, last exit %+v", s.State, s.Restarts, s.LastExit)
		}
		return nil
	})
	web.answers("alive", 200)
	n.is(name, "running", "true")
}

func TestAServiceThatIsNotReadyInTime(t *testing.T) {
	const name = "1.late.e2e.test"
	n := start(t)
	s := n.put(name, `{"command":"sleep","args":["1000"],"restart":{"max":1,"base":"10ms"},"ready_timeout":"300ms","checks":[
		{"name":"port","type":"tcp","role":"startup","port":1,"interval":"50ms"}]}`)
	if s.State != "failed" || s.LastExit == nil || s.LastExit.Reason != service.ReasonTimeout || s.Restarts != 1 {
		t.Errorf("it is %s after %d restarts, last exit %+v: %s", s.State, s.Restarts, s.LastExit, s.Why)
	}
}
