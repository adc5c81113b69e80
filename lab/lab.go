// Package lab is a node with everything around it that a person needs for a first try, in
// one process: the agent, a coordinator, a cell of their own on the keeper in memory, and a
// repository with a demo artifact on the loopback. It is what nodee dev runs.
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
	"slices"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator"
	"github.com/cloudname/nodee/internal/caller"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/settings"
	"github.com/cloudname/nodee/nodee"
	"github.com/cloudname/nodee/nodee/store"
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
	l := &lab{Options: o, cell: o.cell(), ended: make(chan struct{})}
	if l.repo, err = openRepository(ctx, filepath.Join(o.Settings.Prefix, repositoryDir)); err != nil {
		return err
	}
	l.Settings.Repositories = append(l.Settings.Repositories, l.repo.settings())
	if err := l.open(ctx); err != nil {
		return errors.Join(err, l.repo.close())
	}
	defer func() { err = errors.Join(err, l.coordinator.Close(), l.agent.Close(ctx)) }()
	// The agent outlives ctx, to stop what runs.
	g := group.New(context.WithoutCancel(ctx))
	g.Go("agent", l.agent.Run)
	g.Go("demo repository", l.repo.serve)
	g.Aside("coordinator", func(alive context.Context) error { return l.coordinate(ctx, alive) })
	g.Go("demo", func(alive context.Context) error { return errors.Join(l.show(ctx, alive), l.end(alive)) })
	return g.Wait()
}

// lab is what Dev runs.
type lab struct {
	Options
	cell        cell
	repo        *repository
	agent       *nodee.Agent
	coordinator *coordinator.Coordinator
	ended       chan struct{} // closed when the coordinator has
}

// open makes the daemons. On an error none is left.
func (l *lab) open(ctx context.Context) (err error) {
	l.agent, err = nodee.New(ctx, nodee.Config{
		Settings: l.Settings, Version: l.Version, Log: l.Log, Keeper: l.cell.keeper(), LeaveOnExit: !l.Keep, NewCell: l.cell.inMemory(),
	})
	if err != nil {
		return err
	}
	l.coordinator, err = coordinator.New(ctx, coordinator.Config{Settings: l.Settings, Version: l.Version, Log: l.Log, Keeper: l.cell.keeper()})
	if err != nil {
		return errors.Join(err, l.agent.Close(ctx))
	}
	return nil
}

// coordinate runs the coordinator until ctx ends, or the lab does.
func (l *lab) coordinate(ctx, alive context.Context) error {
	defer close(l.ended)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(alive, func() { cancel(context.Cause(alive)) })()
	return l.coordinator.Run(ctx)
}

// show starts the demo, tells about it and waits for the end of ctx, or of the agent.
func (l *lab) show(ctx, alive context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(alive, func() { cancel(context.Cause(alive)) })()
	if l.agent.AwaitReady(ctx) != nil || l.coordinator.AwaitServing(ctx) != nil {
		return nil // told to end before there was anything to show
	}
	s, err := startDemo(ctx, l.agent)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("the demo does not run: %w", err)
	}
	if ctx.Err() == nil {
		l.tell(s)
	}
	<-ctx.Done()
	return nil
}

func startDemo(ctx context.Context, agent *nodee.Agent) (api.Service, error) {
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
func (l *lab) end(alive context.Context) error {
	<-l.ended
	// Who ends it at once may have left services running the time before: they are known
	// only when the agent is ready.
	if l.Keep || l.agent.AwaitReady(alive) != nil {
		return nil
	}
	services := l.agent.ServicesFull()
	if !l.cell.inMemory() { // what a real cell wants goes on
		services = slices.DeleteFunc(services, ofCell)
	} else if err := l.agent.Release(); err != nil {
		return err
	}
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
			return stop(ctx, l.agent, s)
		})
	}
	if len(services) > 0 {
		fmt.Fprintln(l.Out, "\nStopping what runs...")
	}
	return g.Wait()
}

func ofCell(s api.Service) bool { return s.Owner != store.Local }

// stop ends a service. Of one that the cell has assigned nothing is left: the next cell may assign
// another of the name.
func stop(ctx context.Context, agent *nodee.Agent, s api.Service) error {
	c, err := service.ParseCoordinate(s.Coordinate)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(caller.With(ctx, "nodee dev, which ends"), agent.RemovalLimit(c))
	defer cancel()
	if ofCell(s) {
		if err := agent.RemoveService(ctx, c, false); err != nil {
			return err
		}
		return agent.AwaitRemoval(ctx, c)
	}
	s, err = agent.CommandService(ctx, c, "stop")
	if err == nil {
		_, err = agent.AwaitService(ctx, c, s.Generation)
	}
	return err
}

func (l *lab) tell(s api.Service) {
	address := ""
	if l.agent.Address() != "http://127.0.0.1:7040" {
		address = "  export NODEE_ADDR=" + l.agent.Address() + "\n"
	}
	fmt.Fprintf(l.Out, `
A node is up, and a coordinator that places jobs on it.
  API         %s
  coordinator %[11]s
  prefix      %[2]s
  repository  %[3]s has %[4]s, and what you put into %[5]s
  service     %[6]s is %[7]s (pid %[8]d)

In another terminal, try:
%[9]s  %[10]s service list
  %[10]s service logs %[6]s --follow
  %[10]s service restart %[6]s
  %[10]s service status %[6]s
  %[10]s service start 2.hello.demo.cell --artifact %[4]s --option greeting=Hi
  echo '{"name":"hi.demo.cell","count":2,"spec":{"artifact":"%[4]s"}}' | %[10]s job run - --yes
  curl %[1]s/v1/services/%[6]s

`, l.agent.Address(), l.Settings.Prefix, l.repo.url(), DemoArtifact, filepath.Join(l.Settings.Prefix, repositoryDir),
		s.Coordinate, s.State, pid(s), address, l.Program, l.coordinator.Address())
	if l.Keep {
		fmt.Fprintln(l.Out, "Ctrl-C ends the node; its services run on.")
		return
	}
	fmt.Fprintln(l.Out, "Ctrl-C stops all of it.")
}

func pid(s api.Service) int {
	if s.PID == nil {
		return 0
	}
	return *s.PID
}
