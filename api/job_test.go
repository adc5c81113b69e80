package api

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/job"
)

// A job stands flat beside its status, and what is read is what was written.
func TestAJobAndItsStatus(t *testing.T) {
	asked, err := job.Decode([]byte(`{"name":"web.borud.fbu","count":3,"spec":{"command":"/bin/web"}}`), document.JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	in := Job{Job: asked, Status: JobStatus{Status: JobPending, Desired: 3, Pending: &Pending{Instances: 1, Reasons: []PendingReason{}}}}
	text, err := json.Marshal(in)
	if err != nil || !strings.HasPrefix(string(text), `{"name":"web.borud.fbu","type":"service","count":3,`) ||
		!strings.Contains(string(text), `,"version":0,"status":{"status":"pending",`) {
		t.Fatalf("it is written as %s, %v", text, err)
	}
	var out Job
	if err := json.Unmarshal(text, &out); err != nil || !out.Equal(in.Job) || out.Status.Pending == nil || out.Status.Desired != 3 {
		t.Errorf("it is read as %+v, %v", out, err)
	}
	for _, wrong := range []string{`{"status":5}`, `{"name":5}`, `[]`} {
		if json.Unmarshal([]byte(wrong), &out) == nil {
			t.Errorf("%s is read", wrong)
		}
	}
}
