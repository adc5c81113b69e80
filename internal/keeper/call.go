package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-zookeeper/zk"
)

// errLost: the request may have gone out, its answer did not come back.
var errLost = errors.New("the answer was lost")

// refusals are the library's errors that say what a server, or the library, would not do.
var refusals = map[error]error{
	zk.ErrNoNode:                  ErrNoNode,
	zk.ErrNodeExists:              ErrNodeExists,
	zk.ErrBadVersion:              ErrBadVersion,
	zk.ErrNotEmpty:                ErrNotEmpty,
	zk.ErrNoChildrenForEphemerals: ErrEphemeralParent,
	zk.ErrNoAuth:                  ErrForbidden,
	zk.ErrAuthFailed:              ErrForbidden,
	zk.ErrInvalidACL:              ErrForbidden,
	zk.ErrInvalidPath:             ErrInvalid,
	zk.ErrBadArguments:            ErrInvalid,
	zk.ErrShortBuffer:             ErrTooLarge,
	zk.ErrSessionExpired:          ErrExpired,
	zk.ErrSessionMoved:            ErrUnavailable, // ignored by the server that was asked; the next try goes to the right one
	zk.ErrNoServer:                ErrUnavailable, // it was never sent
}

// translate turns the library's errors into ours. What is none of the refusals leaves open
// whether the server has heard of it: a closed connection, or a write that failed half way.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if ours, ok := refusals[err]; ok {
		return ours
	}
	return fmt.Errorf("%w: %v", errLost, err)
}

// ask has call, which knows no context, done until ctx or the session ends. An errLost says
// that nobody knows whether it was.
func ask[T any](ctx context.Context, s *session, call func() (T, error)) (T, error) {
	var zero T
	over := s.Context().Done()
	if ctx.Err() != nil {
		return zero, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return zero, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	case <-over:
		return zero, context.Cause(s.Context())
	}
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	begun := s.begin(func() {
		defer func() { <-s.slots }()
		value, err := call()
		answers <- answer{value, translate(err)}
	})
	if !begun {
		<-s.slots
		return zero, context.Cause(s.Context())
	}
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		return zero, fmt.Errorf("%w: %w", errLost, context.Cause(ctx))
	case <-over:
		return zero, fmt.Errorf("%w: %w", errLost, context.Cause(s.Context()))
	}
}

// read asks for something that can be asked for again at any time.
func read[T any](ctx context.Context, s *session, path string, call func() (T, error)) (T, error) {
	if err := CheckPath(path); err != nil {
		var zero T
		return zero, fmt.Errorf("cannot read: %w", err)
	}
	value, err := ask(ctx, s, call)
	if errors.Is(err, errLost) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err != nil {
		err = fmt.Errorf("cannot read %s: %w", path, err)
	}
	return value, err
}

// found is what a read brings.
type found struct {
	data  []byte
	names []string
	stat  *zk.Stat
	there bool
}

// Get returns the data at path.
func (s *session) Get(ctx context.Context, path string, w *Watch) ([]byte, Stat, error) {
	f, err := read(ctx, s, path, func() (found, error) {
		return s.watches.watch(watched{path, ofNode}, w, s.get, s.getW, s.absence(path))
	})
	return f.data, statOf(f.stat), err
}

// Exists tells whether there is a node at path.
func (s *session) Exists(ctx context.Context, path string, w *Watch) (Stat, bool, error) {
	f, err := read(ctx, s, path, func() (found, error) {
		return s.watches.watch(watched{path, ofNode}, w, s.exists, s.existsW, nil)
	})
	if err != nil || !f.there {
		return Stat{}, false, err
	}
	return statOf(f.stat), true, nil
}

// Children returns the names below path.
func (s *session) Children(ctx context.Context, path string, w *Watch) ([]string, error) {
	f, err := read(ctx, s, path, func() (found, error) {
		return s.watches.watch(watched{path, ofChildren}, w, s.children, s.childrenW, func(w *Watch) (bool, error) {
			f, err := s.watches.watch(watched{path, ofNode}, w, s.exists, s.existsW, nil)
			return f.there, err
		})
	})
	slices.Sort(f.names)
	return f.names, err
}

