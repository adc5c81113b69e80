package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// world is a cell with everything around it that a test needs: what stands in ZooKeeper, and
// nodes that do what they are told and report it, each thing after its time.
type world struct {
	t           fataler
	now         time.Time
	cells       []*Cell // told the same; the first plans what is dirty, the second everything
	nodes       map[string]*model
	documents   map[string]zkschema.Assignment
	versions    map[string]int32
	jobs        map[job.Name]zkschema.Job
	jobVersions map[job.Name]int32
	history     map[job.Name]map[int]zkschema.Job
	deployments map[job.Name]zkschema.Deployment
	deployed    map[job.Name]int32
	policies    map[string]zkschema.Policy
	broken      map[int64]bool  // revisions that fail
	sick        map[int64]bool  // revisions that never become healthy
	ill         map[string]bool // instances that run and are not healthy
	startTime   time.Duration
	drainTime   time.Duration
	fetchTime   time.Duration
	rule        func(Decision) // looks at each plan before it is written
}

// fataler is what a test and a property have in common.
type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func newWorld(t fataler, nodes int) *world {
	w := &world{
		t: t, now: start, nodes: map[string]*model{}, documents: map[string]zkschema.Assignment{}, versions: map[string]int32{},
		jobs: map[job.Name]zkschema.Job{}, jobVersions: map[job.Name]int32{}, history: map[job.Name]map[int]zkschema.Job{},
		deployments: map[job.Name]zkschema.Deployment{}, deployed: map[job.Name]int32{}, policies: map[string]zkschema.Policy{},
		broken: map[int64]bool{}, sick: map[int64]bool{}, startTime: 2 * time.Second, drainTime: 3 * time.Second, fetchTime: 4 * time.Second,
		rule: func(Decision) {},
	}
	w.elect()
	for n := range nodes {
		w.addNode(fmt.Sprintf("n%d", n+1))
	}
	return w
}

// elect begins with cells that know nothing.
func (w *world) elect() {
	w.cells = []*Cell{New(), New()}
	for _, c := range w.cells {
		c.PutSettings(&zkschema.Settings{ID: "cell-1"}, nil)
	}
}

func (w *world) putNode(name string, r *zkschema.Node) {
	for _, c := range w.cells {
		c.PutNode(name, r, nil, w.now)
	}
}

func (w *world) putReport(name string, r *zkschema.Report) {
	for _, c := range w.cells {
		c.PutReport(name, r, nil, w.now)
	}
}

func (w *world) putJob(name job.Name, r *zkschema.Job) {
	for _, c := range w.cells {
		c.PutJob(name, r, w.jobVersions[name], nil)
	}
}

func (w *world) putDeployment(name job.Name, r *zkschema.Deployment) {
	for _, c := range w.cells {
		c.PutDeployment(name, r, w.deployed[name], nil)
	}
}

func (w *world) addNode(name string) *model {
	m := &model{name: name, there: true, units: map[string]*modelUnit{}, fetching: map[string]time.Time{}, applied: -1}
	m.record = zkschema.Node{
		Name: name, ID: "id-" + name, Cluster: "default", Status: "ready",
		Machine: api.Machine{CPUs: 4, MemoryBytes: 8 << 30}, Labels: map[string]string{},
	}
	w.nodes[name] = m
	w.tell(m)
	return m
}

// write carries out a decision, as far as only lets it.
func (w *world) write(d Decision, only func() bool) {
	for _, a := range d.Assignments {
		if base, there := w.versions[a.Node]; there && a.Base != base || !there && a.Base != -1 {
			w.t.Fatalf("the document of %s is based on %d, and stands at %d", a.Node, a.Base, base)
		}
		if _, err := a.Document.Encode(); err != nil {
			w.t.Fatal(err)
		}
		if only() {
			w.documents[a.Node], w.versions[a.Node] = a.Document, a.Base+1
			w.tellAssignment(a.Node)
		}
	}
	for _, r := range d.Deployments {
		if only() {
			w.deployments[r.Job], w.deployed[r.Job] = r.Record, r.Base+1
			w.tellDeployment(r.Job)
		}
	}
	for _, r := range d.Reverts {
		if old, kept := w.history[r.Job][r.To]; kept && only() {
			j := w.jobs[r.Job].Job
			j.Spec = old.Job.Spec
			j.Version++
			w.keep(zkschema.Job{Schema: 1, Job: j, Spec: old.Spec, Revision: old.Revision, Born: w.jobs[r.Job].Born, Change: "revert", Why: r.Why, At: w.now})
		}
	}
	for _, f := range d.Forget {
		if only() {
			delete(w.jobs, f.Job)
			delete(w.deployments, f.Job)
			w.putJob(f.Job, nil)
			w.putDeployment(f.Job, nil)
		}
	}
}

func (w *world) tellAssignment(name string) {
	if d, there := w.documents[name]; there {
		for _, c := range w.cells {
			c.PutAssignment(name, &d, w.versions[name], nil, w.now)
		}
	}
}

