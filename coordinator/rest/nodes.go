package rest

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/jobs"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/zkschema"
)

const oneNode = "/v1/nodes/{node}"

func nodeRoutes(c Coordinator) []edge.Entry {
	f := nodeFace{c}
	tags := []string{"nodes"}
	problems := []fault.Kind{fault.NotFound, fault.Conflict, fault.Unavailable}
	return []edge.Entry{
		edge.Answer(edge.Route{
			Method: http.MethodGet, Path: "/v1/nodes", Access: edge.Read, ID: "list-nodes", Tags: tags,
			Summary: "List the nodes, without their units", Problems: []fault.Kind{fault.Unavailable},
		}, f.list),
		edge.Answer(edge.Route{
			Method: http.MethodGet, Path: oneNode, Access: edge.Read, ID: "get-node", Tags: tags,
			Summary: "Show a node, with its units", Problems: []fault.Kind{fault.NotFound},
		}, f.get),
		edge.Answer(edge.Route{
			Method: http.MethodPost, Path: oneNode + "/drain", Access: edge.Write, ID: "drain-cell-node", Tags: tags,
			Summary: "Have what runs on a node go elsewhere, then drain it",
			Description: "The instances of jobs are started elsewhere before they are drained here; the node's own services are drained at once. What has not " +
				"gone elsewhere at the deadline is drained all the same. It lasts until the node is resumed.",
			Status: http.StatusAccepted, Problems: problems,
		}, f.drain),
		edge.Answer(edge.Route{
			Method: http.MethodPost, Path: oneNode + "/resume", Access: edge.Write, ID: "resume-cell-node", Tags: tags,
			Summary: "Let a node take work again, whatever operators have kept it from", Status: http.StatusAccepted, Problems: problems,
		}, f.resume),
		edge.Answer(edge.Route{
			Method: http.MethodPost, Path: oneNode + "/ineligible", Access: edge.Write, ID: "make-node-ineligible", Tags: tags,
			Summary: "Give a node nothing more; what it runs it keeps", Status: http.StatusAccepted, Problems: problems,
		}, f.ineligible),
	}
}

// nodeFace answers about nodes.
type nodeFace struct{ Coordinator }

type nodesIn struct{ edge.Known }

func (f nodeFace) list(ctx context.Context, in *nodesIn) (*edge.List[api.CellNodes], error) {
	if err := complete(f); err != nil {
		return nil, err
	}
	return edge.Unless(ctx, in.Known, f.NodesVersion(), func() (api.CellNodes, error) {
		return api.CellNodes{Nodes: some(f.Nodes())}, nil
	})
}

func (f nodeFace) get(_ context.Context, in *NodePath) (*answer[api.CellNode], error) {
	n, err := f.Node(in.Node)
	return &answer[api.CellNode]{Body: n}, err
}

// Reason is what an operator says of a policy.
type Reason struct {
	Why string `query:"why" maxLength:"200" doc:"What for; whoever asks why the node has no work is told"`
}

type drainIn struct {
	NodePath
	Reason
	Deadline Deadline `query:"deadline" doc:"After this time what has not gone elsewhere is drained all the same; 10m if nothing is said" example:"10m"`
	Body     *DrainNode
}

// DrainNode is what may be said in a body instead.
type DrainNode struct {
	Deadline string `json:"deadline,omitempty" doc:"As in the query" example:"10m"`
	Why      string `json:"why,omitempty" maxLength:"200" doc:"As in the query"`
}

func (f nodeFace) drain(ctx context.Context, in *drainIn) (*answer[api.CellNode], error) {
	deadline, why, err := in.asked()
	if err != nil {
		return nil, err
	}
	return f.decided(ctx, in.Node, func(ctx context.Context, b jobs.Book) (zkschema.Policy, error) {
		return b.Drain(ctx, in.Node, deadline, why)
	})
}

// asked is what the query says, and where that says nothing the body.
func (in drainIn) asked() (deadline time.Duration, why string, _ error) {
	said := in.Deadline
	if in.Body == nil {
		in.Body = &DrainNode{}
	}
	if text := in.Body.Deadline; text != "" && !said.given {
		if err := said.UnmarshalText([]byte(text)); err != nil {
			return 0, "", fault.Fields("cannot drain the node "+in.Node, []fault.Field{{Location: "body.deadline", Message: err.Error(), Value: text}})
		}
	}
	if !said.given {
		said.after = quantity.Duration(jobs.DrainDeadline)
	}
	return said.after.Std(), cmp.Or(in.Why, in.Body.Why), nil
}

func (f nodeFace) resume(ctx context.Context, in *NodePath) (*answer[api.CellNode], error) {
	return f.decided(ctx, in.Node, func(ctx context.Context, b jobs.Book) (zkschema.Policy, error) {
		return b.Resume(ctx, in.Node)
	})
}

type ineligibleIn struct {
	NodePath
	Reason
}

func (f nodeFace) ineligible(ctx context.Context, in *ineligibleIn) (*answer[api.CellNode], error) {
	return f.decided(ctx, in.Node, func(ctx context.Context, b jobs.Book) (zkschema.Policy, error) {
		return b.Ineligible(ctx, in.Node, in.Why)
	})
}

// decided writes a policy, and returns the node as it is then.
func (f nodeFace) decided(ctx context.Context, node string, do func(context.Context, jobs.Book) (zkschema.Policy, error)) (*answer[api.CellNode], error) {
	p, err := written(ctx, f.Coordinator, do)
	if err != nil {
		return nil, err
	}
	n, err := f.Node(node)
	if err != nil { // it has not been seen here, and its policy stands all the same
		n = api.CellNode{Name: node, Status: api.CellNodeAway, Labels: map[string]string{}, Features: map[string]string{}, Why: err.Error()}
		n.Machine.Load = []float64{}
	}
	n.Policy, n.Eligible = policyOf(p, n.Policy), p.Eligible
	return &answer[api.CellNode]{http.StatusAccepted, n}, nil
}

// policyOf is a policy as it was written; where nothing was, as it is known.
func policyOf(p zkschema.Policy, known *api.NodePolicy) *api.NodePolicy {
	if p.Since.Equal(time.Time{}) {
		return known
	}
	return &api.NodePolicy{Drained: p.Drained, Eligible: p.Eligible, Deadline: p.Deadline, Why: p.Why, By: p.By, Since: p.Since}
}
