package sim

import (
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// watch sees each change of the tree at the moment it comes to stand, holds it against what may be
// changed, and keeps what is true now. See rules_test.go for the rules.
type watch struct {
	w *world

	mu          sync.Mutex
	clients     map[int64]*client // by session
	epoch       int32
	elected     int64 // the session that has raised it; 0: somebody else did
	docs        map[string]zkschema.Assignment
	applied     map[string]int32 // the version of each
	reports     map[string]zkschema.Report
	there       map[string]bool      // nodes that have a session
	turned      map[string]time.Time // when a node came or went last
	frozen      []at[zkschema.Settings]
	policies    map[string][]at[zkschema.Policy]
	jobs        map[job.Name][]at[zkschema.Job] // the last is the one that stands
	deployments map[job.Name]zkschema.Deployment
	specs       map[string]bool
	copies      map[spot]*truth
	taken       map[job.Name]map[string]taking // instances that run nowhere by the coordinator's own doing
	grants      map[spot]int                   // how often a unit was to be started, by assignments
	shadow      shadow
}

// at is what stood from some time on.
type at[T any] struct {
	since  time.Time
	record T
	gone   bool
}

// taking is what the coordinator did to an instance.
type taking struct{ node, at string }

// spot is where a copy is.
type spot struct{ node, unit string }

// truth is what is true of a copy, by what stands in the tree.
type truth struct {
	healthy bool
	since   time.Time // that it is so
	before  time.Duration
}

func newWatch(w *world) *watch {
	return &watch{
		w: w, clients: map[int64]*client{}, docs: map[string]zkschema.Assignment{}, applied: map[string]int32{}, reports: map[string]zkschema.Report{},
		there: map[string]bool{}, turned: map[string]time.Time{}, policies: map[string][]at[zkschema.Policy]{}, jobs: map[job.Name][]at[zkschema.Job]{},
		deployments: map[job.Name]zkschema.Deployment{}, specs: map[string]bool{}, copies: map[spot]*truth{},
		taken: map[job.Name]map[string]taking{}, grants: map[spot]int{}, shadow: newShadow(),
	}
}

func (v *watch) opened(session int64, c *client) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.clients[session] = c
}

// leader is the client of who was elected last.
func (v *watch) leader() *client {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.clients[v.elected]
}

// by is who has written.
func (v *watch) by(session int64) string {
	if c := v.clients[session]; c != nil {
		return c.name
	}
	return "somebody"
}

// see is told of each change, under the server's lock.
func (v *watch) see(c memory.Change) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	for i, o := range c.Ops {
		if o.Kind == keeper.KindCheck {
			continue
		}
		rest, ok := strings.CutPrefix(o.Path, cell.Root()+"/")
		if !ok {
			continue
		}
		kind, name, _ := strings.Cut(rest, "/")
		w := write{session: c.Session, kind: kind, name: name, data: o.Data, version: c.Versions[i], gone: o.Kind == keeper.KindDelete, now: now}
		if kind == "epoch" {
			v.epoch, v.elected = w.version, 0
			if len(c.Ops) > 1 {
				v.elected = c.Session
			}
			v.w.note("tree", "epoch %d by %s", v.epoch, v.by(c.Session))
			continue
		}
		v.fenced(w)
		if name != "" || kind == "settings" {
			v.take(w)
		}
	}
}

// write is one change of one path.
type write struct {
	session    int64
	kind, name string
	data       []byte
	version    int32
	gone       bool
	now        time.Time
}

// decoded reads what was written; somebody who writes what cannot be read is found.
func decoded[T any](v *watch, w write, decode func([]byte) (T, error)) *T {
	if w.gone {
		return nil
	}
	r, err := decode(w.data)
	if err != nil {
		v.w.violate("%s has written %s/%s, which cannot be read: %v", v.by(w.session), w.kind, w.name, err)
		return nil
	}
	return &r
}

