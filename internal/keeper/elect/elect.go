// Package elect has one of several candidates lead, and fences what it writes: a write of a
// leader that is none any more is refused by the servers, however late it comes.
//
// Who leads holds an ephemeral node, which the others see. What fences is another one, the
// epoch: a persistent record that each election sets. Both are done in one multi, so the
// record's version is the leader's own, and no later leader has the same. The version of the
// ephemeral node would guard nothing: it begins at 0 with each leader. So whoever deletes the
// record takes the fence away.
//
// Run is the caller's; what leads runs in a goroutine that Run waits for. An outcome that is
// not known is read, never guessed, and nothing is deleted that may be another's: the leader's
// node goes only together with a check that nobody was elected since it was read. The package
// logs nothing, and decides nothing but who leads.
package elect

import (
	"context"
	"errors"
	"math/rand/v2"
	"path"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
)

// ErrDeposed is why an office is over although its session lives: the epoch has another
// version, so somebody else was elected since, or the record was changed to have a new election.
var ErrDeposed = fault.New(fault.Unavailable, "deposed", "it leads no longer: the epoch has moved on")

// Config says what is stood for.
type Config struct {
	Leader string        // the path of the leader's ephemeral node
	Epoch  string        // the path of the record whose version fences; made, with its parents, where it is missing
	Record func() []byte // what both hold when this candidate is elected
}

// Run stands for office under s, again and again, until ctx or the session ends. Whoever is
// not elected waits until nobody leads, also when the leader is an earlier session of its own.
//
// Whenever it is elected it runs lead, whose context ends with the office; the cause is
// ErrDeposed, keeper.ErrLapsed, why the session is over, or why ctx is. Then lead returns, soon.
// It begins with a tree that is as new as its election: nothing was written before, under
// whatever epoch, that its reads under s do not show, and nothing will be under an older one.
//
// When lead is done, the leader's node is deleted, so that the next one is elected at once,
// and not when the session ends: also when ctx ends, before Run returns. A lead that returns
// nil, or that was deposed, stands again after a moment. Another error of lead is Run's.
//
// Run returns why it has ended, never nil. The caller closes a session under which Run has
// failed: with keeper.ErrLapsed nobody answers for it.
func Run(ctx context.Context, s keeper.Session, cfg Config, lead func(context.Context, *Office) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.Context(), func() { cancel(context.Cause(s.Context())) })()
	c := &candidate{cfg: cfg, session: s, lead: lead, watch: keeper.NewWatch()}
	for ctx.Err() == nil {
		switch err := c.step(ctx); {
		case err == nil:
		case passes(err):
			c.pause(ctx, again)
		default:
			return err
		}
	}
	if c.claim != 0 { // it may have been elected
		c.layDown(ctx)
	}
	return context.Cause(ctx)
}

// final is an error that ends Run, of whatever kind it is.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// passes tells whether another look may find things otherwise.
func passes(err error) bool {
	switch {
	case errors.As(err, new(final)):
		return false
	case errors.Is(err, keeper.ErrNodeExists), errors.Is(err, keeper.ErrBadVersion), errors.Is(err, keeper.ErrNoNode):
		return true // somebody else was first
	}
	return fault.KindOf(err).Retryable()
}

// candidate is who stands for office.
type candidate struct {
	cfg     Config
	session keeper.Session
	lead    func(context.Context, *Office) error
	watch   *keeper.Watch // of the leader's node
	// claim is the epoch that the last try to be elected would have, until the office that
	// it led to is over; 0: there is none. An election raises a version, so none has epoch 0.
	claim int32
}

// step looks who leads, and does what follows from it.
func (c *candidate) step(ctx context.Context) error {
	// The epoch first: what is done at this version is undone by nobody elected after the look.
	epoch, there, err := c.session.Exists(ctx, c.cfg.Epoch, nil)
	switch {
	case err != nil:
		return err
	case !there:
		return c.prepare(ctx)
	}
	leader, led, err := c.session.Exists(ctx, c.cfg.Leader, c.watch)
	switch {
	case err != nil:
		return err
	case !led:
		return c.stand(ctx, epoch.Version)
	case leader.Owner != c.session.Info().ID:
		c.claim = 0 // whoever leads has raised the version that it was to raise
		c.await(ctx)
		return nil
	case c.claim == 0:
		return c.remove(ctx, epoch.Version) // left from an office that is over
	}
	// Nobody led when the claim was made, so it is what has made the node.
	return c.hold(ctx)
}

