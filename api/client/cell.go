package client

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// Cell tells about the cell as a whole, and about the coordinator that answers.
func (c *Client) Cell(ctx context.Context) (Answer[api.Cell], error) {
	return call[api.Cell](ctx, c, request{method: "GET", path: "/v1/cell"})
}

// ChangeCell changes the settings of the cell.
func (c *Client) ChangeCell(ctx context.Context, s api.CellSettings) (Answer[api.Cell], error) {
	return call[api.Cell](ctx, c, request{method: "PATCH", path: "/v1/cell", body: s})
}

// CellNodes lists the nodes of the cell, without their units.
func (c *Client) CellNodes(ctx context.Context) (Answer[api.CellNodes], error) {
	return call[api.CellNodes](ctx, c, request{method: "GET", path: "/v1/nodes"})
}

// CellNode shows a node of the cell, with its units.
func (c *Client) CellNode(ctx context.Context, node string) (Answer[api.CellNode], error) {
	return call[api.CellNode](ctx, c, request{method: "GET", path: cellNodePath(node)})
}

// CellDrain is how a node is drained by its cell.
type CellDrain struct {
	Why      string         // what for, in words
	Deadline *time.Duration // until what has not gone elsewhere is drained all the same; nil: ten minutes
}

// DrainCellNode has what runs on a node go elsewhere, and returns before it has.
func (c *Client) DrainCellNode(ctx context.Context, node string, how CellDrain) (Answer[api.CellNode], error) {
	query := because(how.Why)
	if how.Deadline != nil {
		query.Set("deadline", quantity.Duration(*how.Deadline).String())
	}
	return call[api.CellNode](ctx, c, request{method: "POST", path: cellNodePath(node) + "/drain", query: query})
}

// ResumeCellNode lets a node take work again, whatever operators have kept it from.
func (c *Client) ResumeCellNode(ctx context.Context, node string) (Answer[api.CellNode], error) {
	return call[api.CellNode](ctx, c, request{method: "POST", path: cellNodePath(node) + "/resume"})
}

// IneligibleCellNode gives a node nothing more; what it runs it keeps.
func (c *Client) IneligibleCellNode(ctx context.Context, node, why string) (Answer[api.CellNode], error) {
	return call[api.CellNode](ctx, c, request{method: "POST", path: cellNodePath(node) + "/ineligible", query: because(why)})
}

// CellEventQuery says which events of the cell are wanted. The zero CellEventQuery asks for all
// that the coordinator has seen.
type CellEventQuery struct {
	Job   *job.Name // only those of this job
	Node  string    // only those of this node; "": of all
	Since uint64    // only those with a higher seq
	Limit int       // no more than the newest so many; 0: all
}

func (q CellEventQuery) query() url.Values {
	query := url.Values{}
	if q.Job != nil {
		query.Set("job", q.Job.String())
	}
	if q.Node != "" {
		query.Set("node", q.Node)
	}
	if q.Since > 0 {
		query.Set("since", strconv.FormatUint(q.Since, 10))
	}
	if q.Limit > 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	return query
}

// CellEvents tells what happened in the cell, oldest first.
func (c *Client) CellEvents(ctx context.Context, q CellEventQuery) (Answer[api.CellEvents], error) {
	return call[api.CellEvents](ctx, c, request{method: "GET", path: "/v1/events", query: q.query()})
}

// FollowCellEvents begins to follow what happens in the cell: after the event numbered after, from
// the first that is kept with 0; from now on where it is nil. Since and Limit are passed over.
func (c *Client) FollowCellEvents(ctx context.Context, q CellEventQuery, after *uint64) (*Stream[api.CellEvent], error) {
	q.Since, q.Limit = 0, 0
	r := request{method: "GET", path: "/v1/events", query: q.query()}
	if after != nil {
		r.query.Set("since", strconv.FormatUint(*after, 10))
	}
	return stream[api.CellEvent](ctx, c, r)
}

// WhyJob tells why a job is as it is, the newest effect first.
func (c *Client) WhyJob(ctx context.Context, name job.Name) (Answer[api.Why], error) {
	return call[api.Why](ctx, c, request{method: "GET", path: "/v1/why/job/" + name.String()})
}

// WhyInstance tells why what has a coordinate is as it is, as far as the cell knows.
func (c *Client) WhyInstance(ctx context.Context, name service.Coordinate) (Answer[api.Why], error) {
	return call[api.Why](ctx, c, request{method: "GET", path: "/v1/why/coordinate/" + name.String()})
}

// WhyCellNode tells why a node is as it is for its cell.
func (c *Client) WhyCellNode(ctx context.Context, node string) (Answer[api.Why], error) {
	return call[api.Why](ctx, c, request{method: "GET", path: "/v1/why/node/" + url.PathEscape(node)})
}

func cellNodePath(node string) string { return "/v1/nodes/" + url.PathEscape(node) }

func because(why string) url.Values {
	query := url.Values{}
	if why != "" {
		query.Set("why", why)
	}
	return query
}
