package service

import (
	"fmt"
	"slices"
)

// readDependsOn reads which services must be ready before this one is started. Whether they
// are there, or wait for this one in turn, is for the node to tell.
func readDependsOn(r *reader) []Coordinate {
	out := []Coordinate{}
	list, _ := r.list("depends_on")
	for i, v := range list {
		at := fmt.Sprintf("depends_on[%d]", i)
		s, ok := v.(string)
		if !ok {
			r.fault(at, v, "must be the coordinate of a service, not %s", kindOf(v))
			continue
		}
		c, err := ParseCoordinate(s)
		switch {
		case err != nil:
			r.fault(at, s, "%v", err)
		case slices.Contains(out, c):
			r.fault(at, s, "is named twice")
		default:
			out = append(out, c)
		}
	}
	return out
}
