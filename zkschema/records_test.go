package zkschema

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

var webJob = job.Name{Service: "web", User: "borud", Cell: "fbu"}

func jobRecord(t *testing.T) Job {
	t.Helper()
	j, err := job.Decode([]byte(`{"name":"web.borud.fbu","count":3,"version":4,"spec":{"command":"/bin/web","env":{"A":"<b>"}}}`), document.JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	digest, _, err := EncodeSpec(j.Spec)
	if err != nil {
		t.Fatal(err)
	}
	return Job{Schema: 1, Job: j, Spec: digest, Revision: 2, Change: "scale", At: when, By: "ann"}
}

func assignment(t *testing.T) Assignment {
	t.Helper()
	return Assignment{
		Schema: 1, Cell: "5f0a", Epoch: 7, Drain: &AssignedDrain{Since: when, Deadline: when.Add(600e9), Why: "new disks", By: "ann"},
		Prefetch: []string{"com.example:web:1.2.0"},
		Units: []AssignedUnit{{Kind: KindService, Name: web.String(), Owner: JobOwner(webJob.String()), Spec: jobRecord(t).Spec, Want: service.Running,
			Generation: 2, Since: when}},
	}
}

func deployment() Deployment {
	return Deployment{Schema: 1, Job: webJob.String(), Revision: 4, Stable: 2, StableSpec: "ab", Status: DeploymentRunning, StartedAt: when}
}

func TestASpecIsKnownByItsDigest(t *testing.T) {
	j := jobRecord(t)
	digest, data, err := EncodeSpec(j.Job.Spec)
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeSpec(digest, data)
	if err != nil {
		t.Fatal(err)
	}
	if again, _, err := EncodeSpec(back); err != nil || again != digest {
		t.Errorf("read back and written again its digest is %s, %v, want %s", again, err, digest)
	}
	if _, err := DecodeSpec(digest, append(data, ' ')); err == nil || !strings.Contains(err.Error(), "another digest") {
		t.Errorf("a spec that was changed is read: %v", err)
	}
	newer := []byte(`{"command":"x","invented":true}`)
	if _, err := DecodeSpec(sum(newer), newer); err == nil || !strings.Contains(err.Error(), "invented") {
		t.Errorf("a spec with an unknown key: %v, want an error that names it", err)
	}
}

func TestAnAssignmentThatDoesNotFitIsRefused(t *testing.T) {
	a := assignment(t)
	unit := a.Units[0]
	for i := range 1000 {
		unit.Name = fmt.Sprintf("%d.%s.%s.%s", i, strings.Repeat("s", 63), strings.Repeat("u", 63), strings.Repeat("c", 63))
		a.Units = append(a.Units, unit)
	}
	if _, err := a.Encode(); err == nil || !strings.Contains(err.Error(), "the node is full") {
		t.Errorf("1001 long names: %v, want that the node is full", err)
	}
	if data, err := (Assignment{}).Encode(); err != nil || !strings.Contains(string(data), `"units":[]`) {
		t.Errorf("an assignment of nothing is %s, %v: it must say so", data, err)
	}
}
