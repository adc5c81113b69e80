package job

import (
	"bytes"
	"encoding/json"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

// Type says how many instances a job has, and where.
type Type string

// The types of a job.
const (
	Service Type = "service" // Count instances, wherever they fit
	System  Type = "system"  // one on each node that matches
)

// Job says what should run in the cell. Decode makes one, with every default filled in. Its
// JSON form is what Decode reads, and is the same for jobs that say the same.
type Job struct {
	Name         Name              `json:"name"`
	Type         Type              `json:"type"`
	Count        int               `json:"count"`   // of instances; 0 for a system job
	Cluster      string            `json:"cluster"` // whose nodes it may use
	Constraints  []Constraint      `json:"constraints"`
	Spread       []Spread          `json:"spread"`
	AntiAffinity bool              `json:"anti_affinity"` // no two instances on a node where that can be avoided
	Resources    Resources         `json:"resources"`     // of each instance
	Spec         service.Spec      `json:"spec"`
	Update       Update            `json:"update"`
	ReplaceAfter quantity.Duration `json:"replace_after"` // how long a node may be away before its instances go elsewhere
	Stopped      bool              `json:"stopped"`       // kept, and nothing of it runs
	Version      int               `json:"version"`       // given by who keeps the job; says nothing of what it should be
}

// Spread asks for as many instances on the nodes of each value of an attribute.
type Spread struct {
	Attribute string `json:"attribute"`
}

// Resources is what an instance is expected to use. Nodes are not given more than they have;
// holding a service to it is what the limits of its spec do.
type Resources struct {
	CPU    float64       `json:"cpu"` // cores
	Memory quantity.Size `json:"memory"`
}

// Update says how a changed job takes the place of the old one.
type Update struct {
	MaxParallel     int               `json:"max_parallel"`     // how many instances are changed at a time
	MinHealthy      quantity.Duration `json:"min_healthy"`      // how long each must be healthy before the next
	HealthyDeadline quantity.Duration `json:"healthy_deadline"` // until one that is not healthy has failed
	Canary          int               `json:"canary"`           // how many are changed and looked at before the rest
	AutoRevert      bool              `json:"auto_revert"`      // a failed update goes back to the version before
}

// defaults is the job that says nothing.
func defaults() Job {
	return Job{
		Type: Service, Count: 1, Cluster: "default", Constraints: []Constraint{}, Spread: []Spread{}, AntiAffinity: true,
		Update:       Update{MaxParallel: 1, MinHealthy: seconds(10), HealthyDeadline: seconds(300), AutoRevert: true},
		ReplaceAfter: seconds(60),
	}
}

func seconds(n int64) quantity.Duration { return quantity.Duration(n * 1e9) }

// UnmarshalJSON reads what was marshalled. What an earlier version did not know yet, and so
// did not write, has its default.
func (j *Job) UnmarshalJSON(data []byte) error {
	type plain Job
	full := plain(defaults())
	if err := json.Unmarshal(data, &full); err != nil {
		return err
	}
	*j = Job(full)
	return nil
}

// Equal tells whether two jobs say the same, whichever versions they are.
func (j Job) Equal(o Job) bool {
	j.Version, o.Version = 0, 0
	a, errA := json.Marshal(j)
	b, errB := json.Marshal(o)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// Masked returns j with the values of its environment hidden, for readers who are not trusted with them.
func (j Job) Masked() Job {
	j.Spec = j.Spec.Masked()
	return j
}