// prepare makes what elections need.
func (c *candidate) prepare(ctx context.Context) error {
	for _, p := range []string{c.cfg.Leader, c.cfg.Epoch} {
		if err := keeper.MakeParents(ctx, c.session, path.Dir(p)); err != nil {
			return err
		}
	}
	_, err := c.session.Apply(ctx, keeper.Create(c.cfg.Epoch, nil))
	if errors.Is(err, keeper.ErrNodeExists) {
		return nil
	}
	return err
}

// stand takes the office, if nobody was elected since the epoch had this version. What comes
// of a try whose outcome is not known is seen by the next look: an answer that comes late, or
// a write that does, finds the same claim.
func (c *candidate) stand(ctx context.Context, version int32) error {
	c.claim = version + 1
	record := c.cfg.Record()
	_, err := c.session.Apply(ctx, keeper.CreateEphemeral(c.cfg.Leader, record), keeper.Set(c.cfg.Epoch, record, version))
	switch {
	case err == nil:
		return c.hold(ctx)
	case errors.Is(err, keeper.ErrNoNode):
		return c.prepare(ctx)
	}
	return err
}

// hold leads under the claim until the office is over.
func (c *candidate) hold(ctx context.Context) error {
	o := &Office{session: c.session, fence: keeper.Check(c.cfg.Epoch, c.claim)}
	began := false
	err := keeper.HoldWhile(ctx, c.session, o.confirm, func(ctx context.Context, l *keeper.Lease) error {
		began = true
		o.begin(ctx, l)
		defer o.end(nil)
		return c.lead(o.ctx, o)
	})
	deposed := errors.Is(err, ErrDeposed) || o.deposed()
	switch {
	case errors.Is(err, keeper.ErrLapsed):
		return final{err}
	case !began && !deposed:
		return err // elected, and not sure of it any more: the next look tells
	}
	c.claim = 0
	c.layDown(ctx)
	switch {
	case ctx.Err() != nil, c.session.Context().Err() != nil:
		return nil
	case err != nil && !deposed:
		return final{err}
	}
	c.pause(ctx, afterwards)
	return nil
}

// patience is how long laying down an office may take, at most: as long as closing a session.
const patience = 3 * time.Second

// layDown deletes the leader's node where it is this session's, also when ctx has ended. What
// cannot be done now is left to the next look, or goes with the session.
func (c *candidate) layDown(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(patience, c.session.Info().Timeout/3))
	defer cancel()
	for c.session.Context().Err() == nil {
		epoch, there, err := c.session.Exists(ctx, c.cfg.Epoch, nil)
		if err != nil || !there {
			return
		}
		leader, led, err := c.session.Exists(ctx, c.cfg.Leader, nil)
		if err != nil || !led || leader.Owner != c.session.Info().ID {
			return
		}
		// Refused when somebody was elected meanwhile: what is read now is newer than that.
		if err := c.remove(ctx, epoch.Version); !errors.Is(err, keeper.ErrBadVersion) {
			return
		}
	}
}

// remove deletes the leader's node, which was this session's after the epoch had the version.
func (c *candidate) remove(ctx context.Context, epoch int32) error {
	_, err := c.session.Apply(ctx, keeper.Check(c.cfg.Epoch, epoch), keeper.Delete(c.cfg.Leader, keeper.AnyVersion))
	return err
}

// await waits for the next change of the leader's node. It looks again now and then without:
// a watch can be lost.
func (c *candidate) await(ctx context.Context) {
	wait(ctx, c.session.Info().Timeout, c.watch.Ready())
}

// Pauses, as parts of the session's timeout: the shortest, the longest is twice as long.
const (
	again      = 60 // before another look, when something was in the way
	afterwards = 20 // after an office, in which whoever waits for it is elected
)

// pause waits a moment, and no two candidates the same one: they would meet again.
func (c *candidate) pause(ctx context.Context, part time.Duration) {
	d := c.session.Info().Timeout / part
	wait(ctx, d+rand.N(d), nil)
}

func wait(ctx context.Context, d time.Duration, nudge <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-nudge:
	case <-ctx.Done():
	}
}