// take learns what stands now.
func (v *watch) take(w write) {
	switch w.kind {
	case "nodes":
		r := decoded(v, w, zkschema.DecodeNode)
		if v.there[w.name] != (r != nil) {
			v.w.note("tree", "node %s there: %v", w.name, r != nil)
			v.turned[w.name] = w.now
		}
		v.there[w.name] = r != nil
		v.shadow.node(w.name, r, w.now)
		v.look(w.name, w.now)
	case "reports":
		if r := decoded(v, w, zkschema.DecodeReport); r != nil {
			v.reports[w.name] = *r
			v.shadow.report(w.name, r, w.now)
			v.look(w.name, w.now)
		}
	case "policy":
		if r := decoded(v, w, zkschema.DecodePolicy); r != nil {
			v.policies[w.name] = append(v.policies[w.name], at[zkschema.Policy]{since: w.now, record: *r})
			v.shadow.policy(w.name, r)
		}
	case "assignments":
		if r := decoded(v, w, zkschema.DecodeAssignment); r != nil {
			v.assigned(w, *r)
			v.shadow.assignment(w.name, r, w.version, w.now)
		}
	case "settings":
		if r := decoded(v, w, zkschema.DecodeSettings); r != nil {
			v.frozen = append(v.frozen, at[zkschema.Settings]{since: w.now, record: *r})
			v.shadow.settings(r)
		}
	case "specs":
		v.spec(w)
	case "jobs", "deployments":
		v.takeJob(w)
	}
}

func (v *watch) takeJob(w write) {
	name, err := job.ParseName(w.name)
	if err != nil {
		v.w.violate("%s has written %s/%s", v.by(w.session), w.kind, w.name)
		return
	}
	if w.kind == "deployments" {
		d := decoded(v, w, zkschema.DecodeDeployment)
		if delete(v.deployments, name); d != nil {
			v.deployments[name] = *d
			v.w.note("tree", "deployment of %s: revision %d %s, stable %d, reverts %d %s", name, d.Revision, d.Status, d.Stable, d.Reverts, d.Why)
		}
		v.shadow.deployment(name, d, w.version)
		return
	}
	j := decoded(v, w, zkschema.DecodeJob)
	next := at[zkschema.Job]{since: w.now, gone: j == nil}
	if j != nil {
		next.record = *j
		v.w.note("tree", "job %s: %s by %s, version %d, revision %d, count %d, stopped %v, removed %v, %s %s", name, j.Change, v.by(w.session), j.Job.Version, j.Revision,
			j.Job.Count, j.Job.Stopped, j.Removed, j.Job.Spec.Command, j.Why)
	} else {
		v.w.note("tree", "job %s is forgotten by %s", name, v.by(w.session))
		delete(v.taken, name)
	}
	v.jobs[name] = append(v.jobs[name], next)
	v.shadow.job(name, j, w.version)
}

// look finds out again which copies on a node are healthy.
func (v *watch) look(node string, now time.Time) {
	doc, report := v.docs[node], v.reports[node]
	wanted := map[string]int64{}
	for _, u := range doc.Units {
		wanted[u.Name] = u.Generation
	}
	healthy := map[string]bool{}
	for _, u := range report.Units {
		generation, ok := wanted[u.Name]
		healthy[u.Name] = ok && v.there[node] && u.State == "running" && (u.Healthy == nil || *u.Healthy) && u.Generation == generation
	}
	names := map[string]bool{}
	maps.Copy(names, healthy)
	for at := range v.copies {
		if at.node == node {
			names[at.unit] = true
		}
	}
	for name := range names {
		at := spot{node, name}
		k := v.copies[at]
		if k == nil {
			k = &truth{since: now}
			v.copies[at] = k
		}
		if k.healthy != healthy[name] {
			k.healthy, k.since, k.before = healthy[name], now, now.Sub(k.since)
		}
		if k.healthy {
			delete(v.taken[jobOf(name)], name)
		}
	}
	if !v.there[node] { // what it has is in nobody's hand
		for name := range wanted {
			delete(v.taken[jobOf(name)], name)
		}
	}
}

// standing is the job that stands, if one does.
func (v *watch) standing(name job.Name) (zkschema.Job, bool) {
	all := v.jobs[name]
	if len(all) == 0 || all[len(all)-1].gone {
		return zkschema.Job{}, false
	}
	return all[len(all)-1].record, true
}

// policy is what operators have decided about a node last.
func (v *watch) policy(node string) zkschema.Policy {
	all := v.policies[node]
	if len(all) == 0 {
		return zkschema.Policy{Eligible: true}
	}
	return all[len(all)-1].record
}
