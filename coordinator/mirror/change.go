package mirror

import (
	"hash/maphash"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// Kind says what a record is of.
type Kind string

// The kinds that are mirrored.
const (
	Node       Kind = "node"
	Report     Kind = "report"
	Policy     Kind = "policy"
	Job        Kind = "job"
	Deployment Kind = "deployment"
	Assignment Kind = "assignment"
	Settings   Kind = "settings"
	Leader     Kind = "leader"
)

// Change is what stands at a path by now, where something else, or nothing, stood before.
type Change struct {
	Kind    Kind
	Name    string // of the node or the job; "" for settings and leader
	Version int32  // of what stands there; begins anew with each creation
	Created int64  // the change of the tree that created it: tells it from one of the same name before
	Owner   int64  // the session that it ends with; 0 for most kinds
	// Record is a value of the kind's type in zkschema; nil where nothing stands there any
	// more, and where what does cannot be read.
	Record any
	Err    error // why it cannot be read: it is there, and left alone
}

// Gone tells that nothing stands there any more.
func (c Change) Gone() bool { return c.Record == nil && c.Err == nil }

// shape is what is known of the paths of one kind.
type shape struct {
	kind   Kind
	check  func(name string) error // whether a name can be one of the kind's
	decode func(data []byte) (any, error)
}

// change is what data are when they are decoded.
func (s shape) change(name string, data []byte, stat keeper.Stat) Change {
	c := Change{Kind: s.kind, Name: name, Version: stat.Version, Created: stat.Created, Owner: stat.Owner}
	c.Record, c.Err = s.decode(data)
	return c
}

// reading makes a decoder of any record of one of a type.
func reading[T any](decode func([]byte) (T, error)) func([]byte) (any, error) {
	return func(data []byte) (any, error) {
		record, err := decode(data)
		if err != nil {
			return nil, err
		}
		return record, nil
	}
}

func checkJob(name string) error {
	_, err := job.ParseName(name)
	return err
}

// foldersOf are the folders whose children are mirrored, singlesOf the paths that stand alone.
func foldersOf(c zkschema.Cell) map[string]shape {
	return map[string]shape{
		c.Nodes():       {Node, zkschema.CheckNode, reading(zkschema.DecodeNode)},
		c.Reports():     {Report, zkschema.CheckNode, reading(zkschema.DecodeReport)},
		c.Policies():    {Policy, zkschema.CheckNode, reading(zkschema.DecodePolicy)},
		c.Jobs():        {Job, checkJob, reading(zkschema.DecodeJob)},
		c.Deployments(): {Deployment, checkJob, reading(zkschema.DecodeDeployment)},
		c.Assignments(): {Assignment, zkschema.CheckNode, reading(zkschema.DecodeAssignment)},
	}
}

func singlesOf(c zkschema.Cell) map[string]shape {
	return map[string]shape{
		c.Settings(): {kind: Settings, decode: reading(zkschema.DecodeSettings)},
		c.Leader():   {kind: Leader, decode: reading(zkschema.DecodeLeader)},
	}
}

// seen is all that is kept of a record that was told: enough to know it again.
type seen struct {
	created int64
	owner   int64
	sum     uint64 // of its data: a server that came back from a backup numbers others the same
	version int32
	bad     bool // it could not be read
}

var seed = maphash.MakeSeed()

func see(data []byte, s keeper.Stat) seen {
	return seen{created: s.Created, owner: s.Owner, version: s.Version, sum: maphash.Bytes(seed, data)}
}
