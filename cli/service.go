package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/runtime/service"
)

func (a *app) service() *cobra.Command {
	cmd := noun("service", "Start, stop and watch services", `A service is a process (and what it starts) that runs under a coordinate until
told otherwise. The daemon restarts it as its spec says, also after a reboot.

These commands change what is desired, on the daemon's disk; the daemon makes it
come true. start, stop, drain and restart wait for that unless told not to.

A service is confined: it writes its runtime directory, its own log, /tmp,
/var/tmp and /dev. Its spec can allow more: access.write = ["/srv/data"] names
files and folders, access.confine = false leaves it to the rights of its user,
access.new_privileges = true has setuid programs work. Nodee's own folders are
out of its reach in any case, as far as "landlock" in "nodee status" says so.

Not built yet: the key of a spec named exclusive, which is refused.`)
	cmd.Example = `  nodee service start 1.web.borud.fbu -f web.toml
  nodee service list
  nodee service logs 1.web.borud.fbu --stream stderr --tail 20
  nodee service restart 1.web.borud.fbu`
	cmd.AddCommand(a.serviceStart(), a.serviceStop(), a.serviceDrain(), a.serviceRestart(), a.serviceRemove(),
		a.serviceList(), a.serviceStatus(), a.serviceLogs(), a.serviceEvents(), a.serviceDiff())
	return cmd
}

// withService makes the function of a command that is about a service.
func (a *app) withService(do func(context.Context, *client.Client, service.Coordinate) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		coordinate, err := service.ParseCoordinate(args[0])
		if err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		return do(cmd.Context(), c, coordinate)
	}
}

func (a *app) serviceList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the services", Args: NoArgs, Example: `  nodee service list`,
		Long: `Lists every service of the node, also those that are stopped or have failed.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			got, err := c.Services(cmd.Context())
			return show(a, got, err, func(list api.Services) error {
				return writeTable(a.Out, serviceHeader, serviceRows(list.Services))
			})
		},
	}
}

var serviceHeader = []string{"COORDINATE", "STATE", "DESIRED", "PID", "UPTIME", "RESTARTS", "ARTIFACT", "WHY"}

// whyWidth is how much of the reason a row shows. "service status" shows all of it.
const whyWidth = 60

func serviceRows(services []api.Service) [][]string {
	var rows [][]string
	for _, s := range services {
		pid, uptime := "", ""
		if s.PID != nil {
			pid, uptime = fmt.Sprint(*s.PID), length(seconds(s.UptimeSeconds))
		}
		rows = append(rows, []string{s.Coordinate, stateText(s), s.Desired, pid, uptime, fmt.Sprint(s.Restarts), s.Artifact, shortText(s.Why, whyWidth)})
	}
	return rows
}

// stateText is the state, and that it is not as good as it sounds.
func stateText(s api.Service) string {
	if s.State == string(service.StateRunning) && s.Healthy != nil && !*s.Healthy {
		return s.State + ", unhealthy"
	}
	return s.State
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// recentEvents is how many events the page of a service shows.
const recentEvents = 8

func (a *app) serviceStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status COORDINATE", Short: "Show how a service is, and why", Args: takes("COORDINATE"), ValidArgsFunction: a.completeCoordinate,
		Long: `Shows all there is to know about a service on one page: its state and the reason
for it; in sentences since when, who wanted that, how its process ended the last
time and what comes next; its ports and folders; and what has happened lately.
With -o json it is the Service alone. "nodee why" tells how it came about, step
by step.`,
		Example: `  nodee service status 1.web.borud.fbu`,
		RunE: a.withService(func(ctx context.Context, c *client.Client, coordinate service.Coordinate) error {
			got, err := c.Service(ctx, coordinate)
			return show(a, got, err, func(s api.Service) error {
				history, err := c.Events(ctx, client.EventQuery{Service: &coordinate, Limit: recentEvents})
				if err != nil {
					return err
				}
				causes, err := c.Why(ctx, coordinate)
				if err != nil {
					return err
				}
				return writeService(a.Out, s, causes.Value.Why, history.Value.Events, time.Now())
			})
		}),
	}
}
