package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

// How long a wish is waited for when nobody says: what the service's spec allows for its
// end, startTime where it is to run then, and a slack for the daemon's own work. The
// daemon lets nobody wait longer than maxWait.
const (
	startTime = time.Minute
	wishSlack = 10 * time.Second
	maxWait   = time.Hour
)

// waitFlags say whether and how long to wait for what was asked for.
type waitFlags struct {
	no      bool
	timeout durationFlag
	endless bool // nobody at the other end waits, so nobody there has a limit
}

func (w *waitFlags) register(cmd *cobra.Command, usual string) {
	cmd.Flags().BoolVar(&w.no, "no-wait", false, "return when the daemon has taken note, not when it has come true")
	longest := ", at most 1h"
	if w.endless {
		longest = ""
	}
	cmd.Flags().Var(&w.timeout, "timeout", "how long to wait"+longest+" (default "+usual+")")
}

func (w *waitFlags) check() error {
	switch d := w.timeout; {
	case d == 0:
		return nil
	case w.no:
		return usage("--timeout has no effect with --no-wait: give one of them")
	case time.Duration(d) > maxWait && !w.endless:
		return usage("--timeout is %s, at most %s is possible", d, quantity.Duration(maxWait))
	}
	return nil
}

// durationFlag is a flag's length of time; 0 is none.
type durationFlag time.Duration

func (d *durationFlag) Type() string { return "DURATION" }

func (d durationFlag) String() string {
	if d == 0 {
		return ""
	}
	return quantity.Duration(d).String()
}

func (d *durationFlag) Set(s string) error {
	parsed, err := quantity.ParseDuration(s)
	if err == nil && parsed == 0 {
		err = errors.New("expected more than 0")
	}
	*d = durationFlag(parsed)
	return err
}

// wish is a change of what is desired of a service.
type wish struct {
	coordinate service.Coordinate
	verb       client.Verb
	doing      string // the same for people: "starting"
	ask        func(context.Context, client.Wait) (client.Answer[api.Service], error)
}

// run asks for a wish, waits for it to come true, and tells how the service is then.
func (w *waitFlags) run(ctx context.Context, a *app, c *client.Client, it wish) error {
	if w.no {
		got, err := it.ask(ctx, 0)
		return show(a, got, err, func(s api.Service) error {
			return a.say("%s is to be %s; it is %s now: nodee service status %s shows how it goes\n", s.Coordinate, s.Desired, s.State, s.Coordinate)
		})
	}
	limit := time.Duration(w.timeout)
	if limit == 0 {
		var err error
		if limit, err = usualLimit(ctx, c, it); err != nil {
			return err
		}
	}
	look := func(ctx context.Context) string {
		s, err := c.Service(ctx, it.coordinate)
		if err != nil {
			return "" // the request itself tells what is wrong
		}
		return s.Value.State + ", " + s.Value.Why
	}
	var got client.Answer[api.Service]
	err := a.busy(ctx, it.doing+" "+it.coordinate.String(), look, func(ctx context.Context) (err error) {
		got, err = it.ask(ctx, client.Wait(limit))
		return err
	})
	return show(a, got, unfulfilled(ctx, it, err), func(s api.Service) error { return a.say("%s\n", printable(headline(s))) })
}

// usualLimit is how long to wait for a wish when nobody says.
func usualLimit(ctx context.Context, c *client.Client, it wish) (time.Duration, error) {
	got, err := c.Service(ctx, it.coordinate)
	if isNotFound(err) {
		return startTime, nil // a new one; else the wish itself is answered like this
	}
	return patience(it.verb, got.Value.Spec), err
}

// patience is how long a wish may take, by the spec of the service as it is.
func patience(verb client.Verb, s *service.Spec) time.Duration {
	limit := wishSlack
	if s != nil {
		limit += s.Stop.Grace.Std()
	}
	if s != nil && s.Drain != nil && verb == client.Drain {
		limit += s.Drain.Timeout.Std()
	}
	if verb == client.Start || verb == client.Restart {
		limit += startTime
	}
	return min(limit, maxWait)
}

// wishError is a wish that did not come true, whatever the daemon's status for that is.
type wishError struct {
	err  error // a problem, or what ended the waiting
	text string
}

func (e *wishError) Error() string { return e.text }
func (e *wishError) Unwrap() error { return e.err }

// unfulfilled tells of a wish that failed, that is not fulfilled in time, or that was left
// alone: how the service is, and where to look next. Other errors are passed on.
func unfulfilled(ctx context.Context, it wish, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return &wishError{err, fmt.Sprintf("interrupted; %s %s goes on: nodee service status %s shows how it is", it.doing, it.coordinate, it.coordinate)}
	}
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || p.Service == nil || !decided(p) {
		return err
	}
	return &wishError{err, sadEnd(it, *p.Service, p.Status == http.StatusGatewayTimeout)}
}

// sadEnd says what became of a wish, and where to look next.
func sadEnd(it wish, s api.Service, late bool) string {
	text := fmt.Sprintf("cannot %s %s: it has failed: %s", it.verb, s.Coordinate, s.Why)
	if late {
		text = fmt.Sprintf("cannot %s %s in time: it is %s: %s; the daemon goes on with it", it.verb, s.Coordinate, s.State, s.Why)
	}
	look := "\n  look at    "
	if s.LastExit != nil {
		text += "\n  last exit  " + exitText(s.LastExit)
		text += look + "nodee service logs " + s.Coordinate + " --stream stderr --tail 20"
		look = "\n             "
	}
	return text + look + "nodee service status " + s.Coordinate
}
