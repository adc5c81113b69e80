package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/runtime/service"
)

// A chain of services starts from its end, as each becomes ready, over kills of the daemon;
// what runs already does not care, and what has to stop with the node stops the other way round.
func TestServicesStartInOrder(t *testing.T) {
	const top, middle, bottom = "1.top.e2e.test", "1.middle.e2e.test", "1.bottom.e2e.test"
	n, web := start(t), newServer(t)
	n.wish(top, fmt.Sprintf(`{"command":"sleep","args":["1000"],"depends_on":[%q]}`, middle))
	n.until("the reason is told", func() error {
		if s := n.service(top); s.State != "pending" || s.Why != "it waits for "+middle+", which this node does not have" {
			return fmt.Errorf("it is %s: %s", s.State, s.Why)
		}
		return nil
	})
	n.wish(middle, web.spec(fmt.Sprintf(`"depends_on":[%q],"checks":[
		{"name":"ready","type":"http","role":"readiness","port":"http","path":"/ready","interval":"50ms"}]`, bottom)))
	n.wish(bottom, web.spec(`"notify":{"ready":true}`))
	n.is(bottom, "starting", "null")
	n.until("the reason is told", func() error {
		if s := n.service(middle); s.State != "pending" || s.Why != "it waits for "+bottom+", which is starting" {
			return fmt.Errorf("it is %s: %s", s.State, s.Why)
		}
		return nil
	})
	n.kill()
	n.up()
	n.is(bottom, "starting", "null")
	n.in(middle, "pending")
	web.answers("ready", 500)
	n.tells(bottom, "READY=1")
	n.is(middle, "running", "false")
	n.in(top, "pending")
	web.answers("ready", 200)
	n.in(top, "running")

	n.stop(middle)
	if s := n.service(top); s.State != "running" {
		t.Errorf("with what it needs stopped, it is %s: %s", s.State, s.Why)
	}
	if _, err := n.client.CommandService(t.Context(), coordinate(t, middle), client.Start, client.Wait(limit)); err != nil {
		t.Fatal(err)
	}
	c := coordinate(t, bottom)
	spec, err := service.Decode(fmt.Appendf(nil, `{"command":"sleep","depends_on":[%q]}`, top), service.JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = n.client.PutService(t.Context(), c, spec, client.Put{}); err == nil || !strings.Contains(err.Error(), "422") && !strings.Contains(err.Error(), "wait for itself") {
		t.Errorf("a cycle is answered by %v", err)
	}

	if _, err := n.client.DrainNode(t.Context(), client.NodeDrain{Wait: client.Wait(limit)}); err != nil {
		t.Fatal(err)
	}
	var stops []string
	all, err := n.client.Events(t.Context(), client.EventQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all.Value.Events {
		if e.Type == service.EventStopped {
			stops = append(stops, e.Coordinate)
		}
	}
	if got, want := fmt.Sprint(stops[max(0, len(stops)-3):]), fmt.Sprint([]string{top, middle, bottom}); got != want {
		t.Errorf("they have stopped as %s, want %s", got, want)
	}
}
