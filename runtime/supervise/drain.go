package supervise

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/runtime/service"
)

// drainPause lies between two tries of a drain step that can be repeated.
const drainPause = time.Second

// drain tells the service to finish its work, and waits for that. After a restart of the
// daemon the step is taken again, for the time that is left: told twice is better than never.
func (u *unit) drain(why string) {
	now := time.Now()
	if u.rec.DrainSince.IsZero() {
		u.rec.DrainSince = now.UTC()
	}
	u.saveOrSay()
	u.event(service.EventDraining, why)
	if u.rec.Spec.Drain == nil {
		u.feed(Drained, "it has no drain step")
		return
	}
	left := u.rec.Spec.Drain.Timeout.Std() - now.Sub(u.rec.DrainSince)
	job, handle, address := u.job(), u.rec.Handle, u.ear.address
	u.begin("drain", func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, left)
		defer cancel()
		result := u.cfg.drainStep(ctx, job, handle, address)
		return func() { u.feed(Drained, result) }
	})
}

// drainStep does what the spec says until it has worked or ctx ends, and tells how it went.
func (c *Config) drainStep(ctx context.Context, job Job, handle Handle, address string) string {
	outfit, err := c.Outfitter.Compose(job)
	if err != nil {
		return fmt.Sprintf("cannot drain it: %v", err)
	}
	d := outfit.Drain
	var problem error
	switch {
	case d.Signal != "":
		if problem = c.Launcher.Signal(ctx, handle, d.Signal); problem == nil {
			<-ctx.Done() // its exit comes on another way
		}
	case outfit.DrainExec != nil:
		problem = repeat(ctx, func() error { return c.drainExec(ctx, handle, equip(*outfit.DrainExec, address)) })
	default:
		problem = repeat(ctx, func() error { return drainPost(ctx, d.HTTP) })
	}
	switch {
	case ctx.Err() != nil && problem != nil:
		return fmt.Sprintf("the drain was not done in %s: %v", d.Timeout, problem)
	case ctx.Err() != nil:
		return fmt.Sprintf("the drain was not done in %s", d.Timeout)
	case problem != nil:
		return fmt.Sprintf("cannot drain it: %v", problem)
	}
	return "it is drained"
}

// repeat tries until try succeeds or ctx ends, and returns the last error of try itself.
func repeat(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil || ctx.Err() != nil {
			return err
		}
		group.Rest(ctx, drainPause)
		if ctx.Err() != nil {
			return err
		}
	}
}

func (c *Config) drainExec(ctx context.Context, handle Handle, l Launch) error {
	exit, err := c.Launcher.Exec(ctx, handle, l)
	if err != nil {
		return err
	}
	return outcome(exit, l)
}

// outcome tells how a helper has ended: an error unless with 0.
func outcome(exit Exit, l Launch) error {
	if exit.Code != nil && *exit.Code == 0 {
		return nil
	}
	return fmt.Errorf("%s %s", l.Path, Ended(service.Exit{Code: exit.Code, Signal: &exit.Signal}))
}

// drainClient asks the service itself and nobody else: it takes no proxy out of the daemon's
// environment, follows no redirects (one is no "yes") and keeps no connection.
var drainClient = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// drainTry bounds one request of a drain step.
const drainTry = 10 * time.Second

func drainPost(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, drainTry)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return err
	}
	resp, err := drainClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s", url, resp.Status)
	}
	return nil
}
