package resttest

import (
	"cmp"
	"context"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
)

// ServicesVersion changes with the services.
func (n *Node) ServicesVersion() string { return n.ofServices.Version() }

// Service returns one, with its spec.
func (n *Node) Service(c service.Coordinate) (api.Service, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.service(c)
}

func (n *Node) service(c service.Coordinate) (api.Service, error) {
	s, ok := n.services[c]
	if !ok {
		return s, fault.New(fault.NotFound, "no-such-service", "cannot find %s: there is no such service", c)
	}
	return s, nil
}

// ServicesFull lists the services with their specs.
func (n *Node) ServicesFull() []api.Service {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.SortedFunc(maps.Values(n.services), func(a, b api.Service) int { return cmp.Compare(a.Coordinate, b.Coordinate) })
}

// Services lists them without.
func (n *Node) Services() []api.Service {
	all := n.ServicesFull()
	for i := range all {
		all[i].Spec = nil
	}
	return all
}

// PutService takes a spec.
func (n *Node) PutService(_ context.Context, c service.Coordinate, spec service.Spec, start bool) (api.Service, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.call("PutService", "%s %s start=%t", c, spec.Command, start); err != nil {
		return api.Service{}, false, err
	}
	s, there := n.services[c]
	if !there {
		s = api.Service{
			Coordinate: c.String(), State: string(service.StatePending), Ports: map[string]int{},
			LogDir: n.logDir(c), Owner: "local", Desired: string(service.Stopped),
		}
	}
	s.Spec, s.Artifact = &spec, spec.Artifact
	if start {
		s.Desired = string(service.Running)
	}
	return n.desire(c, s), !there, nil
}

// DiffService compares a spec with the one that was put.
func (n *Node) DiffService(c service.Coordinate, spec service.Spec) (api.Diff, error) {
	s, err := n.Service(c)
	if err != nil {
		return api.Diff{}, err
	}
	action, fields := service.Diff(*s.Spec, spec)
	return api.Diff{Action: string(action), Fields: fields}, nil
}

// CommandService takes one of the four verbs.
func (n *Node) CommandService(_ context.Context, c service.Coordinate, verb string) (api.Service, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s, err := n.service(c)
	if err != nil {
		return s, err
	}
	if err := n.call("CommandService", "%s %s", c, verb); err != nil {
		return api.Service{}, err
	}
	wish := map[string]service.Desired{
		"start": service.Running, "restart": service.Running, "stop": service.Stopped, "drain": service.Drained,
	}
	s.Desired = string(wish[verb])
	return n.desire(c, s), nil
}

// desire records a wish. It has not come true yet in what is returned, as on a real node.
func (n *Node) desire(c service.Coordinate, s api.Service) api.Service {
	s.Generation++
	n.services[c] = s
	n.happen(c, service.EventDesired, "a test asked for it")
	now := s
	now.ObservedGeneration = s.Generation
	switch {
	case n.stuck != "":
		now.State, now.Why = string(n.stuck), "the test made it so"
	case s.Desired == string(service.Running):
		now.State = string(service.StateRunning)
	default:
		now.State = string(service.StateStopped)
	}
	n.services[c] = now
	n.ofServices.Bump()
	return s
}

// AwaitService returns when a wish has come true or cannot any more, and at the end of ctx.
func (n *Node) AwaitService(ctx context.Context, c service.Coordinate, _ int64) (api.Service, error) {
	for {
		changed := n.ofServices.Changed()
		s, err := n.Service(c)
		n.mu.Lock()
		stuck := n.stuck
		n.mu.Unlock()
		switch {
		case err != nil:
			return s, fault.New(fault.Conflict, "removed", "cannot go on waiting for %s: it was removed", c)
		case stuck == "":
			return s, nil
		case stuck == service.StateFailed:
			return s, fault.New(fault.Conflict, "failed", "cannot go on waiting for %s: it has failed", c)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s, timeout(ctx, c)
		}
	}
}

func timeout(ctx context.Context, c service.Coordinate) error {
	if ctx.Err() != context.DeadlineExceeded {
		return context.Cause(ctx)
	}
	return fault.New(fault.Timeout, "timeout", "what was asked of %s goes on", c)
}

// RemoveService forgets a service, if none is stuck.
func (n *Node) RemoveService(_ context.Context, c service.Coordinate, purge bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := n.service(c); err != nil {
		return err
	}
	if err := n.call("RemoveService", "%s purge=%t", c, purge); err != nil {
		return err
	}
	if n.stuck != "" {
		return nil
	}
	if purge {
		if err := os.RemoveAll(n.logDir(c)); err != nil {
			return err
		}
	}
	n.vanish(c)
	return nil
}

// Vanish forgets a service, stuck or not.
func (n *Node) Vanish(c service.Coordinate) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.vanish(c)
}

func (n *Node) vanish(c service.Coordinate) {
	delete(n.services, c)
	n.happen(c, service.EventRemoved, "a test asked for it")
	n.ofServices.Bump()
}

// AwaitRemoval returns at once when a service is gone, and else at the end of ctx.
func (n *Node) AwaitRemoval(ctx context.Context, c service.Coordinate) error {
	n.mu.Lock()
	err := n.fails["AwaitRemoval"]
	_, there := n.services[c]
	n.mu.Unlock()
	if err != nil || !there {
		return err
	}
	<-ctx.Done()
	return timeout(ctx, c)
}

// RemovalLimit is short, as tests are in a hurry.
func (n *Node) RemovalLimit(service.Coordinate) time.Duration { return 50 * time.Millisecond }
