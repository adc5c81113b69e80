package job

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
)

// later are the types whose meaning is settled, and which are refused until they are built.
var later = []string{"batch", "periodic"}

// MaxCount is how many instances a job can have, and the least number that none of them has.
const MaxCount = 1_000_000

const maxCPU = 4096 // cores of one instance

// Decode reads a job, fills in the defaults and checks all that can be checked without knowing
// the cell. The error is fault.Malformed when data is not of the format at all; otherwise
// fault.Invalid with every fault, those of the spec too, each location behind prefix ("body.").
func Decode(data []byte, format document.Format, prefix string) (Job, error) {
	table, err := document.Parse(data, format, "the job")
	if err != nil {
		return Job{}, err
	}
	r := document.NewReader(prefix, table)
	j := Read(r)
	if err := fault.Fields("the job cannot be used", r.Faults()); err != nil {
		return Job{}, err
	}
	return j, nil
}

// Read takes a job out of a table, default by default, for who reads more than that out of a
// document. What is wrong is told to r. What a coordinator has answered can be given back as it is:
// its status is passed over.
func Read(r *document.Reader) Job {
	j := defaults()
	r.Take("status")
	readName(r, &j.Name)
	readType(r, &j)
	r.Text("cluster", &j.Cluster)
	if service.CheckName(j.Cluster) != nil {
		r.Fault("cluster", j.Cluster, "%v", service.CheckName(j.Cluster))
	}
	readConstraints(r, &j)
	readSpread(r, &j)
	r.Truth("anti_affinity", &j.AntiAffinity)
	if sub, ok := r.Sub("resources"); ok {
		sub.Number("cpu", &j.Resources.CPU, 0, maxCPU)
		sub.Size("memory", &j.Resources.Memory)
		sub.Finish()
	}
	readSpec(r, &j.Spec)
	if sub, ok := r.Sub("update"); ok {
		readUpdate(sub, &j)
	}
	r.Duration("replace_after", &j.ReplaceAfter)
	r.Truth("stopped", &j.Stopped)
	r.Whole("version", &j.Version, 0, math.MaxInt32)
	r.Finish()
	return j
}

func readName(r *document.Reader, into *Name) {
	var text string
	if !r.Text("name", &text) {
		if !r.Has("name") {
			r.Fault("name", nil, "is needed: <service>.<user>.<cell>, such as web.borud.fbu")
		}
		return
	}
	name, err := ParseName(text)
	if err != nil {
		r.Fault("name", text, "%v", err)
	}
	*into = name
}

// readType takes type and count, of which a system job has none of its own.
func readType(r *document.Reader, j *Job) {
	kind := string(j.Type)
	if r.Text("type", &kind) {
		switch {
		case slices.Contains(later, kind):
			r.Fault("type", kind, "not supported yet")
		case kind != string(Service) && kind != string(System):
			r.Fault("type", kind, "must be one of %s, %s", Service, System)
		}
	}
	j.Type = Type(kind)
	r.Whole("count", &j.Count, 0, MaxCount)
	if j.Type != System {
		return
	}
	if r.Has("count") && j.Count != 0 {
		r.Fault("count", j.Count, "is for jobs of type service; a system job has one instance on each node that matches")
	}
	j.Count = 0
}

func readSpec(r *document.Reader, into *service.Spec) {
	if sub, ok := r.Sub("spec"); ok {
		*into = service.Read(sub)
	} else if !r.Has("spec") {
		r.Fault("spec", nil, "is needed: what each instance should be")
	}
}

func readUpdate(r *document.Reader, j *Job) {
	u := &j.Update
	r.Whole("max_parallel", &u.MaxParallel, 1, MaxCount)
	r.Duration("min_healthy", &u.MinHealthy)
	r.Duration("healthy_deadline", &u.HealthyDeadline)
	r.Whole("canary", &u.Canary, 0, MaxCount)
	r.Truth("auto_revert", &u.AutoRevert)
	r.Finish()
	if u.HealthyDeadline <= u.MinHealthy {
		r.Fault("healthy_deadline", u.HealthyDeadline.String(), "must be more than min_healthy, which is %s", u.MinHealthy)
	}
	if u.Canary > 0 {
		r.Fault("canary", u.Canary, "not supported yet: 0 is")
	}
}

func readConstraints(r *document.Reader, j *Job) {
	for _, sub := range r.Tables("constraints") {
		c := Constraint{Operator: Is}
		readAttribute(sub, &c.Attribute)
		operator := string(c.Operator)
		sub.OneOf("operator", &operator, string(Is), string(IsNot), string(In), string(Matches), string(Version))
		c.Operator = Operator(operator)
		readValue(sub, &c)
		sub.Finish()
		j.Constraints = append(j.Constraints, c)
	}
}

func readValue(r *document.Reader, c *Constraint) {
	if !r.Has("value") {
		r.Take("value")
		r.Fault("value", nil, "is needed")
		return
	}
	if c.Operator == In {
		if r.Texts("value", &c.Values) && len(c.Values) == 0 {
			r.Fault("value", nil, "must not be an empty list: no node would do")
		}
		return
	}
	var text string
	if !r.Text("value", &text) {
		return
	}
	c.Values = []string{text}
	if _, err := c.Compile(); err != nil {
		r.Fault("value", text, "%v", err)
	}
}

func readSpread(r *document.Reader, j *Job) {
	for i, sub := range r.Tables("spread") {
		var s Spread
		readAttribute(sub, &s.Attribute)
		sub.Finish()
		if slices.Contains(j.Spread, s) && s.Attribute != "" {
			r.Fault(fmt.Sprintf("spread[%d].attribute", i), s.Attribute, "is there already")
		}
		j.Spread = append(j.Spread, s)
	}
}

// attributes are those that every node has; beside them there are label.<name> and feature.<name>.
var attributes = []string{
	"node.name", "node.id", "node.version",
	"machine.os", "machine.arch", "machine.kernel", "machine.cpus", "machine.memory_bytes",
}

func readAttribute(r *document.Reader, into *string) {
	if !r.Has("attribute") {
		r.Take("attribute")
		r.Fault("attribute", nil, "is needed, such as label.rack or machine.arch")
		return
	}
	if !r.Text("attribute", into) {
		return
	}
	kind, name, _ := strings.Cut(*into, ".")
	if !slices.Contains(attributes, *into) && (name == "" || kind != "label" && kind != "feature") {
		r.Fault("attribute", *into, "is nothing that a node has; there are label.<name>, feature.<name>, %s", strings.Join(attributes, ", "))
	}
}
