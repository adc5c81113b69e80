package discovery

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/runtime/service"
)

// choose picks from the running services the endpoints that e asks for, sorted.
func choose(e service.Expression, client string, running []Instance) []api.Endpoint {
	able := slices.DeleteFunc(slices.Clone(running), func(i Instance) bool {
		_, named := i.Endpoints[e.Endpoint]
		return !e.Covers(i.Coordinate) || len(i.Endpoints) == 0 || e.Endpoint != "" && !named
	})
	slices.SortFunc(able, func(a, b Instance) int { return a.Coordinate.Compare(b.Coordinate) })
	if e.Pick == service.PickAny && len(able) > 0 {
		able = []Instance{favourite(client, able)}
	}
	out := []api.Endpoint{}
	for _, i := range able {
		for _, name := range slices.Sorted(maps.Keys(i.Endpoints)) {
			if e.Endpoint == "" || e.Endpoint == name {
				p := i.Endpoints[name]
				out = append(out, api.Endpoint{Coordinate: i.Coordinate.String(), Name: name, Host: p.Host, Port: p.Port, Protocol: p.Protocol})
			}
		}
	}
	return out
}

// favourite returns the instance that a client is sent to: the one with the highest weight
// for it. Clients spread over the instances; one that goes moves only its own clients, and
// one that comes only those that it is the favourite of, so that whoever moved because an
// instance was restarted is back when that is. This is
// rendezvous hashing: D. G. Thaler and C. V. Ravishankar, "Using Name-Based Mappings to
// Increase Hit Rates", IEEE/ACM Transactions on Networking 6 (1), 1998.
func favourite(client string, able []Instance) Instance {
	return slices.MaxFunc(able, func(a, b Instance) int {
		return cmp.Compare(weight(client, a.Coordinate), weight(client, b.Coordinate))
	})
}

// weight is what an instance weighs for a client, the same on every node and for ever. A
// client may be any text; what separates it from the coordinate can be in no coordinate.
func weight(client string, c service.Coordinate) uint64 {
	sum := sha256.Sum256([]byte(c.String() + "\x00" + client))
	return binary.BigEndian.Uint64(sum[:])
}
