package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/runtime/service"
)

// confinedNode is a node whose host can confine, and a folder that has nothing to do with it.
func confinedNode(t *testing.T) (n *node, outside string) {
	t.Helper()
	n, outside = start(t), t.TempDir()
	s, err := n.client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if abi := s.Value.Features["landlock"]; !strings.HasPrefix(abi, "abi ") {
		t.Fatalf("this host cannot confine: %s: %s", abi, s.Value.Features["landlock_why"])
	}
	return n, outside
}

// sh is a spec of a shell script, with more keys.
func sh(t *testing.T, script, more string) string {
	t.Helper()
	args, err := json.Marshal([]string{"-c", script})
	if err != nil {
		t.Fatal(err)
	}
	return `{"command":"sh","args":` + string(args) + more + `}`
}

func TestAConfinedServiceThatGivesUpNamesAccess(t *testing.T) {
	n, outside := confinedNode(t)
	script := `echo mine >ok; echo x >` + outside + `/x || exit 3; exec sleep 1000`
	n.wish("1.shut.e2e.test", sh(t, script, `,"restart":{"policy":"never"}`))
	s := n.in("1.shut.e2e.test", "failed")
	if !strings.Contains(s.Why, "see access") || s.LastExit == nil || !strings.Contains(s.LastExit.Why, "see access") {
		t.Errorf("why is %q, that of its exit %+v; want both to name access", s.Why, s.LastExit)
	}
	if b, err := os.ReadFile(filepath.Join(s.RuntimeDir, "ok")); string(b) != "mine\n" {
		t.Errorf("its own file holds %q, %v", b, err)
	}
	for name, access := range map[string]string{
		"1.asked.e2e.test": `{"write":["` + outside + `"]}`,
		"1.open.e2e.test":  `{"confine":false}`,
	} {
		if s := n.put(name, sh(t, script, `,"access":`+access)); s.State != "running" {
			t.Errorf("with access %s it is %s: %s; want it running", access, s.State, s.Why)
		}
	}
}

func TestWhatIsNodeesCannotBeAskedFor(t *testing.T) {
	n, _ := confinedNode(t)
	for _, path := range []string{n.prefix, n.prefix + "/software", n.prefix + "/state/x", n.prefix + "/logs/e2e", filepath.Dir(n.prefix)} {
		spec, err := service.Decode([]byte(`{"command":"true","access":{"write":["/srv","`+path+`"]}}`), service.JSON, "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = n.client.PutService(t.Context(), coordinate(t, "1.bad.e2e.test"), spec, client.Put{})
		p := (*client.Problem)(nil)
		if !errors.As(err, &p) || p.Status != 422 || len(p.Errors) != 1 || p.Errors[0].Location != "body.access.write[1]" {
			t.Errorf("write %s: %v; want 422 at body.access.write[1]", path, err)
		}
	}
	n.wish("1.later.e2e.test", `{"command":"true","access":{"write":["/srv/nodee-e2e/missing"]}}`)
	if s := n.in("1.later.e2e.test", "backoff"); !strings.Contains(s.Why, "make it, or take it out of access.write") {
		t.Errorf("a missing folder: %s; want to be told what to do", s.Why)
	}
}

// A daemon that dies leaves its services as confined as they were, and the next one confines
// what it runs beside them.
func TestConfinementOutlivesTheDaemon(t *testing.T) {
	n, outside := confinedNode(t)
	script := `while [ ! -e go ]; do sleep 0.05; done; echo x >` + outside + `/service; echo tried; exec sleep 1000`
	s := n.put("1.stay.e2e.test", sh(t, script, `,"drain":{"exec":["sh","-c","echo drained; echo x >`+outside+`/drain; exit 0"],"timeout":"20s"}`))
	n.kill()
	n.up()
	if err := os.WriteFile(filepath.Join(s.RuntimeDir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	n.until("it has tried", func() error { return says(n, "1.stay.e2e.test", "tried") })
	if _, err := n.client.CommandService(t.Context(), coordinate(t, "1.stay.e2e.test"), client.Drain, client.Wait(limit)); err != nil {
		t.Fatal(err)
	}
	if err := says(n, "1.stay.e2e.test", "drained"); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("%v, %v were made outside; want nothing", left, err)
	}
}

func says(n *node, name, word string) error {
	if out := n.output(name); !strings.Contains(out, word) {
		return errors.New("it says " + out)
	}
	return nil
}
