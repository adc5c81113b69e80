package nodee

import (
	"fmt"
	"path/filepath"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/confine"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

// protected are the folders whose contents and names no service may change. The folders of
// services are not among them: each is one's own.
func (a *Agent) protected() []string {
	return []string{a.prefix.Software(), a.prefix.State(), a.prefix.Logs(), a.dirs.Staging()}
}

// accessOf is what a spec allows, as the launcher knows it.
func accessOf(s service.Access) supervise.Access {
	return supervise.Access{Open: !s.Confine, Write: s.Write, NewPrivileges: s.NewPrivileges}
}

// checkAccess finds what cannot be allowed, as far as that is known before a start, which looks again.
func checkAccess(s service.Access, protected []string) []fault.Field {
	var faults []fault.Field
	for i, path := range s.Write {
		err := confine.Meets(path, protected)
		if real, e := filepath.EvalSymlinks(path); err == nil && e == nil {
			err = confine.Meets(real, protected)
		}
		if err != nil {
			faults = append(faults, fault.Field{Location: fmt.Sprintf("access.write[%d]", i), Message: err.Error(), Value: path})
		}
	}
	return faults
}
