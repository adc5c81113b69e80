package presence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/zkschema"
)

// view is what was found at a path.
type view struct {
	there bool
	data  []byte
	stat  keeper.Stat
}

// verdict is what follows from what was found: one of its fields says something.
type verdict struct {
	done   bool   // registered already, by a request whose answer was lost
	holder string // somebody else has the name
	ops    []keeper.Op
}

// decide says how to register. record makes the node's record for an incarnation.
//
// A name belongs to who wrote its incarnation last. An own earlier ephemeral is replaced in
// the same multi that raises the incarnation, so that no watcher sees a gap. Another node's
// is never touched, nor one of a session that this node never had: that is a copy of its
// prefix on the same machine, and the two would take the name from each other without end. Where nobody is there, the name is free, unless this node had it and
// somebody else has taken it since: then it does not take it back.
func decide(me Identity, session int64, memory Memory, cell zkschema.Cell, incarnation, node view, record func(int32) ([]byte, error)) (verdict, error) {
	var last zkschema.Incarnation
	mine := false
	if incarnation.there {
		var err error
		if last, err = zkschema.DecodeIncarnation(incarnation.data); err != nil {
			return verdict{holder: err.Error()}, nil
		}
		mine = last.ID == me.ID && last.MachineID == me.MachineID
	}
	if node.there {
		n, err := zkschema.DecodeNode(node.data)
		switch {
		case err != nil:
			return verdict{holder: err.Error()}, nil
		case node.stat.Owner == session && mine && n.Incarnation == incarnation.stat.Version:
			return verdict{done: true}, nil
		case incarnation.there && !mine && node.stat.Owner != session, n.ID != me.ID:
			return verdict{holder: fmt.Sprintf("node %s at %s, registered %s", n.ID, n.HTTP, n.Since.Format(time.RFC3339))}, nil
		case node.stat.Owner != session && !slices.Contains(memory.Sessions, node.stat.Owner):
			return verdict{holder: fmt.Sprintf("a copy of this node, %s at %s, registered %s", n.ID, n.HTTP, n.Since.Format(time.RFC3339))}, nil
		}
	}
	replaced := memory.Incarnation >= 0 && incarnation.stat.Version != memory.Incarnation
	if incarnation.there && !mine && replaced {
		return verdict{holder: fmt.Sprintf("node %s on machine %s, which has registered under it since", last.ID, last.MachineID)}, nil
	}
	return propose(me, cell, incarnation, node, record)
}

// propose makes the multi that registers.
func propose(me Identity, cell zkschema.Cell, incarnation, node view, record func(int32) ([]byte, error)) (verdict, error) {
	number := int32(0)
	if incarnation.there {
		number = incarnation.stat.Version + 1
	}
	claim, err := zkschema.Incarnation{ID: me.ID, MachineID: me.MachineID, BootID: me.BootID}.Encode()
	if err != nil {
		return verdict{}, err
	}
	rec, err := record(number)
	if err != nil {
		return verdict{}, err
	}
	var ops []keeper.Op
	if incarnation.there {
		ops = append(ops, keeper.Set(cell.Incarnation(me.Name), claim, incarnation.stat.Version))
	} else {
		ops = append(ops, keeper.Create(cell.Incarnation(me.Name), claim))
	}
	if node.there {
		ops = append(ops, keeper.Delete(cell.Node(me.Name), node.stat.Version))
	}
	return verdict{ops: append(ops, keeper.CreateEphemeral(cell.Node(me.Name), rec))}, nil
}

const (
	// takenPause is how long a taken name is left alone before it is looked at again, when
	// nothing was heard of a change.
	takenPause = 10 * time.Second
	// againPause lies between two tries that somebody else's change or a lost answer spoiled.
	againPause = 250 * time.Millisecond
)

// register registers the node under a session, however long it takes, and returns its incarnation.
func (p *Presence) register(ctx context.Context, s keeper.Session, memory *Memory) (int32, error) {
	w := keeper.NewWatch()
	path := p.cfg.Cell.Node(p.cfg.Me.Name)
	for {
		incarnation, registered, err := p.tryRegister(ctx, s, memory, w)
		why := obstacle(err)
		if refused := (*keeper.OpError)(nil); why != "" || errors.As(err, &refused) {
			err = nil // else it is somebody else's change
		}
		p.obstruct(path, why)
		if registered || err != nil {
			return incarnation, err
		}
		pause := againPause
		if why != "" || p.State().Link == NameTaken {
			pause = takenPause
		}
		if err := await(ctx, pause, w.Ready()); err != nil {
			return 0, err
		}
	}
}

// tryRegister looks once, and does what follows. Unknown outcomes are looked at anew, as is what
// a keeper.OpError has refused.
func (p *Presence) tryRegister(ctx context.Context, s keeper.Session, memory *Memory, w *keeper.Watch) (int32, bool, error) {
	for _, dir := range []string{p.cfg.Cell.Nodes(), p.cfg.Cell.Incarnations(), p.cfg.Cell.Reports()} {
		if err := keeper.MakeParents(ctx, s, dir); err != nil {
			return 0, false, wrap("make the folders of the cell", err)
		}
	}
	node, err := look(ctx, s, p.cfg.Cell.Node(p.cfg.Me.Name), w)
	if err != nil {
		return 0, false, err
	}
	incarnation, err := look(ctx, s, p.cfg.Cell.Incarnation(p.cfg.Me.Name), nil)
	if err != nil {
		return 0, false, err
	}
	record := func(number int32) ([]byte, error) { return nodeRecord(p.cfg.Source.Facts(), number, time.Now()) }
	v, err := decide(p.cfg.Me, s.Info().ID, *memory, p.cfg.Cell, incarnation, node, record)
	switch {
	case err != nil:
		return 0, false, err
	case v.holder != "":
		p.nameTaken(v.holder)
		return 0, false, nil
	case v.done:
		return incarnation.stat.Version, true, p.registered(memory, incarnation.stat.Version)
	}
	versions, err := s.Apply(ctx, v.ops...)
	if errors.Is(err, keeper.ErrUnknown) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, wrap("register", err)
	}
	return versions[0], true, p.registered(memory, versions[0])
}

func (p *Presence) registered(memory *Memory, incarnation int32) error {
	p.nameTaken("")
	p.cfg.Log.Info("the node is seen in its cell", "cell", p.cfg.Cell, "node", p.cfg.Me.Name, "incarnation", incarnation)
	memory.Incarnation = incarnation
	err := p.cfg.Remember.SaveMemory(*memory)
	if err == nil {
		p.failed("")
	}
	return err
}

func look(ctx context.Context, s keeper.Session, path string, w *keeper.Watch) (view, error) {
	data, stat, err := s.Get(ctx, path, w)
	if errors.Is(err, keeper.ErrNoNode) {
		return view{}, nil
	}
	if err != nil {
		return view{}, wrap("look at "+path, err)
	}
	return view{true, data, stat}, nil
}

// await waits for d, for a channel, or until ctx ends, which is its error.
func await(ctx context.Context, d time.Duration, nudge <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-nudge:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}
