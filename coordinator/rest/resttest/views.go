package resttest

import (
	"cmp"
	"context"
	"slices"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// names are those of what is below a path.
func (c *Coordinator) names(path string) []string {
	names, err := c.session.Children(context.Background(), path, nil)
	if err != nil {
		return nil // nobody has made the folder yet
	}
	return names
}

// Jobs lists the jobs.
func (c *Coordinator) Jobs() []api.Job {
	var all []api.Job
	for _, text := range c.names(CellName.Jobs()) {
		name, err := job.ParseName(text)
		if err != nil {
			c.tb.Error(err)
			continue
		}
		if j, err := c.Job(name); err == nil {
			all = append(all, j)
		}
	}
	slices.SortFunc(all, func(a, b api.Job) int { return cmp.Compare(a.Name.String(), b.Name.String()) })
	return all
}

// JobsVersion changes with the jobs.
func (c *Coordinator) JobsVersion() string { return c.ofJobs.Version() }

// JobsChanged returns a channel that the next change of a job closes.
func (c *Coordinator) JobsChanged() <-chan struct{} { return c.ofJobs.Changed() }

// Job returns a job as if all that it asks for had come true, if Stick does not say otherwise. A
// removed one is forgotten then.
func (c *Coordinator) Job(name job.Name) (api.Job, error) {
	data, _, err := c.session.Get(context.Background(), CellName.Job(name), nil)
	if err != nil {
		return api.Job{}, missing("job", name.String())
	}
	r, err := zkschema.DecodeJob(data)
	if err != nil {
		return api.Job{}, err
	}
	c.mu.Lock()
	stuck := c.stuck
	c.mu.Unlock()
	if r.Removed && stuck == "" {
		return api.Job{}, missing("job", name.String())
	}
	s := api.JobStatus{
		Status: api.JobRunning, Desired: r.Job.Count, Running: r.Job.Count, Healthy: r.Job.Count, Settled: true,
		Revision: r.Revision, Change: r.Change, Removed: r.Removed, At: r.At, By: r.By, Why: r.Why,
		Deployment: &api.DeploymentBrief{Revision: r.Revision, Stable: r.Revision, Status: "done", Current: r.Job.Count},
	}
	if r.Job.Stopped {
		s.Status, s.Desired, s.Running, s.Healthy = api.JobStopped, 0, 0, 0
	}
	if stuck != "" {
		s.Status, s.Why = stuck, "a test wants it to be "+stuck
	}
	return api.Job{Job: r.Job, Status: s}, nil
}

// Placements has every instance on the first node.
func (c *Coordinator) Placements(name job.Name) ([]api.Placement, error) {
	j, err := c.Job(name)
	var all []api.Placement
	for i := range j.Status.Running {
		p := api.Placement{Instance: name.Instance(int32(i)).String()}
		for _, node := range c.Nodes() {
			p.Copies = append(p.Copies, api.PlacementCopy{
				Node: node.Name, Want: "running", State: "running", Ports: map[string]int{}, Generation: int64(j.Status.Revision), Current: true, Since: &At,
			})
			break
		}
		all = append(all, p)
	}
	return all, err
}

// Deployment is one that is done.
func (c *Coordinator) Deployment(name job.Name) (api.Deployment, error) {
	if err := c.failure("Deployment"); err != nil {
		return api.Deployment{}, err
	}
	j, err := c.Job(name)
	d := j.Status.Deployment
	if err != nil {
		return api.Deployment{}, err
	}
	return api.Deployment{
		Job: name.String(), Revision: d.Revision, Stable: d.Stable, Status: d.Status, StartedAt: At, EndedAt: &At,
		Desired: j.Status.Desired, Current: d.Current, Healthy: j.Status.Healthy,
	}, nil
}

// PlanJob answers what Plan was told.
func (c *Coordinator) PlanJob(_ context.Context, j job.Job) (api.JobPlan, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.planned = append(c.planned, j)
	return c.plan, c.fails["PlanJob"]
}

// Nodes lists the nodes.
func (c *Coordinator) Nodes() []api.CellNode {
	var all []api.CellNode
	for _, name := range c.names(CellName.Incarnations()) {
		n, err := c.Node(name)
		if err != nil {
			c.tb.Error(err)
		}
		n.Units = nil
		all = append(all, n)
	}
	return all
}

// NodesVersion changes with the nodes.
func (c *Coordinator) NodesVersion() string { return c.ofNodes.Version() }

// Node returns one that is ready, and runs something of its own.
func (c *Coordinator) Node(name string) (api.CellNode, error) {
	if err := c.failure("Node"); err != nil {
		return api.CellNode{}, err
	}
	ctx := context.Background()
	if _, there, err := c.session.Exists(ctx, CellName.Incarnation(name), nil); err != nil || !there {
		return api.CellNode{}, missing("node", name)
	}
	n := api.CellNode{
		Name: name, Status: api.CellNodeReady, Since: At, Eligible: true, Cluster: "default",
		Labels: map[string]string{}, Features: map[string]string{}, Version: "test", HTTP: "http://" + name + ":7040",
		Units: []api.NodeUnit{{Name: "0.own.borud.fbu", Owner: "local", State: "running", Ports: map[string]int{}}},
	}
	n.Machine.Load = []float64{0, 0, 0}
	data, _, err := c.session.Get(ctx, CellName.Policy(name), nil)
	if fault.KindOf(err) == fault.NotFound {
		return n, nil
	}
	p, err := zkschema.DecodePolicy(data)
	n.Policy = &api.NodePolicy{Drained: p.Drained, Eligible: p.Eligible, Deadline: p.Deadline, Why: p.Why, By: p.By, Since: p.Since}
	n.Eligible = p.Eligible
	if p.Drained {
		n.Status = api.CellNodeDrained
	}
	return n, err
}

// Cell tells about a cell whose leader this is.
func (c *Coordinator) Cell() api.Cell {
	cell := api.Cell{
		Name: string(CellName), Leader: &api.CellLeader{Name: "host", Since: At}, Nodes: map[string]int{}, Jobs: map[string]int{},
		Coordinator: api.CellCoordinator{Name: "host", Version: "test", StartedAt: At, Leads: true, ZooKeeper: api.ZooKeeper{State: "connected", Servers: []string{}}},
	}
	for _, n := range c.Nodes() {
		cell.Nodes[n.Status]++
	}
	for _, j := range c.Jobs() {
		cell.Jobs[j.Status.Status]++
	}
	data, _, err := c.session.Get(context.Background(), CellName.Settings(), nil)
	if err == nil {
		var s zkschema.Settings
		s, err = zkschema.DecodeSettings(data)
		cell.ID, cell.Freeze, cell.Why, cell.By = s.ID, s.Freeze, s.Why, s.By
	}
	if err != nil {
		c.tb.Error(err)
	}
	return cell
}

// Forget deletes the record of a job, as the leader does when nothing of a removed one runs.
func (c *Coordinator) Forget(name job.Name) {
	c.tb.Helper()
	if _, err := c.session.Apply(context.Background(), keeper.Delete(CellName.Job(name), keeper.AnyVersion)); err != nil {
		c.tb.Fatal(err)
	}
	c.ofJobs.Bump()
}
