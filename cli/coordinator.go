package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cloudname/nodee/api/client"
)

// namingTime is how long the node may take to say where its coordinator is.
const namingTime = 5 * time.Second

// way is the way to a coordinator: where it is asked, and why there.
type way struct {
	url   string
	why   string
	known bool // somebody has named it
}

// findCoordinator finds the coordinator that was given, else the one that the node of this
// host names, else the usual one.
func (a *app) findCoordinator(ctx context.Context) (way, error) {
	if addr := a.global.coordinator; addr != "" {
		return way{asURL(addr), "--coordinator says so", true}, nil
	}
	if addr := os.Getenv("NODEE_COORDINATOR"); addr != "" {
		return way{asURL(addr), "NODEE_COORDINATOR says so", true}, nil
	}
	c, err := a.client()
	if err != nil {
		return way{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, namingTime)
	defer cancel()
	got, err := c.Status(ctx)
	switch named := got.Value.Coordinator.Address; {
	case err != nil:
		return way{url: defaultCoordinator, why: fmt.Sprintf("the node at %s cannot be asked for its coordinator (%s), and this is the usual address", c.Addr(), shortly(err))}, nil
	case named == "":
		return way{url: defaultCoordinator, why: fmt.Sprintf("the node at %s knows of no coordinator, and this is the usual address", c.Addr())}, nil
	default:
		return way{named, fmt.Sprintf("the node at %s names it", c.Addr()), true}, nil
	}
}

// shortly says what went wrong without what to do about it.
func shortly(err error) string {
	if u, ok := errors.AsType[*client.Unreachable](err); ok {
		return u.Reason()
	}
	return errorText(err)
}

// hint is what to say where nobody answers.
func (w way) hint() string {
	return "is nodee coordinator running there? It was tried because " + w.why + "; --coordinator or NODEE_COORDINATOR names another one"
}

// coordinator makes the client of the coordinator.
func (a *app) coordinator(ctx context.Context) (*client.Client, error) {
	to, err := a.findCoordinator(ctx)
	if err != nil {
		return nil, err
	}
	return a.connect(to.url, to.hint())
}

// knownCoordinator makes the client of the coordinator if there is one that somebody has named;
// else it is nil.
func (a *app) knownCoordinator(ctx context.Context) (*client.Client, error) {
	to, err := a.findCoordinator(ctx)
	if err != nil || !to.known {
		return nil, err
	}
	return a.connect(to.url, to.hint())
}

// wrongDaemon explains that a daemon does not know a path because it is one of the other kind.
// That is no answer to what was asked, as a 404 would be.
func (a *app) wrongDaemon(ctx context.Context, err error) error {
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || p.Slug() != "no-such-route" || len(a.asked) == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, namingTime)
	defer cancel()
	c := a.asked[len(a.asked)-1]
	if c == a.node {
		if _, other := c.Cell(ctx); other == nil {
			return usage("what answers at %s is a coordinator, not a node's agent; --addr or NODEE_ADDR names the node", c.Addr())
		}
		return err
	}
	if _, other := c.Status(ctx); other == nil {
		return usage("what answers at %s is a node's agent, not a coordinator; --coordinator or NODEE_COORDINATOR names a coordinator", c.Addr())
	}
	return err
}

// elsewhere looks for another coordinator when c is away: the node may name a new leader. It is
// c itself where nobody names another one.
func (a *app) elsewhere(ctx context.Context, c *client.Client) *client.Client {
	to, err := a.findCoordinator(ctx)
	if err != nil || !to.known || to.url == c.Addr() {
		return c
	}
	other, err := a.connect(to.url, to.hint())
	if err != nil {
		return c
	}
	return other
}
