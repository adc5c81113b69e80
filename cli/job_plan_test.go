package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/job"
)

var web = job.Name{Service: "web", User: "borud", Cell: "fbu"}

func TestPlans(t *testing.T) {
	for name, c := range map[string]struct {
		plan api.JobPlan
		want string
	}{
		"a new job": {api.JobPlan{Changes: []api.PlanChange{
			{Kind: api.ChangeStart, Instance: "0.web.borud.fbu", To: "n1", Why: "it is nowhere"},
			{Kind: api.ChangeStart, Instance: "1.web.borud.fbu", To: "n2", Why: "it is nowhere"},
		}}, `web.borud.fbu is new: 2 would start
  start   0.web.borud.fbu   on n1   it is nowhere
  start   1.web.borud.fbu   on n2   it is nowhere
`},
		"a change of everything": {api.JobPlan{Version: 4, Changes: []api.PlanChange{
			{Kind: api.ChangeUpdate, Instance: "0.web.borud.fbu", From: "n1", To: "n1", Why: "its spec differs"},
			{Kind: api.ChangeMove, Instance: "1.web.borud.fbu", From: "n2", To: "n10", Why: "n2 lacks label.disk"},
			{Kind: api.ChangeStop, Instance: "2.web.borud.fbu", From: "n3", Why: "there are to be 2"},
		}, Pending: &api.Pending{Instances: 1, Nearest: "1GiB more memory on n3", Reasons: []api.PendingReason{
			{Key: "memory", Text: "needs 2GiB of memory, has at most 1GiB left", Nodes: 3}, {Key: "drained", Text: "drained", Nodes: 1},
		}}}, `web.borud.fbu is at version 4: 1 would stop, 1 would move, 1 would be updated
  update   0.web.borud.fbu   on n1       its spec differs
  move     1.web.borud.fbu   n2 to n10   n2 lacks label.disk
  stop     2.web.borud.fbu   on n3       there are to be 2
there is no node for 1 instance:
  3 nodes: needs 2GiB of memory, has at most 1GiB left
  1 node: drained
  what would help: 1GiB more memory on n3
`},
		"nothing at all": {api.JobPlan{Version: 4, ChangesNothing: true}, "web.borud.fbu says this already (version 4): nothing would change\n"},
		"what is not done yet": {api.JobPlan{Version: 4, ChangesNothing: true, Changes: []api.PlanChange{{Kind: api.ChangeUpdate, Instance: "1.web.borud.fbu", From: "n2", To: "n2", Why: "it is at version 3 yet"}}},
			"web.borud.fbu says this already (version 4), and is on its way there: 1 would be updated\n  update   1.web.borud.fbu   on n2   it is at version 3 yet\n"},
		"what has failed": {api.JobPlan{Version: 6, ChangesNothing: true, Failed: "instance 0 was not healthy within 10s"}, `web.borud.fbu says this already, and version 6 has failed (instance 0 was not healthy within 10s): nothing would change
  nodee job restart web.borud.fbu tries it again, nodee job revert web.borud.fbu VERSION goes back to one of nodee job history web.borud.fbu
`},
		"what has failed, and another node is lost": {api.JobPlan{Version: 6, ChangesNothing: true, Failed: "0 is not well", Changes: []api.PlanChange{{Kind: api.ChangeStart, Instance: "1.web.borud.fbu", To: "n2", Why: "it is nowhere"}}},
			`web.borud.fbu says this already, and version 6 has failed (0 is not well): 1 would start
  nodee job restart web.borud.fbu tries it again, nodee job revert web.borud.fbu VERSION goes back to one of nodee job history web.borud.fbu
  start   1.web.borud.fbu   on n2   it is nowhere
`},
		"nothing for its instances":  {api.JobPlan{Version: 4}, "web.borud.fbu is at version 4: no instance would change\n"},
		"a cell without nodes":       {api.JobPlan{Pending: &api.Pending{Instances: 2}}, "web.borud.fbu is new: no instance would change\nthere is no node for 2 instances: the cell has none\n"},
		"what could hurt a terminal": {api.JobPlan{Changes: []api.PlanChange{{Kind: "stop", Instance: "0.a.b.c", From: "\x1b[31m"}}}, "web.borud.fbu is new: 1 would stop\n  stop   0.a.b.c   on  [31m   -\n"},
	} {
		var b strings.Builder
		if err := writePlan(&b, web, c.plan); err != nil || b.String() != c.want {
			t.Errorf("%s: %v\n%swant\n%s", name, err, b.String(), c.want)
		}
	}
}

func TestALongPlanIsCounted(t *testing.T) {
	var p api.JobPlan
	for i := range planRows + 2 {
		p.Changes = append(p.Changes, api.PlanChange{Kind: api.ChangeStart, Instance: fmt.Sprintf("%d.web.borud.fbu", i), To: "n1"})
	}
	var b strings.Builder
	if err := writePlan(&b, web, p); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(b.String(), "\n"); got != planRows+2 || !strings.HasSuffix(b.String(), "  and 2 changes more, as -o json shows\n") {
		t.Errorf("the plan has %d lines:\n%s", got, b.String())
	}
}
