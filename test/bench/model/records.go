package model

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

const cellID = "5F0A3C7E9B1D4826"

var (
	since      = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	rollerName = job.Name{Service: "roller", User: "bench", Cell: "test"}
)

// NodeName is the name of a node.
func NodeName(n int) string { return fmt.Sprintf("n%05d.dc1.example.com", n) }

// decoded is a job that is written here; it is right, or the program is wrong.
func decoded(format string, args ...any) job.Job {
	j, err := job.Decode(fmt.Appendf(nil, format, args...), document.JSON, "")
	if err != nil {
		panic(err)
	}
	return j
}

// jobsFor are jobs with so many instances together.
func jobsFor(instances int) []job.Job {
	spec := `"resources":{"cpu":0.1,"memory":"128MiB"},"spec":{"command":"/usr/bin/server","args":["--config","/etc/server/%[1]s.toml"],` +
		`"env":{"REGION":"north","SERVER_NAME":"%[1]s"},"ports":{"http":0,"admin":0}}`
	all := []job.Job{decoded(`{"name":"%[1]s.bench.test","count":%[2]d,"update":{"min_healthy":"0s"},`+spec+`}`, rollerName.Service, RollerSize)}
	for i := range (instances - RollerSize) / JobSize {
		all = append(all, decoded(`{"name":"%[1]s.bench.test","count":%[2]d,`+spec+`}`, fmt.Sprintf("job%04d", i), JobSize))
	}
	return all
}

func probe(name, node string) job.Job {
	return decoded(`{"name":"%s.bench.test","constraints":[{"attribute":"node.name","value":%q}],"spec":{"command":"/usr/bin/probe"}}`, name, node)
}

func everywhere(name string) job.Job {
	return decoded(`{"name":"%s.bench.test","type":"system","spec":{"command":"/usr/bin/agent"}}`, name)
}

// deployed says that a job is done.
func deployed(r zkschema.Job) zkschema.Deployment {
	ended := since.Add(time.Minute)
	return zkschema.Deployment{
		Job: r.Job.Name.String(), Revision: r.Revision, Stable: r.Revision, StableSpec: r.Spec, Status: zkschema.DeploymentDone,
		StartedAt: since, EndedAt: &ended,
	}
}

// documents gives the instances of all jobs to nodes in turn: the roller's to the first ones.
func documents(records []zkschema.Job, nodes int) []zkschema.Assignment {
	docs := make([]zkschema.Assignment, nodes)
	next := 0
	for _, r := range records {
		for i := range r.Job.Count {
			doc := &docs[next%nodes]
			doc.Units = append(doc.Units, zkschema.AssignedUnit{
				Kind: zkschema.KindService, Name: r.Job.Name.Instance(int32(i)).String(), Owner: zkschema.JobOwner(r.Job.Name.String()),
				Spec: r.Spec, Want: service.Running, Generation: int64(r.Revision), Since: since,
			})
			next++
		}
	}
	for n := range docs {
		docs[n].Cell, docs[n].Epoch = cellID, 1
		slices.SortFunc(docs[n].Units, func(a, b zkschema.AssignedUnit) int { return strings.Compare(a.Name, b.Name) })
	}
	return docs
}

// reportOn is what a node says that runs all of its document, which has the version.
func reportOn(n int, doc zkschema.Assignment, version int32) zkschema.Report {
	r := zkschema.Report{Node: NodeName(n), Incarnation: 1, Assignment: version}
	healthy := true
	for i, u := range doc.Units {
		r.Units = append(r.Units, zkschema.Unit{
			Kind: u.Kind, Name: u.Name, Owner: u.Owner, State: service.StateRunning, Healthy: &healthy,
			StartedAt: new(since), Ports: map[string]int{"http": 20_000 + 2*i, "admin": 20_001 + 2*i}, Generation: u.Generation, Spec: u.Spec,
		})
	}
	return r
}

// record is what a node says of itself that runs all of its document.
func record(n int, doc zkschema.Assignment) zkschema.Node {
	r := zkschema.Node{
		ID: fmt.Sprintf("%032x", n), Incarnation: 1, Name: NodeName(n), Kind: "static", Cluster: "default", Version: "1.0.0", Status: "ready",
		Machine:  api.Machine{OS: "linux", Arch: "amd64", Kernel: "6.12.0", CPUs: 32, MemoryBytes: 128 << 30},
		Labels:   map[string]string{"rack": fmt.Sprintf("r%03d", n/40), "disk": "ssd"},
		Features: map[string]string{"cgroup": "v2", "limits": "all", "oom": "group", "landlock": "5", "log_rotation": "on", "memory_guard": "on"},
		HTTP:     fmt.Sprintf("http://%s:7040", NodeName(n)), Since: since,
	}
	states := map[service.Coordinate]service.State{}
	for _, u := range doc.Units {
		c, err := service.ParseCoordinate(u.Name)
		if err != nil {
			panic(err) // it is written here
		}
		states[c] = service.StateRunning
	}
	r.NameServices(states)
	return r
}
