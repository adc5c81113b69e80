package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudname/nodee/internal/caller"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/zkschema"
)

// DrainDeadline is how long a node has, if nobody says otherwise, until what has not gone
// elsewhere is drained all the same.
const DrainDeadline = 10 * time.Minute

// Drain has what runs on a node go elsewhere, and then be drained; what has not gone elsewhere
// after the deadline is drained all the same. Of a node that is drained already the deadline can be moved
// until it has passed; after that it stays, since what was stopped then would start again. The error is a fault.NotFound where no node of that
// name ever registered.
func (b Book) Drain(ctx context.Context, node string, deadline time.Duration, why string) (zkschema.Policy, error) {
	now := time.Now().UTC()
	p, err := b.policy(ctx, node, func(p zkschema.Policy) zkschema.Policy {
		until := now.Add(deadline)
		if p.Drained && p.Deadline != nil && !now.Before(*p.Deadline) {
			until = *p.Deadline
		}
		p.Drained, p.Deadline, p.Why = true, &until, why
		return p
	})
	return p, ofNode("drain", node, err)
}

// Resume lets a node take work again, whatever kept it from that.
func (b Book) Resume(ctx context.Context, node string) (zkschema.Policy, error) {
	p, err := b.policy(ctx, node, func(p zkschema.Policy) zkschema.Policy {
		p.Drained, p.Deadline, p.Eligible, p.Why = false, nil, true, ""
		return p
	})
	return p, ofNode("resume", node, err)
}

// Ineligible has a node be given nothing more; what it runs, it keeps.
func (b Book) Ineligible(ctx context.Context, node, why string) (zkschema.Policy, error) {
	p, err := b.policy(ctx, node, func(p zkschema.Policy) zkschema.Policy {
		p.Eligible, p.Why = false, why
		return p
	})
	return p, ofNode("make ineligible", node, err)
}

func ofNode(what, node string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cannot %s the node %s: %w", what, node, err)
}

// policy changes the policy of a node. One that is the same but for who asked when is not written.
func (b Book) policy(ctx context.Context, node string, edit func(zkschema.Policy) zkschema.Policy) (zkschema.Policy, error) {
	var out zkschema.Policy
	if err := b.known(ctx, node); err != nil {
		return out, err
	}
	at, by, path := time.Now().UTC(), caller.Of(ctx), b.Cell.Policy(node)
	err := b.amend(ctx, path, func(data []byte) ([]byte, error) {
		old, damaged := zkschema.Policy{Eligible: true}, false
		if data != nil {
			p, err := zkschema.DecodePolicy(data)
			if errors.Is(err, zkschema.ErrNewer) {
				return nil, unreadable(err)
			}
			if damaged = err != nil; !damaged { // else what is asked for takes its place
				old = p
			}
		}
		if out = edit(old); samePolicy(out, old) && !damaged {
			return nil, nil
		}
		out.By, out.Since = by, at
		return out.Encode()
	})
	return out, err
}

func samePolicy(a, b zkschema.Policy) bool {
	deadlines := a.Deadline == b.Deadline || a.Deadline != nil && b.Deadline != nil && a.Deadline.Equal(*b.Deadline)
	return deadlines && a.Drained == b.Drained && a.Eligible == b.Eligible && a.Why == b.Why
}

// known tells whether a node of the name ever registered. It also makes the folder of policies.
func (b Book) known(ctx context.Context, node string) error {
	if err := zkschema.CheckNode(node); err != nil {
		return fault.Mark(fault.NotFound, "no-such-node", err)
	}
	if err := b.confirm(ctx); err != nil {
		return err
	}
	_, there, err := b.Tree.Exists(ctx, b.Cell.Incarnation(node), nil)
	if err == nil && !there {
		err = fault.New(fault.NotFound, "no-such-node", "no node of that name ever registered in the cell %s: nodee node list shows those there are", b.Cell)
	}
	if err != nil {
		return err
	}
	return keeper.MakeParents(ctx, b.Tree, b.Cell.Policies())
}

// Freeze has the coordinators change nothing, or lets them. The error is a fault.Unavailable where
// no leader has given the cell its settings yet.
func (b Book) Freeze(ctx context.Context, freeze bool, why string) (zkschema.Settings, error) {
	var out zkschema.Settings
	at, by, path := time.Now().UTC(), caller.Of(ctx), b.Cell.Settings()
	err := b.amend(ctx, path, func(data []byte) ([]byte, error) {
		if data == nil {
			return nil, fault.New(fault.Unavailable, "no-settings-yet", "the cell %s has no settings yet: its first leader makes them; try again when it has one", b.Cell)
		}
		old, err := zkschema.DecodeSettings(data)
		if errors.Is(err, zkschema.ErrNewer) {
			return nil, unreadable(err)
		}
		if err != nil {
			return nil, damagedSettings(path, err)
		}
		out = old
		if out.Freeze, out.Why = freeze, why; out.Freeze == old.Freeze && out.Why == old.Why {
			return nil, nil
		}
		out.By, out.Since = by, at
		return out.Encode()
	})
	if err != nil {
		err = fmt.Errorf("cannot change the settings of the cell: %w", err)
	}
	return out, err
}
