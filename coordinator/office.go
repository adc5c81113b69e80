package coordinator

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/cloudname/nodee/coordinator/apply"
	"github.com/cloudname/nodee/coordinator/plan"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/elect"
	"github.com/cloudname/nodee/zkschema"
)

// under is what is done under one session: the cell is followed, and once everything was read this
// coordinator stands for office.
func (c *Coordinator) under(ctx context.Context, s keeper.Session) error {
	defer s.Close() // nothing of a coordinator's is to outlive it
	c.current.Set(s)
	defer c.current.Set(nil)
	g := group.New(ctx)
	g.Go("mirror", func(ctx context.Context) error { return c.mirror.Run(ctx, s) })
	g.Go("office", func(ctx context.Context) error {
		if c.mirror.CatchUp(ctx) != nil {
			return nil // the session has ended before
		}
		err := elect.Run(ctx, s, elect.Config{Leader: c.cell.Leader(), Epoch: c.cell.Epoch(), Record: c.leaderRecord},
			func(ctx context.Context, o *elect.Office) error { return c.lead(ctx, s, o) })
		if ctx.Err() != nil {
			return nil
		}
		return err
	})
	return g.Wait()
}

// leaderRecord is what the cell is told of this coordinator when it leads.
func (c *Coordinator) leaderRecord() []byte {
	data, err := zkschema.Leader{Name: c.cfg.Settings.Node.Name, HTTP: c.advertised(), Since: time.Now().UTC()}.Encode()
	if err != nil {
		panic("coordinator: the leader's record cannot be written: " + err.Error()) // it holds two texts and a time
	}
	return data
}

// specSweep is how often specs that nothing names are looked for. One is deleted when it was found
// so twice.
const specSweep = 10 * time.Minute

// lead writes what the loop decides, until the office is over.
func (c *Coordinator) lead(ctx context.Context, s keeper.Session, o *elect.Office) (err error) {
	c.log.Info("this coordinator leads the cell", "cell", c.cell, "epoch", o.Epoch())
	defer func() {
		c.log.Info("this coordinator leads no longer", "cell", c.cell, "epoch", o.Epoch(), "why", errors.Join(err, context.Cause(ctx)))
	}()
	w := apply.New(apply.Config{Office: o, Reader: s, Cell: c.cell, Looker: c.mirror, Log: c.log})
	if err := c.enter(ctx, s, o, w); err != nil {
		return unlessOver(ctx, err)
	}
	t := &term{epoch: o.Epoch(), decisions: make(chan plan.Decision, 1)}
	c.loop.post(func(now time.Time) { c.loop.take(t, now) })
	defer c.loop.post(func(time.Time) { c.loop.leave(t) })
	sweep := time.NewTicker(specSweep)
	defer sweep.Stop()
	for err == nil {
		select {
		case <-ctx.Done():
			return nil
		case d := <-t.decisions:
			err = c.write(ctx, w, t, d)
		case <-sweep.C:
			err = c.dropSpecs(ctx, w)
		}
	}
	return unlessOver(ctx, err)
}

// dropSpecs deletes the specs that nothing names, unless nothing may be written, or what is named
// is not known.
func (c *Coordinator) dropSpecs(ctx context.Context, w *apply.Writer) error {
	var named map[string]bool
	c.loop.ask(func(now time.Time) {
		if s := c.loop.settings; s != nil && !s.Freeze {
			named = c.loop.specs(now)
		}
	})
	if named == nil {
		return nil
	}
	return w.DropSpecs(ctx, named)
}

// unlessOver returns what is wrong, unless that is no more than the end of the office.
func unlessOver(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, elect.ErrDeposed) {
		return nil
	}
	return err
}

// enter makes what a leader needs, and waits until the loop knows all that was so before it was
// elected.
func (c *Coordinator) enter(ctx context.Context, s keeper.Session, o *elect.Office, w *apply.Writer) error {
	err := w.MakeFolders(ctx)
	if err == nil {
		err = c.makeSettings(ctx, s, o)
	}
	if err == nil {
		err = c.mirror.CatchUp(ctx)
	}
	return err
}

// makeSettings gives the cell its id, if it has none: the first leader that there ever was does.
func (c *Coordinator) makeSettings(ctx context.Context, s keeper.Session, o *elect.Office) error {
	_, there, err := s.Exists(ctx, c.cell.Settings(), nil)
	if err != nil || there {
		return err
	}
	data, err := zkschema.Settings{ID: rand.Text(), By: "the coordinator", Why: "the cell is new", Since: time.Now().UTC()}.Encode()
	if err != nil {
		return err
	}
	_, err = o.Apply(ctx, keeper.Create(c.cell.Settings(), data))
	if errors.Is(err, keeper.ErrNodeExists) {
		return nil
	}
	if err == nil {
		c.log.Info("the cell is new, and was given an id", "cell", c.cell)
	}
	return err
}

// write writes a decision and tells the loop what became of it.
func (c *Coordinator) write(ctx context.Context, w *apply.Writer, t *term, d plan.Decision) error {
	began := time.Now()
	r, err := w.Write(ctx, d)
	for _, change := range d.Changes {
		if r.Written[change.Node] {
			c.log.Debug("assigned", "node", change.Node, "instance", change.Instance, "what", change.Kind, "revision", change.Generation, "why", change.Why)
		}
	}
	if len(r.Written) > 0 {
		c.log.Info("assignments were written", "nodes", len(r.Written), "changes", len(d.Changes), "took", time.Since(began).Round(time.Millisecond))
	}
	c.loop.post(func(now time.Time) { c.loop.written(t, d, r, now) })
	return err
}
