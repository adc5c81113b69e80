package api

import (
	"encoding/json"
	"time"

	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// Job is a job as a coordinator answers it: what was asked for, key by key, and beside that all
// that can only be read, under one key. It can be put back as it is: status and version are
// passed over then.
type Job struct {
	job.Job
	Status JobStatus `json:"status"`
}

// UnmarshalJSON reads an answer. Without it the job's own would be used, which knows no status.
func (j *Job) UnmarshalJSON(data []byte) error {
	var beside struct{ Status JobStatus }
	if err := json.Unmarshal(data, &beside); err != nil {
		return err
	}
	j.Status = beside.Status
	return json.Unmarshal(data, &j.Job)
}

// The statuses of a job.
const (
	JobRunning  = "running"  // every instance is what the job says, and healthy
	JobUpdating = "updating" // instances are on their way to what it says
	JobPending  = "pending"  // there is no node for some of them
	JobFailed   = "failed"   // its deployment has failed, and nothing more is changed
	JobStopping = "stopping" // it is stopped or removed, and instances still run
	JobStopped  = "stopped"

	// JobUnreadable is that of a job whose record cannot be read: it is left alone. A list has its
	// name and why.
	JobUnreadable = "unreadable"
)

// JobStatus is what of a job can only be read.
type JobStatus struct {
	Status     string           `json:"status" enum:"running,updating,pending,failed,stopping,stopped,unreadable"`
	Desired    int              `json:"desired" doc:"How many instances there should be; of a system job one for each node that matches"`
	Running    int              `json:"running" doc:"How many instances run somewhere"`
	Healthy    int              `json:"healthy" doc:"How many run and are not unhealthy"`
	Held       string           `json:"held" doc:"Why nothing is planned in the whole cell, this job included: it is frozen, or its settings cannot be read; empty: it is"`
	Pending    *Pending         `json:"pending" doc:"null: there is a node for every instance"`
	Settled    bool             `json:"settled" doc:"Nothing of it is on its way: this coordinator has planned what it knows, and there is nothing to move, to change or to stop"`
	Revision   int              `json:"revision" doc:"The version that changed last what an instance is"`
	Change     string           `json:"change" enum:"put,scale,stop,restart,revert,remove" doc:"What was asked for last"`
	Removed    bool             `json:"removed" doc:"Its instances are being stopped, then it is forgotten"`
	At         time.Time        `json:"at" doc:"When that was"`
	By         string           `json:"by" doc:"Who asked for it"`
	Why        string           `json:"why" doc:"Why it is in this status, for people"`
	Deployment *DeploymentBrief `json:"deployment" doc:"How far its latest revision is; null until the leader has seen it"`
}

// Pending tells why there is no node for some instances.
type Pending struct {
	Instances int             `json:"instances" doc:"How many have none"`
	Reasons   []PendingReason `json:"reasons" doc:"What keeps nodes from taking one, the most frequent first"`
	Nearest   string          `json:"nearest" doc:"The least change that would make room, for people; empty where none is known"`
}

// PendingReason is why some nodes do not take an instance.
type PendingReason struct {
	Key   string `json:"key" doc:"One word, the same for ever" example:"memory"`
	Text  string `json:"text" doc:"For people" example:"needs 2GiB of memory, has at most 512MiB left"`
	Nodes int    `json:"nodes" doc:"Of how many nodes it is true"`
}

// DeploymentBrief is a deployment in short.
type DeploymentBrief struct {
	Revision int    `json:"revision"`
	Stable   int    `json:"stable" doc:"The revision that was done last; 0: none was"`
	Status   string `json:"status" enum:"running,done,failed"`
	Why      string `json:"why" doc:"Why it has failed, or what it waits for"`
	Current  int    `json:"current" doc:"How many instances are of the revision, and healthy"`
}

// JobList is the list of all jobs.
type JobList struct {
	Jobs []JobEntry `json:"jobs" doc:"By name"`
}

// JobEntry is a job in a list.
type JobEntry struct {
	Job
	Spec *service.Spec `json:"spec,omitempty" doc:"Only where it was asked for"`
}

// UnmarshalJSON reads an entry. Without it the job's own would be used, which always has a spec.
func (e *JobEntry) UnmarshalJSON(data []byte) error {
	var beside struct{ Spec *service.Spec }
	if err := json.Unmarshal(data, &beside); err != nil {
		return err
	}
	e.Spec = beside.Spec
	return json.Unmarshal(data, &e.Job)
}

// JobPlan tells what putting a job would do. Nothing is done.
type JobPlan struct {
	Version        int          `json:"version" doc:"Of the job as it is now, for If-Match; 0: there is none of the name"`
	ChangesNothing bool         `json:"changes_nothing" doc:"The job says this already: putting it makes no version"`
	Failed         string       `json:"failed" doc:"Why the version that stands has failed, where it says this already: nothing tries it again; empty otherwise"`
	Changes        []PlanChange `json:"changes" doc:"What would be done, in the order of the instances"`
	Pending        *Pending     `json:"pending" doc:"null: there would be a node for every instance"`
}

// The kinds of a PlanChange.
const (
	ChangeStart  = "start"
	ChangeStop   = "stop"
	ChangeMove   = "move"
	ChangeUpdate = "update" // where it is: stopped, and started as the new revision says
)

// PlanChange is one instance that would become another, or run elsewhere.
type PlanChange struct {
	Kind     string `json:"kind" enum:"start,stop,move,update"`
	Instance string `json:"instance" example:"0.web.borud.fbu"`
	From     string `json:"from" doc:"The node that it is on; empty where it is on none"`
	To       string `json:"to" doc:"The node that it would be on; empty for a stop"`
	Why      string `json:"why"`
}

// JobVersions are the versions of a job that are kept.
type JobVersions struct {
	Versions []JobVersion `json:"versions" doc:"The newest first, which is the one that is valid"`
}

// JobVersion is what a job said.
type JobVersion struct {
	Version  int       `json:"version"`
	Revision int       `json:"revision" doc:"The version that changed last what an instance is"`
	Change   string    `json:"change" enum:"put,scale,stop,restart,revert,remove"`
	At       time.Time `json:"at"`
	By       string    `json:"by" doc:"Who asked"`
	Why      string    `json:"why" doc:"Why the coordinator itself did; empty where somebody asked"`
	Stable   bool      `json:"stable" doc:"Its revision is the one that was done last"`
	Job      job.Job   `json:"job"`
}

// Deployment is the progress of a job's latest revision.
type Deployment struct {
	Job         string     `json:"job"`
	Revision    int        `json:"revision"`
	Stable      int        `json:"stable" doc:"The revision that was done last; 0: none was"`
	Reverts     int        `json:"reverts" doc:"The revision that failed and that this one undoes; 0: none"`
	Status      string     `json:"status" enum:"running,done,failed"`
	Why         string     `json:"why" doc:"Why it has failed, or what it waits for; for people"`
	StartedAt   time.Time  `json:"started_at"`
	EndedAt     *time.Time `json:"ended_at" doc:"null while it runs"`
	Desired     int        `json:"desired" doc:"How many instances there should be"`
	Current     int        `json:"current" doc:"How many are of the revision"`
	Healthy     int        `json:"healthy" doc:"How many of those are healthy"`
	InFlight    []string   `json:"in_flight" doc:"Instances that were changed, and have not been healthy for min_healthy yet"`
	Prefetching []Prefetch `json:"prefetching" doc:"What nodes fetch before anything is stopped there"`
}

// Prefetch is an artifact that a node should have before an instance there is changed.
type Prefetch struct {
	Node     string `json:"node"`
	Artifact string `json:"artifact"`
	Why      string `json:"why" doc:"Why it is not there yet; empty while it is being fetched"`
}

// Placements tells where a job's instances are.
type Placements struct {
	Placements []Placement `json:"placements" doc:"By instance"`
}

// Placement is where one instance is: nowhere, on a node, or on two while it moves.
type Placement struct {
	Instance string          `json:"instance" example:"0.web.borud.fbu"`
	Copies   []PlacementCopy `json:"copies" doc:"The one that stands for the instance first"`
	Why      string          `json:"why" doc:"Why it is nowhere, or moves; empty otherwise"`
}

// PlacementCopy is an instance on one node.
type PlacementCopy struct {
	Node       string         `json:"node"`
	Want       string         `json:"want" doc:"running, stopped or drained; empty where the node has it and its assignment does not say so"`
	State      string         `json:"state" doc:"As the node has reported it; empty until it has"`
	Healthy    *bool          `json:"healthy" doc:"What its checks say; null without checks, and while nothing runs"`
	Ports      map[string]int `json:"ports"`
	Restarts   int            `json:"restarts"`
	LastExit   *service.Exit  `json:"last_exit"`
	Generation int64          `json:"generation" doc:"The revision that it is of"`
	Current    bool           `json:"current" doc:"That is the job's revision"`
	Since      *time.Time     `json:"since" doc:"When it was given to the node; null where its assignment does not say so"`
	StartedAt  *time.Time     `json:"started_at" doc:"When its main process was started, as the node has reported it; null when none runs"`
	Why        string         `json:"why" doc:"Why it is in this state, as the node has reported it"`
}
