package service

import (
	"fmt"
	"slices"

	"github.com/cloudname/nodee/internal/document"
)

// readDependsOn reads which services must be ready before this one is started. Whether they
// are there, or wait for this one in turn, is for the node to tell.
func readDependsOn(r *document.Reader) []Coordinate {
	out := []Coordinate{}
	list, _ := r.List("depends_on")
	for i, v := range list {
		at := fmt.Sprintf("depends_on[%d]", i)
		s, ok := v.(string)
		if !ok {
			r.Fault(at, v, "must be the coordinate of a service, not %s", document.KindOf(v))
			continue
		}
		c, err := ParseCoordinate(s)
		switch {
		case err != nil:
			r.Fault(at, s, "%v", err)
		case slices.Contains(out, c):
			r.Fault(at, s, "is named twice")
		default:
			out = append(out, c)
		}
	}
	return out
}