// lose deletes the document of a node, as somebody does by hand.
func (w *world) lose(name string) {
	delete(w.documents, name)
	delete(w.versions, name)
	for _, c := range w.cells {
		c.PutAssignment(name, nil, -1, nil, w.now)
	}
}

func (w *world) tellDeployment(name job.Name) {
	if d, there := w.deployments[name]; there {
		w.putDeployment(name, &d)
	}
}

func (w *world) tellJob(name job.Name) {
	r := w.jobs[name]
	w.putJob(name, &r)
}

// change writes a version of a job, as an operator or the coordinator does.
func (w *world) change(j job.Job, change, why string) {
	was, there := w.jobs[j.Name]
	j.Version = was.Job.Version + 1
	digest, _, err := zkschema.EncodeSpec(j.Spec)
	if err != nil {
		w.t.Fatal(err)
	}
	r := zkschema.Job{Schema: 1, Job: j, Spec: digest, Revision: was.Revision, Change: change, Why: why, At: w.now}
	if r.Born = was.Born; !there || was.Removed {
		r.Born = j.Version
	}
	if !there || was.Removed || digest != was.Spec || change == "restart" {
		r.Revision = j.Version
	}
	w.keep(r)
}

// keep has a record stand, and as a version.
func (w *world) keep(r zkschema.Job) {
	name := r.Job.Name
	if w.jobVersions[name]++; w.history[name] == nil {
		w.history[name] = map[int]zkschema.Job{}
	}
	w.jobs[name], w.history[name][r.Job.Version] = r, r
	w.tellJob(name)
}

func (w *world) submit(j job.Job) { w.change(j, "put", "") }

// edit changes a job that is there.
func (w *world) edit(name job.Name, change string, edit func(*job.Job)) {
	j := w.jobs[name].Job
	edit(&j)
	w.change(j, change, "")
}

func (w *world) removeJob(name job.Name) {
	r := w.jobs[name]
	r.Removed, r.Job.Stopped = true, true
	r.Job.Version++
	w.jobs[name] = r
	w.jobVersions[name]++
	w.tellJob(name)
}

func (w *world) policy(name string, p *zkschema.Policy) {
	for _, c := range w.cells {
		c.PutPolicy(name, p, nil)
	}
	if p == nil {
		delete(w.policies, name)
		return
	}
	w.policies[name] = *p
}

func (w *world) drain(name string) {
	w.policy(name, &zkschema.Policy{Schema: 1, Drained: true, Eligible: true, Since: w.now, By: "tester"})
}

// plan plans, looks at the plan, and writes it, as far as only lets it.
func (w *world) plan(only func() bool) Decision {
	w.t.Helper()
	d := w.cells[0].Plan(w.now, Dirty)
	if all := w.cells[1].Plan(w.now, Everything); !reflect.DeepEqual(d, all) {
		w.t.Fatalf("at %s the plan of what is dirty is\n%s\nthat of everything is\n%s", w.now.Sub(start), text(d), text(all))
	}
	w.rule(d)
	w.write(d, only)
	return d
}

func all() bool { return true }

func text(d Decision) string {
	data, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		panic(err)
	}
	return string(data)
}

// run lets time pass, a second at a time.
func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(time.Second)
		w.pass()
	}
}

func (w *world) pass() {
	for _, name := range slices.Sorted(maps.Keys(w.nodes)) {
		w.live(w.nodes[name])
	}
	w.plan(all)
}

// anew has another coordinator know all that this one was told.
func (w *world) anew() {
	w.elect()
	for name, m := range w.nodes {
		w.tellAssignment(name)
		r := m.report()
		w.putReport(name, &r)
		w.tell(m)
		if p, there := w.policies[name]; there {
			w.policy(name, &p)
		}
	}
	for name := range w.jobs {
		w.tellJob(name)
		w.tellDeployment(name)
	}
}

// runs lists where instances of a job run, by coordinate: node@generation.
func (w *world) runs(name job.Name) map[string][]string {
	out := map[string][]string{}
	for _, node := range slices.Sorted(maps.Keys(w.nodes)) {
		for unit, u := range w.nodes[node].units {
			if u.owner == zkschema.JobOwner(name.String()) && u.state == service.StateRunning {
				out[unit] = append(out[unit], fmt.Sprintf("%s@%d", node, u.generation))
			}
		}
	}
	return out
}

// aJob is a job of count instances that have an artifact.
func aJob(name string, count int) job.Job {
	j, err := job.Decode(fmt.Appendf(nil, `{"name":"%s.borud.fbu","count":%d,"spec":{"artifact":"com.example:%s:1","command":"bin/%s"}}`, name, count, name, name), document.JSON, "")
	if err != nil {
		panic(err)
	}
	return j
}

// as gives a job another version of its artifact.
func as(j *job.Job, version string) {
	j.Spec.Artifact = "com.example:" + j.Name.Service + ":" + version
}
