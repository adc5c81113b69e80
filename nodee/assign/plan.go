package assign

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// Have is what there is of a service.
type Have struct {
	Local   bool // it is the node's own
	Leaving bool // it is to end and to be forgotten

	// Of what the cell owns, what was applied.
	Owner      string
	Spec       string // its digest
	Want       service.Desired
	Generation int64
}

// Plan is what has to change.
type Plan struct {
	Put       []zkschema.AssignedUnit
	Remove    []string          // of the cell's, those that are named no more
	Conflicts map[string]string // by the name of a local service: whose unit it keeps from running
	Faults    map[string]error  // by the name of a unit: why it says nothing that can be done
	Waits     bool              // for a service that is in the way
}

// PlanFor says what has to change so that the node has these units. It looks at nothing but its
// arguments, and planned again when that was done it finds nothing to do.
func PlanFor(units []zkschema.AssignedUnit, have map[string]Have) Plan {
	p := Plan{Conflicts: map[string]string{}, Faults: map[string]error{}}
	named := make(map[string]bool, len(units))
	for _, u := range units {
		named[u.Name] = true
		h, there := have[u.Name]
		err := check(u)
		switch {
		case err != nil:
			p.Faults[u.Name] = err
		case there && h.Local:
			p.Conflicts[u.Name], p.Waits = u.Owner, true
		case there && h.Leaving:
			p.Waits = true // it comes when the earlier one is gone
		case !there || h != applied(u):
			p.Put = append(p.Put, u)
		}
	}
	for name, h := range have {
		if !named[name] && !h.Local && !h.Leaving {
			p.Remove = append(p.Remove, name)
		}
	}
	slices.Sort(p.Remove)
	return p
}

// applied is what there is when a unit was applied.
func applied(u zkschema.AssignedUnit) Have {
	return Have{Owner: u.Owner, Spec: u.Spec, Want: u.Want, Generation: u.Generation}
}

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// check finds what is wrong with a unit, whatever its spec is.
func check(u zkschema.AssignedUnit) error {
	var errs []error
	if u.Kind != zkschema.KindService {
		errs = append(errs, fmt.Errorf("its kind is %q, this node knows %q only", u.Kind, zkschema.KindService))
	}
	if _, err := service.ParseCoordinate(u.Name); err != nil {
		errs = append(errs, err)
	}
	if job := zkschema.JobOwner(""); !strings.HasPrefix(u.Owner, job) || u.Owner == job {
		errs = append(errs, fmt.Errorf("its owner is %q, expected %s<job>", u.Owner, job))
	}
	if !digestForm.MatchString(u.Spec) {
		errs = append(errs, fmt.Errorf("its spec is %q, expected the digest of one", u.Spec))
	}
	if !slices.Contains([]service.Desired{service.Running, service.Stopped, service.Drained}, u.Want) {
		errs = append(errs, fmt.Errorf("what is wanted of it is %q, expected running, stopped or drained", u.Want))
	}
	return errors.Join(errs...)
}
