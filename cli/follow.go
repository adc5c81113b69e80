package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/fault"
)

// How long to wait before a daemon that went away is asked again.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 2 * time.Second
)

// writeError is the failure to pass on what was received: asking the daemon again is no help.
type writeError struct{ err error }

func (e *writeError) Error() string { return "cannot write the output: " + e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

// follow reads with once, which goes on where it stopped, until the user interrupts or what
// is followed is gone. A daemon that goes away is waited for; one that was never reached is
// an error. once says by begun that the daemon has answered.
func (a *app) follow(ctx context.Context, what string, once func(_ context.Context, begun func()) error) error {
	ever, lost, retry := false, false, firstRetry
	for {
		err := once(ctx, func() {
			ever, retry = true, firstRetry
			if lost {
				fmt.Fprintln(a.Err, "nodee: the daemon is back")
			}
			lost = false
		})
		switch {
		case ctx.Err() != nil:
			return nil // whoever follows ends it so
		case ever && isNotFound(err):
			fmt.Fprintf(a.Err, "nodee: %s was removed\n", what)
			return nil
		case err != nil && (!ever || !passing(err)):
			return err
		case err != nil && !lost:
			lost = true
			fmt.Fprintln(a.Err, "nodee: the daemon is away, waiting for it")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retry):
			retry = min(2*retry, lastRetry)
		}
	}
}

// each writes what comes in a stream until the daemon ends it.
func each[T any](stream *client.Stream[T], write func(T, []byte) error) error {
	for {
		value, raw, err := stream.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := write(value, raw); err != nil {
			return &writeError{err}
		}
	}
}

// passing tells whether err is of a kind that passes when the daemon is back.
func passing(err error) bool {
	return isAway(err) || fault.KindOf(err).Retryable()
}
