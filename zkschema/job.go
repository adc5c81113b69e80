package zkschema

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// KeptVersions is how many versions of a job are kept beside the one that is valid.
const KeptVersions = 10

// Job is a job as the cell keeps it: what it says, and how it came to say that. The same record
// stands at the job's own path and, as one of its versions, below Versions.
type Job struct {
	Schema   int       `json:"schema"`
	Job      job.Job   `json:"job"`               // its Version rises by one with each change, and goes on where a removed job comes back
	Spec     string    `json:"spec"`              // the digest of Job.Spec
	Revision int       `json:"revision"`          // the version that changed what an instance is last: by its spec, a restart, or a start after a stop. Who goes back to an earlier spec goes back to its revision
	Born     int       `json:"born,omitempty"`    // the first version of it: what was before belongs to a removed job of its name. 0: not known
	Change   string    `json:"change"`            // what was asked for: put, scale, stop, restart, revert, remove
	Removed  bool      `json:"removed,omitempty"` // its instances are stopped; when no node names one any more the record goes
	At       time.Time `json:"at"`
	By       string    `json:"by"`            // who asked
	Why      string    `json:"why,omitempty"` // why the coordinator itself did: "the update to version 4 failed: ..."
}

// Encode writes the record.
func (j Job) Encode() ([]byte, error) {
	j.Schema = Schema
	return json.Marshal(j)
}

// DecodeJob reads the record of a job.
func DecodeJob(data []byte) (Job, error) {
	var j Job
	err := decode("a job", data, &j, &j.Schema)
	return j, err
}

// EncodeSpec writes a spec as it stands below Specs, with the digest that it stands under. Specs
// that say the same have the same digest. It has no schema: another spec is another digest.
func EncodeSpec(s service.Spec) (digest string, data []byte, err error) {
	if data, err = json.Marshal(s); err != nil {
		return "", nil, fmt.Errorf("cannot write a spec: %w", err)
	}
	return sum(data), data, nil
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// IsSpec tells whether data are what the digest is of.
func IsSpec(digest string, data []byte) bool { return sum(data) == digest }

// DecodeSpec reads the spec that stands under a digest. Keys that this program does not know are
// faults: a service is not run by half of its spec.
func DecodeSpec(digest string, data []byte) (service.Spec, error) {
	if !IsSpec(digest, data) {
		return service.Spec{}, fmt.Errorf("cannot use the spec %s: what stands there has another digest", digest)
	}
	s, err := service.Decode(data, document.JSON, "spec.")
	if err != nil {
		return service.Spec{}, fmt.Errorf("cannot use the spec %s: %w", digest, err)
	}
	return s, nil
}

// SpecIn returns the spec with a digest as it stands below Specs, out of a record of a job that
// has it: to the byte, also where another program has written it and would write it otherwise now.
func SpecIn(record []byte, digest string) ([]byte, error) {
	var head struct {
		Job struct{ Spec json.RawMessage }
	}
	if err := json.Unmarshal(record, &head); err != nil {
		return nil, fmt.Errorf("cannot read the record of a job: %w", err)
	}
	if sum(head.Job.Spec) != digest {
		return nil, fmt.Errorf("the record of the job holds another spec than %s", digest)
	}
	return head.Job.Spec, nil
}

// DeploymentStatus says how far a job's instances are with being what it says.
type DeploymentStatus string

// The statuses of a deployment.
const (
	DeploymentRunning DeploymentStatus = "running"
	DeploymentDone    DeploymentStatus = "done"
	DeploymentFailed  DeploymentStatus = "failed" // halted: instances stay what they are until the job is changed
)

// Deployment is the progress of a job's latest revision. It holds what cannot be seen from
// assignments and reports: that it has failed, and what to go back to.
type Deployment struct {
	Schema     int              `json:"schema"`
	Job        string           `json:"job"`
	Revision   int              `json:"revision"`    // what is rolled out
	Stable     int              `json:"stable"`      // the revision that was done last; 0: none was
	StableSpec string           `json:"stable_spec"` // its digest; "" where Stable is 0
	Reverts    int              `json:"reverts"`     // the revision that failed and that this one undoes; 0: none
	Status     DeploymentStatus `json:"status"`
	Why        string           `json:"why"` // why it has failed
	StartedAt  time.Time        `json:"started_at"`
	EndedAt    *time.Time       `json:"ended_at"` // null while it runs
}

// Encode writes the record.
func (d Deployment) Encode() ([]byte, error) {
	d.Schema = Schema
	return json.Marshal(d)
}

// DecodeDeployment reads the record of a deployment.
func DecodeDeployment(data []byte) (Deployment, error) {
	var d Deployment
	err := decode("a deployment", data, &d, &d.Schema)
	return d, err
}
