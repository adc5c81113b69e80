package elect

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloudname/nodee/internal/keeper"
)

// MaxOps is how many operations Apply takes: the check of the epoch is one more.
const MaxOps = keeper.MaxOps - 1

// Office is what a leader has until it is over.
type Office struct {
	session keeper.Session
	fence   keeper.Op // the check of the epoch
	lease   *keeper.Lease
	ctx     context.Context // the office's own: it ends when the office is known to be over
	end     context.CancelCauseFunc
}

func (o *Office) begin(ctx context.Context, l *keeper.Lease) {
	o.lease = l
	o.ctx, o.end = context.WithCancelCause(ctx)
}

// Epoch is the office's number: higher than that of every office before.
func (o *Office) Epoch() int32 { return o.fence.Version }

// Apply does all of ops or none of them, as keeper.Tree does, provided that nobody was elected
// since. It returns the versions of ops.
//
// ErrDeposed: nothing was done, and the office is over. While the lease is not valid nothing
// is asked for; the error says why it is not. An *OpError is counted by ops.
// keeper.ErrUnknown leaves open what was done: read again, as the leader.
func (o *Office) Apply(ctx context.Context, ops ...keeper.Op) ([]int32, error) {
	switch {
	case o.ctx.Err() != nil:
		return nil, fmt.Errorf("cannot write as the leader: %w", context.Cause(o.ctx))
	case !o.lease.Valid():
		return nil, fmt.Errorf("cannot write as the leader: %w", keeper.ErrLapsed)
	}
	versions, err := o.fenced(ctx, ops...)
	if errors.Is(err, ErrDeposed) {
		o.end(err)
	}
	return versions, err
}

// confirm asks a majority of the servers whether this is still the epoch.
func (o *Office) confirm(ctx context.Context) error {
	_, err := o.fenced(ctx)
	return err
}

// fenced does ops if the epoch is still the office's.
func (o *Office) fenced(ctx context.Context, ops ...keeper.Op) ([]int32, error) {
	versions, err := o.session.Apply(ctx, append([]keeper.Op{o.fence}, ops...)...)
	refused, ok := errors.AsType[*keeper.OpError](err)
	switch {
	case err == nil:
		return versions[1:], nil
	case !ok:
		return nil, err
	case refused.Index > 0:
		return nil, &keeper.OpError{Index: refused.Index - 1, Op: refused.Op, Err: refused.Err}
	case errors.Is(err, keeper.ErrBadVersion), errors.Is(err, keeper.ErrNoNode):
		return nil, fmt.Errorf("%w: %w", ErrDeposed, err)
	}
	return nil, err
}

// deposed tells whether Apply has ended the office.
func (o *Office) deposed() bool {
	return o.ctx != nil && errors.Is(context.Cause(o.ctx), ErrDeposed)
}
