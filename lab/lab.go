// Package lab is a node with everything around it that a person needs for a first try, in
// one process: the agent, a cell of its own on the keeper in memory, and a repository with a
// demo artifact on the loopback. It is what nodee dev runs.
//
// Dev owns every goroutine that it starts, through a group. It refuses to leave anything
// running when it ends, unless it is asked to.
package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/caller"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/internal/settings"
	"github.com/cloudname/nodee/nodee"
	"github.com/cloudname/nodee/runtime/service"
)

// DemoService is what Dev has running when it says that it is up.
const DemoService = "1.hello.demo.cell"

// Options say how to run.
type Options struct {
	Settings settings.Settings
	Version  string
	Log      *slog.Logger
	Keep     bool      // leave the services running at the end
	Program  string    // how a person calls the command line: "bin/nodee"
	Out      io.Writer // where a person is told what is there and what to type next
}

// startTime is how long the demo may take until it runs.
const startTime = 30 * time.Second

// repositoryDir is the folder below the prefix that a person can put archives into.
const repositoryDir = "repository"

// Dev runs until ctx ends, then stops every service of the node unless Keep is set.
func Dev(ctx context.Context, o Options) (err error) {
	repo, err := openRepository(ctx, filepath.Join(o.Settings.Prefix, repositoryDir))
	if err != nil {
		return err
	}
	o.Settings.Repositories = append(o.Settings.Repositories, repo.settings())
	agent, err := nodee.New(ctx, nodee.Config{Settings: o.Settings, Version: o.Version, Log: o.Log, Keeper: o.keeper(), LeaveOnExit: !o.Keep})
	if err != nil {
		return errors.Join(err, repo.close())
	}
	defer func() { err = errors.Join(err, agent.Close(ctx)) }()
	// The agent outlives ctx, to stop what runs.
	g := group.New(context.WithoutCancel(ctx))
	g.Go("agent", agent.Run)
	g.Go("demo repository", repo.serve)
	g.Go("demo", func(alive context.Context) error {
		return errors.Join(o.show(ctx, alive, agent, repo), o.end(alive, agent))
	})
	return g.Wait()
}

// keeper is the cell's: one in memory, unless somebody wants to try a real ZooKeeper.
func (o Options) keeper() keeper.Keeper {
	z := o.Settings.ZooKeeper
	if len(z.Servers) > 0 {
		return nil
	}
	return memory.New().Keeper(z.SessionTimeout.Std())
}

// show starts the demo, tells about it and waits for the end of ctx, or of the agent.
func (o Options) show(ctx, alive context.Context, agent *nodee.Agent, repo *repository) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(alive, func() { cancel(context.Cause(alive)) })()
	if err := agent.AwaitReady(ctx); err != nil {
		return nil // told to end before there was anything to show
	}
	s, err := o.startDemo(ctx, agent)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("the demo does not run: %w", err)
	}
	if ctx.Err() == nil {
		o.tell(s, agent, repo)
	}
	<-ctx.Done()
	return nil
}

func (o Options) startDemo(ctx context.Context, agent *nodee.Agent) (api.Service, error) {
	ctx, cancel := context.WithTimeout(caller.With(ctx, "nodee dev, for its demo"), startTime)
	defer cancel()
	c, err := service.ParseCoordinate(DemoService)
	if err != nil {
		return api.Service{}, err
	}
	spec, err := service.Decode([]byte(`{"artifact":"`+DemoArtifact+`","options":{"greeting":"Hello","every":2},"drain":{"signal":"USR1"}}`), service.JSON, "")
	if err != nil {
		return api.Service{}, err
	}
	s, _, err := agent.PutService(ctx, c, spec, true)
	if err != nil {
		return s, err
	}
	return agent.AwaitService(ctx, c, s.Generation)
}

// end stops what runs, all at once but for what others depend on, which is stopped after them,
// and waits for each as long as its own spec lets a stop take.
func (o Options) end(alive context.Context, agent *nodee.Agent) error {
	// Who ends it at once may have left services running the time before: they are known
	// only when the agent is ready.
	if o.Keep || agent.AwaitReady(alive) != nil {
		return nil
	}
	services := agent.ServicesFull()
	order, ended := nodee.OrderOf(services), map[string]chan struct{}{}
	for _, s := range services {
		ended[s.Coordinate] = make(chan struct{})
	}
	g := group.New(alive)
	for _, s := range services {
		g.Aside(s.Coordinate, func(ctx context.Context) error {
			defer close(ended[s.Coordinate])
			for _, other := range order.Dependents(s.Coordinate) {
				<-ended[other] // each ends: by its own limit at the latest
			}
			return stop(ctx, agent, s.Coordinate)
		})
	}
	if len(services) > 0 {
		fmt.Fprintln(o.Out, "\nStopping what runs...")
	}
	return g.Wait()
}

func stop(ctx context.Context, agent *nodee.Agent, name string) error {
	c, err := service.ParseCoordinate(name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(caller.With(ctx, "nodee dev, which ends"), agent.RemovalLimit(c))
	defer cancel()
	s, err := agent.CommandService(ctx, c, "stop")
	if err == nil {
		_, err = agent.AwaitService(ctx, c, s.Generation)
	}
	return err
}

func (o Options) tell(s api.Service, agent *nodee.Agent, repo *repository) {
	address := ""
	if agent.Address() != "http://127.0.0.1:7040" {
		address = "  export NODEE_ADDR=" + agent.Address() + "\n"
	}
	fmt.Fprintf(o.Out, `
A node is up.
  API         %s
  prefix      %s
  repository  %s has %s, and what you put into %s
  service     %s is %s (pid %d)

In another terminal, try:
%[9]s  %[10]s service list
  %[10]s service logs %[6]s --follow
  %[10]s service restart %[6]s
  %[10]s service status %[6]s
  %[10]s service start 2.hello.demo.cell --artifact %[4]s --option greeting=Hi
  curl %[1]s/v1/services/%[6]s

`, agent.Address(), o.Settings.Prefix, repo.url(), DemoArtifact, filepath.Join(o.Settings.Prefix, repositoryDir),
		s.Coordinate, s.State, pid(s), address, o.Program)
	if o.Keep {
		fmt.Fprintln(o.Out, "Ctrl-C ends the node; its services run on.")
		return
	}
	fmt.Fprintln(o.Out, "Ctrl-C stops all of it.")
}

func pid(s api.Service) int {
	if s.PID == nil {
		return 0
	}
	return *s.PID
}