// absence watches for a node that was not there to have its data watched, and tells whether
// it is there by now.
func (s *session) absence(path string) func(*Watch) (bool, error) {
	return func(*Watch) (bool, error) {
		f, err := s.existsW(path)
		return f.there, err
	}
}

func (s *session) get(path string) (found, error) {
	data, stat, err := s.conn.Get(path)
	return found{data: data, stat: stat}, err
}

func (s *session) getW(path string) (found, error) {
	data, stat, _, err := s.conn.GetW(path)
	return found{data: data, stat: stat}, err
}

func (s *session) exists(path string) (found, error) {
	there, stat, err := s.conn.Exists(path)
	return found{there: there, stat: stat}, err
}

func (s *session) existsW(path string) (found, error) {
	there, stat, _, err := s.conn.ExistsW(path)
	return found{there: there, stat: stat}, err
}

func (s *session) children(path string) (found, error) {
	names, _, err := s.conn.Children(path)
	return found{names: names}, err
}

func (s *session) childrenW(path string) (found, error) {
	names, _, _, err := s.conn.ChildrenW(path)
	return found{names: names}, err
}

func statOf(s *zk.Stat) Stat {
	if s == nil {
		return Stat{}
	}
	return Stat{Version: s.Version, Created: s.Czxid, Owner: s.EphemeralOwner, Children: int(s.NumChildren)}
}

// Apply does all of ops, or none.
func (s *session) Apply(ctx context.Context, ops ...Op) ([]int32, error) {
	if err := CheckOps(ops); err != nil {
		return nil, err
	}
	if len(ops) == 0 {
		return nil, nil
	}
	requests := make([]any, len(ops))
	for i, o := range ops {
		requests[i] = request(o)
	}
	type outcome struct {
		results []zk.MultiResponse
		refused error
	}
	out, err := ask(ctx, s, func() (outcome, error) {
		results, err := s.conn.Multi(requests...)
		if len(results) > 0 {
			return outcome{results, err}, nil // an answer, be it a refusal
		}
		return outcome{}, err
	})
	switch {
	case errors.Is(err, errLost):
		return nil, fmt.Errorf("cannot %s: %w: %w", ops[0], ErrUnknown, err)
	case err != nil:
		return nil, fmt.Errorf("cannot %s: %w", ops[0], err)
	case out.refused != nil:
		return nil, refusal(ops, out.results)
	}
	return versions(out.results), nil
}

func request(o Op) any {
	switch o.Kind {
	case KindCreate:
		return &zk.CreateRequest{Path: o.Path, Data: o.Data, Acl: access()}
	case KindCreateEphemeral:
		return &zk.CreateRequest{Path: o.Path, Data: o.Data, Acl: access(), Flags: zk.FlagEphemeral}
	case KindSet:
		return &zk.SetDataRequest{Path: o.Path, Data: o.Data, Version: o.Version}
	case KindDelete:
		return &zk.DeleteRequest{Path: o.Path, Version: o.Version}
	default:
		return &zk.CheckVersionRequest{Path: o.Path, Version: o.Version}
	}
}

// refusal names the operation that was refused: the first with an error; those behind it
// carry one that only says that they came too late.
func refusal(ops []Op, results []zk.MultiResponse) error {
	for i, r := range results[:min(len(results), len(ops))] {
		if r.Error == nil {
			continue
		}
		err := translate(r.Error)
		if errors.Is(err, errLost) { // an answer with a code that the library does not know
			err = fmt.Errorf("ZooKeeper refused it: %v", r.Error)
		}
		return &OpError{Index: i, Op: ops[i], Err: err}
	}
	return fmt.Errorf("cannot %s: ZooKeeper refused it without a reason", ops[0])
}

func versions(results []zk.MultiResponse) []int32 {
	versions := make([]int32, len(results))
	for i, r := range results {
		if r.Stat != nil {
			versions[i] = r.Stat.Version
		}
	}
	return versions
}
