package keeper

import (
	"fmt"

	"github.com/cloudname/nodee/internal/fault"
)

// What can go wrong. Callers ask with errors.Is.
var (
	ErrNoNode          = fault.New(fault.NotFound, "no-node", "there is nothing at this path")
	ErrNodeExists      = fault.New(fault.Conflict, "node-exists", "something is at this path already")
	ErrBadVersion      = fault.New(fault.Stale, "bad-version", "it has another version by now")
	ErrNotEmpty        = fault.New(fault.Conflict, "not-empty", "there is something below it")
	ErrEphemeralParent = fault.New(fault.Conflict, "ephemeral-parent", "nothing can be below what ends with its session")
	ErrForbidden       = fault.New(fault.Forbidden, "zookeeper-forbids", "ZooKeeper does not allow it")
	ErrInvalid         = fault.New(fault.Invalid, "invalid-path", "no such path can be")
	ErrTooLarge        = fault.New(fault.TooLarge, "too-large", "more than a request may hold")

	// ErrUnavailable: no server took the request. Nothing was written.
	ErrUnavailable = fault.New(fault.Unavailable, "zookeeper-unavailable", "ZooKeeper cannot be reached")
	// ErrUnknown: a write went out, its answer did not come back. It may have been done, and
	// it may still be, until the session ends or a later write of it is answered: a connection keeps
	// the order of its requests, and what comes over an earlier one is refused once the session has
	// moved on. Confirm, read, then decide anew.
	ErrUnknown = fault.New(fault.Unavailable, "unknown-outcome", "it is not known whether it was done")

	// ErrExpired, ErrClosed and ErrLeft are why a session is over.
	ErrExpired = fault.New(fault.Unavailable, "session-expired", "the ZooKeeper session has expired")
	ErrClosed  = fault.New(fault.Unavailable, "session-closed", "the ZooKeeper session was closed")
	ErrLeft    = fault.New(fault.Unavailable, "session-left", "the ZooKeeper session was left")
	// ErrRefused is another: servers are there, and none takes the session, as after they came
	// back empty or from a backup.
	ErrRefused = fault.New(fault.Unavailable, "session-refused", "the ZooKeeper servers have refused the session for longer than it lives; did they lose data?")
	// ErrLapsed: a lease ran out because no quorum answered in time.
	ErrLapsed = fault.New(fault.Unavailable, "lease-lapsed", "the lease has lapsed: no majority of the ZooKeeper servers answered in time")
)

// OpError says which operation made Apply do none of them.
type OpError struct {
	Index int // its place among the operations
	Op    Op
	Err   error
}

// Error names the operation and what is wrong with it.
func (e *OpError) Error() string { return fmt.Sprintf("cannot %s: %v", e.Op, e.Err) }

// Unwrap returns why.
func (e *OpError) Unwrap() error { return e.Err }
