package nodee

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cloudname/nodee/runtime/ports"
	"github.com/cloudname/nodee/runtime/service"
)

// assignPorts chooses the ports of a service, by what its spec asks for and what it had.
func (a *Agent) assignPorts(c service.Coordinate, asked, kept map[string]int) (map[string]int, error) {
	return ports.Assign(asked, kept, ports.View{Owner: a.portsTaken(c), Busy: ports.Host{}.Listening, Outgoing: ports.Host{}.Outgoing()})
}

// portsTaken tells which other service has a port.
func (a *Agent) portsTaken(c service.Coordinate) func(int) string {
	by := map[int]string{}
	for _, d := range a.desires.All() {
		if d.Coordinate != c {
			for _, port := range d.Ports {
				by[port] = d.Coordinate.String()
			}
		}
	}
	return func(port int) string { return by[port] }
}

// portsFree looks whether somebody has a port that a service is about to listen on. Nothing of the
// service itself lives at this point, so nobody is spared.
func (a *Agent) portsFree(assigned map[string]int) error {
	for _, name := range slices.Sorted(maps.Keys(assigned)) {
		holder, held, err := ports.Host{}.Holder(assigned[name], nil)
		if err != nil {
			return err
		}
		if !held {
			continue
		}
		if key, ours := a.launcher.Owner(holder.PID); ours {
			return fmt.Errorf("cannot start: its port %s cannot be had, %s of %s", name, holder, key.Name)
		}
		return fmt.Errorf("cannot start: its port %s cannot be had, %s", name, holder)
	}
	return nil
}
