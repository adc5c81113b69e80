package cli

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cloudname/nodee/api/client"
)

// askEvery is how often the coordinator is asked about what is followed.
const askEvery = 500 * time.Millisecond

// errLate is the end of a time to wait.
var errLate = errors.New("not in time")

// follower follows something at the coordinator until it has ended. It is for one goroutine, but
// for text.
type follower struct {
	app    *app
	client *client.Client
	what   string                 // "web.borud.fbu"
	said   atomic.Pointer[string] // how it goes, for the line that shows progress
}

// follow asks look until that says that it has ended: badly, with a failure, or well. A
// coordinator that goes away is waited for, or another one is asked; any error that does not pass
// by itself is the end.
func (f *follower) follow(ctx context.Context, limit time.Duration, look func(context.Context) (ended bool, failure string, err error)) (failure string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errLate)
	defer cancel()
	err = f.app.busy(ctx, f.what, func(context.Context) string { return f.text() }, func(ctx context.Context) error {
		for {
			ended, why, err := look(ctx)
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case err != nil && !passing(err):
				return err
			case err != nil:
				f.away(ctx, err)
			case ended:
				failure = why
				return nil
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(askEvery):
			}
		}
	})
	return failure, err
}

// unfinished says what it means that following has ended before what is followed.
func (f *follower) unfinished(ctx context.Context, err error, goesOn string) error {
	switch {
	case ctx.Err() != nil:
		return &wishError{err, "interrupted; " + goesOn}
	case errors.Is(err, errLate):
		return &wishError{err, fmt.Sprintf("%s is not done in time: %s; %s", f.what, f.text(), goesOn)}
	}
	return err
}

// away has another coordinator asked where one is known, else the same once more.
func (f *follower) away(ctx context.Context, err error) {
	before := f.client.Addr()
	text := fmt.Sprintf("the coordinator at %s is away (%s), ", before, shortly(err))
	if f.client = f.app.elsewhere(ctx, f.client); f.client.Addr() != before {
		f.say(text + "asking the one at " + f.client.Addr())
		return
	}
	f.say(text + "trying again")
}

// say tells how it goes: in the line that shows progress on a terminal, else in a line of its
// own each time that it is something else.
func (f *follower) say(text string) {
	if before := f.said.Swap(&text); !isTerminal(f.app.Err) && (before == nil || *before != text) {
		fmt.Fprintf(f.app.Err, "%s: %s\n", f.what, printable(text))
	}
}

func (f *follower) text() string {
	if t := f.said.Load(); t != nil {
		return *t
	}
	return "nothing is known of it"
}
