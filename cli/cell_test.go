package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/rest/resttest"
)

// A job's life by the command line, against the real face of a coordinator whose cell does at once what is asked for.
func TestTheLifeOfAJob(t *testing.T) {
	c := resttest.NewCoordinator(t)
	c.AddNode("n7")
	c.Plan(api.JobPlan{Changes: []api.PlanChange{{Kind: api.ChangeStart, Instance: "0.web.borud.fbu", To: "n7", Why: "it is nowhere"}}})
	t.Setenv("NODEE_COORDINATOR", resttest.Serve(t, c, "write"))
	t.Setenv("NODEE_TOKEN", resttest.Token)
	t.Setenv("NODEE_CONFIG", os.DevNull)
	file := filepath.Join(t.TempDir(), "web.toml")
	if err := os.WriteFile(file, []byte("name = \"web.borud.fbu\"\ncount = 2\nspec.command = \"/bin/web\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args string
		code int
		out  string // a part of it
	}{
		{"job status web.borud.fbu", 3, ""},
		{"job plan FILE", 0, "web.borud.fbu is new: 1 would start\n"},
		{"job run FILE --yes", 0, "web.borud.fbu is running: 2 of 2 running, 2 healthy (version 1)"},
		{"job scale web.borud.fbu 5", 0, "5 of 5 running, 5 healthy (version 2)"},
		{"job restart web.borud.fbu", 0, "(version 3)"},
		{"job revert web.borud.fbu 1", 0, "2 of 2 running, 2 healthy (version 4)"},
		{"job revert web.borud.fbu 9", 4, ""},
		{"job stop web.borud.fbu", 0, "web.borud.fbu is stopped (version 5)"},
		{"job list", 0, "web.borud.fbu   service   stopped "},
		{"job history web.borud.fbu", 0, "count: 2 to 5"},
		{"job remove web.borud.fbu --yes", 0, "web.borud.fbu is removed\n"},
		{"node list", 0, "n7 "},
		{"node ineligible n7 --why slow", 0, "n7 is ready; ineligible since "},
		{"node drain n7 --no-wait --why disk", 0, "n7 is "},
		{"node resume n7", 0, "n7 is ready; takes work since "},
		{"node status n8", 3, ""},
		{"cell freeze --why night", 0, "night"},
		{"cell unfreeze", 0, "5f0a"},
		{"why web.borud.fbu", 3, ""},
	} {
		args := strings.Fields(strings.ReplaceAll(step.args, "FILE", file))
		code, out, errs := runAt(t.Context(), args...)
		if code != step.code || !strings.Contains(out, step.out) {
			t.Errorf("%s: exit code %d, want %d; output\n%swant %q; errors %q", step.args, code, step.code, out, step.out, errs)
		}
	}
}
