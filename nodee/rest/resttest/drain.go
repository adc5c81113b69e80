package resttest

import (
	"context"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/fault"
)

// DrainNode has the node say that it is drained.
func (n *Node) DrainNode(_ context.Context, why string, untilReboot bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.drain = &api.NodeDrain{Since: At, By: "a test", Why: why, UntilReboot: untilReboot}
	return n.call("DrainNode", "%q until_reboot=%t", why, untilReboot)
}

// ResumeNode has the node say that it is ready.
func (n *Node) ResumeNode(_ context.Context, acceptCell bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.drain = nil
	return n.call("ResumeNode", "accept_cell=%t", acceptCell)
}

// AwaitDrained returns at once, if Stick does not say otherwise.
func (n *Node) AwaitDrained(ctx context.Context) error {
	n.mu.Lock()
	stuck := n.stuck
	n.mu.Unlock()
	if stuck == "" {
		return nil
	}
	<-ctx.Done()
	if ctx.Err() != context.DeadlineExceeded {
		return context.Cause(ctx)
	}
	return fault.New(fault.Timeout, "timeout", "the node is not drained yet")
}
