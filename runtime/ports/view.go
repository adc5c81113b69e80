package ports

import (
	"cmp"
	"fmt"
	"os"
	"slices"

	"github.com/cloudname/nodee/internal/sockets"
)

// Listening takes a picture of the ports that are listened on now, for Assign. Those on which
// datagrams are taken count too: a service may do both on the port that it is given.
func (h Host) Listening() (func(port int) bool, error) {
	where := sockets.Host{Proc: h.Proc}
	streams, err1 := where.Listeners()
	datagrams, err2 := where.Datagrams()
	if err := cmp.Or(err1, err2); err != nil {
		return nil, cannotTell(err)
	}
	ports := make(map[int]bool, len(streams)+len(datagrams))
	for _, s := range slices.Concat(streams, datagrams) {
		ports[int(s.Local.Port())] = true
	}
	return func(port int) bool { return ports[port] }, nil
}

// Outgoing tells which ports the kernel may take for outgoing connections. Where it does not say,
// none of those that are assigned are.
func (h Host) Outgoing() func(port int) bool {
	var low, high int
	text, err := os.ReadFile(h.path("sys", "net", "ipv4", "ip_local_port_range"))
	if err == nil {
		_, err = fmt.Sscan(string(text), &low, &high)
	}
	if err != nil {
		return func(int) bool { return false }
	}
	return func(port int) bool { return port >= low && port <= high }
}
