// Package zkschema is the contract in ZooKeeper: the only place where a path is spelt, and
// the records that stand there. Both daemons, and whoever else reads a cell, meet here.
//
//	/meta/<cell>/
//	    nodes/<node>           ephemeral   the node    Node: who is there, and what it runs
//	    incarnations/<node>    persistent  the node    Incarnation: whose name it is; its version numbers the registrations
//	    reports/<node>         persistent  the node    Report: what must outlive a session
//	    policy/<node>          persistent  operators   Policy: drained, eligible
//	    jobs/<job>             persistent  operators   Job: what it says now
//	    versions/<job>/<n>     persistent  operators   Job: what it said before
//	    specs/<sha256>         persistent  operators   a service.Spec, never changed
//	    assignments/<node>     persistent  the leader  Assignment: all that the node should run for the cell
//	    deployments/<job>      persistent  the leader  Deployment: how far the job's latest revision is
//	    settings               persistent  operators   Settings: whose cell it is, freeze
//	    leader                 ephemeral   the leader  Leader
//	    epoch                  persistent  the leader  its version fences what the leader writes
//	/cn/<cell>/<user>/<service>/<instance>/
//	    status                 ephemeral   the node    CloudnameStatus: what Cloudname 2 resolves
//
// Records are JSON with the number of their schema. A record of a newer schema than this
// program knows is ErrNewer, never half understood; keys that a later writer of the same
// schema added are passed over. The package does no I/O and starts no goroutine.
package zkschema

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// Schema is the number of the schema that this program writes.
const Schema = 1

// MaxRequest is the largest request that is ever sent to ZooKeeper, in bytes. A server
// refuses more than 1 MiB by closing the connection, which looks like any other loss.
const MaxRequest = 256 << 10

// MaxUnits is how many units a node can have: its report has to fit into one request.
const MaxUnits = 1000

// ErrNewer says that a record was written by a newer program.
var ErrNewer = errors.New("was written with a newer schema")

// Cell is a namespace in ZooKeeper, and the nodes that registered in it.
type Cell string

var (
	cellForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	nodeForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,252}$`)
)

// ParseCell checks a cell's name.
func ParseCell(s string) (Cell, error) {
	if !cellForm.MatchString(s) {
		return "", fmt.Errorf("%q is no cell: 1 to 63 of a-z, 0-9, _ and -, the first a letter", s)
	}
	return Cell(s), nil
}

// CheckNode tells what is wrong with a node's name; nil means nothing. What passes can be
// part of a path.
func CheckNode(s string) error {
	if !nodeForm.MatchString(s) {
		return fmt.Errorf("%q is no name of a node: 1 to 253 of a-z, 0-9, ., _ and -, the first a letter or digit", s)
	}
	return nil
}

// Root is the top of all that Nodee has in the cell.
func (c Cell) Root() string { return "/meta/" + string(c) }

// Nodes is where the nodes of the cell are; its children are their names.
func (c Cell) Nodes() string { return c.Root() + "/nodes" }

// Node is where a node is as long as its session lives.
func (c Cell) Node(name string) string { return c.Nodes() + "/" + name }

// Incarnations is where the names are given to nodes.
func (c Cell) Incarnations() string { return c.Root() + "/incarnations" }

// Incarnation is where a name is given to a node.
func (c Cell) Incarnation(name string) string { return c.Incarnations() + "/" + name }

// Reports is where the reports of the nodes are.
func (c Cell) Reports() string { return c.Root() + "/reports" }

// Report is where a node's report is.
func (c Cell) Report(name string) string { return c.Reports() + "/" + name }

// Policies is where the policies of nodes are.
func (c Cell) Policies() string { return c.Root() + "/policy" }

// Policy is where a node's policy is.
func (c Cell) Policy(node string) string { return c.Policies() + "/" + node }

// Jobs is where the jobs of the cell are; its children are their names.
func (c Cell) Jobs() string { return c.Root() + "/jobs" }

// Job is where a job is.
func (c Cell) Job(name job.Name) string { return c.Jobs() + "/" + name.String() }

// Versions is where the versions of a job are; its children are their numbers.
func (c Cell) Versions(name job.Name) string { return c.Root() + "/versions/" + name.String() }

// Version is where one version of a job is.
func (c Cell) Version(name job.Name, n int) string { return c.Versions(name) + "/" + strconv.Itoa(n) }

// Specs is where the specs are; its children are their digests.
func (c Cell) Specs() string { return c.Root() + "/specs" }

// Spec is where the spec with a digest is.
func (c Cell) Spec(digest string) string { return c.Specs() + "/" + digest }

// Assignments is where the assignments of the nodes are.
func (c Cell) Assignments() string { return c.Root() + "/assignments" }

// Assignment is where a node's assignment is.
func (c Cell) Assignment(node string) string { return c.Assignments() + "/" + node }

// Deployments is where the progress of jobs is.
func (c Cell) Deployments() string { return c.Root() + "/deployments" }

// Deployment is where the progress of a job is.
func (c Cell) Deployment(name job.Name) string { return c.Deployments() + "/" + name.String() }

// Settings is where the cell's own settings are.
func (c Cell) Settings() string { return c.Root() + "/settings" }

// Leader is where the leader says who it is, as long as its session lives.
func (c Cell) Leader() string { return c.Root() + "/leader" }

// Epoch is the record whose version fences what the leader writes.
func (c Cell) Epoch() string { return c.Root() + "/epoch" }

// Cloudname is where Cloudname 2 finds the status of a running service.
func Cloudname(c service.Coordinate) string { return "/cn/" + c.Path() + "/status" }

// CloudnameService is where the instances of a service are in Cloudname; its children are
// their numbers.
func CloudnameService(name, user, cell string) string {
	return "/cn/" + cell + "/" + user + "/" + name
}

// decode reads a record into v, whose schema it returns in *schema.
func decode(what string, data []byte, v any, schema *int) error {
	if err := json.Unmarshal(data, v); err != nil {
		// A newer schema may have given a key another type.
		var head struct{ Schema int }
		if json.Unmarshal(data, &head) == nil && head.Schema > Schema {
			*schema = head.Schema
		} else {
			return fmt.Errorf("cannot read the record of %s: %w", what, err)
		}
	}
	switch {
	case *schema > Schema:
		return fmt.Errorf("cannot read the record of %s: it %w, %d; this program knows %d", what, ErrNewer, *schema, Schema)
	case *schema < 1:
		return fmt.Errorf("cannot read the record of %s: it has no schema", what)
	}
	return nil
}
